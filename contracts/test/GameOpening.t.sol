// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {
    WrongDescriptor,
    WrongKindOfStep,
    WrongLength,
    WrongMap,
    WrongPrestate,
    WrongResult,
    WrongRoot,
    WrongSender,
    WrongStepCount
} from "../src/GameErrors.sol";
import {Branch, Course, Head, Interval, LeafOpening, NodeOpening, OpenedStep} from "../src/GameTypes.sol";
import {Phase} from "../src/Turn.sol";
import {InitialState} from "../src/InitialState.sol";
import {Terms} from "../src/Types.sol";
import {GameFixture, Span, Spot} from "./GameFixture.sol";

/// What the challenger opens and must prove: nodes, the finish step, leaves, final states, the last instruction.
contract GameOpeningTest is GameFixture {
    bytes32 private constant LEAF = keccak256("leaf");

    function refuseNode(bytes32 id, Terms memory t, Span memory p, NodeOpening memory o, bytes4 selector) private {
        refuse(CHALLENGER, encodeOpenNode(id, t, p, o), selector);
    }

    function refuseLeaf(bytes32 id, Terms memory t, Spot memory p, LeafOpening memory o, bytes4 selector) private {
        refuse(CHALLENGER, encodeOpenLeaf(id, t, p, o), selector);
    }

    function playNode(bytes32 id, Terms memory t, Span memory p, NodeOpening memory o) private {
        play(CHALLENGER, encodeOpenNode(id, t, p, o));
    }

    /// A copy with one bit of one word flipped.
    function flip(bytes32[] memory list, uint256 bit) private pure returns (bytes32[] memory changed) {
        changed = new bytes32[](list.length);
        for (uint256 i = 0; i < list.length; i++) changed[i] = list[i];
        uint256 word = (bit >> 8) % list.length;
        changed[word] = changed[word] ^ bytes32(1 << (bit & 255));
    }

    function cut(bytes32[] memory list) private pure returns (bytes32[] memory shorter) {
        shorter = new bytes32[](list.length - 1);
        for (uint256 i = 0; i < shorter.length; i++) shorter[i] = list[i];
    }

    function extended(bytes32[] memory list) private pure returns (bytes32[] memory longer) {
        longer = new bytes32[](list.length + 1);
        for (uint256 i = 0; i < list.length; i++) longer[i] = list[i];
    }

    // The step

    function testGame15FinishStepIsTheLastAndNoOther() public {
        Terms memory t = defaultTerms(2);
        t.finish = true;
        bytes32[] memory posted = new bytes32[](1);
        posted[0] = treeRoot(slotsWith(1, LEAF));
        bytes32 cleared = pair(pair(slots[0], LEAF), zeroTree(1));
        (bytes32 id, Span memory p) = begin(t, cleared, posted);
        Span memory node = Span(transcript(id), 0, 1, t.start, posted[0]);
        play(SUBMITTER, encodeAnswer(id, t, p, posted, 0));
        bytes32[] memory path = new bytes32[](1);
        path[0] = pair(slots[2], slots[3]);
        bytes32 kept = pair(slots[0], slots[1]);
        bytes memory data = encodeOpenFinish(id, t, node, kept, path);
        refuse(CHALLENGER, data, WrongKindOfStep.selector);
        playNode(id, t, node, nodeOpening(LEAF, none()));

        (id, p) = begin(t, cleared, posted);
        Span memory last = Span(transcript(id), 1, 2, posted[0], cleared);
        play(SUBMITTER, encodeAnswer(id, t, p, posted, 1));
        refuseNode(id, t, last, nodeOpening(LEAF, none()), WrongKindOfStep.selector);
        kept = pair(slots[0], LEAF);
        play(CHALLENGER, encodeOpenFinish(id, t, last, kept, path));
        requireResolved(id, true);
    }

    /// Model, number of steps and finish of an opening are those of the terms, though it names the true transcript.
    function testGame37CourseIsThatOfTheTermsD14O1(uint8 which) public {
        (bytes32 id, Terms memory t, Span memory p) = beforeNode(LEAF);
        Course memory course = courseOf(t);
        which = uint8(bound(which, 0, 2));
        if (which == 0) course.registrationId = LEAF;
        if (which == 1) course.steps = 2;
        if (which == 2) course.finish = true;
        NodeOpening memory o = nodeOpening(LEAF, none());
        Head memory head = headOf(id, t);
        Interval memory position = intervalOf(id, t, p);
        refuse(CHALLENGER, abi.encodeCall(game.openNode, (id, head, position, course, o)), WrongRoot.selector);
        bytes memory data = abi.encodeCall(game.openFinish, (id, head, position, course, LEAF, none()));
        refuse(CHALLENGER, data, WrongRoot.selector);
        playNode(id, t, p, o);
    }

    function stopped(bytes32 leaf) private {
        slots[2] = leaf;
        shape.stopSlot = 2;
        publish();
    }

    function testGame16StopSlotIsProvenFirstD13() public {
        stopped(bytes32(uint256(1)));
        (bytes32 id, Terms memory t, Span memory p) = beforeNode(LEAF);
        NodeOpening memory o = nodeOpening(LEAF, none());
        refuseNode(id, t, p, o, WrongLength.selector);
        o.stopPath = treePath(slots, 2);
        refuseNode(id, t, p, o, WrongRoot.selector);
        o.stopLeaf = slots[1];
        o.stopPath = treePath(slots, 1);
        refuseNode(id, t, p, o, WrongRoot.selector);
        (o.stopLeaf, o.stopPath) = (slots[2], treePath(slots, 2));
        // Only the first word stops: bytes 4..31 do not.
        playNode(id, t, p, o);
        assertEq(phase(id), uint256(Phase.Leaf), "phase");
    }

    function testGame16NoStopProofWhereThereIsNoStopSlotP1() public {
        (bytes32 id, Terms memory t, Span memory p) = beforeNode(LEAF);
        NodeOpening memory o = nodeOpening(LEAF, none());
        o.stopPath = treePath(slots, 2);
        refuseNode(id, t, p, o, WrongLength.selector);
    }

    function testGame17DescriptorIsTheNodesOwnP4(uint256 bit) public {
        descriptors[1] = descriptor(0, 0, 101, 1);
        publish();
        (bytes32 id, Terms memory t, Span memory p) = beforeNode(LEAF);
        NodeOpening memory o = nodeOpening(LEAF, none());
        // Another node's descriptor with its own valid path.
        (o.descriptor, o.programPath) = (descriptors[1], programPath(1));
        refuseNode(id, t, p, o, WrongRoot.selector);
        o = nodeOpening(LEAF, none());
        o.programPath = flip(o.programPath, bit);
        refuseNode(id, t, p, o, WrongRoot.selector);
        o.programPath = cut(programPath(0));
        refuseNode(id, t, p, o, WrongLength.selector);
        o.programPath = extended(programPath(0));
        refuseNode(id, t, p, o, WrongLength.selector);
        // An inner node's preimage is no descriptor: the depth is the node count's.
        o.descriptor = abi.encodePacked(keccak256(descriptors[0]), keccak256(descriptors[1]));
        o.programPath = cut(programPath(0));
        refuseNode(id, t, p, o, WrongLength.selector);
    }

    /// Moves on a stopped model or a void descriptor: who claims that nothing moved wins.
    function testGame18StoppedStepIsTheIdentityD13(uint32 word, bool moved) public {
        if (word == 0) word = 1;
        stopped(bytes32(bytes4(word)));
        Terms memory t = defaultTerms(1);
        (bytes32 id, Span memory p) = begin(t, moved ? LEAF : t.start, none());
        NodeOpening memory o;
        (o.stopLeaf, o.stopPath) = (slots[2], treePath(slots, 2));
        playNode(id, t, p, o);
        requireResolved(id, !moved);
    }

    function testGame18VoidDescriptorIsTheIdentityD9(uint256 which, bool moved) public {
        bytes memory d = descriptor(0, 0, 100, 1);
        which = bound(which, 0, 15);
        if (which == 0) d[32] = bytes1(uint8(20));
        if (which == 1) d[33] = 0x02;
        if (which == 2) d[34] = bytes1(uint8(27));
        if (which == 3) (d[33], d[34]) = (bytes1(0x01), bytes1(uint8(20)));
        if (which == 4) d[35] = bytes1(uint8(4));
        if (which == 5) d[35] = bytes1(uint8(2));
        if (which == 6) d[47] = 0x04;
        if (which == 7) d[51] = 0x01;
        if (which == 8) d[52] = 0x03;
        if (which == 9) d[53] = bytes1(uint8(27));
        if (which == 10) d[55] = 0x01;
        if (which == 11) d[59] = 0x04;
        if (which == 12) d[67] = 0x03;
        if (which == 13) d[75] = 0x01;
        if (which == 14) d = new bytes(51);
        if (which == 15) d = bytes.concat(d, hex"00");
        descriptors[0] = d;
        publish();
        Terms memory t = defaultTerms(1);
        (bytes32 id, Span memory p) = begin(t, moved ? LEAF : t.start, none());
        NodeOpening memory o;
        (o.descriptor, o.programPath) = (d, programPath(0));
        playNode(id, t, p, o);
        requireResolved(id, !moved);
    }

    function testGame18ThirtyTwoOperandsAreVoidD9() public {
        bytes memory d = abi.encodePacked(
            keccak256("program"), uint8(3), uint8(0), uint8(0), uint8(32), uint64(100), uint32(1), uint32(0), new bytes(256)
        );
        descriptors[0] = d;
        publish();
        Terms memory t = defaultTerms(1);
        (bytes32 id, Span memory p) = begin(t, LEAF, none());
        NodeOpening memory o;
        (o.descriptor, o.programPath) = (d, programPath(0));
        playNode(id, t, p, o);
        requireResolved(id, false);
    }

    /// With 31 operands of height 26, a program of height 19 and a result of height 26 a descriptor is still none of the void ones.
    function testGame18GreatestDescriptorIsNotVoidD9() public {
        bytes memory operands;
        for (uint256 i = 0; i < 31; i++) operands = abi.encodePacked(operands, uint8(1), uint8(26), uint16(0), uint32(3));
        bytes memory d = abi.encodePacked(
            keccak256("program"), uint8(19), uint8(0), uint8(26), uint8(31), type(uint64).max, uint32(3), uint32(0), operands
        );
        descriptors[0] = d;
        publish();
        (bytes32 id, Terms memory t, Span memory p) = beforeNode(LEAF);
        NodeOpening memory o;
        (o.descriptor, o.programPath) = (d, programPath(0));
        refuseNode(id, t, p, o, WrongLength.selector);
    }

    function testGame19ResultStandsInItsSlotAloneP4(uint256 bit) public {
        (bytes32 id, Terms memory t, Span memory p) = beforeNode(LEAF);
        NodeOpening memory o = nodeOpening(LEAF, none());
        o.slotPath = flip(o.slotPath, bit);
        refuseNode(id, t, p, o, WrongRoot.selector);
        o.slotPath = cut(treePath(slots, 1));
        refuseNode(id, t, p, o, WrongLength.selector);
        o = nodeOpening(LEAF, none());
        o.oldRoot = o.oldRoot ^ bytes32(1 << (bit & 255));
        refuseNode(id, t, p, o, WrongRoot.selector);
        o = nodeOpening(LEAF, none());
        o.newRoot = o.newRoot ^ bytes32(1 << (bit & 255));
        refuseNode(id, t, p, o, WrongRoot.selector);
        playNode(id, t, p, nodeOpening(LEAF, none()));

        // A claimed state that changes two slots, or another one than the descriptor says, cannot be opened.
        (id, p) = begin(t, treeRoot(slotsWith(0, LEAF)), none());
        o = nodeOpening(LEAF, none());
        refuseNode(id, t, p, o, WrongRoot.selector);
        (o.oldRoot, o.slotPath) = (slots[0], treePath(slots, 0));
        refuseNode(id, t, p, o, WrongRoot.selector);
    }

    function testGame20NoTensorRoundForLeafAndWholeG6() public {
        (bytes32 id, Terms memory t, Span memory p) = beforeNode(LEAF);
        refuseNode(id, t, p, nodeOpening(LEAF, some(1, "a")), WrongLength.selector);
        descriptors[0] = descriptor(1, 2, 100, 1);
        publish();
        bytes32[] memory nodes = some(4, "a");
        (id, t, p) = beforeNode(treeRoot(nodes));
        refuseNode(id, t, p, nodeOpening(treeRoot(nodes), nodes), WrongLength.selector);
        playNode(id, t, p, nodeOpening(treeRoot(nodes), none()));
        assertEq(phase(id), uint256(Phase.Leaf), "phase");
    }

    // The finish step

    function finishing(bytes32 claim) private returns (bytes32 id, Terms memory t, Span memory p) {
        t = defaultTerms(1);
        t.finish = true;
        (id, p) = begin(t, claim, none());
    }

    function testGame21KeptSubtreeStandsUnderTheAgreedStateD14(uint256 bit) public {
        bytes32 kept = pair(slots[0], slots[1]);
        (bytes32 id, Terms memory t, Span memory p) = finishing(pair(kept, zeroTree(1)));
        bytes32[] memory path = new bytes32[](1);
        path[0] = pair(slots[2], slots[3]);
        bytes memory data = encodeOpenFinish(id, t, p, kept, flip(path, bit));
        refuse(CHALLENGER, data, WrongRoot.selector);
        // One level too deep, or too short, is no kept subtree.
        data = encodeOpenFinish(id, t, p, slots[0], treePath(slots, 0));
        refuse(CHALLENGER, data, WrongLength.selector);
        refuse(CHALLENGER, encodeOpenFinish(id, t, p, t.start, none()), WrongLength.selector);
        refuse(CHALLENGER, encodeOpenFinish(id, t, p, path[0], path), WrongRoot.selector);
        play(CHALLENGER, encodeOpenFinish(id, t, p, kept, path));
        requireResolved(id, true);
    }

    /// Another slot left dirty, a kept one changed, or cleared to a zero tensor of its height: the challenger loses.
    function testGame22FinishClearsAllOtherSlotsD14(uint8 which) public {
        bytes32 kept = pair(slots[0], slots[1]);
        bytes32[3] memory claims =
            [pair(kept, pair(slots[2], 0)), pair(pair(slots[0], 0), zeroTree(1)), pair(kept, pair(zeroTree(3), 0))];
        (bytes32 id, Terms memory t, Span memory p) = finishing(claims[which % 3]);
        bytes32[] memory path = new bytes32[](1);
        path[0] = pair(slots[2], slots[3]);
        play(CHALLENGER, encodeOpenFinish(id, t, p, kept, path));
        requireResolved(id, false);
    }

    /// The finish step is never stopped.
    function testGame22FinishIsNotStoppedD13() public {
        stopped(bytes32(bytes4(uint32(1))));
        bytes32 kept = pair(slots[0], slots[1]);
        (bytes32 id, Terms memory t, Span memory p) = finishing(treeRoot(slots));
        bytes32[] memory path = new bytes32[](1);
        path[0] = pair(slots[2], slots[3]);
        play(CHALLENGER, encodeOpenFinish(id, t, p, kept, path));
        requireResolved(id, false);
    }

    // The leaf

    function testGame23DescriptorOfTheOpenedNodeO1() public {
        (bytes32 id, Terms memory t, Spot memory p) = afterNode(LEAF, none());
        LeafOpening memory o = leafOpening(LEAF, 0, 1, none());
        o.descriptor = descriptor(0, 0, 101, 1);
        refuseLeaf(id, t, p, o, WrongDescriptor.selector);
        // Nor another model, step or state than those it was opened in.
        o = leafOpening(LEAF, 0, 1, none());
        Head memory head = headOf(id, t);
        Branch memory position = branchOf(t, p);
        for (uint256 i = 0; i < 3; i++) {
            OpenedStep memory step = OpenedStep(t.registrationId, p.step, p.state);
            if (i == 0) step.registrationId = LEAF;
            if (i == 1) step.step++;
            if (i == 2) step.state = LEAF;
            bytes memory data = abi.encodeCall(game.openLeaf, (id, head, position, step, o));
            refuse(CHALLENGER, data, WrongDescriptor.selector);
        }
    }

    function testGame24FinalStateIs178BytesP1() public {
        (bytes32 id, Terms memory t, Spot memory p) = afterNode(LEAF, none());
        LeafOpening memory o = leafOpening(LEAF, 0, 1, none());
        bytes memory state = o.finalState;
        o.finalState = bytes.concat(state, hex"00");
        refuseLeaf(id, t, p, o, WrongLength.selector);
        o.finalState = stateBytes(0, 1, 0);
        bytes memory short = o.finalState;
        assembly ("memory-safe") {
            mstore(short, 177)
        }
        refuseLeaf(id, t, p, o, WrongLength.selector);
    }

    /// maxSteps is 100; 0 counts as 1.
    function testGame25StepsWithinTheLimitD9() public {
        (bytes32 id, Terms memory t, Spot memory p) = afterNode(LEAF, none());
        refuseLeaf(id, t, p, leafOpening(LEAF, 0, 0, none()), WrongStepCount.selector);
        refuseLeaf(id, t, p, leafOpening(LEAF, 0, 101, some(3, "a")), WrongStepCount.selector);
        refuseLeaf(id, t, p, leafOpening(LEAF, 0, type(uint64).max, some(3, "a")), WrongStepCount.selector);
        play(CHALLENGER, encodeOpenLeaf(id, t, p, leafOpening(LEAF, 0, 100, some(3, "a"))));

        descriptors[0] = descriptor(0, 0, 0, 1);
        publish();
        (id, t, p) = afterNode(LEAF, none());
        refuseLeaf(id, t, p, leafOpening(LEAF, 0, 2, some(1, "a")), WrongStepCount.selector);
        play(CHALLENGER, encodeOpenLeaf(id, t, p, leafOpening(LEAF, 0, 1, none())));
    }

    function zeroClaim(uint8 status, uint8 code, uint64 steps, bytes32[] memory hashes)
        private
        view
        returns (LeafOpening memory o)
    {
        o = leafOpening(0, 0, steps, hashes);
        o.finalState = stateBytes(memoryWith(0, 0), status, code);
        o.outputPath = "";
    }

    function testGame26RunningProgramEndsOnlyAtTheLimitD9G8() public {
        (bytes32 id, Terms memory t, Spot memory p) = afterNode(0, none());
        refuseLeaf(id, t, p, zeroClaim(0, 0, 99, some(3, "a")), WrongStepCount.selector);
        refuseLeaf(id, t, p, zeroClaim(0, 0, 1, none()), WrongStepCount.selector);
        play(CHALLENGER, encodeOpenLeaf(id, t, p, zeroClaim(0, 0, 100, some(3, "a"))));
        assertEq(phase(id), uint256(Phase.Instruction), "phase");
    }

    function testGame27ResultStandsInTheFinalMemoryP1P4(uint256 bit) public {
        (bytes32 id, Terms memory t, Spot memory p) = afterNode(LEAF, none());
        LeafOpening memory o = leafOpening(LEAF, 0, 1, none());
        o.finalState = stateBytes(memoryWith(SALT, 0), 1, 0);
        refuseLeaf(id, t, p, o, WrongRoot.selector);
        // The leaf at another address: its neighbour.
        o.finalState = stateBytes(pair(0, LEAF), 1, 0);
        refuseLeaf(id, t, p, o, WrongRoot.selector);
        o = leafOpening(LEAF, 0, 1, none());
        // A sibling that equals its zero subtree may be sent; a changed one, a missing one or more bytes may not.
        o.outputPath = abi.encodePacked(uint32(1), bytes32(1 << (bit & 255)));
        refuseLeaf(id, t, p, o, WrongRoot.selector);
        o.outputPath = abi.encodePacked(uint32(1), bytes31(0));
        refuseLeaf(id, t, p, o, WrongLength.selector);
        o.outputPath = abi.encodePacked(uint32(1), bytes32(0), uint8(0));
        refuseLeaf(id, t, p, o, WrongLength.selector);
        o.outputPath = hex"000000";
        refuseLeaf(id, t, p, o, WrongLength.selector);
        o.outputPath = abi.encodePacked(uint32(1 << (27 + (bit % 5))), bytes32(0));
        refuseLeaf(id, t, p, o, WrongMap.selector);
        o.outputPath = abi.encodePacked(uint32(1), bytes32(0));
        play(CHALLENGER, encodeOpenLeaf(id, t, p, o));
    }

    /// Traps, other exit codes and unending programs give zero; a non-zero leaf cannot be claimed from them.
    function testGame28AnyOtherEndGivesZeroD9G7G8(uint8 status, uint8 code) public {
        if (status == 1 && code == 0) code = 1;
        uint64 steps = status == 0 ? 100 : 7;
        bytes32[] memory hashes = some(3, "a");
        (bytes32 id, Terms memory t, Spot memory p) = afterNode(LEAF, none());
        refuseLeaf(id, t, p, zeroClaim(status, code, steps, hashes), WrongResult.selector);
        (id, t, p) = afterNode(0, none());
        LeafOpening memory o = zeroClaim(status, code, steps, hashes);
        o.outputPath = hex"00000000";
        refuseLeaf(id, t, p, o, WrongLength.selector);
        play(CHALLENGER, encodeOpenLeaf(id, t, p, zeroClaim(status, code, steps, hashes)));
    }

    /// The same rules for a whole result, whose zero is the zero subtree of its height.
    function testGame28WholeResultD18(uint8 height) public {
        uint8 h = uint8(bound(height, 0, 19));
        descriptors[0] = descriptor(1, h, 100, 1);
        publish();
        (bytes32 id, Terms memory t, Spot memory p) = afterNode(LEAF, none());
        LeafOpening memory o = zeroClaim(2, 3, 7, some(3, "a"));
        refuseLeaf(id, t, p, o, WrongResult.selector);
        // A map bit below the result's height cannot occur.
        o = leafOpening(LEAF, h, 1, none());
        if (h > 0) {
            o.outputPath = abi.encodePacked(uint32(1) << (h - 1), bytes32(0));
            refuseLeaf(id, t, p, o, WrongMap.selector);
        }
        o.outputPath = hex"00000000";
        play(CHALLENGER, encodeOpenLeaf(id, t, p, o));
        (id, t, p) = afterNode(zeroTree(h), none());
        play(CHALLENGER, encodeOpenLeaf(id, t, p, zeroClaim(2, 3, 7, some(3, "a"))));
    }

    function testGame32OperandsAreProvenP1P4(uint256 bit) public {
        (bytes32 id, Terms memory t, Spot memory p) = afterNode(LEAF, none());
        LeafOpening memory o = leafOpening(LEAF, 0, 1, none());
        o.operands = flip(operandProofs(), bit);
        refuseLeaf(id, t, p, o, WrongRoot.selector);
        o.operands = cut(operandProofs());
        refuseLeaf(id, t, p, o, WrongLength.selector);
        o.operands = extended(operandProofs());
        refuseLeaf(id, t, p, o, WrongLength.selector);
        o.operands = none();
        refuseLeaf(id, t, p, o, WrongLength.selector);
        // A root that stands at another index of the same tree.
        bytes32[] memory path = treePath(slots, 2);
        o.operands = operandProofs();
        (o.operands[0], o.operands[1], o.operands[2]) = (slots[2], path[0], path[1]);
        refuseLeaf(id, t, p, o, WrongRoot.selector);
    }

    /// The start is composed from what was proven: a second telling of it, leaf by leaf of the upper levels.
    function testGame32InitialStateIsComposed(uint256 seed) public pure {
        uint256 height = seed % 20;
        uint256 count = (seed >> 8) % 32;
        uint32 leafIndex = uint32(seed >> 32);
        uint32 iteration = uint32(seed >> 64);
        bytes32[] memory region = new bytes32[](32);
        bytes32[] memory leaves = new bytes32[](1 + count);
        for (uint256 i = 1; i <= count; i++) region[i] = leaves[i] = keccak256(abi.encode(seed, i));
        bytes memory first = new bytes(32);
        for (uint256 i = 0; i < 4; i++) {
            first[i] = bytes1(uint8(leafIndex >> (8 * i)));
            first[4 + i] = bytes1(uint8(iteration >> (8 * i)));
        }
        region[0] = bytes32(first);
        bytes32 program = keccak256("program");
        bytes32 left = program;
        for (uint256 h = height; h < 23; h++) left = pair(left, zeroTree(h));
        bytes32 right = treeRoot(region);
        for (uint256 h = 5; h < 23; h++) right = pair(right, zeroTree(h));
        bytes32 memoryRoot = pair(left, right);
        for (uint256 h = 24; h < 27; h++) memoryRoot = pair(memoryRoot, zeroTree(h));
        bytes memory state = abi.encodePacked(memoryRoot, uint32(0), uint32(4), new bytes(10), new bytes(128));
        state[50 + 29 * 4] = 0x3f;
        state[51 + 29 * 4] = 0xff;
        state[52 + 29 * 4] = 0xff;
        state[53 + 29 * 4] = 0xe0;
        bytes32 found = InitialState.hash(program, height, leafIndex, iteration, leaves);
        assertEq(found, keccak256(state), "initial state");
    }

    // The last instruction

    function beforeArbitration() private returns (bytes32 id, Terms memory t, Span memory p) {
        Spot memory branch;
        (id, t, branch) = afterNode(LEAF, none());
        LeafOpening memory opening = leafOpening(LEAF, 0, 1, none());
        p = Span(transcript(id), 0, 1, 0, keccak256(opening.finalState));
        play(CHALLENGER, encodeOpenLeaf(id, t, branch, opening));
        (, p.low,,,) = abi.decode(lastData, (uint256, bytes32, bytes32, uint64, bytes32[]));
    }

    function testGame30MachineExecutesTheAgreedStateP6(uint256 bit) public {
        (bytes32 id, Terms memory t, Span memory p) = beforeArbitration();
        bytes32 other = p.low ^ bytes32(1 << (bit & 255));
        bytes memory data = encodeArbitrate(id, t, p, abi.encode(other, p.high));
        refuse(CHALLENGER, data, WrongPrestate.selector);
        refuse(SUBMITTER, data, WrongPrestate.selector);
        data = encodeArbitrate(id, t, p, abi.encode(p.low, p.high));
        refuse(address(this), data, WrongSender.selector);
    }

    /// Whoever sends it, equality decides.
    function testGame31EqualMeansTheChallengerWinsG9(uint256 bit, bool equal, bool bySubmitter) public {
        (bytes32 id, Terms memory t, Span memory p) = beforeArbitration();
        bytes32 after_ = equal ? p.high : p.high ^ bytes32(1 << (bit & 255));
        bytes memory data = encodeArbitrate(id, t, p, abi.encode(p.low, after_));
        play(bySubmitter ? SUBMITTER : CHALLENGER, data);
        requireResolved(id, equal);
    }

    /// Too little gas reverts the move; it never turns the verdict.
    function testGame31TooLittleGasChangesNothingP8(uint256 gas_) public {
        (bytes32 id, Terms memory t, Span memory p) = beforeArbitration();
        bytes memory data = encodeArbitrate(id, t, p, abi.encode(p.low, p.high));
        vm.prank(CHALLENGER);
        (bool done,) = address(game).call{gas: bound(gas_, 1000, 150_000)}(data);
        if (done) requireResolved(id, true);
        else assertEq(market.verdicts(id), 0, "verdicts");
    }
}
