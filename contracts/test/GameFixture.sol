// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DisputeGame} from "../src/DisputeGame.sol";
import {
    Branch,
    Course,
    Head,
    Interval,
    LeafOpening,
    NodeOpening,
    OpenedStep,
    Question,
    Round
} from "../src/GameTypes.sol";
import {Phase, Turn} from "../src/Turn.sol";
import {IMarketOfGame, IRegistryOfGame, IStepVm, ModelShape, NO_SLOT, Terms} from "../src/Types.sol";
import {Test} from "./Test.sol";

/// A market without money: it has one model's shape and remembers verdicts.
contract MarketOfTest is IMarketOfGame, IRegistryOfGame {
    ModelShape private model;
    DisputeGame private game;
    mapping(bytes32 => uint256) public verdicts;
    mapping(bytes32 => bool) public challengerWon;
    mapping(bytes32 => bool) public fallenWhenTold;
    mapping(bytes32 => uint32) public indexTold;
    mapping(bytes32 => address) public challengerTold;
    mapping(bytes32 => uint256) public returns_;
    uint256 public transactionsTold;
    uint256 public baseFeeTold;

    function setGame(DisputeGame game_) external {
        game = game_;
    }

    function setShape(ModelShape calldata shape_) external {
        model = shape_;
    }

    function shape(bytes32) external view returns (ModelShape memory) {
        return model;
    }

    function open(bytes32 disputeId, Terms calldata terms, bytes32 commitment) external {
        game.open(disputeId, terms, commitment);
    }

    function disputeResolved(bytes32 disputeId, bytes32 submissionId, uint32 index, address challenger, bool won)
        external
    {
        require(msg.sender == address(game));
        verdicts[disputeId]++;
        challengerWon[disputeId] = won;
        fallenWhenTold[disputeId] = game.fallen(submissionId);
        indexTold[disputeId] = index;
        challengerTold[disputeId] = challenger;
    }

    function disputeReturned(
        bytes32 disputeId,
        bytes32 submissionId,
        uint32 index,
        address challenger,
        uint256 transactions,
        uint256 baseFee
    ) external {
        require(msg.sender == address(game) && game.fallen(submissionId));
        returns_[disputeId]++;
        indexTold[disputeId] = index;
        challengerTold[disputeId] = challenger;
        (transactionsTold, baseFeeTold) = (transactions, baseFee);
    }
}

/// A machine whose witness names both states.
contract MachineOfTest is IStepVm {
    function step(bytes calldata witness) external pure returns (bytes32, bytes32) {
        return abi.decode(witness, (bytes32, bytes32));
    }
}

/// The cheat codes for logs.
struct Log {
    bytes32[] topics;
    bytes data;
    address emitter;
}

interface ILogs {
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
}

/// A position of the phases graph and instruction, without what follows from the terms.
struct Span {
    bytes32 previous;
    uint64 lo;
    uint64 hi;
    bytes32 low;
    bytes32 high;
}

/// A position of the phases tensor and leaf with all that it stands for.
struct Spot {
    bytes32 previous;
    uint64 step;
    bytes32 state;
    bytes32 descriptor;
    uint8 level;
    uint32 index;
    bytes32 node;
}

/// What a turn's word says, read field by field.
struct Clocks {
    uint40 since;
    uint32 challengerLeft;
    uint32 submitterLeft;
    uint16 transactions;
}

