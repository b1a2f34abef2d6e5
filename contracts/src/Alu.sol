// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {NONE, OPERANDS} from "./Causes.sol";
import * as op from "./Encodings.sol";
import {U32, VmState} from "./VmState.sol";

/// Arithmetic, logic, shifts, multiplication and division: everything that touches registers alone.
/// Every function takes a word and the instruction that it is, and changes nothing when it traps.
/// Registers are numbers below 2^32; fields of a word are masked where they are used.
library Alu {
    /// Instructions of the kind alu, which never trap.
    function compute(VmState state, uint256 word, uint256 instruction) internal pure {
        uint256 form = op.formOf(instruction);
        uint256 rs = state.register(word >> 21);
        uint256 rt = state.register(word >> 16);
        if (form == op.FORM_RD_RS_RT) {
            state.setRegister(word >> 11, threeRegisters(instruction, rs, rt, state.register(word >> 11)));
        } else if (form == op.FORM_RT_RS_IMM || form == op.FORM_RT_IMM) {
            state.setRegister(word >> 16, immediate(instruction, rs, word & 0xffff));
        } else if (form == op.FORM_RD_RT_SA) {
            state.setRegister(word >> 11, shift(instruction, rt, word >> 6 & 31));
        } else if (form == op.FORM_RD_RT_RS) {
            state.setRegister(word >> 11, shift(instruction, rt, rs & 31));
        } else if (form == op.FORM_RT_RS_LSB_MSB) {
            state.setRegister(word >> 16, bitField(instruction, rs, rt, word >> 6 & 31, word >> 11 & 31));
        } else {
            state.setRegister(word >> 11, oneRegister(instruction, rs, rt));
        }
    }

    /// What rd becomes, which holds `old`. Results are taken modulo 2^32 where they are stored.
    function threeRegisters(uint256 instruction, uint256 rs, uint256 rt, uint256 old)
        private
        pure
        returns (uint256 result)
    {
        unchecked {
            if (instruction == op.ADDU) result = rs + rt;
            else if (instruction == op.SUBU) result = rs - rt;
            else if (instruction == op.AND) result = rs & rt;
            else if (instruction == op.OR) result = rs | rt;
            else if (instruction == op.XOR) result = rs ^ rt;
            else if (instruction == op.NOR) result = ~(rs | rt);
            else if (instruction == op.SLT) result = signed(rs) < signed(rt) ? 1 : 0;
            else if (instruction == op.SLTU) result = rs < rt ? 1 : 0;
            else if (instruction == op.MUL) result = rs * rt;
            else if (instruction == op.MOVZ) result = rt == 0 ? rs : old;
            else if (instruction == op.MOVN) result = rt != 0 ? rs : old;
        }
    }

    /// What rt becomes.
    function immediate(uint256 instruction, uint256 rs, uint256 imm) private pure returns (uint256 result) {
        unchecked {
            if (instruction == op.ADDIU) result = rs + signExtend16(imm);
            else if (instruction == op.LUI) result = imm << 16;
            else if (instruction == op.ORI) result = rs | imm;
            else if (instruction == op.ANDI) result = rs & imm;
            else if (instruction == op.SLTI) result = signed(rs) < signed(signExtend16(imm)) ? 1 : 0;
            else if (instruction == op.SLTIU) result = rs < signExtend16(imm) ? 1 : 0;
            else if (instruction == op.XORI) result = rs ^ imm;
        }
    }

    function shift(uint256 instruction, uint256 value, uint256 count) private pure returns (uint256 result) {
        if (instruction == op.SLL || instruction == op.SLLV) result = value << count;
        else if (instruction == op.SRL || instruction == op.SRLV) result = value >> count;
        else if (instruction == op.SRA || instruction == op.SRAV) result = uint256(signed(value) >> count);
        else if (instruction == op.ROTR || instruction == op.ROTRV) result = (value << 32 | value) >> count;
    }

    /// What rt becomes: for ext `msb` is the size - 1, for ins the position of the field's highest bit.
    function bitField(uint256 instruction, uint256 rs, uint256 rt, uint256 lsb, uint256 msb)
        private
        pure
        returns (uint256 result)
    {
        unchecked {
            if (instruction == op.EXT) {
                result = rs >> lsb & ((2 << msb) - 1);
            } else if (instruction == op.INS) {
                uint256 mask = (2 << msb) - (1 << lsb);
                result = rt & ~mask | rs << lsb & mask;
            }
        }
    }

    /// What rd becomes; clz and clo have an rs alone, the others an rt.
    function oneRegister(uint256 instruction, uint256 rs, uint256 rt) private pure returns (uint256 result) {
        if (instruction == op.CLZ) result = leadingZeros(rs);
        else if (instruction == op.CLO) result = leadingZeros(~rs & U32);
        else if (instruction == op.WSBH) result = (rt & 0x00ff00ff) << 8 | (rt & 0xff00ff00) >> 8;
        else if (instruction == op.SEB) result = signExtend8(rt);
        else if (instruction == op.SEH) result = signExtend16(rt);
    }

    /// add sub addi, which trap on overflow.
    function checkedSum(VmState state, uint256 word, uint256 instruction) internal pure returns (uint256 cause) {
        int256 exact = signed(state.register(word >> 21));
        uint256 destination = word >> 11;
        unchecked {
            if (instruction == op.ADD) {
                exact += signed(state.register(word >> 16));
            } else if (instruction == op.SUB) {
                exact -= signed(state.register(word >> 16));
            } else if (instruction == op.ADDI) {
                exact += signed(signExtend16(word));
                destination = word >> 16;
            }
        }
        if (exact < -0x80000000 || exact > 0x7fffffff) return OPERANDS;
        state.setRegister(destination, uint256(exact));
        return NONE;
    }

    /// Everything about hi and lo, as one number of 64 bits.
    function multiply(VmState state, uint256 word, uint256 instruction) internal pure {
        uint256 both = state.hiLo();
        uint256 rs = state.register(word >> 21);
        uint256 form = op.formOf(instruction);
        if (form == op.FORM_RD) {
            if (instruction == op.MFHI) state.setRegister(word >> 11, both >> 32);
            else if (instruction == op.MFLO) state.setRegister(word >> 11, both);
            return;
        }
        if (form == op.FORM_RS_RT) both = product(instruction, rs, state.register(word >> 16), both);
        else if (instruction == op.MTHI) both = rs << 32 | both & U32;
        else if (instruction == op.MTLO) both = both >> 32 << 32 | rs;
        state.setHiLo(both);
    }

    /// What hi and lo become, which hold `old`; taken modulo 2^64 where it is stored.
    function product(uint256 instruction, uint256 rs, uint256 rt, uint256 old) private pure returns (uint256 both) {
        unchecked {
            if (instruction == op.MULT) {
                both = uint256(signed(rs) * signed(rt));
            } else if (instruction == op.MULTU) {
                both = rs * rt;
            } else if (instruction == op.DIV) {
                // Division by zero: lo = rs, hi = 0.
                if (rt == 0) return rs;
                // The quotient of MIN / -1 is 2^31, whose low word is MIN; the remainder is 0.
                both = (uint256(signed(rs) % signed(rt)) & U32) << 32 | uint256(signed(rs) / signed(rt)) & U32;
            } else if (instruction == op.DIVU) {
                both = rt == 0 ? rs : rs % rt << 32 | rs / rt;
            } else if (instruction == op.MADD) {
                both = old + uint256(signed(rs) * signed(rt));
            } else if (instruction == op.MADDU) {
                both = old + rs * rt;
            } else if (instruction == op.MSUB) {
                both = old - uint256(signed(rs) * signed(rt));
            } else if (instruction == op.MSUBU) {
                both = old - rs * rt;
            }
        }
    }

    /// The number that a word stands for in two's complement.
    function signed(uint256 word) internal pure returns (int256 value) {
        assembly ("memory-safe") {
            value := signextend(3, word)
        }
    }

    /// The low 8 bits, sign-extended to a word.
    function signExtend8(uint256 value) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := and(signextend(0, value), U32)
        }
    }

    /// The low 16 bits, sign-extended to a word.
    function signExtend16(uint256 value) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := and(signextend(1, value), U32)
        }
    }

    /// Number of zero bits above the highest one; 32 for zero.
    function leadingZeros(uint256 word) private pure returns (uint256 count) {
        unchecked {
            for (count = 32; word != 0; word >>= 1) count--;
        }
    }
}
