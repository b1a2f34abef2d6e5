// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Alu} from "./Alu.sol";
import {DELAY_SLOT, NONE, OPERANDS} from "./Causes.sol";
import * as op from "./Encodings.sol";
import {U32, VmState} from "./VmState.sol";

/// Branches, jumps and conditional traps. Branches and jumps move pc and nextPc themselves when they do not trap.
/// A taken branch or jump acts through nextPc: the instruction in the delay slot, at the old nextPc, comes first.
library Control {
    /// The register of the return address.
    uint256 private constant RA = 31;

    /// Branches and their likely forms; a likely one that is not taken skips its delay slot.
    function branch(VmState state, uint256 word, uint256 instruction) internal pure returns (uint256 cause) {
        unchecked {
            uint256 delaySlot = state.pc() + 4 & U32;
            if (state.nextPc() != delaySlot) return DELAY_SLOT;
            bool taken = holds(instruction, state.register(word >> 21), state.register(word >> 16));
            if (links(instruction)) state.setRegister(RA, delaySlot + 4);
            if (taken) state.setPcs(delaySlot, delaySlot + (Alu.signExtend16(word) << 2));
            else if (op.kindOf(instruction) == op.KIND_LIKELY) state.setPcs(delaySlot + 4, delaySlot + 8);
            else state.setPcs(delaySlot, delaySlot + 4);
        }
        return NONE;
    }

    /// The condition of a branch.
    function holds(uint256 instruction, uint256 rs, uint256 rt) private pure returns (bool) {
        if (op.formOf(instruction) == op.FORM_RS_RT_OFFSET) {
            if (instruction == op.BEQ || instruction == op.BEQL) return rs == rt;
            return (instruction == op.BNE || instruction == op.BNEL) && rs != rt;
        }
        int256 value = Alu.signed(rs);
        if (instruction == op.BLTZ || instruction == op.BLTZL) return value < 0;
        if (instruction == op.BGEZ || instruction == op.BGEZL) return value >= 0;
        if (instruction == op.BLEZ || instruction == op.BLEZL) return value <= 0;
        if (instruction == op.BGTZ || instruction == op.BGTZL) return value > 0;
        if (instruction == op.BLTZAL || instruction == op.BLTZALL) return value < 0;
        return (instruction == op.BGEZAL || instruction == op.BGEZALL) && value >= 0;
    }

    /// Whether a branch puts the address after its delay slot into $ra.
    function links(uint256 instruction) private pure returns (bool) {
        if (op.formOf(instruction) != op.FORM_RS_OFFSET) return false;
        return instruction == op.BGEZAL || instruction == op.BLTZAL || instruction == op.BGEZALL
            || instruction == op.BLTZALL;
    }

    /// j jal jr jalr: a target stays in the 256 MiB of the delay slot.
    function jump(VmState state, uint256 word, uint256 instruction) internal pure returns (uint256 cause) {
        unchecked {
            uint256 delaySlot = state.pc() + 4 & U32;
            if (state.nextPc() != delaySlot) return DELAY_SLOT;
            uint256 target = op.formOf(instruction) == op.FORM_TARGET
                ? delaySlot & 0xf0000000 | (word & 0x03ffffff) << 2
                : state.register(word >> 21);
            if (instruction == op.JAL) state.setRegister(RA, delaySlot + 4);
            else if (instruction == op.JALR) state.setRegister(word >> 11, delaySlot + 4);
            state.setPcs(delaySlot, target);
        }
        return NONE;
    }

    /// Conditional traps of two registers, or of one and a number.
    function trapIf(VmState state, uint256 word, uint256 instruction) internal pure returns (uint256 cause) {
        uint256 a = state.register(word >> 21);
        uint256 b =
            op.formOf(instruction) == op.FORM_RS_RT ? state.register(word >> 16) : Alu.signExtend16(word);
        bool traps;
        if (instruction == op.TEQ || instruction == op.TEQI) traps = a == b;
        else if (instruction == op.TNE || instruction == op.TNEI) traps = a != b;
        else if (instruction == op.TGE || instruction == op.TGEI) traps = Alu.signed(a) >= Alu.signed(b);
        else if (instruction == op.TGEU || instruction == op.TGEIU) traps = a >= b;
        else if (instruction == op.TLT || instruction == op.TLTI) traps = Alu.signed(a) < Alu.signed(b);
        else if (instruction == op.TLTU || instruction == op.TLTIU) traps = a < b;
        return traps ? OPERANDS : NONE;
    }
}
