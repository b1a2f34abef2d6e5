/** What the functions of the float library are made of. */
import { add, f32, f32Bits, mul, op } from "../kernel/build.ts";
import { CANONICAL_NAN, type Expr } from "../ir.ts";

/** c[0] + x * (c[1] + x * (...)). */
export function polynomial(x: Expr, coefficients: readonly number[]): Expr {
  const [last, ...rest] = [...coefficients].reverse();
  return rest.reduce<Expr>((sum, c) => add(mul(sum, x), c), f32(last));
}

export const bitsOf = (x: Expr): Expr => op("i32.bits_of_f32", x);
export const ofBits = (bits: Expr): Expr => op("f32.of_bits", bits);
export const NAN: Expr = f32Bits(CANONICAL_NAN);
