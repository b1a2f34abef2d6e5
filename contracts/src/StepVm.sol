// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Alu} from "./Alu.sol";
import {ALIGNMENT, ENCODING, FETCH_ALIGNMENT, FETCH_RANGE, NONE, OPERANDS, PROTECTION} from "./Causes.sol";
import {Control} from "./Control.sol";
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

    function dispatch(VmState state, MemoryTree memory tree, uint256 word) private pure returns (uint256 cause) {
        uint256 opcode = word >> 26;
        if (opcode >= 32) return memoryAccess(state, tree, word);
        if (opcode == 0) {
            uint256 fn = word & 63;
            if (fn == 12) return systemCall(state, tree);
            if (fn == 8 || fn == 9) return Control.jumpRegister(state, word);
            if (fn >= 48) return fn < 56 ? Control.trapIf(state, word) : ENCODING;
            if (fn >= 32) cause = Alu.threeRegisters(state, word);
            else if (fn < 8) cause = Alu.shift(state, word);
            else if (fn >= 16) cause = Alu.hiLo(state, word);
            else if (fn == 15) cause = word & 0x03fff800 == 0 ? NONE : ENCODING;
            else cause = Alu.threeRegisters(state, word);
        } else if (opcode & 0x38 == 8) {
            cause = Alu.immediate(state, word);
        } else if (opcode == 28) {
            cause = Alu.special2(state, word);
        } else if (opcode & 0x2c == 4) {
            return Control.branch(state, word);
        } else if (opcode == 1) {
            return Control.regimm(state, word);
        } else if (opcode < 4) {
            return Control.jump(state, word);
        } else if (opcode == 31) {
            cause = Alu.special3(state, word);
        } else {
            return ENCODING;
        }
        if (cause == NONE) state.advance();
    }

    /// Loads and stores (opcodes 32 .. 46), ll 48, sc 56, and pref 51, which does nothing.
    function memoryAccess(VmState state, MemoryTree memory tree, uint256 word) private pure returns (uint256 cause) {
        uint256 opcode = word >> 26;
        if (opcode != 51) {
            // Bit n is set where opcode 32 + n loads or stores.
            if (0x01014f7f >> (opcode - 32) & 1 == 0) return ENCODING;
            uint256 addr;
            unchecked {
                addr = state.register(word >> 21) + Alu.signExtend16(word) & U32;
            }
            uint256 low = opcode & 7;
            // Halves are aligned to 2, words to 4; bytes and the unaligned forms (low 2 and 6) to nothing.
            if (low == 1 || low == 5) {
                if (addr & 1 != 0) return ALIGNMENT;
            } else if (low == 3 || opcode >= 48) {
                if (addr & 3 != 0) return ALIGNMENT;
            }
            uint256 rt = state.register(word >> 16);
            if (opcode & 8 == 0) {
                uint256 found = wordAt(tree.readLeaf(addr >> 5), addr);
                state.setRegister(word >> 16, loaded(opcode, addr, found, rt));
            } else {
                // INVARIANT VM-8: what is below 16 MiB never changes.
                if (addr < CODE_END) return PROTECTION;
                bytes32 leaf = tree.readLeaf(addr >> 5);
                uint256 value = stored(opcode, addr, wordAt(leaf, addr), rt);
                state.setMemoryRoot(tree.replace(withWordAt(leaf, addr, value)));
                if (opcode == 56) state.setRegister(word >> 16, 1);
            }
        }
        state.advance();
        return NONE;
    }

    /// What a load puts into the register that held `rt`, when memory has `found` in the word around `addr`.
    function loaded(uint256 opcode, uint256 addr, uint256 found, uint256 rt) private pure returns (uint256 value) {
        uint256 bits = (addr & 3) << 3;
        if (opcode == 35 || opcode == 48) return found;
        if (opcode == 36) return found >> bits & 0xff;
        if (opcode == 32) return Alu.signExtend8(found >> bits);
        if (opcode == 37) return found >> bits & 0xffff;
        if (opcode == 33) return Alu.signExtend16(found >> bits);
        // lwr 38 fills the register from below, lwl 34 from above.
        if (opcode == 38) return found >> bits | rt & ~(U32 >> bits);
        unchecked {
            return found << (24 - bits) | rt & (1 << (24 - bits)) - 1;
        }
    }

    /// What a store leaves in the word around `addr`, which held `found`.
    function stored(uint256 opcode, uint256 addr, uint256 found, uint256 rt) private pure returns (uint256 value) {
        uint256 bits = (addr & 3) << 3;
        if (opcode == 43 || opcode == 56) return rt;
        if (opcode == 40) return found & ~(0xff << bits) | (rt & 0xff) << bits;
        if (opcode == 41) return found & ~(0xffff << bits) | (rt & 0xffff) << bits;
        unchecked {
            // swr 46 stores the register's lower bytes, swl 42 its upper ones.
            if (opcode == 46) return found & (1 << bits) - 1 | rt << bits;
            return found & ~(U32 >> (24 - bits)) | rt >> (24 - bits);
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
