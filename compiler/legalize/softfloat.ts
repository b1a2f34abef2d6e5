/**
 * IEEE-754 binary32 in integers, written in the kernel IR: what f32 operations become on targets without them.
 *
 * Every function takes and gives bits as i32 and has no branch, so that its steps do not depend on data. The layout of
 * an intermediate significand is: hidden bit, 23 fraction bits, guard bits, the lowest of which is sticky (the "or" of
 * all that was shifted out). Rounding is to nearest even, subnormals are kept, arithmetic NaNs are 0x7fc00000: the op
 * table of `ir.ts` is the definition, the tests compare all of it against hardware. After Hauser's SoftFloat in its
 * decomposition (unpack, operate, shift right jamming, round and pack); the packing by addition of the rounded
 * significand to the exponent field, where the hidden bit carries, is from there as well.
 */
import {
  add,
  and,
  bind,
  call,
  clamp,
  eq,
  ge,
  gt,
  i32,
  i64,
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
import { CANONICAL_NAN, type Expr, type ScalarFunction } from "../ir.ts";

const INFINITY_BITS = 0x7f800000;
const SIGN = 1 << 31;
const HIDDEN = 1 << 23;
const NAN = i32(CANONICAL_NAN);

const not = (condition: Expr) => xor(condition, 1);
const clz = (x: Expr) => op("i32.clz", x);
const magnitude = (bits: Expr) => and(bits, 0x7fffffff);
const signOf = (bits: Expr) => and(bits, SIGN);
const isNaN32 = (size: Expr) => gt(size, INFINITY_BITS);
/** The fraction with the hidden bit where the number is normal. */
const significand = (size: Expr) =>
  or(and(size, HIDDEN - 1), shl(ge(size, HIDDEN), 23));
/** The exponent field, 1 for subnormals, whose fraction counts in the same unit. */
const exponentOf = (size: Expr) => max(shrU(size, 23), 1);

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

const addition = scalarFunction(
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
                  isNaN32(mx),
                  and(eq(my, INFINITY_BITS), lt(xor(x, y), 0)),
                );
                return select(
                  ge(mx, INFINITY_BITS),
                  select(invalid, NAN, x),
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

const multiplication = scalarFunction(
  "soft_mul",
  { a: "i32", b: "i32" },
  (a, b) =>
    bind(
      "sign",
      signOf(xor(a, b)),
      (sign) =>
        bind("ma", magnitude(a), (ma) =>
          bind("mb", magnitude(b), (mb) => {
            const finite = normalized(ma, (x, ex) =>
              normalized(mb, (y, ey) =>
                bind(
                  "p",
                  // 24 + 24 bits, shifted so that the high word has bit 30 or 29.
                  op("i32.mul_wide_u", shl(x, 8), shl(y, 7)),
                  (p) =>
                    bind(
                      "q",
                      or(wrap(shrU(p, 32)), ne(wrap(p), 0)),
                      (q) => packWide(q, sub(add(ex, ey), 126)),
                    ),
                )));
            const largest = max(ma, mb);
            const invalid = or(isNaN32(largest), eq(min(ma, mb), 0));
            return select(
              ge(largest, INFINITY_BITS),
              select(invalid, NAN, or(sign, INFINITY_BITS)),
              or(sign, finite),
            );
          })),
    ),
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

const division = scalarFunction(
  "soft_div",
  { a: "i32", b: "i32" },
  (a, b) =>
    bind(
      "sign",
      signOf(xor(a, b)),
      (sign) =>
        bind("ma", magnitude(a), (ma) =>
          bind("mb", magnitude(b), (mb) => {
            const finite = normalized(ma, (x, ex) =>
              normalized(
                mb,
                (y, ey) =>
                  bind("q", quotient(x, y), (q) =>
                    packWide(q, add(sub(ex, ey), 127))),
              ));
            const same = (value: number) =>
              and(eq(ma, value), eq(mb, value));
            const invalid = or(
              isNaN32(max(ma, mb)),
              or(same(0), same(INFINITY_BITS)),
            );
            const infinite = or(eq(ma, INFINITY_BITS), eq(mb, 0));
            const size = select(
              infinite,
              INFINITY_BITS,
              select(or(eq(mb, INFINITY_BITS), eq(ma, 0)), 0, finite),
            );
            return select(invalid, NAN, or(sign, size));
          })),
    ),
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

const root = scalarFunction(
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
        return select(itself, a, select(invalid, NAN, value));
      })),
);

// --- signs, order ------------------------------------------------------------------------------------

/** The bits with their sign changed by `change`; a NaN becomes the canonical one. */
const signed = (name: string, change: (a: Expr) => Expr) =>
  scalarFunction(
    name,
    { a: "i32" },
    (a) => select(isNaN32(magnitude(a)), NAN, change(a)),
  );

const eitherNaN = (a: Expr, b: Expr) =>
  isNaN32(max(magnitude(a), magnitude(b)));

/** A comparison of what orders as the numbers do, both zeros alike; 0 with a NaN. */
const comparison = (
  name: string,
  compare: (a: Expr, b: Expr) => Expr,
) => {
  const key = (x: Expr) =>
    bind("s", shr(x, 31), (s) => sub(xor(magnitude(x), s), s));
  return scalarFunction(
    name,
    { a: "i32", b: "i32" },
    (a, b) => and(not(eitherNaN(a, b)), compare(key(a), key(b))),
  );
};

/** min or max: here -0 is less than +0. */
const extreme = (name: string, first: (a: Expr, b: Expr) => Expr) => {
  const key = (x: Expr) => xor(x, shrU(shr(x, 31), 1));
  return scalarFunction(
    name,
    { a: "i32", b: "i32" },
    (a, b) => select(eitherNaN(a, b), NAN, select(first(key(a), key(b)), a, b)),
  );
};

const equal = comparison("soft_eq", eq);

// --- rounding to whole numbers --------------------------------------------------------------------------

/**
 * Rounds the magnitude to a multiple of 1: `up` is added before the fraction is cut off, from the fraction's mask and
 * the last whole bit; below 1 the result is `small`. A carry out of the fraction raises the exponent, as it should.
 */
const rounding = (
  name: string,
  up: (bits: Expr, mask: Expr, last: Expr) => Expr,
  small: (bits: Expr, size: Expr) => Expr,
) =>
  scalarFunction(
    name,
    { a: "i32" },
    (a) =>
      bind("size", magnitude(a), (size) =>
        bind("n", clamp(sub(150, shrU(size, 23)), 0, 23), (n) =>
          bind("mask", sub(shl(i32(1), n), 1), (mask) => {
            const last = and(shrU(size, n), 1);
            const whole = and(add(size, up(a, mask, last)), xor(mask, -1));
            const value = select(
              lt(size, 127 << 23),
              small(a, size),
              select(n, whole, size),
            );
            return select(isNaN32(size), NAN, or(signOf(a), value));
          }))),
  );

const ONE = 127 << 23;
const toward = (isUp: (bits: Expr) => Expr) =>
  [
    (bits: Expr, mask: Expr) => select(isUp(bits), mask, 0),
    (bits: Expr, size: Expr) => select(and(isUp(bits), ne(size, 0)), ONE, 0),
  ] as const;

// --- conversions ---------------------------------------------------------------------------------------

/** A 32-bit integer whose top bit is set, as a number with the given exponent field. */
const packInteger = (x: Expr, exponent: Expr) =>
  bind("kept", shrU(x, 8), (kept) => {
    const rest = add(and(x, 255), and(kept, 1));
    const rounded = add(kept, shrU(add(rest, 127), 8));
    return add(shl(sub(exponent, 1), 23), rounded);
  });

const fromI32 = scalarFunction(
  "soft_from_i32",
  { a: "i32" },
  (a) =>
    bind(
      "s",
      shr(a, 31),
      (s) =>
        bind("size", sub(xor(a, s), s), (size) =>
          bind("n", clz(size), (n) =>
            select(
              a,
              or(
                and(s, SIGN),
                packInteger(shl(size, n), sub(158, n)),
              ),
              0,
            ))),
    ),
);

const fromI64 = scalarFunction(
  "soft_from_i64",
  { a: "i64" },
  (a) =>
    bind(
      "s",
      shr(a, 63),
      (s) =>
        bind("size", sub(xor(a, s), s), (size) =>
          bind("high", wrap(shrU(size, 32)), (high) => {
            const low = clz(wrap(size));
            return bind("n", select(high, clz(high), add(low, 32)), (n) =>
              bind("norm", shl(size, n), (norm) => {
                const top = or(wrap(shrU(norm, 32)), ne(wrap(norm), 0));
                const value = bind("top", top, (top) =>
                  packInteger(top, sub(190, n)));
                return select(
                  lt(n, 64),
                  or(and(wrap(s), SIGN), value),
                  0,
                );
              }));
          })),
    ),
);

/** Truncates; NaN gives 0, what does not fit the nearest bound. */
const toI32 = scalarFunction(
  "soft_to_i32",
  { a: "i32" },
  (a) =>
    bind("size", magnitude(a), (size) =>
      bind("e", shrU(size, 23), (e) => {
        const shifted = shrU(
          shl(significand(size), 8),
          clamp(sub(158, e), 0, 31),
        );
        const inside = select(lt(e, 127), 0, shifted);
        return bind("s", shr(a, 31), (s) =>
          select(
            isNaN32(size),
            0,
            select(
              ge(e, 158),
              xor(i32(0x7fffffff), s),
              sub(xor(inside, s), s),
            ),
          ));
      })),
);

const toI64 = scalarFunction(
  "soft_to_i64",
  { a: "i32" },
  (a) =>
    bind("size", magnitude(a), (size) =>
      bind("e", shrU(size, 23), (e) => {
        const wide = op("i64.extend_u", significand(size));
        const shifted = shrU(shl(wide, 40), clamp(sub(190, e), 0, 63));
        const inside = select(lt(e, 127), i64(0), shifted);
        return bind("s", op("i64.extend_s", shr(a, 31)), (s) =>
          select(
            isNaN32(size),
            i64(0),
            select(
              ge(e, 190),
              xor(i64((1n << 63n) - 1n), s),
              sub(xor(inside, s), s),
            ),
          ));
      })),
);

/** The operations on f32 that compute, and what each becomes; parameters and results are bits. */
export const softfloat = {
  "f32.add": addition,
  "f32.sub": scalarFunction(
    "soft_sub",
    { a: "i32", b: "i32" },
    (a, b) => call(addition, a, xor(b, SIGN)),
  ),
  "f32.mul": multiplication,
  "f32.div": division,
  "f32.sqrt": root,
  "f32.neg": signed("soft_neg", (a) => xor(a, SIGN)),
  "f32.abs": signed("soft_abs", magnitude),
  "f32.min": extreme("soft_min", lt),
  "f32.max": extreme("soft_max", gt),
  "f32.floor": rounding("soft_floor", ...toward((a) => lt(a, 0))),
  "f32.ceil": rounding("soft_ceil", ...toward((a) => ge(a, 0))),
  "f32.trunc": rounding("soft_trunc", ...toward(() => i32(0))),
  "f32.nearest": rounding(
    "soft_nearest",
    // Half less one, and one more where the last bit is odd.
    (_, mask, last) => add(shrU(mask, 1), last),
    (_, size) => select(gt(size, 126 << 23), ONE, 0),
  ),
  "f32.eq": equal,
  "f32.ne": scalarFunction(
    "soft_ne",
    { a: "i32", b: "i32" },
    (a, b) => not(call(equal, a, b)),
  ),
  "f32.lt": comparison("soft_lt", lt),
  "f32.le": comparison("soft_le", le),
  "f32.from_i32": fromI32,
  "f32.from_i64": fromI64,
  "i32.from_f32": toI32,
  "i64.from_f32": toI64,
} as const satisfies Record<string, ScalarFunction>;

/** An operation that {@linkcode softfloat} replaces. */
export type SoftOp = keyof typeof softfloat;
