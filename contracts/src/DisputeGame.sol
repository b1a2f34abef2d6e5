// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Descriptor} from "./Descriptor.sol";
import {FinalState} from "./FinalState.sol";
import {
    AlreadyOpened,
    ClockExpired,
    ClockRunning,
    NotTheMarket,
    NotYourTurn,
    SubmissionFallen,
    WrongDescriptor,
    WrongIndex,
    WrongKindOfStep,
    WrongLength,
    WrongPhase,
    WrongPrestate,
    WrongRoot,
    WrongSender,
    WrongTerms,
    WrongTranscript,
    WrongWidth
} from "./GameErrors.sol";
import {Branch, Dispute, Ending, Interval, LeafOpening, NodeOpening, Phase} from "./GameTypes.sol";
import {InitialState} from "./InitialState.sol";
import {Paths} from "./Paths.sol";
import {Segments} from "./Segments.sol";
import {IGameOfMarket, IMarketOfGame, IStepVm, ModelShape, NO_SLOT, Terms} from "./Types.sol";

/// A dispute between one challenger and the submitter, from two different final states down to one instruction.
///
/// The challenger posts every hash, the submitter only points, so nobody can hurt by withholding data. Of a dispute the
/// contract keeps a transcript hash, the clocks and whose turn it is; every move carries terms and position and is
/// checked against the hash. It knows no money: the market opens disputes and hears who won.
/// docs/protocol.md has the table of moves; contracts/game_client.ts tells the same story off chain.
contract DisputeGame is IGameOfMarket {
    IMarketOfGame public immutable market;
    IStepVm public immutable machine;

    mapping(bytes32 disputeId => Dispute) private disputes;
    /// Whether a challenger has won against this submission.
    mapping(bytes32 submissionId => bool) public fallen;

    /// `time` is the block's, from which the clocks can be followed.
    event Opened(
        bytes32 indexed disputeId, bytes32 indexed submissionId, Terms terms, bytes32 commitment, uint40 time
    );
    event Revealed(bytes32 indexed disputeId, bytes32 claim, bytes32[] hashes, uint40 time);
    /// The challenger's round, in any phase.
    event Posted(bytes32 indexed disputeId, bytes32[] hashes, uint40 time);
    /// The submitter's answer, in any phase.
    event Answered(bytes32 indexed disputeId, uint256 index, uint40 time);
    event NodeOpened(bytes32 indexed disputeId, bytes descriptor, bytes32 newRoot, bytes32[] nodes, uint40 time);
    event LeafOpened(
        bytes32 indexed disputeId, bytes32 initialState, bytes32 finalState, uint64 steps, bytes32[] hashes, uint40 time
    );
    event Resolved(bytes32 indexed disputeId, bool challengerWon, Ending ending, uint40 time);

    /// The market is deployed after the game and takes its address; its own is computed beforehand.
    constructor(IMarketOfGame market_, IStepVm machine_) {
        market = market_;
        machine = machine_;
    }

    // Opening

    /// @inheritdoc IGameOfMarket
    function open(bytes32 disputeId, Terms calldata terms, bytes32 commitment) external {
        // INVARIANT GAME-1: only the market opens disputes.
        if (msg.sender != address(market)) revert NotTheMarket(msg.sender);
        // INVARIANT GAME-2: an id is opened once, also after its dispute has ended.
        if (disputes[disputeId].phase != Phase.None) revert AlreadyOpened(disputeId);
        // INVARIANT GAME-3: there is a step to dispute, a round narrows, and the clocks run: k in 2..32, q in 1..5.
        if (terms.steps == 0 || terms.k < 2 || terms.k > 32 || terms.q == 0 || terms.q > 5 || terms.clock == 0) {
            revert WrongTerms();
        }
        if (fallen[terms.submissionId]) revert SubmissionFallen(terms.submissionId);
        disputes[disputeId] = Dispute({
            transcript: transcriptOf(terms, keccak256(abi.encode(Phase.Reveal, commitment))),
            since: uint40(block.timestamp),
            challengerLeft: terms.clock,
            submitterLeft: terms.clock,
            transactions: 1,
            phase: Phase.Reveal,
            submitterTurn: false
        });
        emit Opened(disputeId, terms.submissionId, terms, commitment, uint40(block.timestamp));
    }

    /// The challenger's first move: his final state and the first round of the phase graph.
    function reveal(
        bytes32 disputeId,
        Terms memory terms,
        bytes32 claim,
        bytes32[] calldata hashes,
        bytes32 salt
    ) external {
        Dispute memory dispute = disputes[disputeId];
        requirePhase(dispute, Phase.Reveal);
        // INVARIANT GAME-10: the first move is the one that was committed to.
        bytes32 commitment = keccak256(abi.encodePacked(terms.challenger, claim, hashes, salt));
        takeTurn(dispute, terms, keccak256(abi.encode(Phase.Reveal, commitment)), false);
        emit Revealed(disputeId, claim, hashes, uint40(block.timestamp));
        // INVARIANT GAME-11: who claims what the submitter claims has nothing to dispute and loses.
        if (claim == terms.claim) return resolve(disputeId, dispute, terms, false, Ending.EqualClaim);
        store(
            disputeId,
            dispute,
            terms,
            Phase.Graph,
            Interval({previous: dispute.transcript, lo: 0, hi: terms.steps, low: terms.start, high: claim}),
            hashes
        );
    }

    // Rounds of the phases graph and instruction

    /// The challenger posts the hashes at the inner segment ends.
    function post(
        bytes32 disputeId,
        Terms memory terms,
        Interval memory position,
        bytes32[] calldata hashes
    ) external {
        Dispute memory dispute = disputes[disputeId];
        requireIntervalPhase(dispute);
        takeTurn(dispute, terms, hashOf(dispute.phase, position, 0), false);
        // INVARIANT GAME-12: a round is played over more than one step.
        if (position.hi - position.lo == 1) revert WrongWidth(position.lo, position.hi);
        emit Posted(disputeId, hashes, uint40(block.timestamp));
        position.previous = dispute.transcript;
        store(disputeId, dispute, terms, dispute.phase, position, hashes);
    }

    /// The submitter names the first segment whose end he denies.
    function answer(
        bytes32 disputeId,
        Terms memory terms,
        Interval memory position,
        bytes32[] calldata posted,
        uint256 index
    ) external {
        Dispute memory dispute = disputes[disputeId];
        requireIntervalPhase(dispute);
        takeTurn(dispute, terms, hashOf(dispute.phase, position, postedHash(posted)), true);
        // INVARIANT GAME-13: the answer names a segment of the round.
        uint256 last = posted.length;
        if (index > last) revert WrongIndex(last + 1, index);
        emit Answered(disputeId, index, uint40(block.timestamp));
        Interval memory next = Interval({
            previous: dispute.transcript,
            lo: Segments.end(position.lo, position.hi, last + 1, index),
            hi: Segments.end(position.lo, position.hi, last + 1, index + 1),
            low: index == 0 ? position.low : posted[index - 1],
            high: index == last ? position.high : posted[index]
        });
        save(disputeId, dispute, terms, dispute.phase, false, hashOf(dispute.phase, next, 0));
    }

    // Opening a step of the graph

    /// The challenger opens the node between `lo` and `hi` = `lo` + 1.
    function openNode(
        bytes32 disputeId,
        Terms memory terms,
        Interval memory position,
        NodeOpening calldata opening
    ) external {
        Dispute memory dispute = disputes[disputeId];
        takeStep(dispute, terms, position, false);
        ModelShape memory shape = market.shape(terms.registrationId);
        if (isIdentity(shape, position, opening)) {
            // INVARIANT GAME-18: a step that changes nothing is won by whoever claims that nothing changed.
            return resolve(disputeId, dispute, terms, position.high == position.low, Ending.Identity);
        }
        uint256 slot = Descriptor.resultSlot(opening.descriptor);
        uint256 depth = Paths.depthOf(shape.slots);
        // INVARIANT GAME-19: the new result root, put in place of the agreed one, turns the agreed state into the claimed one.
        requireRoot(position.low, Paths.root(opening.oldRoot, slot, opening.slotPath, depth));
        requireRoot(position.high, Paths.root(opening.newRoot, slot, opening.slotPath, depth));

        emit NodeOpened(disputeId, opening.descriptor, opening.newRoot, opening.nodes, uint40(block.timestamp));
        Branch memory next = Branch({
            previous: dispute.transcript,
            step: position.lo,
            state: position.low,
            descriptor: keccak256(opening.descriptor),
            level: uint8(Descriptor.resultHeight(opening.descriptor)),
            index: 0,
            node: opening.newRoot
        });
        if (next.level == 0 || Descriptor.whole(opening.descriptor)) {
            // INVARIANT GAME-20: a single leaf and a whole result have no round of the phase tensor.
            if (opening.nodes.length != 0) revert WrongLength(0, opening.nodes.length);
            save(disputeId, dispute, terms, Phase.Leaf, false, hashOf(Phase.Leaf, next));
        } else {
            requireNodes(terms, next.level, next.node, opening.nodes);
            save(disputeId, dispute, terms, Phase.Tensor, true, hashOf(Phase.Tensor, next));
        }
    }

    /// The challenger opens the finish step: the kept slots under the agreed state, everything else cleared.
    function openFinish(
        bytes32 disputeId,
        Terms memory terms,
        Interval memory position,
        bytes32 kept,
        bytes32[] calldata path
    ) external {
        Dispute memory dispute = disputes[disputeId];
        takeStep(dispute, terms, position, true);
        ModelShape memory shape = market.shape(terms.registrationId);
        uint256 depth = Paths.depthOf(shape.slots);
        uint256 height = Paths.depthOf(shape.kept);
        // INVARIANT GAME-21: the kept subtree stands under the agreed state.
        requireRoot(position.low, Paths.root(kept, 0, path, depth - height));
        // INVARIANT GAME-22: after the finish step all other slots are 32 zero bytes.
        bool won = position.high == Paths.joinZeros(kept, height, depth);
        resolve(disputeId, dispute, terms, won, Ending.Finish);
    }

    // The phase tensor

    /// The challenger posts the nodes below the denied one.
    function postNodes(
        bytes32 disputeId,
        Terms memory terms,
        Branch memory position,
        bytes32[] calldata nodes
    ) external {
        Dispute memory dispute = disputes[disputeId];
        requirePhase(dispute, Phase.Tensor);
        takeTurn(dispute, terms, hashOf(Phase.Tensor, position), false);
        requireNodes(terms, position.level, position.node, nodes);
        emit Posted(disputeId, nodes, uint40(block.timestamp));
        position.previous = dispute.transcript;
        save(disputeId, dispute, terms, Phase.Tensor, true, hashOf(Phase.Tensor, position));
    }

    /// The submitter names the first node he denies, and proves it under the denied one: all that were posted are there.
    function answerNodes(
        bytes32 disputeId,
        Terms memory terms,
        Branch memory position,
        uint256 index,
        bytes32 node,
        bytes32[] calldata path
    ) external {
        Dispute memory dispute = disputes[disputeId];
        requirePhase(dispute, Phase.Tensor);
        takeTurn(dispute, terms, hashOf(Phase.Tensor, position), true);
        uint8 levels = levelsOf(terms.q, position.level);
        // INVARIANT GAME-14: the answer names a node of the round.
        if (index >> levels != 0) revert WrongIndex(1 << levels, index);
        requireRoot(position.node, Paths.root(node, index, path, levels));
        emit Answered(disputeId, index, uint40(block.timestamp));
        position.previous = dispute.transcript;
        position.level -= levels;
        position.index = uint32((position.index << levels) + index);
        position.node = node;
        Phase phase = position.level == 0 ? Phase.Leaf : Phase.Tensor;
        save(disputeId, dispute, terms, phase, false, hashOf(phase, position));
    }

    // The program

    /// The challenger opens the denied leaf, or whole result: the program's start, and his claim of how it ends.
    function openLeaf(
        bytes32 disputeId,
        Terms memory terms,
        Branch memory position,
        LeafOpening calldata opening
    ) external {
        Dispute memory dispute = disputes[disputeId];
        requirePhase(dispute, Phase.Leaf);
        takeTurn(dispute, terms, hashOf(Phase.Leaf, position), false);
        // INVARIANT GAME-23: the program is that of the opened node.
        bytes32 descriptor = keccak256(opening.descriptor);
        if (descriptor != position.descriptor) revert WrongDescriptor(position.descriptor, descriptor);
        Interval memory next = Interval({
            previous: dispute.transcript,
            lo: 0,
            hi: opening.steps,
            low: initialState(market.shape(terms.registrationId), position, opening),
            high: FinalState.check(
                opening.finalState,
                opening.steps,
                Descriptor.maxSteps(opening.descriptor),
                position.node,
                position.level,
                opening.outputPath
            )
        });
        emit LeafOpened(disputeId, next.low, next.high, next.hi, opening.hashes, uint40(block.timestamp));
        store(disputeId, dispute, terms, Phase.Instruction, next, opening.hashes);
    }

    /// Executes the one instruction on which the two disagree. Either side may send it, in the challenger's time.
    function arbitrate(bytes32 disputeId, Terms memory terms, Interval memory position, bytes calldata witness)
        external
    {
        Dispute memory dispute = disputes[disputeId];
        requirePhase(dispute, Phase.Instruction);
        if (msg.sender == terms.submitter && msg.sender != terms.challenger) {
            proceed(dispute, terms, hashOf(Phase.Instruction, position, 0));
            if (dispute.submitterTurn) revert NotYourTurn();
        } else {
            takeTurn(dispute, terms, hashOf(Phase.Instruction, position, 0), false);
        }
        requireSingleStep(position);
        (bytes32 prestate, bytes32 poststate) = machine.step(witness);
        // INVARIANT GAME-30: the machine executed the agreed state.
        if (prestate != position.low) revert WrongPrestate(position.low, prestate);
        // INVARIANT GAME-31: equal at the end, and the challenger wins; else the submitter.
        resolve(disputeId, dispute, terms, poststate == position.high, Ending.Step);
    }

    /// Anyone ends a dispute in which the side to move has run out of time. `position` is the hash of the position.
    function timeOut(bytes32 disputeId, Terms memory terms, bytes32 position) external {
        Dispute memory dispute = disputes[disputeId];
        requireRunning(dispute, terms, position);
        uint256 elapsed = block.timestamp - dispute.since;
        uint256 left = dispute.submitterTurn ? dispute.submitterLeft : dispute.challengerLeft;
        // INVARIANT GAME-9: a side loses by time only after more than what it had left, and only in its own turn.
        if (elapsed <= left) revert ClockRunning(elapsed, left);
        resolve(disputeId, dispute, terms, dispute.submitterTurn, Ending.TimeOut);
    }

    // Views

    /// @inheritdoc IGameOfMarket
    function challengerTransactions(bytes32 disputeId) external view returns (uint16) {
        return disputes[disputeId].transactions;
    }

    /// The two stored words; `phase` is None for an id that was never opened.
    function disputeOf(bytes32 disputeId) external view returns (Dispute memory) {
        return disputes[disputeId];
    }

    // Turns and clocks

    function requirePhase(Dispute memory dispute, Phase phase) private pure {
        // INVARIANT GAME-4: a move belongs to the phase in which the dispute is; after the end there is none.
        if (dispute.phase != phase) revert WrongPhase(uint8(dispute.phase));
    }

    function requireIntervalPhase(Dispute memory dispute) private pure {
        if (dispute.phase != Phase.Instruction) requirePhase(dispute, Phase.Graph);
    }

    /// The dispute goes on, and terms and position are those of its transcript.
    function requireRunning(Dispute memory dispute, Terms memory terms, bytes32 position) private view {
        if (dispute.phase == Phase.None || dispute.phase == Phase.Resolved) revert WrongPhase(uint8(dispute.phase));
        // INVARIANT GAME-5: a move names the transcript that it continues.
        bytes32 found = transcriptOf(terms, position);
        if (found != dispute.transcript) revert WrongTranscript(dispute.transcript, found);
        // INVARIANT GAME-6: nothing moves, and no clock ends, after the submission has fallen.
        if (fallen[terms.submissionId]) revert SubmissionFallen(terms.submissionId);
    }

    /// Takes the elapsed time from the side whose turn it is.
    function proceed(Dispute memory dispute, Terms memory terms, bytes32 position) private view {
        requireRunning(dispute, terms, position);
        uint256 elapsed = block.timestamp - dispute.since;
        uint256 left = dispute.submitterTurn ? dispute.submitterLeft : dispute.challengerLeft;
        // INVARIANT GAME-8: a move is legal while elapsed <= remaining, of the side whose turn it is.
        if (elapsed > left) revert ClockExpired(elapsed, left);
        if (dispute.submitterTurn) dispute.submitterLeft = uint32(left - elapsed);
        else dispute.challengerLeft = uint32(left - elapsed);
        dispute.since = uint40(block.timestamp);
    }

    /// As `proceed`, for a move of one side: it must be its turn and its account.
    function takeTurn(Dispute memory dispute, Terms memory terms, bytes32 position, bool submitter) private view {
        proceed(dispute, terms, position);
        // INVARIANT GAME-7: only the side whose turn it is moves, by its own account.
        if (dispute.submitterTurn != submitter) revert NotYourTurn();
        if (msg.sender != (submitter ? terms.submitter : terms.challenger)) revert WrongSender(msg.sender);
        if (!submitter) dispute.transactions++;
    }

    /// As `takeTurn`, for the move that opens one step of the graph: the finish step or a node.
    function takeStep(Dispute memory dispute, Terms memory terms, Interval memory position, bool finish)
        private
        view
    {
        requirePhase(dispute, Phase.Graph);
        takeTurn(dispute, terms, hashOf(Phase.Graph, position, 0), false);
        requireSingleStep(position);
        // INVARIANT GAME-15: the last step of a request with a finish step is that, and no other step is.
        if (finish != (terms.finish && position.lo == terms.steps - 1)) revert WrongKindOfStep(position.lo);
    }

    function requireSingleStep(Interval memory position) private pure {
        // INVARIANT GAME-29: only a single step is opened or executed.
        if (position.hi - position.lo != 1) revert WrongWidth(position.lo, position.hi);
    }

    // Proofs

    /// Whether the opened step leaves the state unchanged, because the model has stopped or the descriptor is void.
    function isIdentity(ModelShape memory shape, Interval memory position, NodeOpening calldata opening)
        private
        pure
        returns (bool)
    {
        if (shape.stopSlot != NO_SLOT) {
            // INVARIANT GAME-16: where the model has a stop slot, it is proven under the agreed state before anything else.
            bytes32 state =
                Paths.root(opening.stopLeaf, shape.stopSlot, opening.stopPath, Paths.depthOf(shape.slots));
            requireRoot(position.low, state);
            if (bytes4(opening.stopLeaf) != 0) return true;
        } else if (opening.stopPath.length != 0) {
            revert WrongLength(0, opening.stopPath.length);
        }
        // INVARIANT GAME-17: the descriptor is the one at the node's index under the program root.
        bytes32 program = Paths.root(
            keccak256(opening.descriptor),
            position.lo % shape.nodes,
            opening.programPath,
            Paths.depthOf(shape.nodes)
        );
        requireRoot(shape.programRoot, program);
        return Descriptor.isVoid(opening.descriptor, shape.weights, shape.slots);
    }

    /// The hash of the machine's state at step 0, composed from proven roots.
    function initialState(ModelShape memory shape, Branch memory position, LeafOpening calldata opening)
        private
        pure
        returns (bytes32)
    {
        bytes calldata descriptor = opening.descriptor;
        uint256 count = Descriptor.operands(descriptor);
        bytes32[] memory leaves = new bytes32[](1 + count);
        uint256 start = 0;
        for (uint256 j = 0; j < count; j++) {
            (uint256 kind, uint256 index) = Descriptor.operand(descriptor, j);
            if (kind == Descriptor.WEIGHTS_TABLE) {
                leaves[1 + j] = shape.weightsRoot;
                continue;
            }
            bool weight = kind == Descriptor.WEIGHT;
            uint256 end = start + 1 + Paths.depthOf(weight ? shape.weights : shape.slots);
            if (end > opening.operands.length) revert WrongLength(end, opening.operands.length);
            bytes32 leaf = opening.operands[start];
            // INVARIANT GAME-32: every operand root is proven under the agreed state or the weights root.
            bytes32 root = Paths.root(leaf, index, opening.operands[start + 1:end], end - start - 1);
            requireRoot(weight ? shape.weightsRoot : position.state, root);
            leaves[1 + j] = leaf;
            start = end;
        }
        if (start != opening.operands.length) revert WrongLength(start, opening.operands.length);
        return InitialState.hash(
            Descriptor.programRoot(descriptor),
            Descriptor.programHeight(descriptor),
            position.index,
            // The input leaf has 32 bits for it: modulo 2^32, as fpvm/initial_state.ts.
            uint32(position.step / shape.nodes),
            leaves
        );
    }

    function requireRoot(bytes32 expected, bytes32 found) private pure {
        if (found != expected) revert WrongRoot(expected, found);
    }

    /// Levels that a round of the phase tensor descends.
    function levelsOf(uint8 q, uint8 level) private pure returns (uint8) {
        return q < level ? q : level;
    }

    function requireNodes(Terms memory terms, uint8 level, bytes32 node, bytes32[] calldata nodes) private pure {
        // INVARIANT GAME-33: a round of the phase tensor is 2^min(q, level) nodes that hash to the denied one.
        uint256 count = 1 << levelsOf(terms.q, level);
        if (nodes.length != count) revert WrongLength(count, nodes.length);
        requireRoot(node, Paths.rootOf(nodes));
    }

    // Transcripts

    // A structure of words lies in memory as abi.encode would write it, cleaned by the decoder: hashed where it stands.

    function transcriptOf(Terms memory terms, bytes32 position) private pure returns (bytes32) {
        bytes32 fixedPart;
        assembly ("memory-safe") {
            fixedPart := keccak256(terms, 0x160)
        }
        return Paths.hashPair(fixedPart, position);
    }

    /// `posted` is the hash of what the submitter has to answer, zero where it is the challenger's turn.
    function hashOf(Phase phase, Interval memory position, bytes32 posted) private pure returns (bytes32) {
        bytes32 fields;
        assembly ("memory-safe") {
            fields := keccak256(position, 0xa0)
        }
        return keccak256(abi.encode(phase, fields, posted));
    }

    /// No posted hash: the nodes of a round are under `node` already.
    function hashOf(Phase phase, Branch memory position) private pure returns (bytes32) {
        bytes32 fields;
        assembly ("memory-safe") {
            fields := keccak256(position, 0xe0)
        }
        return keccak256(abi.encode(phase, fields));
    }

    function postedHash(bytes32[] calldata hashes) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(hashes));
    }

    /// Stores an interval with the round posted on it; at width 1 there is none and the challenger goes on.
    function store(
        bytes32 disputeId,
        Dispute memory dispute,
        Terms memory terms,
        Phase phase,
        Interval memory next,
        bytes32[] calldata hashes
    ) private {
        // INVARIANT GAME-34: a round over s segments is exactly s - 1 hashes.
        uint256 inner = Segments.count(next.lo, next.hi, terms.k) - 1;
        if (hashes.length != inner) revert WrongLength(inner, hashes.length);
        bytes32 posted = inner == 0 ? bytes32(0) : postedHash(hashes);
        save(disputeId, dispute, terms, phase, inner != 0, hashOf(phase, next, posted));
    }

    function save(
        bytes32 disputeId,
        Dispute memory dispute,
        Terms memory terms,
        Phase phase,
        bool submitterTurn,
        bytes32 position
    ) private {
        dispute.transcript = transcriptOf(terms, position);
        dispute.phase = phase;
        dispute.submitterTurn = submitterTurn;
        disputes[disputeId] = dispute;
    }

    function resolve(bytes32 disputeId, Dispute memory dispute, Terms memory terms, bool challengerWon, Ending ending)
        private
    {
        dispute.transcript = 0;
        dispute.phase = Phase.Resolved;
        dispute.submitterTurn = false;
        disputes[disputeId] = dispute;
        // INVARIANT GAME-35: a won dispute fells the submission, before anyone else can act on it.
        if (challengerWon) fallen[terms.submissionId] = true;
        emit Resolved(disputeId, challengerWon, ending, uint40(block.timestamp));
        market.disputeResolved(disputeId, challengerWon);
    }
}
