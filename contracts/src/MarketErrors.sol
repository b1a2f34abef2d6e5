// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

// Every refusal of the market. Where two values are named, the first is what was found, the second what was expected.

// Trees and stored bytes.
error DataTooLong(uint256 length, uint256 limit);
error ProofLength(uint256 siblings);
error BlobTooLarge(uint256 length, uint256 limit);
error BlobFailed();

// The model root's preimage.
error PreimageLength(uint256 length, uint256 expected);
error UnsupportedVersion(uint256 version);
error NoNodes();
error NoWeights();
error NoSlots();
error NoOutputs();
error UnknownSchedule(uint256 schedule);
error TooManySteps(uint256 steps, uint256 limit);
error NoIterations();
error KeptNotPowerOfTwo(uint256 kept);
error KeptAboveWidth(uint256 kept, uint256 width);
error SlotOutOfRange(uint256 slot, uint256 slots);
error OutputNotKept(uint256 slot, uint256 kept);
error DuplicateSlot(uint256 slot);
error StopSlotIsInput(uint256 slot);
error StopSlotHeight(uint256 height);
error UnknownRole(uint256 role);
error RoleHeight(uint256 byteLength);
error HeightMismatch(uint256 height, uint256 expected);
error HeightAboveLimit(uint256 height, uint256 limit);
error SlotTypesDiffer(uint256 slot);
error OutputsTooLarge(uint256 length, uint256 limit);

// Registration.
error AlreadyRegistered(bytes32 registrationId);
error UnknownRegistration(bytes32 registrationId);
error ArityOutOfRange(uint256 k, uint256 q);
error BelowFloor(string parameter, uint256 value, uint256 floor);
error AboveCeiling(string parameter, uint256 value, uint256 ceiling);
error SharesExceedHalf(uint256 shares, uint256 half);
error AttentionUnsupported();
error InitialSlotsMismatch(bytes32 root, bytes32 expected);
error InputCount(uint256 count, uint256 expected);

// Requests and their inputs.
error WrongValue(uint256 value, uint256 expected);
error IterationsOutOfRange(uint256 iterations, uint256 limit);
error InputLength(uint256 length, uint256 expected);
error ChunkCount(uint256 count, uint256 expected);
error ChunkHeight(uint256 height, uint256 limit);
error UnknownChunk(bytes32 root, uint256 height, uint256 length);
error CallbackNotRequester(address callback);
error RequestExists(bytes32 requestId);
error UnknownRequest(bytes32 requestId);
error WrongStatus(uint256 status, uint256 expected);
error NotExpired(uint256 now_, uint256 deadline);

// Submissions.
error TooLate(uint256 now_, uint256 deadline);
error SameBlock(uint256 number);
error NotSubmitter(address sender, address submitter);
error SubmissionExists(bytes32 submissionId);
error CommitmentMismatch(bytes32 submissionId, bytes32 expected);
error OutputCount(uint256 count, uint256 expected);
error OutputLength(uint256 length, uint256 expected);
error OutputsNotInState(bytes32 root, bytes32 claim);
error DisputesOpen(uint256 count);
error TooLittleGas(uint256 gas, uint256 expected);
error CallbackNotPending(bytes32 requestId);

// Disputes and money.
error NotGame(address sender);
error NotDeployed();
error UnknownDispute(bytes32 disputeId);
error DisputeNotOpen(bytes32 disputeId);
error SubmissionNotFallen(bytes32 submissionId);
error SubmissionNotRevealed(bytes32 submissionId);
error NothingToWithdraw(address account);
error WithdrawFailed(address to);
