// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Alu} from "./Alu.sol";
import {ALIGNMENT, ENCODING, FETCH_ALIGNMENT, FETCH_RANGE, NONE, OPERANDS, PROTECTION} from "./Causes.sol";
import {Control} from "./Control.sol";
import * as op from "./Encodings.sol";
import {MemoryTree, MemoryTrees} from "./MemoryTree.sol";
import {IStepVm} from "./Types.sol";
import {EXITED, readState, RUNNING, STATE_BYTES, TRAPPED, U32, VmState} from "./VmState.sol";

/// The fraud-proof machine on chain: one instruction of MIPS32 release 2 from a witness (docs/formats.md).
/// The same machine as fpvm/step.ts, in the same order. It has no storage, no owner and no calls.
contract StepVm is IStepVm {
    using MemoryTrees for MemoryTree;

    /// A witness that is not exactly what the step reads.
    error WitnessLength(uint256 found, uint256 expected);

    /// Below it is code: fetched from, never written.
    uint256 private constant CODE_END = 0x01000000;
    /// The oracle-value region begins here, the model region follows it to the end of the memory.
    uint256 private constant WINDOWS = 0x40000000;
    /// The leaf of the oracle key.
    uint256 private constant ORACLE_KEY = 0x11000000;
    uint256 private constant MAX_HEIGHT = 26;

    /// Registers of the syscalls.
    uint256 private constant V0 = 2;
    uint256 private constant A0 = 4;
    uint256 private constant A1 = 5;
    uint256 private constant A2 = 6;

    uint256 private constant EXIT = 4001;
    uint256 private constant EXIT_GROUP = 4246;
    uint256 private constant LOAD = 0x4c01;
    uint256 private constant SAVE = 0x4c02;

    /// Executes one instruction and returns the hashes of the states before and after it.
    /// Reverts for every invalid witness and never for a valid one, whatever the state.
    function step(bytes calldata witness) external pure returns (bytes32 prestate, bytes32 poststate) {
        uint256 start;
        assembly ("memory-safe") {
            start := witness.offset
        }
        VmState state = readState(start);
        prestate = state.hash();
        uint256 end;
        unchecked {
            end = start + STATE_BYTES;
        }
        // INVARIANT VM-5: a state that is not running is a fixed point, whatever its status byte.
        if (state.status() == RUNNING) {
            uint256 cause;
            (cause, end) = execute(state, end);
            // INVARIANT VM-6: a trap changes the status and the exit code and nothing else.
            if (cause != NONE) state.setStatus(TRAPPED, cause);
        }
        // INVARIANT VM-7: the witness ends where the step has read everything, so no byte is missing or left over.
        unchecked {
            if (end - start != witness.length) revert WitnessLength(witness.length, end - start);
        }
        poststate = state.hash();
    }

    /// Fetches and executes; returns the cause of a trap or NONE, and the position after what it read.
    function execute(VmState state, uint256 cursor) private pure returns (uint256 cause, uint256 end) {
        uint256 pc = state.pc();
        if (pc & 3 != 0) return (FETCH_ALIGNMENT, cursor);
        if (pc >= CODE_END) return (FETCH_RANGE, cursor);
        MemoryTree memory tree = MemoryTrees.open(cursor, pc >> 5, state.memoryRoot());
        cause = dispatch(state, tree, wordAt(tree.leaf, pc));
        end = tree.cursor;
    }

    /// Executes `word`; what it means is chosen by the kind of the instruction that the table of encodings finds in it.
    function dispatch(VmState state, MemoryTree memory tree, uint256 word) private pure returns (uint256 cause) {
        uint256 instruction = op.decode(word);
        uint256 kind = op.kindOf(instruction);
        if (kind == op.KIND_ALU) Alu.compute(state, word, instruction);
        else if (kind == op.KIND_LOAD) cause = load(state, tree, word, instruction);
        else if (kind == op.KIND_STORE) cause = store(state, tree, word, instruction);
        else if (kind == op.KIND_BRANCH || kind == op.KIND_LIKELY) return Control.branch(state, word, instruction);
        else if (kind == op.KIND_JUMP) return Control.jump(state, word, instruction);
        else if (kind == op.KIND_MULTIPLY) Alu.multiply(state, word, instruction);
        else if (kind == op.KIND_CHECKED) cause = Alu.checkedSum(state, word, instruction);
        else if (kind == op.KIND_TRAP) cause = Control.trapIf(state, word, instruction);
        else if (kind == op.KIND_SYSCALL) return systemCall(state, tree);
        else if (kind != op.KIND_NOP) return ENCODING;
        if (cause == NONE) state.advance();
    }

    function load(VmState state, MemoryTree memory tree, uint256 word, uint256 instruction)
        private
        pure
        returns (uint256 cause)
    {
        uint256 addr = addressOf(state, word);
        if (addr & alignMask(instruction) != 0) return ALIGNMENT;
        uint256 found = wordAt(tree.readLeaf(addr >> 5), addr);
        state.setRegister(word >> 16, loaded(instruction, addr, found, state.register(word >> 16)));
        return NONE;
    }

    function store(VmState state, MemoryTree memory tree, uint256 word, uint256 instruction)
        private
        pure
        returns (uint256 cause)
    {
        uint256 addr = addressOf(state, word);
        if (addr & alignMask(instruction) != 0) return ALIGNMENT;
        // INVARIANT VM-8: what is below 16 MiB never changes.
        if (addr < CODE_END) return PROTECTION;
        bytes32 leaf = tree.readLeaf(addr >> 5);
        uint256 value = stored(instruction, addr, wordAt(leaf, addr), state.register(word >> 16));
        state.setMemoryRoot(tree.replace(withWordAt(leaf, addr, value)));
        if (instruction == op.SC) state.setRegister(word >> 16, 1);
        return NONE;
    }

    /// The address that a load or store names.
    function addressOf(VmState state, uint256 word) private pure returns (uint256 addr) {
        unchecked {
            return state.register(word >> 21) + Alu.signExtend16(word) & U32;
        }
    }

    /// Bits of the address that must be zero: none for bytes and for the unaligned forms.
    function alignMask(uint256 instruction) private pure returns (uint256 mask) {
        if (instruction == op.LW || instruction == op.SW) return 3;
        if (instruction == op.LL || instruction == op.SC) return 3;
        return instruction == op.LH || instruction == op.LHU || instruction == op.SH ? 1 : 0;
    }

    /// What a load puts into the register that held `rt`, when memory has `found` in the word around `addr`.
    function loaded(uint256 instruction, uint256 addr, uint256 found, uint256 rt)
        private
        pure
        returns (uint256 value)
    {
        uint256 bits = (addr & 3) << 3;
        if (instruction == op.LW || instruction == op.LL) return found;
        if (instruction == op.LBU) return found >> bits & 0xff;
        if (instruction == op.LB) return Alu.signExtend8(found >> bits);
        if (instruction == op.LHU) return found >> bits & 0xffff;
        if (instruction == op.LH) return Alu.signExtend16(found >> bits);
        unchecked {
            // lwr fills the register from below, lwl from above.
            if (instruction == op.LWR) return found >> bits | rt & ~(U32 >> bits);
            if (instruction == op.LWL) return found << (24 - bits) | rt & (1 << (24 - bits)) - 1;
        }
    }

    /// What a store leaves in the word around `addr`, which held `found`.
    function stored(uint256 instruction, uint256 addr, uint256 found, uint256 rt)
        private
        pure
        returns (uint256 value)
    {
        uint256 bits = (addr & 3) << 3;
        if (instruction == op.SW || instruction == op.SC) return rt;
        if (instruction == op.SB) return found & ~(0xff << bits) | (rt & 0xff) << bits;
        if (instruction == op.SH) return found & ~(0xffff << bits) | (rt & 0xffff) << bits;
        unchecked {
            // swr stores the register's lower bytes, swl its upper ones.
            if (instruction == op.SWR) return found & (1 << bits) - 1 | rt << bits;
            if (instruction == op.SWL) return found & ~(U32 >> (24 - bits)) | rt >> (24 - bits);
        }
    }

    function systemCall(VmState state, MemoryTree memory tree) private pure returns (uint256 cause) {
        uint256 number = state.register(V0);
        uint256 addr = state.register(A0);
        if (number == EXIT || number == EXIT_GROUP) {
            state.setStatus(EXITED, addr & 0xff);
            return NONE;
        }
        if (number != LOAD && number != SAVE) return ENCODING;
        uint256 height = state.register(A1);
        if (height > MAX_HEIGHT) return OPERANDS;
        uint256 keyAddr = state.register(A2);
        unchecked {
            if (addr & (32 << height) - 1 != 0) return ALIGNMENT;
        }
        if (number == LOAD && keyAddr & 31 != 0) return ALIGNMENT;
        // Aligned and not higher than 26, a subtree that begins in one of the two regions also ends in it:
        // both are aligned powers of two, and of height 26 there is only the model region itself.
        if (addr < WINDOWS) return PROTECTION;
        if (number == LOAD) {
            bytes32 key = tree.readLeaf(keyAddr >> 5);
            tree.readNode(addr >> 5, height);
            state.setMemoryRoot(tree.replace(key));
        } else {
            bytes32 root = tree.readNode(addr >> 5, height);
            tree.replace(tree.zeroAt(height));
            tree.readNode(ORACLE_KEY >> 5, 0);
            state.setMemoryRoot(tree.replace(root));
        }
        state.advance();
        return NONE;
    }

    /// The little-endian word around `addr` in its leaf.
    function wordAt(bytes32 leaf, uint256 addr) private pure returns (uint256 word) {
        return swapBytes(uint256(leaf) >> wordShift(addr) & U32);
    }

    /// `leaf` with the little-endian word around `addr` replaced by `value` modulo 2^32.
    function withWordAt(bytes32 leaf, uint256 addr, uint256 value) private pure returns (bytes32) {
        uint256 shift = wordShift(addr);
        return bytes32(uint256(leaf) & ~(U32 << shift) | swapBytes(value & U32) << shift);
    }

    /// How far the word around `addr` is from the low end of its leaf's 256 bits.
    function wordShift(uint256 addr) private pure returns (uint256 bits) {
        unchecked {
            return 224 - ((addr & 28) << 3);
        }
    }

    function swapBytes(uint256 word) private pure returns (uint256) {
        word = (word & 0x00ff00ff) << 8 | (word & 0xff00ff00) >> 8;
        return word << 16 & U32 | word >> 16;
    }
}
