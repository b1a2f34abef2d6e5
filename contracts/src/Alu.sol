// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {U32, VmState} from "./VmState.sol";
import {ENCODING, NONE, OPERANDS} from "./Causes.sol";

/// Arithmetic, logic, shifts, multiplication and division: everything that touches registers alone.
/// Every function takes the instruction word, returns the cause of a trap or NONE, and changes nothing when it traps.
/// Registers are numbers below 2^32; fields of a word are masked where they are used.
library Alu {
    /// sll srl rotr sra sllv srlv rotrv srav: opcode 0, functions 0 .. 7.
    function shift(VmState state, uint256 word) internal pure returns (uint256 cause) {
        uint256 fn = word & 7;
        uint256 value = state.register(word >> 16);
        uint256 count;
        uint256 rotate;
        if (fn & 4 == 0) {
            count = word >> 6 & 31;
            rotate = word >> 21 & 31;
        } else {
            count = state.register(word >> 21) & 31;
            rotate = word >> 6 & 31;
        }
        // Functions 1 and 5 do not exist; the rotations are srl and srlv with a 1 where else is zero.
        if (fn & 3 == 1 || rotate > 1 || (rotate == 1 && fn & 3 != 2)) return ENCODING;
        if (fn & 3 == 0) value <<= count;
        else if (fn & 3 == 3) value = uint256(signed(value) >> count);
        else if (rotate == 1) value = (value << 32 | value) >> count;
        else value >>= count;
        state.setRegister(word >> 11, value);
        return NONE;
    }

    /// movz movn (functions 10, 11) and add .. sltu (32 .. 43): opcode 0, three registers.
    function threeRegisters(VmState state, uint256 word) internal pure returns (uint256 cause) {
        if (word & 0x7c0 != 0) return ENCODING;
        uint256 rs = state.register(word >> 21);
        uint256 rt = state.register(word >> 16);
        uint256 fn = word & 63;
        uint256 result;
        unchecked {
            if (fn == 33) {
                result = rs + rt;
            } else if (fn == 32) {
                if (overflows(signed(rs) + signed(rt))) return OPERANDS;
                result = rs + rt;
            } else if (fn == 35) {
                result = rs - rt;
            } else if (fn == 34) {
                if (overflows(signed(rs) - signed(rt))) return OPERANDS;
                result = rs - rt;
            } else if (fn == 36) {
                result = rs & rt;
            } else if (fn == 37) {
                result = rs | rt;
            } else if (fn == 38) {
                result = rs ^ rt;
            } else if (fn == 39) {
                result = ~(rs | rt);
            } else if (fn == 42) {
                result = signed(rs) < signed(rt) ? 1 : 0;
            } else if (fn == 43) {
                result = rs < rt ? 1 : 0;
            } else if (fn == 10 || fn == 11) {
                if ((rt == 0) != (fn == 10)) return NONE;
                result = rs;
            } else {
                return ENCODING;
            }
        }
        state.setRegister(word >> 11, result);
        return NONE;
    }

    /// addi addiu slti sltiu andi ori xori lui: opcodes 8 .. 15.
    function immediate(VmState state, uint256 word) internal pure returns (uint256 cause) {
        uint256 opcode = word >> 26;
        uint256 rs = state.register(word >> 21);
        uint256 imm = word & 0xffff;
        uint256 extended = signExtend16(imm);
        uint256 result;
        unchecked {
            if (opcode == 9) {
                result = rs + extended;
            } else if (opcode == 15) {
                if (word & 0x03e00000 != 0) return ENCODING;
                result = imm << 16;
            } else if (opcode == 13) {
                result = rs | imm;
            } else if (opcode == 12) {
                result = rs & imm;
            } else if (opcode == 10) {
                result = signed(rs) < signed(extended) ? 1 : 0;
            } else if (opcode == 11) {
                result = rs < extended ? 1 : 0;
            } else if (opcode == 14) {
                result = rs ^ imm;
            } else {
                if (overflows(signed(rs) + signed(extended))) return OPERANDS;
                result = rs + extended;
            }
        }
        state.setRegister(word >> 16, result);
        return NONE;
    }

    /// mfhi mthi mflo mtlo (functions 16 .. 19) and mult multu div divu (24 .. 27): opcode 0.
    function hiLo(VmState state, uint256 word) internal pure returns (uint256 cause) {
        uint256 fn = word & 63;
        uint256 both = state.hiLo();
        if (fn == 16 || fn == 18) {
            if (word & 0x03ff07c0 != 0) return ENCODING;
            state.setRegister(word >> 11, fn == 16 ? both >> 32 : both);
            return NONE;
        }
        uint256 rs = state.register(word >> 21);
        if (fn == 17 || fn == 19) {
            if (word & 0x001fffc0 != 0) return ENCODING;
            state.setHiLo(fn == 17 ? rs << 32 | both & U32 : both >> 32 << 32 | rs);
            return NONE;
        }
        if (word & 0xffc0 != 0 || fn < 24 || fn > 27) return ENCODING;
        uint256 rt = state.register(word >> 16);
        unchecked {
            if (fn == 24) {
                both = uint256(signed(rs) * signed(rt));
            } else if (fn == 25) {
                both = rs * rt;
            } else if (rt == 0) {
                // Division by zero: lo = rs, hi = 0.
                both = rs;
            } else if (fn == 26) {
                // The quotient of MIN / -1 is 2^31, whose low word is MIN; the remainder is 0.
                both = (uint256(signed(rs) % signed(rt)) & U32) << 32 | uint256(signed(rs) / signed(rt)) & U32;
            } else {
                both = rs % rt << 32 | rs / rt;
            }
        }
        state.setHiLo(both);
        return NONE;
    }

    /// madd maddu mul msub msubu clz clo: opcode 28.
    function special2(VmState state, uint256 word) internal pure returns (uint256 cause) {
        uint256 fn = word & 63;
        uint256 rs = state.register(word >> 21);
        uint256 rt = state.register(word >> 16);
        if (fn == 2) {
            if (word & 0x7c0 != 0) return ENCODING;
            unchecked {
                state.setRegister(word >> 11, rs * rt);
            }
            return NONE;
        }
        if (fn == 32 || fn == 33) {
            if (word & 0x7c0 != 0 || (word >> 16 ^ word >> 11) & 31 != 0) return ENCODING;
            state.setRegister(word >> 11, leadingZeros(fn == 32 ? rs : ~rs & U32));
            return NONE;
        }
        // madd 0, maddu 1, msub 4, msubu 5
        if (word & 0xffc0 != 0 || fn & ~uint256(5) != 0) return ENCODING;
        unchecked {
            uint256 product = fn & 1 == 0 ? uint256(signed(rs) * signed(rt)) : rs * rt;
            state.setHiLo(fn & 4 == 0 ? state.hiLo() + product : state.hiLo() - product);
        }
        return NONE;
    }

    /// ext ins wsbh seb seh: opcode 31.
    function special3(VmState state, uint256 word) internal pure returns (uint256 cause) {
        uint256 fn = word & 63;
        uint256 rt = state.register(word >> 16);
        uint256 msb = word >> 11 & 31;
        uint256 lsb = word >> 6 & 31;
        unchecked {
            if (fn == 0) {
                if (lsb + msb > 31) return ENCODING;
                state.setRegister(word >> 16, state.register(word >> 21) >> lsb & ((2 << msb) - 1));
                return NONE;
            }
            if (fn == 4) {
                if (lsb > msb) return ENCODING;
                uint256 mask = (2 << msb) - (1 << lsb);
                state.setRegister(word >> 16, rt & ~mask | state.register(word >> 21) << lsb & mask);
                return NONE;
            }
        }
        if (fn != 32 || word & 0x03e00000 != 0) return ENCODING;
        // Here `lsb` is the selector and `msb` the destination register.
        if (lsb == 2) rt = (rt & 0x00ff00ff) << 8 | (rt & 0xff00ff00) >> 8;
        else if (lsb == 16) rt = signExtend8(rt);
        else if (lsb == 24) rt = signExtend16(rt);
        else return ENCODING;
        state.setRegister(msb, rt);
        return NONE;
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

    function overflows(int256 value) private pure returns (bool) {
        return value < -0x80000000 || value > 0x7fffffff;
    }

    /// Number of zero bits above the highest one; 32 for zero.
    function leadingZeros(uint256 word) private pure returns (uint256 count) {
        unchecked {
            for (count = 32; word != 0; word >>= 1) count--;
        }
    }
}
