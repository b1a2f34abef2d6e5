// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import "./MarketErrors.sol";
import "./MarketTypes.sol";
import {Blob} from "./Blob.sol";
import {IConsumer, Output} from "./IConsumer.sol";
import {Registry} from "./Registry.sol";
import {Treasury} from "./Treasury.sol";
import {IGameOfMarket, IMarketOfGame, Terms} from "./Types.sol";

/// Requests, submissions, their stakes and disputes: the life of a request as docs/protocol.md tells it.
///
/// It decides nothing about a computation: the game does, and reports once per dispute. Nobody owns it and nothing in
/// it can be changed after deployment. Every id is the hash of its full content with chain and contract, so that a
/// re-organization can never give an id to something else.
contract Market is Treasury, IMarketOfGame {
    /// Kept back for `finalize` itself beyond the callback's gas.
    uint256 private constant GAS_RESERVE = 40_000;

    Registry public immutable registry;
    IGameOfMarket public immutable game;

    mapping(bytes32 => Request) private _requests;
    mapping(bytes32 => Submission) private _submissions;
    /// Open disputes of a submission from the seventeenth on, by order of opening; the others are in `Submission`.
    mapping(bytes32 submissionId => mapping(uint256 index => bool)) private _openLater;

    event Requested(
        bytes32 indexed requestId,
        bytes32 indexed registrationId,
        address indexed requester,
        RequestSpec spec,
        InputData[] inputs,
        bytes32 start,
        bool backed
    );
    event Committed(bytes32 indexed requestId, bytes32 indexed submissionId, address indexed submitter, bytes32 commitment);
    event Revealed(bytes32 indexed requestId, bytes32 indexed submissionId, bytes32 claim);
    event DisputeReturned(bytes32 indexed submissionId, bytes32 indexed disputeId, uint256 compensation);
    /// The submission lost its stake; the request is open again, or refunded where `reopened` is false.
    event SubmissionFallen(bytes32 indexed requestId, bytes32 indexed submissionId, bool reopened);
    event Finalized(bytes32 indexed requestId, bytes32 indexed submissionId, bytes32 claim);
    event CallbackDone(bytes32 indexed requestId, bool delivered);
    event Refunded(bytes32 indexed requestId);

    constructor(Registry registry_, IGameOfMarket game_) {
        // INVARIANT MARKET-32: registry and game are contracts, and the same ones for ever.
        if (address(registry_).code.length == 0 || address(game_).code.length == 0) revert NotDeployed();
        registry = registry_;
        game = game_;
    }

    // ------------------------------------------------------------------ request

    /// Asks for a result and escrows the fee. Inputs are public from now on, for ever.
    function request(RequestSpec calldata spec, InputData[] calldata inputs)
        external
        payable
        returns (bytes32 requestId)
    {
        // INVARIANT MARKET-33: what is paid in is what the content names, to the wei.
        if (msg.value != spec.fee) revert WrongValue(msg.value, spec.fee);
        // INVARIANT MARKET-38: only who asked is ever called back.
        if (spec.callback != address(0) && spec.callback != msg.sender) revert CallbackNotRequester(spec.callback);
        (bytes32 start, bool backed, uint64 steps) = registry.admit(spec, inputs);
        // INVARIANT MARKET-34: a request's id is the hash of its full content, chain and contract.
        requestId = keccak256(abi.encode(block.chainid, address(this), msg.sender, spec, start, backed));
        Request storage r = _requests[requestId];
        if (r.status != RequestStatus.None) revert RequestExists(requestId);
        r.registrationId = spec.registrationId;
        r.start = start;
        r.requester = msg.sender;
        r.openedAt = uint40(block.timestamp);
        r.submitWindow = spec.submitWindow;
        r.status = RequestStatus.Open;
        r.fee = spec.fee;
        r.stake = spec.stake;
        r.steps = steps;
        r.challengePeriod = spec.challengePeriod;
        r.clock = spec.clock;
        r.callbackGas = spec.callbackGas;
        r.finish = spec.finish;
        r.backed = backed;
        r.callsBack = spec.callback != address(0);
        emit Requested(requestId, spec.registrationId, msg.sender, spec, inputs, start, backed);
    }

    /// Gives the fee back when nobody committed in the window. Anyone may call it.
    function refund(bytes32 requestId) external {
        Request storage r = _expect(requestId, RequestStatus.Open);
        // INVARIANT MARKET-39: a request is refunded only after its window, and then whenever somebody asks.
        uint256 deadline = uint256(r.openedAt) + r.submitWindow;
        if (block.timestamp <= deadline) revert NotExpired(block.timestamp, deadline);
        _refund(requestId, r);
    }

    function _refund(bytes32 requestId, Request storage r) private {
        r.status = RequestStatus.Refunded;
        _credit(r.requester, r.fee);
        emit Refunded(requestId);
    }

    // --------------------------------------------------------------- submission

    /// Locks the request's stake behind `commitment`, keccak256(requestId, submitter, S_n, salt) packed.
    function commit(bytes32 requestId, bytes32 commitment) external payable returns (bytes32 submissionId) {
        Request storage r = _expect(requestId, RequestStatus.Open);
        // INVARIANT MARKET-40: a commit comes within the window.
        uint256 deadline = uint256(r.openedAt) + r.submitWindow;
        if (block.timestamp > deadline) revert TooLate(block.timestamp, deadline);
        // INVARIANT MARKET-41: every submission has a stake of its own.
        if (msg.value != r.stake) revert WrongValue(msg.value, r.stake);
        submissionId = _submissionId(requestId, msg.sender, commitment);
        Submission storage s = _submissions[submissionId];
        // INVARIANT MARKET-42: a submission's id is used once.
        if (s.status != SubmissionStatus.None) revert SubmissionExists(submissionId);
        s.requestId = requestId;
        s.submitter = msg.sender;
        s.since = uint40(block.timestamp);
        s.sinceBlock = uint48(block.number);
        s.status = SubmissionStatus.Committed;
        r.status = RequestStatus.Committed;
        r.submissionId = submissionId;
        emit Committed(requestId, submissionId, msg.sender, commitment);
    }

    /// Opens the commitment. `outputs` hold the exact bytes (or the root alone, where longer than 4,096 bytes), and
    /// `siblings` the rest of the slots tree under S_n; after a finish step, of the kept subtree alone.
    function reveal(
        bytes32 requestId,
        bytes32 claim,
        bytes32 salt,
        Output[] calldata outputs,
        bytes32[] calldata siblings
    ) external {
        Request storage r = _expect(requestId, RequestStatus.Committed);
        Submission storage s = _submissions[r.submissionId];
        // INVARIANT MARKET-43: only the submitter reveals, and never in the block of the commit.
        if (msg.sender != s.submitter) revert NotSubmitter(msg.sender, s.submitter);
        if (block.number <= s.sinceBlock) revert SameBlock(block.number);
        uint256 deadline = _revealDeadline(r, s);
        if (block.timestamp > deadline) revert TooLate(block.timestamp, deadline);
        // INVARIANT MARKET-44: what is revealed is what was committed.
        bytes32 submissionId =
            _submissionId(requestId, msg.sender, keccak256(abi.encodePacked(requestId, msg.sender, claim, salt)));
        if (submissionId != r.submissionId) revert CommitmentMismatch(submissionId, r.submissionId);
        s.outputs = _store(r, claim, outputs, siblings);
        s.claim = claim;
        s.since = uint40(block.timestamp);
        s.sinceBlock = uint48(block.number);
        s.status = SubmissionStatus.Revealed;
        r.status = RequestStatus.Revealed;
        emit Revealed(requestId, submissionId, claim);
    }

    /// Stores the outputs, once the registry has shown that they are those of `claim`.
    function _store(Request storage r, bytes32 claim, Output[] calldata outputs, bytes32[] calldata siblings)
        private
        returns (address)
    {
        bytes32[] memory roots = registry.outputRoots(r.registrationId, r.finish, claim, outputs, siblings);
        Output[] memory stored = new Output[](roots.length);
        for (uint256 i = 0; i < roots.length; i++) stored[i] = Output({root: roots[i], data: outputs[i].data});
        return Blob.write(abi.encode(stored));
    }

    /// Rejects a submission that was not revealed in its window: lost, and won by the requester.
    function forfeit(bytes32 requestId) external {
        Request storage r = _expect(requestId, RequestStatus.Committed);
        Submission storage s = _submissions[r.submissionId];
        // INVARIANT MARKET-48: reveal and forfeit are never both possible.
        uint256 deadline = _revealDeadline(r, s);
        if (block.timestamp <= deadline) revert NotExpired(block.timestamp, deadline);
        _fall(r, s, r.requester, _terms(r), 0);
    }

    // ------------------------------------------------------------------ dispute

    /// Disputes a revealed submission, behind keccak256 of the first move (see the game) and the registration's stake.
    function openDispute(bytes32 submissionId, bytes32 commitment) external payable returns (bytes32 disputeId) {
        Submission storage s = _submissions[submissionId];
        // INVARIANT MARKET-67: a dispute is about the submission it names, never about one that took its place.
        if (s.status != SubmissionStatus.Revealed) revert SubmissionNotRevealed(submissionId);
        Request storage r = _requests[s.requestId];
        // INVARIANT MARKET-49: a dispute opens after the block of the reveal and within the challenge period.
        if (block.number <= s.sinceBlock) revert SameBlock(block.number);
        uint256 deadline = uint256(s.since) + r.challengePeriod;
        if (block.timestamp > deadline) revert TooLate(block.timestamp, deadline);
        DisputeTerms memory p = _terms(r);
        // INVARIANT MARKET-50: every dispute has a stake of its own, the registration's, whatever the request asks.
        if (msg.value != p.challengerStake) revert WrongValue(msg.value, p.challengerStake);
        disputeId = keccak256(abi.encode(block.chainid, address(this), submissionId, msg.sender, commitment));
        uint32 index = s.disputes++;
        s.openDisputes++;
        if (index < COMPENSATED_DISPUTES) s.openFirst |= uint16(1 << index);
        else _openLater[submissionId][index] = true;
        // INVARIANT MARKET-51: a dispute's id is used once: the game refuses one that it has seen.
        game.open(
            disputeId,
            Terms({
                registrationId: r.registrationId,
                submissionId: submissionId,
                submitter: s.submitter,
                challenger: msg.sender,
                start: r.start,
                claim: s.claim,
                steps: r.steps,
                finish: r.finish,
                k: p.k,
                q: p.q,
                clock: r.clock,
                index: index
            }),
            commitment
        );
    }

    /// The game's verdict on a dispute; all but the verdict is what `openDispute` gave to the game.
    function disputeResolved(
        bytes32 disputeId,
        bytes32 submissionId,
        uint32 index,
        address challenger,
        bool challengerWon
    ) external {
        Submission storage s = _submissions[submissionId];
        // INVARIANT MARKET-53: a dispute ends once, and only while its submission stands.
        _close(disputeId, submissionId, s, index);
        if (s.status != SubmissionStatus.Revealed) revert DisputeNotOpen(disputeId);
        Request storage r = _requests[s.requestId];
        DisputeTerms memory p = _terms(r);
        if (challengerWon) {
            _fall(r, s, challenger, p, p.challengerStake);
        } else {
            // INVARIANT MARKET-54: at least half of a losing challenger's stake is burned.
            _credit(s.submitter, p.share);
            _burn(p.challengerStake - p.share);
        }
    }

    /// After another dispute felled the submission: the stake back, and a compensation for the first 16 by order of
    /// opening. Anyone may have it done, by the game's `settle`; the challenger is credited.
    function disputeReturned(
        bytes32 disputeId,
        bytes32 submissionId,
        uint32 index,
        address challenger,
        uint256 transactions,
        uint256 baseFee
    ) external {
        Submission storage s = _submissions[submissionId];
        // INVARIANT MARKET-55: a dispute is settled once, and never one that was won or lost.
        _close(disputeId, submissionId, s, index);
        if (s.status != SubmissionStatus.Fallen) revert SubmissionNotFallen(submissionId);
        DisputeTerms memory p = _terms(_requests[s.requestId]);
        uint256 compensation = 0;
        // INVARIANT MARKET-56: only the first 16 in order of opening are compensated, each from its own reserve.
        if (index < COMPENSATED_DISPUTES) {
            compensation = uint256(registry.transactionGas()) * transactions * baseFee;
            if (compensation > p.compensation) compensation = p.compensation;
            _burn(p.compensation - compensation);
        }
        _credit(challenger, uint256(p.challengerStake) + compensation);
        emit DisputeReturned(submissionId, disputeId, compensation);
    }

    /// Takes the dispute with this order of opening out of its submission's open ones.
    function _close(bytes32 disputeId, bytes32 submissionId, Submission storage s, uint32 index) private {
        // INVARIANT MARKET-52: only the game ends disputes.
        if (msg.sender != address(game)) revert NotGame(msg.sender);
        if (index < COMPENSATED_DISPUTES) {
            uint16 bit = uint16(1 << index);
            if (s.openFirst & bit == 0) revert DisputeNotOpen(disputeId);
            s.openFirst ^= bit;
        } else {
            if (!_openLater[submissionId][index]) revert DisputeNotOpen(disputeId);
            delete _openLater[submissionId][index];
        }
        s.openDisputes--;
    }

    /// Takes a submission's stake: share to `winner`, with `more` of his own, one reserve per open dispute among the
    /// first 16, the rest burned.
    function _fall(Request storage r, Submission storage s, address winner, DisputeTerms memory p, uint256 more)
        private
    {
        bytes32 requestId = s.requestId;
        s.status = SubmissionStatus.Fallen;
        // INVARIANT MARKET-57: at least half of a fallen submitter's stake is burned.
        _credit(winner, uint256(p.share) + more);
        _burn(uint256(r.stake) - p.share - _count(s.openFirst) * p.compensation);
        // INVARIANT MARKET-58: a request is reopened at most maxReopenings times, with its content unchanged.
        bool reopened = r.reopenings < p.maxReopenings;
        emit SubmissionFallen(requestId, r.submissionId, reopened);
        if (reopened) {
            r.reopenings++;
            r.status = RequestStatus.Open;
            r.openedAt = uint40(block.timestamp);
        } else {
            _refund(requestId, r);
        }
        r.submissionId = bytes32(0);
    }

    /// Bits that are set.
    function _count(uint16 bits) private pure returns (uint256 count) {
        for (; bits != 0; bits &= bits - 1) count++;
    }

    // ----------------------------------------------------------------- finality

    /// Makes the result final: stake and fee to the submitter, and the callback. Anyone may call it.
    function finalize(bytes32 requestId) external {
        Request storage r = _expect(requestId, RequestStatus.Revealed);
        Submission storage s = _submissions[r.submissionId];
        // INVARIANT MARKET-59: nothing is final before the challenge period is over and every dispute has ended.
        uint256 deadline = uint256(s.since) + r.challengePeriod;
        if (block.timestamp <= deadline) revert NotExpired(block.timestamp, deadline);
        if (s.openDisputes != 0) revert DisputesOpen(s.openDisputes);
        // INVARIANT MARKET-60: a result is final once and paid once.
        r.status = RequestStatus.Final;
        s.status = SubmissionStatus.Final;
        _credit(s.submitter, uint256(r.stake) + r.fee);
        emit Finalized(requestId, r.submissionId, s.claim);
        if (r.callsBack) _callBack(requestId, r, s, false);
    }

    /// Calls the consumer again after a callback that failed, with all the gas given, at least the request's.
    function retryCallback(bytes32 requestId) external {
        Request storage r = _expect(requestId, RequestStatus.Final);
        // INVARIANT MARKET-61: a delivered callback is never repeated.
        if (r.callback != CallbackStatus.Pending) revert CallbackNotPending(requestId);
        _callBack(requestId, r, _submissions[r.submissionId], true);
    }

    function _callBack(bytes32 requestId, Request storage r, Submission storage s, bool withAllGas) private {
        // Set before the call: a consumer that re-enters finds it delivered.
        r.callback = CallbackStatus.Delivered;
        bytes memory data = abi.encodeCall(
            IConsumer.onResult,
            (requestId, r.registrationId, r.stake, r.challengePeriod, r.backed, abi.decode(Blob.read(s.outputs), (Output[])))
        );
        address consumer = r.requester;
        // INVARIANT MARKET-62: the consumer gets the gas he asked for, or nothing happens at all (63/64 rule).
        uint256 needed = GAS_RESERVE + uint256(r.callbackGas) * 64 / 63;
        if (gasleft() < needed) revert TooLittleGas(gasleft(), needed);
        uint256 gasLimit = r.callbackGas;
        if (withAllGas && gasleft() > gasLimit + GAS_RESERVE) gasLimit = gasleft() - GAS_RESERVE;
        // INVARIANT MARKET-63: returned data is not copied, and a failure of the consumer does not undo finality.
        bool delivered;
        assembly ("memory-safe") {
            delivered := call(gasLimit, consumer, 0, add(data, 32), mload(data), 0, 0)
        }
        if (!delivered) r.callback = CallbackStatus.Pending;
        emit CallbackDone(requestId, delivered);
    }

    // -------------------------------------------------------------------- views

    function getRequest(bytes32 requestId) external view returns (Request memory) {
        return _requests[requestId];
    }

    function getSubmission(bytes32 submissionId) external view returns (Submission memory) {
        return _submissions[submissionId];
    }

    /// The outputs of a request's live submission, and whether they are final. Never use them unless they are.
    function result(bytes32 requestId) external view returns (bool isFinal, bytes32 claim, Output[] memory outputs) {
        Request storage r = _requests[requestId];
        Submission storage s = _submissions[r.submissionId];
        isFinal = r.status == RequestStatus.Final;
        claim = s.claim;
        if (s.outputs != address(0)) outputs = abi.decode(Blob.read(s.outputs), (Output[]));
    }

    /// Time after which the request is final or refundable, whatever anybody does, provided that somebody makes the
    /// calls that are due. Each round ends at most one second after its windows: time-outs come strictly after them.
    function latestEnd(bytes32 requestId) external view returns (uint256) {
        Request storage r = _requests[requestId];
        if (r.status == RequestStatus.None) revert UnknownRequest(requestId);
        if (r.status == RequestStatus.Final || r.status == RequestStatus.Refunded) return block.timestamp;
        DisputeTerms memory p = _terms(r);
        uint256 round = uint256(r.submitWindow) + p.revealWindow + r.challengePeriod + 2 * uint256(r.clock) + 1;
        return block.timestamp + (1 + uint256(p.maxReopenings) - r.reopenings) * round;
    }

    // ------------------------------------------------------------------ helpers

    function _terms(Request storage r) private view returns (DisputeTerms memory) {
        return registry.disputeTerms(r.registrationId);
    }

    /// INVARIANT MARKET-64: every verb needs its request in exactly one status.
    function _expect(bytes32 requestId, RequestStatus status) private view returns (Request storage r) {
        r = _requests[requestId];
        if (r.status == RequestStatus.None) revert UnknownRequest(requestId);
        if (r.status != status) revert WrongStatus(uint256(r.status), uint256(status));
    }

    function _revealDeadline(Request storage r, Submission storage s) private view returns (uint256) {
        return uint256(s.since) + _terms(r).revealWindow;
    }

    /// INVARIANT MARKET-65: an id names chain, contract, request, submitter and commitment.
    function _submissionId(bytes32 requestId, address submitter, bytes32 commitment) private view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), requestId, submitter, commitment));
    }
}
