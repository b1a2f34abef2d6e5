/** Rounding of binary32 to whole numbers, and conversion from and to integers, in integers. */
import {
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
  ge,
  gt,
  i32,
  i64,
  lt,
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

/** The bits of 1. */
const ONE = 127 << 23;

const clz = (x: Expr) => op("i32.clz", x);

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
              lt(size, ONE),
              small(a, size),
              select(n, whole, size),
            );
            return select(isNaNMagnitude(size), NAN_BITS, or(signOf(a), value));
          }))),
  );

const toward = (isUp: (bits: Expr) => Expr) =>
  [
    (bits: Expr, mask: Expr) => select(isUp(bits), mask, 0),
    (bits: Expr, size: Expr) => select(and(isUp(bits), ne(size, 0)), ONE, 0),
  ] as const;

export const floor = rounding("soft_floor", ...toward((a) => lt(a, 0)));
export const ceil = rounding("soft_ceil", ...toward((a) => ge(a, 0)));
export const trunc = rounding("soft_trunc", ...toward(() => i32(0)));
export const nearest = rounding(
  "soft_nearest",
  // Half less one, and one more where the last bit is odd.
  (_, mask, last) => add(shrU(mask, 1), last),
  (_, size) => select(gt(size, 126 << 23), ONE, 0),
);

// --- conversions ---------------------------------------------------------------------------------------

/** A 32-bit integer whose top bit is set, as a number with the given exponent field. */
const packInteger = (x: Expr, exponent: Expr) =>
  bind("kept", shrU(x, 8), (kept) => {
    const rest = add(and(x, 255), and(kept, 1));
    const rounded = add(kept, shrU(add(rest, 127), 8));
    return add(shl(sub(exponent, 1), 23), rounded);
  });

export const fromI32 = scalarFunction(
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

export const fromI64 = scalarFunction(
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
export const toI32 = scalarFunction(
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
            isNaNMagnitude(size),
            0,
            select(
              ge(e, 158),
              xor(i32(0x7fffffff), s),
              sub(xor(inside, s), s),
            ),
          ));
      })),
);

export const toI64 = scalarFunction(
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
            isNaNMagnitude(size),
            i64(0),
            select(
              ge(e, 190),
              xor(i64((1n << 63n) - 1n), s),
              sub(xor(inside, s), s),
            ),
          ));
      })),
);
