/**
 * IEEE-754 binary32 in integers, written in the kernel IR: what f32 operations become on targets without them.
 *
 * Every function takes and gives bits as i32 and has no branch, so that its steps do not depend on data. Rounding is to
 * nearest even, subnormals are kept, arithmetic NaNs are 0x7fc00000: the op table of `ir.ts` is the definition, the
 * tests compare all of it against hardware. After Hauser's SoftFloat in its decomposition (unpack, operate, shift right
 * jamming, round and pack) and in how it packs. Signs and order are here, the rest is in the files beside.
 */
import {
  isNaNMagnitude,
  magnitude,
  NAN_BITS,
  SIGN,
} from "../kernel/binary32.ts";
import {
  and,
  bind,
  call,
  eq,
  gt,
  le,
  lt,
  max,
  scalarFunction,
  select,
  shr,
  shrU,
  sub,
  xor,
} from "../kernel/build.ts";
import type { Expr, ScalarFunction } from "../ir.ts";
import {
  addition,
  division,
  multiplication,
  root,
} from "./softfloat_arithmetic.ts";
import {
  ceil,
  floor,
  fromI32,
  fromI64,
  nearest,
  toI32,
  toI64,
  trunc,
} from "./softfloat_rounding.ts";

const not = (condition: Expr) => xor(condition, 1);

/** The bits with their sign changed by `change`; a NaN becomes the canonical one. */
const signed = (name: string, change: (a: Expr) => Expr) =>
  scalarFunction(
    name,
    { a: "i32" },
    (a) => select(isNaNMagnitude(magnitude(a)), NAN_BITS, change(a)),
  );

const eitherNaN = (a: Expr, b: Expr) =>
  isNaNMagnitude(max(magnitude(a), magnitude(b)));

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
    (a, b) =>
      select(eitherNaN(a, b), NAN_BITS, select(first(key(a), key(b)), a, b)),
  );
};

const equal = comparison("soft_eq", eq);

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
  "f32.floor": floor,
  "f32.ceil": ceil,
  "f32.trunc": trunc,
  "f32.nearest": nearest,
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
