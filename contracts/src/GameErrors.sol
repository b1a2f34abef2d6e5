// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Every reason for which the dispute game refuses a move. Each belongs to a numbered invariant of DisputeGame.sol.

/// Only the market opens disputes.
error NotTheMarket(address sender);
/// This id has been opened before.
error AlreadyOpened(bytes32 disputeId);
/// Steps, k, q or clock are out of range.
error WrongTerms();
/// The move does not belong to the phase in which the dispute is.
error WrongPhase(uint8 phase);
/// It is the other side's turn.
error NotYourTurn();
/// The sender is not the side that this move belongs to.
error WrongSender(address sender);
/// Head and position are not those of the stored transcript.
error WrongTranscript(bytes32 expected, bytes32 found);
/// A challenger has won against this submission: all its disputes stand still.
error SubmissionFallen(bytes32 submissionId);
/// No challenger has won against this submission: there is nothing to settle.
error SubmissionStands(bytes32 submissionId);
/// The clock of the side to move has run out.
error ClockExpired(uint256 elapsed, uint256 remaining);
/// The clock of the side to move has not run out.
error ClockRunning(uint256 elapsed, uint256 remaining);
/// A list or a byte string has another length than the rules give it.
error WrongLength(uint256 expected, uint256 found);
/// The index names no segment or node of the round.
error WrongIndex(uint256 count, uint256 found);
/// A node is opened, and an instruction executed, only at width 1; a round needs more.
error WrongWidth(uint64 lo, uint64 hi);
/// The finish step opens by its own move, and only the last step is one.
error WrongKindOfStep(uint64 step);
/// A proof leads to another root than the one it must lead to.
error WrongRoot(bytes32 expected, bytes32 found);
/// The descriptor is not that of the opened node.
error WrongDescriptor(bytes32 expected, bytes32 found);
/// The number of steps is not in 1..max(1, maxSteps), or the state at it is one that cannot end a program.
error WrongStepCount(uint64 steps, uint64 maxSteps);
/// The denied node is not what the claimed final state gives.
error WrongResult(bytes32 expected, bytes32 found);
/// The map of a path has bits that cannot occur.
error WrongMap(uint32 map);
/// The witness executes another state than the agreed one.
error WrongPrestate(bytes32 expected, bytes32 found);