/// A game over a model of three nodes, four slots and three weights, and helpers to bring it into any phase.
abstract contract GameFixture is Test {
    address internal constant CHALLENGER = address(0xC4A11E);
    address internal constant SUBMITTER = address(0x5B317);
    ILogs internal constant logs = ILogs(address(uint160(uint256(keccak256("hevm cheat code")))));
    bytes32 internal constant SALT = keccak256("salt");
    /// When every dispute of the tests is opened.
    uint256 internal constant START = 1_000_000;

    MarketOfTest internal market;
    DisputeGame internal game;
    ModelShape internal shape;
    bytes32[] internal slots;
    bytes32[] internal weights;
    bytes[] internal descriptors;
    uint256 private opened;
    /// The word of every dispute's turn, as the events tell it.
    mapping(bytes32 => uint256) private turns;
    /// Data of the game's last event.
    bytes internal lastData;

    function setUp() public virtual {
        vm.warp(START);
        market = new MarketOfTest();
        game = new DisputeGame(market, new MachineOfTest(), market);
        market.setGame(game);
        for (uint256 i = 0; i < 4; i++) slots.push(keccak256(abi.encode("slot", i)));
        for (uint256 i = 0; i < 3; i++) weights.push(keccak256(abi.encode("weight", i)));
        for (uint256 i = 0; i < 3; i++) descriptors.push(descriptor(0, 0, 100, 1));
        publish();
    }

    /// Puts the present descriptors and weights under the registered roots.
    function publish() internal {
        bytes32[] memory leaves = new bytes32[](descriptors.length);
        for (uint256 i = 0; i < leaves.length; i++) leaves[i] = keccak256(descriptors[i]);
        shape = ModelShape({
            programRoot: treeRoot(leaves),
            weightsRoot: treeRoot(weights),
            nodes: uint32(leaves.length),
            weights: uint32(weights.length),
            slots: uint32(slots.length),
            kept: 2,
            stopSlot: shape.stopSlot == 0 ? NO_SLOT : shape.stopSlot
        });
        market.setShape(shape);
    }

    /// Operands: slot 3, weight 2, the weights table.
    function descriptor(uint8 flags, uint8 height, uint64 maxSteps, uint32 slot) internal pure returns (bytes memory) {
        return abi.encodePacked(
            abi.encodePacked(keccak256("program"), uint8(3), flags, height, uint8(3), maxSteps, slot, uint32(0)),
            abi.encodePacked(uint8(1), uint8(0), uint16(0), uint32(3)),
            abi.encodePacked(uint8(0), uint8(5), uint16(0), uint32(2)),
            abi.encodePacked(uint8(2), uint8(2), uint16(0), uint32(0))
        );
    }

    function defaultTerms(uint64 steps) internal view returns (Terms memory) {
        return Terms({
            registrationId: keccak256("registration"),
            submissionId: keccak256("submission"),
            submitter: SUBMITTER,
            challenger: CHALLENGER,
            start: treeRoot(slots),
            claim: keccak256("claim of the submitter"),
            steps: steps,
            finish: false,
            k: 4,
            q: 2,
            clock: 1000,
            index: 7
        });
    }

    // Trees, told once more and slowly

    function pair(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(left, right));
    }

    function zeroTree(uint256 height) internal pure returns (bytes32 node) {
        for (uint256 h = 0; h < height; h++) node = pair(node, node);
    }

    function padded(bytes32[] memory leaves) private pure returns (bytes32[] memory all) {
        uint256 width = 1;
        while (width < leaves.length) width *= 2;
        all = new bytes32[](width);
        for (uint256 i = 0; i < leaves.length; i++) all[i] = leaves[i];
    }

    function above(bytes32[] memory level) private pure returns (bytes32[] memory next) {
        next = new bytes32[](level.length / 2);
        for (uint256 i = 0; i < next.length; i++) next[i] = pair(level[2 * i], level[2 * i + 1]);
    }

    function treeRoot(bytes32[] memory leaves) internal pure returns (bytes32) {
        bytes32[] memory level = padded(leaves);
        while (level.length > 1) level = above(level);
        return level[0];
    }

    function treePath(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory path) {
        bytes32[] memory level = padded(leaves);
        uint256 depth;
        for (uint256 width = level.length; width > 1; width /= 2) depth++;
        path = new bytes32[](depth);
        for (uint256 i = 0; i < depth; i++) {
            path[i] = level[index ^ 1];
            level = above(level);
            index /= 2;
        }
    }

    // Moves

    function none() internal pure returns (bytes32[] memory) {
        return new bytes32[](0);
    }

    function some(uint256 count, string memory seed) internal pure returns (bytes32[] memory list) {
        list = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) list[i] = keccak256(abi.encode(seed, i));
    }

    function play(address from, bytes memory data) internal {
        logs.recordLogs();
        vm.prank(from);
        (bool done, bytes memory answer) = address(game).call(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
        follow();
    }

    /// Takes the new turn out of the events since `recordLogs`.
    function follow() private {
        Log[] memory all = logs.getRecordedLogs();
        for (uint256 i = 0; i < all.length; i++) {
            if (all[i].emitter != address(game)) continue;
            lastData = all[i].data;
            bytes32 kind = all[i].topics[0];
            if (kind == DisputeGame.Resolved.selector || kind == DisputeGame.Returned.selector) continue;
            turns[all[i].topics[1]] = abi.decode(all[i].data, (uint256));
        }
    }

    // Moves as calldata

    /// The head of the next move. k, q and the order of opening are those of the terms, so that changed terms show.
    function headOf(bytes32 id, Terms memory t) internal view returns (Head memory) {
        uint256 fixed_ = uint256(t.k) << 136 | uint256(t.q) << 144 | uint256(t.index) << 152;
        return Head(t.submissionId, t.submitter, t.challenger, Turn.wrap(uint136(turns[id]) | fixed_));
    }

    function questionOf(Terms memory t) internal pure returns (Question memory) {
        return Question(t.registrationId, t.start, t.claim, t.steps, t.finish);
    }

    function courseOf(Terms memory t) internal pure returns (Course memory) {
        return Course(t.registrationId, t.steps, t.finish);
    }

    /// Zero in the phase instruction.
    function courseHash(bytes32 id, Terms memory t) internal view returns (bytes32) {
        bool instruction = uint8(turns[id] >> 120) == uint8(Phase.Instruction);
        return instruction ? bytes32(0) : keccak256(abi.encode(courseOf(t)));
    }

    function intervalOf(bytes32 id, Terms memory t, Span memory p) internal view returns (Interval memory) {
        return Interval(p.previous, courseHash(id, t), p.lo, p.hi, p.low, p.high);
    }

    /// Leaves of a round's tree: the hashes at both ends of each segment.
    function segments(Span memory p, bytes32[] memory posted) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](posted.length + 1);
        for (uint256 j = 0; j < leaves.length; j++) {
            bytes32 low = j == 0 ? p.low : posted[j - 1];
            leaves[j] = pair(low, j == posted.length ? p.high : posted[j]);
        }
    }

    function roundOf(bytes32 id, Terms memory t, Span memory p, bytes32[] memory posted)
        internal
        view
        returns (Round memory)
    {
        return Round(p.previous, courseHash(id, t), p.lo, p.hi, treeRoot(segments(p, posted)));
    }

    function branchOf(Terms memory t, Spot memory p) internal pure returns (Branch memory) {
        bytes32 opened_ = pair(keccak256(abi.encode(t.registrationId, p.step, p.state)), p.descriptor);
        return Branch(p.previous, opened_, p.level, p.index, p.node);
    }

    /// Hash of a position between the opening and the first move.
    function revealPosition(Terms memory t, bytes32 commitment) internal pure returns (bytes32) {
        return pair(keccak256(abi.encode(questionOf(t))), commitment);
    }

    /// Hash of a position; nothing is posted in the challenger's turn.
    function positionOf(bytes32 id, Terms memory t, Span memory p, bytes32[] memory posted)
        internal
        view
        returns (bytes32)
    {
        if (posted.length == 0) return keccak256(abi.encode(intervalOf(id, t, p)));
        return keccak256(abi.encode(roundOf(id, t, p, posted)));
    }

    function encodeReveal(bytes32 id, Terms memory t, bytes32 claim, bytes32[] memory hashes, bytes32 salt)
        internal
        view
        returns (bytes memory)
    {
        return abi.encodeCall(game.reveal, (id, headOf(id, t), questionOf(t), claim, hashes, salt));
    }

    function encodePost(bytes32 id, Terms memory t, Span memory p, bytes32[] memory hashes)
        internal
        view
        returns (bytes memory)
    {
        return abi.encodeCall(game.post, (id, headOf(id, t), intervalOf(id, t, p), hashes));
    }

    /// An index beyond the round comes with nothing to prove.
    function encodeAnswer(bytes32 id, Terms memory t, Span memory p, bytes32[] memory posted, uint256 index)
        internal
        view
        returns (bytes memory)
    {
        bool beyond = index > posted.length;
        bytes32 low = beyond ? bytes32(0) : index == 0 ? p.low : posted[index - 1];
        bytes32 high = beyond ? bytes32(0) : index == posted.length ? p.high : posted[index];
        bytes32[] memory path = beyond ? none() : treePath(segments(p, posted), index);
        return abi.encodeCall(game.answer, (id, headOf(id, t), roundOf(id, t, p, posted), index, low, high, path));
    }

    function encodeOpenNode(bytes32 id, Terms memory t, Span memory p, NodeOpening memory o)
        internal
        view
        returns (bytes memory)
    {
        return abi.encodeCall(game.openNode, (id, headOf(id, t), intervalOf(id, t, p), courseOf(t), o));
    }

    function encodeOpenFinish(bytes32 id, Terms memory t, Span memory p, bytes32 kept, bytes32[] memory path)
        internal
        view
        returns (bytes memory)
    {
        return abi.encodeCall(game.openFinish, (id, headOf(id, t), intervalOf(id, t, p), courseOf(t), kept, path));
    }

    function encodePostNodes(bytes32 id, Terms memory t, Spot memory p, bytes32[] memory nodes)
        internal
        view
        returns (bytes memory)
    {
        return abi.encodeCall(game.postNodes, (id, headOf(id, t), branchOf(t, p), nodes));
    }

    function encodeAnswerNodes(
        bytes32 id,
        Terms memory t,
        Spot memory p,
        uint256 index,
        bytes32 node,
        bytes32[] memory path
    ) internal view returns (bytes memory) {
        return abi.encodeCall(game.answerNodes, (id, headOf(id, t), branchOf(t, p), index, node, path));
    }

    function encodeOpenLeaf(bytes32 id, Terms memory t, Spot memory p, LeafOpening memory o)
        internal
        view
        returns (bytes memory)
    {
        OpenedStep memory step = OpenedStep(t.registrationId, p.step, p.state);
        return abi.encodeCall(game.openLeaf, (id, headOf(id, t), branchOf(t, p), step, o));
    }

    function encodeArbitrate(bytes32 id, Terms memory t, Span memory p, bytes memory witness)
        internal
        view
        returns (bytes memory)
    {
        return abi.encodeCall(game.arbitrate, (id, headOf(id, t), intervalOf(id, t, p), witness));
    }

    function encodeTimeOut(bytes32 id, Terms memory t, bytes32 position) internal view returns (bytes memory) {
        return abi.encodeCall(game.timeOut, (id, headOf(id, t), position));
    }

    function encodeSettle(bytes32 id, Terms memory t, bytes32 position) internal view returns (bytes memory) {
        return abi.encodeCall(game.settle, (id, headOf(id, t), position));
    }

    /// The call must revert with this error, whatever its arguments.
    function refuse(address from, bytes memory data, bytes4 selector) internal {
        vm.prank(from);
        (bool done, bytes memory answer) = address(game).call(data);
        assertFalse(done, "the move was accepted");
        assertEq(bytes32(bytes4(answer)), bytes32(selector), "another error");
    }

    function commitmentOf(Terms memory t, bytes32 claim, bytes32[] memory hashes) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(t.challenger, claim, hashes, SALT));
    }

    function open(Terms memory t, bytes32 claim, bytes32[] memory hashes) internal returns (bytes32 id) {
        id = keccak256(abi.encode("dispute", opened++));
        openAs(id, t, commitmentOf(t, claim, hashes));
    }

    function openAs(bytes32 id, Terms memory t, bytes32 commitment) internal {
        logs.recordLogs();
        market.open(id, t, commitment);
        follow();
    }

    function transcript(bytes32 id) internal view returns (bytes32) {
        return game.transcripts(id);
    }

    function phase(bytes32 id) internal view returns (uint256) {
        uint256 word = uint256(game.transcripts(id));
        if (word <= 3) return uint256(word == 0 ? Phase.None : Phase.Resolved);
        return uint8(turns[id] >> 120);
    }

    function disputeOf(bytes32 id) internal view returns (Clocks memory) {
        uint256 turn = turns[id];
        return Clocks(uint40(turn), uint32(turn >> 40), uint32(turn >> 72), uint16(turn >> 104));
    }

    /// Opens and reveals: the position after it.
    function begin(Terms memory t, bytes32 claim, bytes32[] memory hashes)
        internal
        returns (bytes32 id, Span memory position)
    {
        id = open(t, claim, hashes);
        position = Span({previous: transcript(id), lo: 0, hi: t.steps, low: t.start, high: claim});
        play(CHALLENGER, encodeReveal(id, t, claim, hashes, SALT));
    }

    function slotsWith(uint256 slot, bytes32 root) internal view returns (bytes32[] memory list) {
        list = slots;
        list[slot] = root;
    }

    /// The opening of node 0 that writes `newRoot` into slot 1.
    function nodeOpening(bytes32 newRoot, bytes32[] memory nodes) internal view returns (NodeOpening memory) {
        return NodeOpening({
            stopLeaf: 0,
            stopPath: none(),
            descriptor: descriptors[0],
            programPath: programPath(0),
            oldRoot: slots[1],
            newRoot: newRoot,
            slotPath: treePath(slots, 1),
            nodes: nodes
        });
    }

    function programPath(uint256 node) internal view returns (bytes32[] memory) {
        bytes32[] memory leaves = new bytes32[](descriptors.length);
        for (uint256 i = 0; i < leaves.length; i++) leaves[i] = keccak256(descriptors[i]);
        return treePath(leaves, node);
    }

    /// A one-step dispute over node 0 with this result, before the node is opened.
    function beforeNode(bytes32 newRoot) internal returns (bytes32 id, Terms memory t, Span memory position) {
        t = defaultTerms(1);
        (id, position) = begin(t, treeRoot(slotsWith(1, newRoot)), none());
    }

    /// The same after the node was opened.
    function afterNode(bytes32 newRoot, bytes32[] memory nodes)
        internal
        returns (bytes32 id, Terms memory t, Spot memory position)
    {
        Span memory before;
        (id, t, before) = beforeNode(newRoot);
        position = Spot({
            previous: transcript(id),
            step: 0,
            state: t.start,
            descriptor: keccak256(descriptors[0]),
            level: uint8(descriptors[0][34]),
            index: 0,
            node: newRoot
        });
        play(CHALLENGER, encodeOpenNode(id, t, before, nodeOpening(newRoot, nodes)));
    }

    /// Roots and paths of slot 3 and weight 2.
    function operandProofs() internal view returns (bytes32[] memory list) {
        bytes32[] memory slotPath = treePath(slots, 3);
        bytes32[] memory weightPath = treePath(weights, 2);
        list = new bytes32[](6);
        list[0] = slots[3];
        list[1] = slotPath[0];
        list[2] = slotPath[1];
        list[3] = weights[2];
        list[4] = weightPath[0];
        list[5] = weightPath[1];
    }

    /// 178 bytes of a state of the machine.
    function stateBytes(bytes32 memoryRoot, uint8 status, uint8 exitCode) internal pure returns (bytes memory) {
        return abi.encodePacked(memoryRoot, uint128(0), status, exitCode, new bytes(128));
    }

    /// The memory root over `node` of `height` at 0x2000_0000, all else zero.
    function memoryWith(bytes32 node, uint256 height) internal pure returns (bytes32) {
        for (uint256 h = height; h < 27; h++) {
            node = h == 24 ? pair(zeroTree(h), node) : pair(node, zeroTree(h));
        }
        return node;
    }

    /// The leaf's program exits with 0 after `steps`, with `result` of `height` in its memory.
    function leafOpening(bytes32 result, uint256 height, uint64 steps, bytes32[] memory hashes)
        internal
        view
        returns (LeafOpening memory)
    {
        return LeafOpening({
            descriptor: descriptors[0],
            operands: operandProofs(),
            finalState: stateBytes(memoryWith(result, height), 1, 0),
            steps: steps,
            outputPath: hex"00000000",
            hashes: hashes
        });
    }

    function requireResolved(bytes32 id, bool won) internal view {
        assertEq(phase(id), uint256(Phase.Resolved), "phase");
        assertEq(market.verdicts(id), 1, "verdicts");
        assertTrue(market.challengerWon(id) == won, "the other side won");
        assertTrue(game.fallen(keccak256("submission")) == won, "fallen");
    }
}
