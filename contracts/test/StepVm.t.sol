// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ALIGNMENT, ENCODING, OPERANDS, PROTECTION} from "../src/Causes.sol";
import {MemoryTree, MemoryTrees, WrongRoot} from "../src/MemoryTree.sol";
import {StepVm} from "../src/StepVm.sol";
import {Tree} from "../src/Tree.sol";
import {EXITED, readState, RegisterZero, RUNNING, TRAPPED, VmState} from "../src/VmState.sol";
import {Test} from "./Test.sol";

/// The machine against arithmetic written a second time, on memory that is empty but for one instruction.
/// Where the instruction is alone, its path has no siblings, so that witnesses can be made here.
contract StepVmTest is Test {
    StepVm private immutable machine = new StepVm();

    struct State {
        bytes32 root;
        uint32 pc;
        uint32 nextPc;
        uint32 hi;
        uint32 lo;
        uint8 status;
        uint8 exitCode;
        uint32[32] registers;
    }

    /// Path of a leaf in memory that is zero elsewhere.
    bytes4 private constant NO_SIBLINGS = 0;
    uint32 private constant DATA = 0x30000000;

    // --- Building witnesses ---

    function pack(State memory state) private pure returns (bytes memory packed) {
        packed = abi.encodePacked(
            state.root, state.pc, state.nextPc, state.hi, state.lo, state.status, state.exitCode
        );
        for (uint256 i = 0; i < 32; i++) packed = abi.encodePacked(packed, state.registers[i]);
    }

    function hashOf(State memory state) private pure returns (bytes32) {
        return keccak256(pack(state));
    }

    /// Root of a memory that is zero but for `leaf` at `index`.
    function rootOf(bytes32 leaf, uint256 index) private pure returns (bytes32 node) {
        bytes32 zero;
        node = leaf;
        for (uint256 level = 0; level < 27; level++) {
            node = index >> level & 1 == 0 ? keccak256(abi.encode(node, zero)) : keccak256(abi.encode(zero, node));
            zero = keccak256(abi.encode(zero, zero));
        }
    }

    /// A leaf whose first word, little-endian, is `word`.
    function leafOf(uint32 word) private pure returns (bytes32) {
        uint32 swapped = word << 24 | (word & 0xff00) << 8 | word >> 8 & 0xff00 | word >> 24;
        return bytes32(uint256(swapped) << 224);
    }

    /// A running state at pc 0 with `word` there, and registers drawn from `seed`.
    function stateAt(uint32 word, uint256 seed) private pure returns (State memory state, bytes memory instruction) {
        bytes32 leaf = leafOf(word);
        state.root = rootOf(leaf, 0);
        state.nextPc = 4;
        for (uint256 i = 1; i < 32; i++) state.registers[i] = uint32(uint256(keccak256(abi.encode(seed, i))));
        instruction = abi.encodePacked(leaf, NO_SIBLINGS);
    }

    function accepts(bytes memory witness) private view returns (bool success, bytes32 prestate, bytes32 poststate) {
        bytes memory answer;
        (success, answer) = address(machine).staticcall(abi.encodeCall(StepVm.step, (witness)));
        if (success) (prestate, poststate) = abi.decode(answer, (bytes32, bytes32));
    }

    /// The step of `state` with the instruction `word` is valid and gives `expected`.
    function assertStep(State memory state, bytes memory proofs, State memory expected) private view {
        (bool success, bytes32 prestate, bytes32 poststate) = accepts(bytes.concat(pack(state), proofs));
        assertTrue(success, "valid witness");
        assertEq(prestate, hashOf(state), "prestate");
        assertEq(poststate, hashOf(expected), "poststate");
    }

    function copyOf(State memory state) private pure returns (State memory) {
        return abi.decode(abi.encode(state), (State));
    }

    // --- Arithmetic, a second time ---

    /// `name $10, $8, $9`
    function threeRegisters(uint32 fn) private pure returns (uint32) {
        return 8 << 21 | 9 << 16 | 10 << 11 | fn;
    }

    function result(uint32 fn, uint32 s, uint32 t) private pure returns (uint32) {
        unchecked {
            if (fn == 4) return t << s % 32;
            if (fn == 6) return t >> s % 32;
            if (fn == 7) return uint32(int32(t) >> s % 32);
            if (fn == 33) return s + t;
            if (fn == 35) return s - t;
            if (fn == 36) return s & t;
            if (fn == 37) return s | t;
            if (fn == 38) return s ^ t;
            if (fn == 39) return ~(s | t);
            if (fn == 42) return int32(s) < int32(t) ? 1 : 0;
            return s < t ? 1 : 0;
        }
    }

    function testFuzz_threeRegisters(uint256 seed, uint256 choice) external view {
        uint8[11] memory fns = [4, 6, 7, 33, 35, 36, 37, 38, 39, 42, 43];
        uint32 fn = fns[choice % 11];
        (State memory state, bytes memory proofs) = stateAt(threeRegisters(fn), seed);
        State memory expected = copyOf(state);
        expected.registers[10] = result(fn, state.registers[8], state.registers[9]);
        (expected.pc, expected.nextPc) = (4, 8);
        assertStep(state, proofs, expected);
    }

    /// V3: add and sub trap exactly where Solidity's checked arithmetic fails.
    function testFuzz_V3_addAndSubTrapOnOverflow(uint256 seed, bool subtracts) external view {
        (State memory state, bytes memory proofs) = stateAt(threeRegisters(subtracts ? 34 : 32), seed);
        State memory expected = copyOf(state);
        int32 s = int32(state.registers[8]);
        int32 t = int32(state.registers[9]);
        try this.checked(s, t, subtracts) returns (int32 exact) {
            expected.registers[10] = uint32(exact);
            (expected.pc, expected.nextPc) = (4, 8);
        } catch {
            (expected.status, expected.exitCode) = (uint8(TRAPPED), uint8(OPERANDS));
        }
        assertStep(state, proofs, expected);
    }

    function checked(int32 s, int32 t, bool subtracts) external pure returns (int32) {
        return subtracts ? s - t : s + t;
    }

    /// mult multu div divu madd maddu msub msubu, as 64-bit arithmetic.
    function testFuzz_hiLo(uint256 seed, uint256 choice, uint32 hi, uint32 lo) external view {
        uint8[8] memory fns = [24, 25, 26, 27, 0, 1, 4, 5];
        uint32 fn = fns[choice % 8];
        uint32 word = (choice % 8 < 4 ? 0 : uint32(28) << 26) | 8 << 21 | 9 << 16 | fn;
        (State memory state, bytes memory proofs) = stateAt(word, seed);
        (state.hi, state.lo) = (hi, lo);
        State memory expected = copyOf(state);
        (expected.hi, expected.lo) = hiLo(fn, state.registers[8], state.registers[9], hi, lo);
        (expected.pc, expected.nextPc) = (4, 8);
        assertStep(state, proofs, expected);
    }

    function hiLo(uint32 fn, uint32 s, uint32 t, uint32 hi, uint32 lo) private pure returns (uint32, uint32) {
        unchecked {
            if (fn == 26 && t != 0) return (uint32(int32(s) % int32(t)), uint32(int32(s) / int32(t)));
            if (fn == 27 && t != 0) return (s % t, s / t);
            if (fn == 26 || fn == 27) return (0, s);
            uint64 old = uint64(hi) << 32 | lo;
            uint64 product =
                fn == 25 || fn == 1 || fn == 5 ? uint64(s) * t : uint64(int64(int32(s)) * int64(int32(t)));
            if (fn < 2) product = old + product;
            if (fn == 4 || fn == 5) product = old - product;
            return (uint32(product >> 32), uint32(product));
        }
    }

    // --- Memory ---

    /// sw of any register to any aligned address above the code, on empty memory.
    function testFuzz_VM4_storeWord(uint256 seed, uint32 address_) external view {
        uint32 addr = uint32(bound(address_, 0x01000000, 0xffffffff)) & ~uint32(3);
        (State memory state, bytes memory proofs) = stateAt(uint32(43) << 26 | 8 << 21 | 9 << 16, seed);
        state.registers[8] = addr;
        State memory expected = copyOf(state);
        bytes32 stored = leafOf(state.registers[9]) >> (addr & 28) * 8;
        expected.root = rootOfTwo(bytes32(proofs), stored, addr >> 5);
        (expected.pc, expected.nextPc) = (4, 8);
        assertStep(state, bytes.concat(proofs, bytes32(0), NO_SIBLINGS), expected);
    }

    /// Root of a memory that is zero but for the leaves at 0 and at `index`.
    function rootOfTwo(bytes32 first, bytes32 second, uint256 index) private pure returns (bytes32) {
        bytes32 zero;
        bool joined;
        for (uint256 level = 0; level < 27; level++) {
            if (!joined && index >> level == 1) {
                first = keccak256(abi.encode(first, second));
                joined = true;
            } else {
                first = keccak256(abi.encode(first, zero));
                second =
                    index >> level & 1 == 0 ? keccak256(abi.encode(second, zero)) : keccak256(abi.encode(zero, second));
            }
            zero = keccak256(abi.encode(zero, zero));
        }
        return first;
    }

    /// Totality: for every word and every registers there is exactly one valid witness of these lengths.
    /// Loads and stores need one more leaf, load and save two; all of them are zero here.
    function testFuzz_everyWordHasOneAnswer(uint256 seed, uint32 word, bool near) external view {
        (State memory state, bytes memory proofs) = stateAt(word, seed);
        if (near) {
            for (uint256 i = 1; i < 32; i++) state.registers[i] = DATA + state.registers[i] % 64;
        }
        uint256 valid;
        for (uint256 extra = 0; extra < 3; extra++) {
            (bool success, bytes32 prestate, bytes32 poststate) = accepts(bytes.concat(pack(state), proofs));
            if (success) {
                valid++;
                assertEq(prestate, hashOf(state), "prestate");
                assertTrue(poststate != prestate, "a running state moves");
            }
            proofs = bytes.concat(proofs, bytes32(0), NO_SIBLINGS);
        }
        // A load whose address is in the instruction's own leaf needs no more than the instruction.
        assertEq(valid, 1, "valid witnesses");
    }

    // --- Invariants ---

    /// A state with register 0 set is refused, running or not.
    function testFuzz_VM1_registerZero(uint32 value, uint8 status) external {
        (State memory state,) = stateAt(0, 1);
        state.registers[0] = value == 0 ? 1 : value;
        state.status = status;
        bytes memory witness = pack(state);
        vm.expectRevert(abi.encodeWithSelector(RegisterZero.selector, uint256(state.registers[0])));
        machine.step(witness);
    }

    /// An instruction that is not in memory is refused.
    function testFuzz_VM2_instructionIsInMemory(uint32 word, uint32 other) external {
        vm.assume(word != other);
        (State memory state,) = stateAt(word, 1);
        (State memory foreign, bytes memory proofs) = stateAt(other, 1);
        bytes memory witness = bytes.concat(pack(state), proofs);
        vm.expectRevert(abi.encodeWithSelector(WrongRoot.selector, foreign.root, state.root));
        machine.step(witness);
    }

    /// Every status but running is a fixed point.
    function testFuzz_VM5_stoppedIsFixed(uint8 status, uint8 exitCode, uint32 pc, uint256 seed) external view {
        vm.assume(status != RUNNING);
        (State memory state,) = stateAt(0, seed);
        (state.status, state.exitCode, state.pc) = (status, exitCode, pc);
        assertStep(state, "", state);
    }

    /// A trap changes status and exit code and nothing else.
    function testFuzz_VM6_trapKeepsTheRest(uint256 seed, uint32 nextPc) external view {
        // break, lui with rs, an unaligned sw and a sw to code
        uint32[4] memory words = [uint32(0x0000000d), 0x3c200000, 0xad090000, 0xad090000];
        uint8[4] memory causes = [uint8(ENCODING), uint8(ENCODING), uint8(ALIGNMENT), uint8(PROTECTION)];
        uint256 choice = seed % 4;
        (State memory state, bytes memory proofs) = stateAt(words[choice], seed);
        state.nextPc = nextPc;
        if (choice == 2) state.registers[8] |= 1;
        if (choice == 3) state.registers[8] = (state.registers[8] & 0x00fffffc);
        State memory expected = copyOf(state);
        (expected.status, expected.exitCode) = (uint8(TRAPPED), causes[choice]);
        assertStep(state, proofs, expected);
    }

    /// Random bytes are refused.
    function testFuzz_VM7_randomWitness(bytes calldata witness) external view {
        (bool success, bytes32 prestate, bytes32 poststate) = accepts(witness);
        // Only a stopped state with register 0 zero is valid by itself.
        if (success) {
            assertEq(witness.length, 178, "length");
            assertTrue(uint8(witness[48]) != RUNNING, "status");
            assertEq(prestate, poststate, "fixed point");
        }
    }

    /// Exit keeps pc and gives the low byte of $a0.
    function testFuzz_exit(uint256 seed, uint32 code) external view {
        (State memory state, bytes memory proofs) = stateAt(12, seed);
        (state.registers[2], state.registers[4]) = (seed & 1 == 0 ? 4001 : 4246, code);
        State memory expected = copyOf(state);
        (expected.status, expected.exitCode) = (uint8(EXITED), uint8(code));
        assertStep(state, proofs, expected);
    }

    // --- Gas and memory ---

    /// P8: with too little gas the call fails; with enough the answer is always the same.
    function test_P8_gasNeverChangesTheAnswer() external view {
        (State memory state, bytes memory proofs) = stateAt(uint32(43) << 26 | 8 << 21 | 9 << 16, 5);
        state.registers[8] = DATA;
        bytes memory call =
            abi.encodeCall(StepVm.step, (bytes.concat(pack(state), proofs, bytes32(0), NO_SIBLINGS)));
        (, bytes memory full) = address(machine).staticcall(call);
        uint256 failed;
        uint256 succeeded;
        for (uint256 limit = 200; limit < 40_000; limit += 200) {
            (bool success, bytes memory answer) = address(machine).staticcall{gas: limit}(call);
            if (success) {
                succeeded++;
                assertEq(keccak256(answer), keccak256(full), "answer");
            } else {
                failed++;
                assertEq(answer.length, 0, "an exhausted call returns nothing");
            }
        }
        assertTrue(failed > 20 && succeeded > 20, "both happen");
    }

    /// P7: what the libraries compute does not depend on what free memory holds.
    function test_P7_dirtyMemory() external view {
        (State memory state, bytes memory proofs) = stateAt(0, 7);
        bytes memory witness = bytes.concat(pack(state), proofs);
        (bytes32 clean, bytes32 cleanRoot) = this.readAll(witness, false);
        (bytes32 dirty, bytes32 dirtyRoot) = this.readAll(witness, true);
        assertEq(clean, hashOf(state), "state hash");
        assertEq(dirty, clean, "state hash with dirty memory");
        assertEq(dirtyRoot, cleanRoot, "root with dirty memory");
    }

    /// The hash of the state after a write to its last register and back, and the root after a write to memory.
    function readAll(bytes calldata witness, bool dirty) external pure returns (bytes32 digest, bytes32 root) {
        uint256 start;
        assembly ("memory-safe") {
            start := witness.offset
            if dirty {
                let free := mload(0x40)
                for { let i := 0 } lt(i, 8192) { i := add(i, 32) } { mstore(add(free, i), not(i)) }
            }
        }
        VmState state = readState(start);
        uint256 last = state.register(31);
        state.setRegister(31, ~last);
        state.setRegister(31, last);
        MemoryTree memory tree = MemoryTrees.open(start + 178, 0, state.memoryRoot());
        return (state.hash(), zeroRoot(tree));
    }

    /// The root of the whole memory that is folded again from Z_26, with every zero hash checked on the way.
    function zeroRoot(MemoryTree memory tree) private pure returns (bytes32 zero) {
        for (uint256 level = 0; level < 27; level++) {
            assertEq(MemoryTrees.zeroAt(tree, level), zero, "zero hash");
            zero = keccak256(abi.encode(zero, zero));
        }
    }

    /// TREE-1: a map with a bit that the path does not have is refused.
    function testFuzz_TREE1_mapBits(uint32 map) external {
        vm.assume(map >> 27 != 0);
        (State memory state,) = stateAt(0, 1);
        bytes memory witness = bytes.concat(pack(state), leafOf(0), bytes4(map));
        vm.expectRevert(abi.encodeWithSelector(Tree.PathMap.selector, uint256(map), uint256(0x07ffffff)));
        machine.step(witness);
    }
}
