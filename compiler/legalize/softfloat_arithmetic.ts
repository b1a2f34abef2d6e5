/**
 * Addition, multiplication, division and square root of binary32 in integers.
 *
 * The layout of an intermediate significand is: hidden bit, 23 fraction bits, guard bits, the lowest of which is sticky
 * (the "or" of all that was shifted out). Packing adds the rounded significand to the exponent field, where the hidden
 * bit carries.
 */
import {
  exponentOf,
  HIDDEN,
  INFINITY_BITS,
  isNaNMagnitude,
  magnitude,
  NAN_BITS,
  SIGN,
  significand,
  signOf,
} from "../kernel/binary32.ts";
import {
  add,
  and,
  bind,
  clamp,
  eq,
  ge,
  gt,
  i32,
  le,
  loop,
  lt,
  max,
  min,
  mul,
  ne,
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

const clz = (x: Expr) => op("i32.clz", x);

/** x >> count, the lowest bit set where a one was shifted out; count in 0..31. */
const shiftJamming = (x: Expr, count: Expr) =>
  bind("n", count, (n) =>
    bind(
      "kept",
      shrU(x, n),
      (kept) => or(kept, ne(shl(kept, n), x)),
    ));

/**
 * Rounds a significand with `guards` guard bits to nearest even and packs it without a sign; `exponent` is the field's
 * value in 1..255 where the hidden bit is set, 1 where it is not. What overflows is infinity.
 */
const roundAndPack = (exponent: Expr, x: Expr, guards: number) => {
  const even = and(shrU(x, guards), 1);
  const rounded = shrU(add(add(x, even), (1 << (guards - 1)) - 1), guards);
  return min(add(shl(sub(exponent, 1), 23), rounded), INFINITY_BITS);
};

// --- addition --------------------------------------------------------------------------------------

/** Three guard bits are exact for sums: Goldberg 1991, theorem 12 and its remark on sticky bits. */
const GUARDS = 3;

/** x + y of finite magnitudes mx >= my; the bits without what the special cases change. */
function sumOfFinite(x: Expr, y: Expr, mx: Expr, my: Expr): Expr {
  return bind(
    "opposite",
    shr(xor(x, y), 31),
    (opposite) =>
      bind("e", exponentOf(mx), (e) => {
        const distance = min(sub(e, exponentOf(my)), 31);
        const small = shiftJamming(shl(significand(my), GUARDS), distance);
        const signed = sub(xor(small, opposite), opposite);
        return bind(
          "s",
          add(shl(significand(mx), GUARDS), signed),
          (s) =>
            // -1 after a carry; up to the exponent's room after cancellation.
            bind(
              "up",
              min(sub(clz(s), 31 - 23 - GUARDS), sub(e, 1)),
              (up) => {
                const carried = or(shrU(s, 1), and(s, 1));
                const t = select(lt(up, 0), carried, shl(s, up));
                const size = bind(
                  "t",
                  t,
                  (t) => roundAndPack(sub(e, up), t, GUARDS),
                );
                // An exact zero is +0 unless both were -0.
                return select(s, or(signOf(x), size), and(and(x, y), SIGN));
              },
            ),
        );
      }),
  );
}

export const addition = scalarFunction(
  "soft_add",
  { a: "i32", b: "i32" },
  (a, b) =>
    bind(
      "swapped",
      lt(magnitude(a), magnitude(b)),
      (swapped) =>
        bind("x", select(swapped, b, a), (x) =>
          bind("y", select(swapped, a, b), (y) =>
            bind("mx", magnitude(x), (mx) =>
              bind("my", magnitude(y), (my) => {
                const invalid = or(
                  isNaNMagnitude(mx),
                  and(eq(my, INFINITY_BITS), lt(xor(x, y), 0)),
                );
                return select(
                  ge(mx, INFINITY_BITS),
                  select(invalid, NAN_BITS, x),
                  sumOfFinite(x, y, mx, my),
                );
              })))),
    ),
);

// --- multiplication and division ----------------------------------------------------------------------

/** A finite magnitude as a significand with bit 23 set (0 for zero) and the exponent that belongs to it. */
function normalized(
  size: Expr,
  body: (significand: Expr, exponent: Expr) => Expr,
): Expr {
  const up = select(lt(size, HIDDEN), sub(clz(size), 8), 0);
  return bind(
    "up",
    up,
    (up) =>
      bind(
        "m",
        shl(significand(size), up),
        (m) => bind("e", sub(exponentOf(size), up), (e) => body(m, e)),
      ),
  );
}

/** Guard bits of a quotient or product that lies in [2^29, 2^31). */
const WIDE_GUARDS = 7;

/** Packs such a value, jammed; `exponent`, of any size, belongs to bit 30. */
const packWide = (q: Expr, exponent: Expr) =>
  bind("low", lt(q, 1 << 30), (low) =>
    bind("e", sub(exponent, low), (e) => {
      // Below 1 the result is subnormal: shifted until its exponent is 1.
      const under = clamp(sub(1, e), 0, 31);
      return bind(
        "t",
        shiftJamming(shl(q, low), under),
        (t) =>
          select(
            t,
            roundAndPack(clamp(e, 1, 255), t, WIDE_GUARDS),
            0,
          ),
      );
    }));

/** What a product or quotient is made of: the sign, the magnitudes, and what finite numbers give. */
interface Factors {
  readonly sign: Expr;
  readonly ma: Expr;
  readonly mb: Expr;
  /** Magnitude of the result where both are finite and not zero. */
  readonly finite: Expr;
}

/** A function of two numbers whose signs multiply; `wide` gets both significands and exponents. */
const ofFactors = (
  name: string,
  wide: (x: Expr, ex: Expr, y: Expr, ey: Expr) => Expr,
  result: (factors: Factors) => Expr,
) =>
  scalarFunction(
    name,
    { a: "i32", b: "i32" },
    (a, b) =>
      bind("sign", signOf(xor(a, b)), (sign) =>
        bind("ma", magnitude(a), (ma) =>
          bind("mb", magnitude(b), (mb) => {
            const finite = normalized(
              ma,
              (x, ex) =>
                normalized(mb, (y, ey) =>
                  wide(x, ex, y, ey)),
            );
            return result({ sign, ma, mb, finite });
          }))),
  );

export const multiplication = ofFactors(
  "soft_mul",
  (x, ex, y, ey) =>
    // 24 + 24 bits, shifted so that the high word has bit 30 or 29.
    bind("p", op("i32.mul_wide_u", shl(x, 8), shl(y, 7)), (p) => {
      const jammed = or(wrap(shrU(p, 32)), ne(wrap(p), 0));
      return bind("q", jammed, (q) => packWide(q, sub(add(ex, ey), 126)));
    }),
  ({ sign, ma, mb, finite }) => {
    const largest = max(ma, mb);
    const invalid = or(isNaNMagnitude(largest), eq(min(ma, mb), 0));
    return select(
      ge(largest, INFINITY_BITS),
      select(invalid, NAN_BITS, or(sign, INFINITY_BITS)),
      or(sign, finite),
    );
  },
);

/** Bits of the quotient found by each division of 32 by 24 bits. */
const DIGITS = [8, 8, 8, 6];

/** floor(x * 2^30 / y) with a sticky lowest bit; x and y in [2^23, 2^24), or 0 for x. */
function quotient(x: Expr, y: Expr): Expr {
  let rest = x;
  const digit = (q: Expr, i: number): Expr => {
    if (i === DIGITS.length) return or(q, ne(rest, 0));
    const shifted = shl(rest, DIGITS[i]);
    return bind(
      "d",
      op("i32.div_u", shifted, y),
      (d) =>
        bind("rest", sub(shifted, mul(d, y)), (next) => {
          rest = next;
          return digit(add(shl(q, DIGITS[i]), d), i + 1);
        }),
    );
  };
  return digit(i32(0), 0);
}

export const division = ofFactors(
  "soft_div",
  (x, ex, y, ey) =>
    bind("q", quotient(x, y), (q) => packWide(q, add(sub(ex, ey), 127))),
  ({ sign, ma, mb, finite }) => {
    const same = (value: number) => and(eq(ma, value), eq(mb, value));
    const invalid = or(
      isNaNMagnitude(max(ma, mb)),
      or(same(0), same(INFINITY_BITS)),
    );
    const infinite = or(eq(ma, INFINITY_BITS), eq(mb, 0));
    const size = select(
      infinite,
      INFINITY_BITS,
      select(or(eq(mb, INFINITY_BITS), eq(ma, 0)), 0, finite),
    );
    return select(invalid, NAN_BITS, or(sign, size));
  },
);

/** Bits of the root: hidden bit, 23 fraction bits, one guard bit; the remainder gives the sticky one. */
const ROOT_BITS = 25;

/** Digit by digit: each turn brings two bits of the radicand down and finds one of the root. */
function squareRoot(radicand: Expr): Expr {
  return loop(
    ROOT_BITS,
    { root: i32(0), rest: i32(0), bits: radicand },
    (_, [root, rest, bits]) => {
      const down = or(shl(rest, 2), shrU(bits, 30));
      const trial = or(shl(root, 2), 1);
      const fits = le(trial, down);
      return [
        or(shl(root, 1), fits),
        sub(down, select(fits, trial, 0)),
        shl(bits, 2),
      ];
    },
    ([root, rest]) => or(shl(root, 1), ne(rest, 0)),
  );
}

export const root = scalarFunction(
  "soft_sqrt",
  { a: "i32" },
  (a) =>
    normalized(magnitude(a), (m, e) =>
      bind("odd", and(xor(e, 1), 1), (odd) => {
        // m * 2^(e - 150) with an even power: the radicand's top bit pair starts at bit 30 or 31.
        const q = squareRoot(shl(m, add(odd, 7)));
        const exponent = shr(add(sub(e, odd), 127), 1);
        const value = bind("q", q, (q) => roundAndPack(exponent, q, 2));
        const itself = or(eq(magnitude(a), 0), eq(a, INFINITY_BITS));
        const invalid = or(lt(a, 0), gt(a, INFINITY_BITS));
        return select(itself, a, select(invalid, NAN_BITS, value));
      })),
);
