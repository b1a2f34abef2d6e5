/**
 * The fields of an IEEE-754 binary32 in its bits, written in the kernel IR.
 *
 * Bits are an i32; a magnitude is bits without the sign. Values of f32 are no matter of this file.
 */
import { CANONICAL_NAN, type Expr } from "../ir.ts";
import { and, ge, gt, i32, max, or, shl, shrU } from "./build.ts";

/** Bits of +infinity: the magnitudes above are NaN. */
export const INFINITY_BITS = 0x7f800000;
/** The sign's bit. */
export const SIGN = 1 << 31;
/** The bit of a normal number's significand that is not stored. */
export const HIDDEN = 1 << 23;
/** Bits of the NaN that arithmetic gives. */
export const NAN_BITS: Expr = i32(CANONICAL_NAN);

export const magnitude = (bits: Expr): Expr => and(bits, 0x7fffffff);
export const signOf = (bits: Expr): Expr => and(bits, SIGN);
export const isNaNMagnitude = (size: Expr): Expr => gt(size, INFINITY_BITS);
/** The fraction of a magnitude, with the hidden bit where the number is normal. */
export const significand = (size: Expr): Expr =>
  or(and(size, HIDDEN - 1), shl(ge(size, HIDDEN), 23));
/** The exponent field of a magnitude, 1 for subnormals, whose fraction counts in the same unit. */
export const exponentOf = (size: Expr): Expr => max(shrU(size, 23), 1);
