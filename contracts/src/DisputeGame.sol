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
    SubmissionStands,
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
import {
    Branch,
    Course,
    Ending,
    Head,
    Interval,
    LeafOpening,
    NodeOpening,
    OpenedStep,
    Question,
    Round
} from "./GameTypes.sol";
import {Openings} from "./Openings.sol";
import {Paths} from "./Paths.sol";
import {Positions} from "./Positions.sol";
import {Segments} from "./Segments.sol";
import {firstTurn, Phase, Turn} from "./Turn.sol";
import {IGameOfMarket, IMarketOfGame, IRegistryOfGame, IStepVm, ModelShape, Terms} from "./Types.sol";

/// A dispute between one challenger and the submitter, from two different final states down to one instruction.
///
/// The challenger posts every hash, the submitter only points, so nobody can hurt by withholding data. Of a dispute the
/// contract keeps one word, its transcript: the hash of who plays, turn and clocks, and the position. Every move carries
/// them and is checked against it. It knows no money: the market opens disputes and hears who won.
/// docs/protocol.md has the table of moves; contracts/game_client.ts tells the same story off chain.
contract DisputeGame is IGameOfMarket {
    /// Transcripts of disputes that have ended; no hash is as small, and none is the zero of an id that was never opened.
    uint256 private constant CHALLENGER_WON = 1;
    uint256 private constant SUBMITTER_WON = 2;
    uint256 private constant RETURNED = 3;

    IMarketOfGame public immutable market;
    IStepVm public immutable machine;
    IRegistryOfGame public immutable registry;

    /// What the next move must continue. 0: never opened; 1: the challenger has won, 2: the submitter, 3: overtaken by
    /// another dispute and returned.
    mapping(bytes32 disputeId => bytes32) public transcripts;
    /// 1 + the base fee of the block in which a challenger won against this submission, 0 while none has.
    mapping(bytes32 submissionId => uint256) private falls;

    /// `turn` is the one that the event leads to: whoever knows the events knows the head of the next move.
    event Opened(
        bytes32 indexed disputeId, bytes32 indexed submissionId, Turn turn, Terms terms, bytes32 commitment
    );
    event Revealed(bytes32 indexed disputeId, Turn turn, bytes32 claim, bytes32[] hashes);
    /// The challenger's round, in any phase.
    event Posted(bytes32 indexed disputeId, Turn turn, bytes32[] hashes);
    /// The submitter's answer, in any phase.
    event Answered(bytes32 indexed disputeId, Turn turn, uint256 index);
    event NodeOpened(bytes32 indexed disputeId, Turn turn, bytes descriptor, bytes32 newRoot, bytes32[] nodes);
    event LeafOpened(
        bytes32 indexed disputeId, Turn turn, bytes32 initialState, bytes32 finalState, uint64 steps, bytes32[] hashes
    );
    event Resolved(bytes32 indexed disputeId, bool challengerWon, Ending ending, uint40 time);
    /// Another dispute felled the submission first.
    event Returned(bytes32 indexed disputeId, uint40 time);

    /// The market is deployed after the game and takes its address; its own is computed beforehand.
    constructor(IMarketOfGame market_, IStepVm machine_, IRegistryOfGame registry_) {
        market = market_;
        machine = machine_;
        registry = registry_;
    }

    // Opening

    /// @inheritdoc IGameOfMarket
    function open(bytes32 disputeId, Terms calldata terms, bytes32 commitment) external {
        // INVARIANT GAME-1: only the market opens disputes.
        if (msg.sender != address(market)) revert NotTheMarket(msg.sender);
        // INVARIANT GAME-2: an id is opened once, also after its dispute has ended.
        if (transcripts[disputeId] != 0) revert AlreadyOpened(disputeId);
        // INVARIANT GAME-3: there is a step to dispute, a round narrows, and the clocks run: k in 2..32, q in 1..5.
        if (terms.steps == 0 || terms.k < 2 || terms.k > 32 || terms.q == 0 || terms.q > 5 || terms.clock == 0) {
            revert WrongTerms();
        }
        if (fallen(terms.submissionId)) revert SubmissionFallen(terms.submissionId);
        Turn turn = firstTurn(terms.clock, terms.k, terms.q, terms.index);
        Question memory question = Question({
            registrationId: terms.registrationId,
            start: terms.start,
            claim: terms.claim,
            steps: terms.steps,
            finish: terms.finish
        });
        Head memory head = Head(terms.submissionId, terms.submitter, terms.challenger, turn);
        transcripts[disputeId] = keccak256(abi.encode(head, Positions.revealHash(question, commitment)));
        emit Opened(disputeId, terms.submissionId, turn, terms, commitment);
    }

    /// The challenger's first move: his final state and the first round of the phase graph.
    function reveal(
        bytes32 disputeId,
        Head calldata head,
        Question memory question,
        bytes32 claim,
        bytes32[] calldata hashes,
        bytes32 salt
    ) external {
        requirePhase(head, Phase.Reveal);
        // INVARIANT GAME-10: the first move is the one that was committed to.
        bytes32 commitment = keccak256(abi.encodePacked(head.challenger, claim, hashes, salt));
        (bytes32 previous, Turn turn) = takeTurn(disputeId, head, Positions.revealHash(question, commitment), false);
        Interval memory next = Interval({
            previous: previous,
            course: Positions.courseHash(Course(question.registrationId, question.steps, question.finish)),
            lo: 0,
            hi: question.steps,
            low: question.start,
            high: claim
        });
        // INVARIANT GAME-11: who claims what the submitter claims has nothing to dispute and loses.
        if (claim == question.claim) {
            emit Revealed(disputeId, turn, claim, hashes);
            return resolve(disputeId, head, false, Ending.EqualClaim);
        }
        turn = store(disputeId, head, turn, Phase.Graph, next, hashes);
        emit Revealed(disputeId, turn, claim, hashes);
    }

    // Rounds of the phases graph and instruction

    /// The challenger posts the hashes at the inner segment ends.
    function post(bytes32 disputeId, Head calldata head, Interval memory position, bytes32[] calldata hashes)
        external
    {
        Phase phase = requireIntervalPhase(head);
        (bytes32 previous, Turn turn) = takeTurn(disputeId, head, Positions.hashOf(position), false);
        // INVARIANT GAME-12: a round is played over more than one step.
        if (position.hi - position.lo == 1) revert WrongWidth(position.lo, position.hi);
        position.previous = previous;
        turn = store(disputeId, head, turn, phase, position, hashes);
        emit Posted(disputeId, turn, hashes);
    }

    /// The submitter names the first segment whose end he denies, and proves the hashes at its ends under the round.
    function answer(
        bytes32 disputeId,
        Head calldata head,
        Round memory position,
        uint256 index,
        bytes32 low,
        bytes32 high,
        bytes32[] calldata path
    ) external {
        Phase phase = requireIntervalPhase(head);
        (bytes32 previous, Turn turn) = takeTurn(disputeId, head, Positions.hashOf(position), true);
        // INVARIANT GAME-13: the answer names a segment of the round, with the hashes that stand at its ends.
        uint256 s = Segments.count(position.lo, position.hi, turn.k());
        if (index >= s) revert WrongIndex(s, index);
        Paths.requireRoot(position.root, Paths.root(Paths.hashPair(low, high), index, path, Paths.depthOf(s)));
        Interval memory next = Interval({
            previous: previous,
            course: position.course,
            lo: Segments.end(position.lo, position.hi, s, index),
            hi: Segments.end(position.lo, position.hi, s, index + 1),
            low: low,
            high: high
        });
        turn = save(disputeId, head, turn.into(phase, false), Positions.hashOf(next));
        emit Answered(disputeId, turn, index);
    }

    // Opening a step of the graph

    /// The challenger opens the node between `lo` and `hi` = `lo` + 1.
    function openNode(
        bytes32 disputeId,
        Head calldata head,
        Interval memory position,
        Course memory course,
        NodeOpening calldata opening
    ) external {
        (bytes32 previous, Turn turn) = takeStep(disputeId, head, position, course, false);
        ModelShape memory shape = registry.shape(course.registrationId);
        if (Openings.isIdentity(shape, position, opening)) {
            // INVARIANT GAME-18: a step that changes nothing is won by whoever claims that nothing changed.
            return resolve(disputeId, head, position.high == position.low, Ending.Identity);
        }
        uint256 slot = Descriptor.resultSlot(opening.descriptor);
        uint256 depth = Paths.depthOf(shape.slots);
        // INVARIANT GAME-19: the new result root, put in place of the agreed one, turns the agreed state into the claimed one.
        Paths.requireRoot(position.low, Paths.root(opening.oldRoot, slot, opening.slotPath, depth));
        Paths.requireRoot(position.high, Paths.root(opening.newRoot, slot, opening.slotPath, depth));

        Branch memory next = Branch({
            previous: previous,
            opened: Positions.openedHash(
                OpenedStep(course.registrationId, position.lo, position.low), keccak256(opening.descriptor)
            ),
            level: uint8(Descriptor.resultHeight(opening.descriptor)),
            index: 0,
            node: opening.newRoot
        });
        if (next.level == 0 || Descriptor.whole(opening.descriptor)) {
            // INVARIANT GAME-20: a single leaf and a whole result have no round of the phase tensor.
            if (opening.nodes.length != 0) revert WrongLength(0, opening.nodes.length);
            turn = turn.into(Phase.Leaf, false);
        } else {
            requireNodes(turn, next.level, next.node, opening.nodes);
            turn = turn.into(Phase.Tensor, true);
        }
        save(disputeId, head, turn, Positions.hashOf(next));
        emit NodeOpened(disputeId, turn, opening.descriptor, opening.newRoot, opening.nodes);
    }

    /// The challenger opens the finish step: the kept slots under the agreed state, everything else cleared.
    function openFinish(
        bytes32 disputeId,
        Head calldata head,
        Interval memory position,
        Course memory course,
        bytes32 kept,
        bytes32[] calldata path
    ) external {
        takeStep(disputeId, head, position, course, true);
        ModelShape memory shape = registry.shape(course.registrationId);
        uint256 depth = Paths.depthOf(shape.slots);
        uint256 height = Paths.depthOf(shape.kept);
        // INVARIANT GAME-21: the kept subtree stands under the agreed state.
        Paths.requireRoot(position.low, Paths.root(kept, 0, path, depth - height));
        // INVARIANT GAME-22: after the finish step all other slots are 32 zero bytes.
        resolve(disputeId, head, position.high == Paths.joinZeros(kept, height, depth), Ending.Finish);
    }

    // The phase tensor

    /// The challenger posts the nodes below the denied one.
    function postNodes(bytes32 disputeId, Head calldata head, Branch memory position, bytes32[] calldata nodes)
        external
    {
        requirePhase(head, Phase.Tensor);
        (bytes32 previous, Turn turn) = takeTurn(disputeId, head, Positions.hashOf(position), false);
        requireNodes(turn, position.level, position.node, nodes);
        position.previous = previous;
        turn = save(disputeId, head, turn.into(Phase.Tensor, true), Positions.hashOf(position));
        emit Posted(disputeId, turn, nodes);
    }

    /// The submitter names the first node he denies, and proves it under the denied one: all that were posted are there.
    function answerNodes(
        bytes32 disputeId,
        Head calldata head,
        Branch memory position,
        uint256 index,
        bytes32 node,
        bytes32[] calldata path
    ) external {
        requirePhase(head, Phase.Tensor);
        (bytes32 previous, Turn turn) = takeTurn(disputeId, head, Positions.hashOf(position), true);
        uint8 levels = levelsOf(turn.q(), position.level);
        // INVARIANT GAME-14: the answer names a node of the round.
        if (index >> levels != 0) revert WrongIndex(1 << levels, index);
        Paths.requireRoot(position.node, Paths.root(node, index, path, levels));
        position.previous = previous;
        position.level -= levels;
        position.index = uint32((position.index << levels) + index);
        position.node = node;
        turn = turn.into(position.level == 0 ? Phase.Leaf : Phase.Tensor, false);
        save(disputeId, head, turn, Positions.hashOf(position));
        emit Answered(disputeId, turn, index);
    }

    // The program

    /// The challenger opens the denied leaf, or whole result: the program's start, and his claim of how it ends.
    function openLeaf(
        bytes32 disputeId,
        Head calldata head,
        Branch memory position,
        OpenedStep memory opened,
        LeafOpening calldata opening
    ) external {
        requirePhase(head, Phase.Leaf);
        (bytes32 previous, Turn turn) = takeTurn(disputeId, head, Positions.hashOf(position), false);
        // INVARIANT GAME-23: the program is that of the opened node.
        bytes32 found = Positions.openedHash(opened, keccak256(opening.descriptor));
        if (found != position.opened) revert WrongDescriptor(position.opened, found);
        Interval memory next = Interval({
            previous: previous,
            course: 0,
            lo: 0,
            hi: opening.steps,
            low: Openings.initialState(registry.shape(opened.registrationId), opened, position.index, opening),
            high: FinalState.check(
                opening.finalState,
                opening.steps,
                Descriptor.maxSteps(opening.descriptor),
                position.node,
                position.level,
                opening.outputPath
            )
        });
        turn = store(disputeId, head, turn, Phase.Instruction, next, opening.hashes);
        emit LeafOpened(disputeId, turn, next.low, next.high, next.hi, opening.hashes);
    }

    /// Executes the one instruction on which the two disagree. Either side may send it, in the challenger's time.
    function arbitrate(bytes32 disputeId, Head calldata head, Interval memory position, bytes calldata witness)
        external
    {
        requirePhase(head, Phase.Instruction);
        // Only the other side's transaction is not counted as the challenger's, and the count ends here.
        proceed(disputeId, head, Positions.hashOf(position));
        if (head.turn.submitterTurn()) revert NotYourTurn();
        if (msg.sender != head.challenger && msg.sender != head.submitter) revert WrongSender(msg.sender);
        requireSingleStep(position);
        (bytes32 prestate, bytes32 poststate) = machine.step(witness);
        // INVARIANT GAME-30: the machine executed the agreed state.
        if (prestate != position.low) revert WrongPrestate(position.low, prestate);
        // INVARIANT GAME-31: equal at the end, and the challenger wins; else the submitter.
        resolve(disputeId, head, poststate == position.high, Ending.Step);
    }

    /// Anyone ends a dispute in which the side to move has run out of time. `position` is the hash of the position.
    function timeOut(bytes32 disputeId, Head calldata head, bytes32 position) external {
        requireRunning(disputeId, head, position);
        requireStanding(head);
        uint256 elapsed = block.timestamp - head.turn.since();
        uint256 left = head.turn.left();
        // INVARIANT GAME-9: a side loses by time only after more than what it had left, and only in its own turn.
        if (elapsed <= left) revert ClockRunning(elapsed, left);
        resolve(disputeId, head, head.turn.submitterTurn(), Ending.TimeOut);
    }

    /// Anyone ends a dispute that another one has overtaken: the challenger gets his stake back. `position` as above.
    function settle(bytes32 disputeId, Head calldata head, bytes32 position) external {
        // INVARIANT GAME-36: only a dispute that was still going on when its submission fell is returned, and once.
        requireRunning(disputeId, head, position);
        uint256 fall = falls[head.submissionId];
        if (fall == 0) revert SubmissionStands(head.submissionId);
        transcripts[disputeId] = bytes32(RETURNED);
        emit Returned(disputeId, uint40(block.timestamp));
        market.disputeReturned(
            disputeId, head.submissionId, head.turn.index(), head.challenger, head.turn.transactions(), fall - 1
        );
    }

    // Views

    /// Whether a challenger has won against this submission.
    function fallen(bytes32 submissionId) public view returns (bool) {
        return falls[submissionId] != 0;
    }

    // Turns and clocks

    function requirePhase(Head calldata head, Phase phase) private pure {
        // INVARIANT GAME-4: a move belongs to the phase in which the dispute is; after the end there is none.
        if (head.turn.phase() != uint256(phase)) revert WrongPhase(uint8(head.turn.phase()));
    }

    function requireIntervalPhase(Head calldata head) private pure returns (Phase phase) {
        phase = head.turn.phase() == uint256(Phase.Instruction) ? Phase.Instruction : Phase.Graph;
        requirePhase(head, phase);
    }

    /// The dispute goes on, and head and position are those of its transcript, which is returned.
    function requireRunning(bytes32 disputeId, Head calldata head, bytes32 position)
        private
        view
        returns (bytes32 transcript)
    {
        transcript = transcripts[disputeId];
        if (uint256(transcript) <= RETURNED) {
            revert WrongPhase(uint8(transcript == 0 ? Phase.None : Phase.Resolved));
        }
        // INVARIANT GAME-5: a move names the transcript that it continues.
        bytes32 found = Positions.transcriptOf(head, head.turn, position);
        if (found != transcript) revert WrongTranscript(transcript, found);
    }

    function requireStanding(Head calldata head) private view {
        // INVARIANT GAME-6: nothing moves, and no clock ends, after the submission has fallen.
        if (fallen(head.submissionId)) revert SubmissionFallen(head.submissionId);
    }

    /// Takes the elapsed time from the side whose turn it is.
    function proceed(bytes32 disputeId, Head calldata head, bytes32 position)
        private
        view
        returns (bytes32 previous, Turn turn)
    {
        previous = requireRunning(disputeId, head, position);
        requireStanding(head);
        turn = head.turn;
        uint256 elapsed = block.timestamp - turn.since();
        // INVARIANT GAME-8: a move is legal while elapsed <= remaining, of the side whose turn it is.
        if (elapsed > turn.left()) revert ClockExpired(elapsed, turn.left());
        turn = turn.spent(elapsed);
    }

    /// As `proceed`, for a move of one side: it must be its turn and its account.
    function takeTurn(bytes32 disputeId, Head calldata head, bytes32 position, bool submitter)
        private
        view
        returns (bytes32 previous, Turn turn)
    {
        (previous, turn) = proceed(disputeId, head, position);
        // INVARIANT GAME-7: only the side whose turn it is moves, by its own account.
        if (turn.submitterTurn() != submitter) revert NotYourTurn();
        if (msg.sender != (submitter ? head.submitter : head.challenger)) revert WrongSender(msg.sender);
        if (!submitter) turn = turn.counted();
    }

    /// As `takeTurn`, for the move that opens one step of the graph: the finish step or a node.
    function takeStep(
        bytes32 disputeId,
        Head calldata head,
        Interval memory position,
        Course memory course,
        bool finish
    ) private view returns (bytes32 previous, Turn turn) {
        requirePhase(head, Phase.Graph);
        (previous, turn) = takeTurn(disputeId, head, Positions.hashOf(position), false);
        bytes32 found = Positions.courseHash(course);
        // INVARIANT GAME-37: model, steps and finish are those of the terms.
        if (found != position.course) revert WrongRoot(position.course, found);
        requireSingleStep(position);
        // INVARIANT GAME-15: the last step of a request with a finish step is that, and no other step is.
        if (finish != (course.finish && position.lo == course.steps - 1)) revert WrongKindOfStep(position.lo);
    }

    function requireSingleStep(Interval memory position) private pure {
        // INVARIANT GAME-29: only a single step is opened or executed.
        if (position.hi - position.lo != 1) revert WrongWidth(position.lo, position.hi);
    }

    // Proofs

    /// Levels that a round of the phase tensor descends.
    function levelsOf(uint8 q, uint8 level) private pure returns (uint8) {
        return q < level ? q : level;
    }

    function requireNodes(Turn turn, uint8 level, bytes32 node, bytes32[] calldata nodes) private pure {
        // INVARIANT GAME-33: a round of the phase tensor is 2^min(q, level) nodes that hash to the denied one.
        uint256 count = 1 << levelsOf(turn.q(), level);
        if (nodes.length != count) revert WrongLength(count, nodes.length);
        Paths.requireRoot(node, Paths.rootOf(nodes));
    }

    // Transcripts

    /// Stores an interval with the round posted on it; at width 1 there is none and the challenger goes on.
    function store(
        bytes32 disputeId,
        Head calldata head,
        Turn turn,
        Phase phase,
        Interval memory next,
        bytes32[] calldata hashes
    ) private returns (Turn) {
        // INVARIANT GAME-34: a round over s segments is exactly s - 1 hashes.
        uint256 inner = Segments.count(next.lo, next.hi, turn.k()) - 1;
        if (hashes.length != inner) revert WrongLength(inner, hashes.length);
        if (inner == 0) return save(disputeId, head, turn.into(phase, false), Positions.hashOf(next));
        bytes32 root = Segments.root(next.low, hashes, next.high);
        Round memory round = Round(next.previous, next.course, next.lo, next.hi, root);
        return save(disputeId, head, turn.into(phase, true), Positions.hashOf(round));
    }

    function save(bytes32 disputeId, Head calldata head, Turn turn, bytes32 position) private returns (Turn) {
        transcripts[disputeId] = Positions.transcriptOf(head, turn, position);
        return turn;
    }

    function resolve(bytes32 disputeId, Head calldata head, bool challengerWon, Ending ending) private {
        transcripts[disputeId] = bytes32(challengerWon ? CHALLENGER_WON : SUBMITTER_WON);
        // INVARIANT GAME-35: a won dispute fells the submission, before anyone else can act on it.
        if (challengerWon) falls[head.submissionId] = 1 + block.basefee;
        emit Resolved(disputeId, challengerWon, ending, uint40(block.timestamp));
        market.disputeResolved(disputeId, head.submissionId, head.turn.index(), head.challenger, challengerWon);
    }
}
