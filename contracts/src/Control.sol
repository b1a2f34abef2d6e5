// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DELAY_SLOT, ENCODING, NONE, OPERANDS} from "./Causes.sol";
import {Alu} from "./Alu.sol";
import {U32, VmState} from "./VmState.sol";

/// Branches, jumps and conditional traps. These functions move pc and nextPc themselves when they do not trap.
/// A taken branch or jump acts through nextPc: the instruction in the delay slot, at the old nextPc, comes first.
library Control {
    /// The register of the return address.
    uint256 private constant RA = 31;

    /// beq bne blez bgtz (opcodes 4 .. 7) and their likely forms (20 .. 23).
    function branch(VmState state, uint256 word) internal pure returns (uint256 cause) {
        uint256 opcode = word >> 26;
        int256 rs = Alu.signed(state.register(word >> 21));
        bool taken;
        if (opcode & 2 == 0) {
            taken = rs == Alu.signed(state.register(word >> 16));
        } else {
            if (word & 0x001f0000 != 0) return ENCODING;
            taken = rs <= 0;
        }
        if (opcode & 1 == 1) taken = !taken;
        return branchIf(state, word, taken, opcode & 16 != 0, false);
    }

    /// Branches on the sign of rs, immediate traps and synci: opcode 1.
    function regimm(VmState state, uint256 word) internal pure returns (uint256 cause) {
        uint256 kind = word >> 16 & 31;
        uint256 rs = state.register(word >> 21);
        // bltz 0, bgez 1, bltzl 2, bgezl 3, and 16 more for those that link
        if (kind & 12 == 0) return branchIf(state, word, rs >> 31 != kind & 1, kind & 2 != 0, kind & 16 != 0);
        if (kind != 31) {
            // tgei 8 .. teqi 12, tnei 14
            if (kind & 24 != 8) return ENCODING;
            cause = compareTrap(kind & 7, rs, Alu.signExtend16(word));
            if (cause != NONE) return cause;
        }
        state.advance();
        return NONE;
    }

    /// tge tgeu tlt tltu teq tne: opcode 0, functions 48 .. 54.
    function trapIf(VmState state, uint256 word) internal pure returns (uint256 cause) {
        cause = compareTrap(word & 7, state.register(word >> 21), state.register(word >> 16));
        if (cause == NONE) state.advance();
    }

    /// j jal: opcodes 2, 3.
    function jump(VmState state, uint256 word) internal pure returns (uint256 cause) {
        uint256 region;
        unchecked {
            region = state.pc() + 4 & 0xf0000000;
        }
        return jumpTo(state, region | (word & 0x03ffffff) << 2, word >> 26 & 1 == 0 ? 0 : RA);
    }

    /// jr jalr: opcode 0, functions 8, 9.
    function jumpRegister(VmState state, uint256 word) internal pure returns (uint256 cause) {
        // Only jalr has a destination; neither has an rt or a hint.
        if (word & (word & 1 == 0 ? 0x001fffc0 : 0x001f07c0) != 0) return ENCODING;
        return jumpTo(state, state.register(word >> 21), word >> 11 & 31);
    }

    /// Links to register `link` (none: 0) and jumps.
    function jumpTo(VmState state, uint256 target, uint256 link) private pure returns (uint256 cause) {
        unchecked {
            uint256 delaySlot = state.pc() + 4 & U32;
            if (state.nextPc() != delaySlot) return DELAY_SLOT;
            state.setRegister(link, delaySlot + 4);
            state.setPcs(delaySlot, target);
        }
        return NONE;
    }

    /// A branch whose condition is known; a likely one that is not taken skips its delay slot.
    function branchIf(VmState state, uint256 word, bool taken, bool likely, bool link)
        private
        pure
        returns (uint256 cause)
    {
        unchecked {
            uint256 delaySlot = state.pc() + 4 & U32;
            if (state.nextPc() != delaySlot) return DELAY_SLOT;
            if (link) state.setRegister(RA, delaySlot + 4);
            if (taken) state.setPcs(delaySlot, delaySlot + (Alu.signExtend16(word) << 2));
            else if (likely) state.setPcs(delaySlot + 4, delaySlot + 8);
            else state.setPcs(delaySlot, delaySlot + 4);
        }
        return NONE;
    }

    /// Conditions of the trap instructions: ge 0, geu 1, lt 2, ltu 3, eq 4, ne 6.
    function compareTrap(uint256 condition, uint256 a, uint256 b) private pure returns (uint256 cause) {
        bool holds;
        if (condition == 0) holds = Alu.signed(a) >= Alu.signed(b);
        else if (condition == 1) holds = a >= b;
        else if (condition == 2) holds = Alu.signed(a) < Alu.signed(b);
        else if (condition == 3) holds = a < b;
        else if (condition == 4) holds = a == b;
        else if (condition == 6) holds = a != b;
        else return ENCODING;
        return holds ? OPERANDS : NONE;
    }
}
