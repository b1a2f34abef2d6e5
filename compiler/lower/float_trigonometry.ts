/**
 * sin and cos over f32 operations and integers: the argument is reduced by as many bits of 2 / pi as it needs.
 */
import {
  exponentOf,
  magnitude,
  SIGN,
  significand,
} from "../kernel/binary32.ts";
import {
  add,
  and,
  bind,
  eq,
  f32,
  f32Bits,
  gt,
  i32,
  i64,
  lt,
  max,
  mul,
  op,
  or,
  scalarFunction,
  select,
  shl,
  shr,
  shrU,
  sub,
  wrap,
  xor,
} from "../kernel/build.ts";
import type { Expr } from "../ir.ts";
import { bitsOf, NAN, ofBits, polynomial } from "./float_parts.ts";

/** 2 / pi in binary after 64 zero bits, 32 bits a word: enough for every binary32 (Payne and Hanek 1983). */
const TWO_OVER_PI = [
  0,
  0,
  0xa2f9836e,
  0x4e441529,
  0xfc2757d1,
  0xf534ddc0,
  0xdb629599,
  0x3c439041,
  0xfe5163ab,
];

/** 96 bits of 2 / pi from bit `at` of the table on, as three words. */
function windowOfTwoOverPi(at: Expr, body: (words: Expr[]) => Expr): Expr {
  const [first, bit] = [shrU(at, 5), and(at, 31)];
  const word = (i: number) => {
    const choices = TWO_OVER_PI.slice(i, i + 6);
    return choices.slice(1).reduce<Expr>(
      (chosen, value, j) => select(eq(first, j + 1), i32(value), chosen),
      i32(choices[0]),
    );
  };
  const joined = (high: Expr, low: Expr) =>
    or(shl(high, bit), shrU(shrU(low, 1), xor(bit, 31)));
  return bind(
    "w0",
    word(0),
    (w0) =>
      bind(
        "w1",
        word(1),
        (w1) =>
          bind("w2", word(2), (w2) =>
            body([joined(w0, w1), joined(w1, w2), joined(w2, word(3))])),
      ),
  );
}

/** |x| in quarter turns modulo 4, times 2^62, as i64; `size` are the bits of |x|, finite. */
function quarterTurns(size: Expr, body: (turns: Expr) => Expr): Expr {
  // |x| = m * 2^(exponent - 150); numbers below 2^-38 count as such of the same significand there.
  const at = max(sub(exponentOf(size), 150 - 62), 0);
  return bind(
    "m",
    significand(size),
    (m) =>
      bind("at", at, (at) =>
        windowOfTwoOverPi(at, ([high, middle, low]) => {
          const top = op(
            "i64.or",
            shl(op("i64.extend_u", high), 32),
            op("i64.extend_u", middle),
          );
          const rest = shrU(op("i32.mul_wide_u", low, m), 32);
          return body(add(mul(top, op("i64.extend_u", m)), rest));
        })),
  );
}

/** Quarter turns times 2^62, at most half a one, as radians times 2^62: in integers, so that only one rounding follows. */
function radians(turns: Expr): Expr {
  const halfPi = i64(1686629713n); // pi / 2 * 2^30
  return bind("t", turns, (t) => {
    const low = mul(and(t, i64((1n << 30n) - 1n)), halfPi);
    return add(mul(shr(t, 30), halfPi), shr(low, 30));
  });
}

/** sin(x + quadrant * pi / 2): the nearest quadrant is taken off exactly, a polynomial gives the rest. */
const sine = (name: string, quadrant: 0 | 1) =>
  scalarFunction(
    name,
    { x: "f32" },
    (x) =>
      bind("size", magnitude(bitsOf(x)), (size) => {
        const value = quarterTurns(size, (turns) =>
          bind("p", add(turns, i64(1n << 61n)), (p) => {
            const rest = sub(and(p, i64((1n << 62n) - 1n)), i64(1n << 61n));
            const r = mul(
              op("f32.from_i64", radians(rest)),
              f32Bits((127 - 62) << 23),
            );
            const n = add(wrap(shrU(p, 62)), quadrant);
            return bind("r", r, (r) =>
              bind("z", mul(r, r), (z) => {
                const odd = add(
                  r,
                  mul(
                    mul(r, z),
                    polynomial(z, [
                      -0.166666546,
                      0.00833215505,
                      -0.000195140848,
                    ]),
                  ),
                );
                const even = add(
                  sub(f32(1), mul(z, 0.5)),
                  mul(
                    mul(z, z),
                    polynomial(z, [
                      0.0416666463,
                      -0.00138873371,
                      0.0000244348459,
                    ]),
                  ),
                );
                return bind("n", n, (n) => {
                  const flipped = quadrant === 0
                    ? xor(shl(n, 30), bitsOf(x))
                    : shl(n, 30);
                  const side = select(and(n, 1), even, odd);
                  return ofBits(xor(bitsOf(side), and(flipped, SIGN)));
                });
              }));
          }));
        // Below 2^-12 the cube is less than half a unit in the last place.
        const small = quadrant === 0
          ? select(lt(size, (127 - 12) << 23), x, value)
          : value;
        return select(gt(size, 0x7f7fffff), NAN, small);
      }),
  );

export const sin = sine("sin", 0);
export const cos = sine("cos", 1);
