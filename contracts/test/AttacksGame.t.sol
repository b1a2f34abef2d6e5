// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {
    ClockExpired,
    ClockRunning,
    WrongLength,
    WrongPhase,
    WrongPrestate,
    WrongRoot,
    WrongTerms,
    WrongTranscript
} from "../src/GameErrors.sol";
import {LeafOpening, NodeOpening} from "../src/GameTypes.sol";
import {ModelShape, Terms} from "../src/Types.sol";
import {Clocks, GameFixture, Span, Spot} from "./GameFixture.sol";

/// Attacks on the dispute game that no single invariant names: docs/security.md, *Attacks and their tests*.
contract AttacksGameTest is GameFixture {
    bytes32 private constant HIGH = keccak256("claim of the challenger");
    bytes32 private constant LEAF = keccak256("leaf");
    /// What one transaction may cost on the chains that cap it: 2^24 gas.
    uint256 private constant TRANSACTION_CAP = 16_777_216;

    /// A dispute of one instruction that waits for its witness.
    function beforeArbitration(Terms memory t) private returns (bytes32 id, Span memory p) {
        Span memory graph;
        (id, graph) = begin(t, treeRoot(slotsWith(1, LEAF)), none());
        Spot memory branch = Spot(transcript(id), 0, t.start, keccak256(descriptors[0]), 0, 0, LEAF);
        play(CHALLENGER, encodeOpenNode(id, t, graph, nodeOpening(LEAF, none())));
        LeafOpening memory opening = leafOpening(LEAF, 0, 1, none());
        p = Span(transcript(id), 0, 1, 0, keccak256(opening.finalState));
        play(CHALLENGER, encodeOpenLeaf(id, t, branch, opening));
        (, p.low,,,) = abi.decode(lastData, (uint256, bytes32, bytes32, uint64, bytes32[]));
    }

    function answered(bytes32 id, Terms memory t, Span memory p, bytes32[] memory posted, uint256 index)
        private
        view
        returns (bytes memory)
    {
        return encodeAnswer(id, t, p, posted, index);
    }

    function timeOutOf(bytes32 id, Terms memory t, Span memory p, bytes32[] memory posted)
        private
        view
        returns (bytes memory)
    {
        return encodeTimeOut(id, t, positionOf(id, t, p, posted));
    }

    // Phases

    /// Whoever enters the next phase brings neither its start nor its end: both follow from what was agreed and denied.
    function test_opML_NextPhaseStartsFromTheAgreedStateAlone(uint256 bit) public {
        bytes32 flip = bytes32(1 << (bit & 255));
        (bytes32 id, Terms memory t, Span memory p) = beforeNode(LEAF);
        NodeOpening memory opening = nodeOpening(LEAF, none());
        opening.oldRoot ^= flip;
        refuse(CHALLENGER, encodeOpenNode(id, t, p, opening), WrongRoot.selector);
        opening = nodeOpening(LEAF ^ flip, none());
        refuse(CHALLENGER, encodeOpenNode(id, t, p, opening), WrongRoot.selector);
        opening = nodeOpening(LEAF, none());
        p.low ^= flip;
        refuse(CHALLENGER, encodeOpenNode(id, t, p, opening), WrongTranscript.selector);
        p.low ^= flip;
        p.high ^= flip;
        refuse(CHALLENGER, encodeOpenNode(id, t, p, opening), WrongTranscript.selector);
        p.high ^= flip;

        Spot memory branch = Spot(transcript(id), 0, t.start, keccak256(descriptors[0]), 0, 0, LEAF);
        play(CHALLENGER, encodeOpenNode(id, t, p, opening));
        LeafOpening memory leaf = leafOpening(LEAF, 0, 1, none());
        leaf.operands[0] ^= flip;
        refuse(CHALLENGER, encodeOpenLeaf(id, t, branch, leaf), WrongRoot.selector);
        leaf = leafOpening(LEAF ^ flip, 0, 1, none());
        refuse(CHALLENGER, encodeOpenLeaf(id, t, branch, leaf), WrongRoot.selector);
        leaf = leafOpening(LEAF, 0, 1, none());
        branch.state ^= flip;
        refuse(CHALLENGER, encodeOpenLeaf(id, t, branch, leaf), WrongTranscript.selector);
        branch.state ^= flip;
        branch.node ^= flip;
        refuse(CHALLENGER, encodeOpenLeaf(id, t, branch, leaf), WrongTranscript.selector);
        branch.node ^= flip;
        play(CHALLENGER, encodeOpenLeaf(id, t, branch, leaf));
    }

    /// What was proven in one dispute decides nothing in another one, not even between the same two accounts.
    function test_O1_MovesAndWitnessesBelongToTheirDispute() public {
        Terms memory t = defaultTerms(1);
        (bytes32 first, Span memory p) = beforeArbitration(t);
        // Another input, so another start of the same program.
        slots[3] = keccak256("another operand");
        Terms memory other = defaultTerms(1);
        other.submissionId = keccak256("another submission");
        (bytes32 second, Span memory q) = beforeArbitration(other);
        assertTrue(p.low != q.low && p.high == q.high, "two starts, one claimed end");
        bytes memory witness = abi.encode(p.low, p.high);
        refuse(CHALLENGER, encodeArbitrate(second, other, q, witness), WrongPrestate.selector);
        refuse(CHALLENGER, encodeArbitrate(second, t, p, witness), WrongTranscript.selector);
        refuse(CHALLENGER, encodeArbitrate(second, other, p, witness), WrongTranscript.selector);
        play(CHALLENGER, encodeArbitrate(first, t, p, witness));
        requireResolved(first, true);
        assertEq(market.verdicts(second), 0, "the other dispute stands");
    }

    // Clocks

    /// A clock that nobody started ends nothing, and one that stands at zero is not yet over.
    function test_O3_TimersAtZeroEndNothing(uint40 now_) public {
        Terms memory t = defaultTerms(10);
        vm.warp(now_);
        refuse(address(this), encodeTimeOut(SALT, t, bytes32(0)), WrongPhase.selector);
        vm.warp(START);
        t.clock = 0;
        refuse(address(market), abi.encodeCall(game.open, (SALT, t, SALT)), WrongTerms.selector);
        t.clock = 1000;
        bytes32[] memory posted = some(3, "a");
        bytes32 id = open(t, HIGH, posted);
        Span memory p = Span(transcript(id), 0, 10, t.start, HIGH);
        vm.warp(START + 1000);
        play(CHALLENGER, encodeReveal(id, t, HIGH, posted, SALT));
        Span memory next = Span(transcript(id), 0, 2, t.start, posted[0]);
        play(SUBMITTER, answered(id, t, p, posted, 0));
        assertEq(disputeOf(id).challengerLeft, 0, "nothing is left");
        refuse(SUBMITTER, timeOutOf(id, t, next, none()), ClockRunning.selector);
        vm.warp(START + 1001);
        refuse(CHALLENGER, encodePost(id, t, next, some(1, "b")), ClockExpired.selector);
        play(address(this), timeOutOf(id, t, next, none()));
        requireResolved(id, false);
    }

    /// A dispute opened beside another one starts with whole clocks, and neither one's moves wind the other's.
    function test_G11_RivalDisputesInheritNoClock() public {
        Terms memory t = defaultTerms(10);
        bytes32[] memory posted = some(3, "a");
        (bytes32 first, Span memory p) = begin(t, HIGH, posted);
        vm.warp(START + 900);
        play(SUBMITTER, answered(first, t, p, posted, 0));
        Clocks memory before = disputeOf(first);
        assertEq(before.submitterLeft, 100, "the first one's clock");
        (bytes32 second, Span memory q) = begin(t, HIGH, posted);
        Clocks memory rival = disputeOf(second);
        assertEq(rival.submitterLeft, 1000, "the submitter's clock is whole");
        assertEq(rival.challengerLeft, 1000, "the challenger's clock is whole");
        vm.warp(START + 1000);
        play(SUBMITTER, answered(second, t, q, posted, 1));
        Clocks memory after_ = disputeOf(first);
        assertEq(after_.since, before.since, "since");
        assertEq(after_.challengerLeft, before.challengerLeft, "challenger's clock");
        assertEq(disputeOf(second).submitterLeft, 900, "the second one's clock");
    }

    /// Neither side can make the other's clock run: it stops with the move that ends the turn.
    function test_C_OnlyTheClockOfTheSideInTurnRuns(uint256 thinks, uint256 waits) public {
        thinks = bound(thinks, 0, 1000);
        waits = bound(waits, 0, 1000);
        Terms memory t = defaultTerms(10);
        bytes32[] memory posted = some(3, "a");
        bytes32 id = open(t, HIGH, posted);
        Span memory p = Span(transcript(id), 0, 10, t.start, HIGH);
        vm.warp(START + thinks);
        play(CHALLENGER, encodeReveal(id, t, HIGH, posted, SALT));
        vm.warp(START + thinks + waits);
        play(SUBMITTER, answered(id, t, p, posted, 3));
        Clocks memory d = disputeOf(id);
        assertEq(d.challengerLeft, 1000 - thinks, "challenger's clock");
        assertEq(d.submitterLeft, 1000 - waits, "submitter's clock");
    }

    /// Times and clocks beyond 32 bits are not cut.
    function test_C_TimestampsAreNotTruncated(uint256 now_) public {
        now_ = bound(now_, 2 ** 32 - 500, 2 ** 39);
        vm.warp(now_);
        Terms memory t = defaultTerms(10);
        t.clock = type(uint32).max;
        bytes32[] memory posted = some(3, "a");
        (bytes32 id, Span memory p) = begin(t, HIGH, posted);
        vm.warp(now_ + type(uint32).max);
        refuse(CHALLENGER, timeOutOf(id, t, p, posted), ClockRunning.selector);
        vm.warp(now_ + type(uint32).max + 1);
        refuse(SUBMITTER, answered(id, t, p, posted, 0), ClockExpired.selector);
        play(CHALLENGER, timeOutOf(id, t, p, posted));
        requireResolved(id, true);
    }

    // Sizes

    /// Siblings of the two leftmost leaves of a tree of depth 32 whose other leaves are zero.
    function edgePath(bytes32 neighbour) private pure returns (bytes32[] memory path) {
        path = new bytes32[](32);
        path[0] = neighbour;
        for (uint256 h = 1; h < 32; h++) path[h] = zeroTree(h);
    }

    function edgeRoot(bytes32 leaf, bytes32 neighbour) private pure returns (bytes32 node) {
        node = pair(leaf, neighbour);
        for (uint256 h = 1; h < 32; h++) node = pair(node, zeroTree(h));
    }

    /// A model with as many nodes and slots as the format can say; slot 0 is the result, slot 1 stop slot and operand.
    function publishLargest(bytes memory only) private {
        shape = ModelShape({
            programRoot: edgeRoot(keccak256(only), 0),
            weightsRoot: 0,
            nodes: type(uint32).max,
            weights: 1,
            slots: type(uint32).max,
            kept: 1,
            stopSlot: 1
        });
        market.setShape(shape);
    }

    function largestTerms(bytes32 old) private view returns (Terms memory t) {
        t = defaultTerms(1);
        t.start = edgeRoot(old, 0);
        t.k = 32;
        t.q = 5;
    }

    function largestOpening(bytes memory d, bytes32 old, bytes32 fresh, bytes32[] memory nodes)
        private
        pure
        returns (NodeOpening memory)
    {
        return NodeOpening(0, edgePath(old), d, edgePath(0), old, fresh, edgePath(0), nodes);
    }

    /// Plays a move and returns its gas with that of its calldata at the highest price of a byte.
    function gasOf(bytes memory data) private returns (uint256 used) {
        vm.prank(CHALLENGER);
        uint256 before = gasleft();
        (bool done,) = address(game).call(data);
        used = 21_000 + before - gasleft() + 40 * data.length;
        assertTrue(done, "the move was refused");
    }

    /// No descriptor, tree or round that the rules let through makes a move that a block cannot hold.
    function test_O4_LargestOpeningsFitATransaction() public {
        bytes32 old = keccak256("old");
        bytes32[] memory nodes = some(32, "node");
        bytes memory d = abi.encodePacked(
            keccak256("program"), uint8(19), uint8(0), uint8(26), uint8(0), type(uint64).max, uint32(0), uint32(0)
        );
        publishLargest(d);
        Terms memory t = largestTerms(old);
        (bytes32 id, Span memory p) = begin(t, edgeRoot(treeRoot(nodes), 0), none());
        NodeOpening memory opening = largestOpening(d, old, treeRoot(nodes), nodes);
        assertTrue(gasOf(encodeOpenNode(id, t, p, opening)) < TRANSACTION_CAP / 8, "openNode");

        d = abi.encodePacked(
            keccak256("program"), uint8(19), uint8(0), uint8(0), uint8(31), type(uint64).max, uint32(0), uint32(0)
        );
        LeafOpening memory leaf = leafOpening(LEAF, 0, type(uint64).max, some(31, "state"));
        leaf.operands = new bytes32[](31 * 33);
        bytes32[] memory path = edgePath(old);
        for (uint256 j = 0; j < 31; j++) {
            d = bytes.concat(d, abi.encodePacked(uint8(1), uint8(26), uint16(0), uint32(1)));
            for (uint256 h = 0; h < 32; h++) leaf.operands[33 * j + 1 + h] = path[h];
        }
        leaf.descriptor = d;
        publishLargest(d);
        (id, p) = begin(t, edgeRoot(LEAF, 0), none());
        Spot memory branch = Spot(transcript(id), 0, t.start, keccak256(d), 0, 0, LEAF);
        play(CHALLENGER, encodeOpenNode(id, t, p, largestOpening(d, old, LEAF, none())));
        (leaf.finalState, leaf.outputPath) = fullMemory();
        assertTrue(gasOf(encodeOpenLeaf(id, t, branch, leaf)) < TRANSACTION_CAP / 4, "openLeaf");
        // One more of anything is refused.
        leaf.hashes = some(32, "state");
        (id, p) = begin(t, edgeRoot(LEAF, 0), none());
        branch.previous = transcript(id);
        play(CHALLENGER, encodeOpenNode(id, t, p, largestOpening(d, old, LEAF, none())));
        refuse(CHALLENGER, encodeOpenLeaf(id, t, branch, leaf), WrongLength.selector);
    }

    /// LEAF at 0x2000_0000 of a memory without an empty subtree beside its path.
    function fullMemory() private pure returns (bytes memory state, bytes memory path) {
        path = abi.encodePacked(uint32(2 ** 27 - 1));
        bytes32 node = LEAF;
        for (uint256 h = 0; h < 27; h++) {
            bytes32 sibling = keccak256(abi.encode("sibling", h));
            node = h == 24 ? pair(sibling, node) : pair(node, sibling);
            path = bytes.concat(path, sibling);
        }
        state = stateBytes(node, 1, 0);
    }
}
