/**
 * The kernel IR: element types, the op table, and the shape of a kernel.
 *
 * A kernel is a pure function from read-only operand tensors and the iteration number to one result
 * tensor. `ops` below is the whole instruction set and its meaning: the interpreter, the verifier, the
 * printer, the reference docs and the conformance tests are derived from it, and every target is an
 * exhaustive record over its names. Nothing here knows a device.
 *
 * Scalars are held as: i32, a number in [-2^31, 2^31); i64, a bigint in [-2^63, 2^63); f32, its 32 bits
 * as an i32 number (so that NaN payloads survive every copy).
 */

import {
  dot4,
  f32FromBits,
  f32FromI64,
  f32ToBits,
  flag,
  i32FromF32,
  i64FromF32,
  nearest,
  unsigned,
  wrap,
} from "./kernel/scalar.ts";
export { CANONICAL_NAN, f32FromBits, f32ToBits } from "./kernel/scalar.ts";

/** Types of scalar values inside a kernel. */
export type Scalar = "i32" | "i64" | "f32";

/** How an element is stored; `bool` is a byte that means true when it is not 0. */
export type DType =
  | "bool"
  | "i8"
  | "u8"
  | "i16"
  | "u16"
  | "i32"
  | "i64"
  | "f32"
  | "f16"
  | "bf16";

/** Bytes of a stored element and the scalar type that a load gives and a store takes. */
export const dtypes = {
  bool: { bytes: 1, scalar: "i32" },
  i8: { bytes: 1, scalar: "i32" },
  u8: { bytes: 1, scalar: "i32" },
  i16: { bytes: 2, scalar: "i32" },
  u16: { bytes: 2, scalar: "i32" },
  i32: { bytes: 4, scalar: "i32" },
  i64: { bytes: 8, scalar: "i64" },
  f32: { bytes: 4, scalar: "f32" },
  f16: { bytes: 2, scalar: "f32" },
  bf16: { bytes: 2, scalar: "f32" },
} as const satisfies Record<DType, { bytes: number; scalar: Scalar }>;

/** A scalar value as the op table sees it; see the head of this file. */
export type Value = number | bigint;

interface OpRow {
  readonly args: readonly Scalar[];
  readonly result: Scalar;
  readonly meaning: (...args: never[]) => Value;
}

// --- the op table ----------------------------------------------------------------------------------

const row = <A extends readonly Scalar[], R extends Scalar, M>(
  args: readonly [...A],
  result: R,
  meaning: M,
) => ({ args, result, meaning } as const);

const unary32 = (f: (a: number) => number) =>
  row(["i32"], "i32", (a: number) => f(a) | 0);
const binary32 = (f: (a: number, b: number) => number) =>
  row(["i32", "i32"], "i32", (a: number, b: number) => f(a, b) | 0);
const binary64 = (f: (a: bigint, b: bigint) => bigint) =>
  row(["i64", "i64"], "i64", (a: bigint, b: bigint) => wrap(f(a, b)));
const shift64 = (f: (a: bigint, n: bigint) => bigint) =>
  row(
    ["i64", "i32"],
    "i64",
    (a: bigint, n: number) => wrap(f(a, BigInt(n & 63))),
  );
const compare64 = (f: (a: bigint, b: bigint) => boolean) =>
  row(["i64", "i64"], "i32", (a: bigint, b: bigint) => flag(f(a, b)));
/** Lifts from doubles; exact for + - * / and sqrt, since 53 >= 2 * 24 + 2 (Figueroa 1995). */
const unaryF = (f: (a: number) => number) =>
  row(["f32"], "f32", (a: number) => f32ToBits(f(f32FromBits(a))));
const binaryF = (f: (a: number, b: number) => number) =>
  row(
    ["f32", "f32"],
    "f32",
    (a: number, b: number) => f32ToBits(f(f32FromBits(a), f32FromBits(b))),
  );
const compareF = (f: (a: number, b: number) => boolean) =>
  row(
    ["f32", "f32"],
    "i32",
    (a: number, b: number) => flag(f(f32FromBits(a), f32FromBits(b))),
  );
const choose = <T>(c: number, a: T, b: T): T => c !== 0 ? a : b;

/**
 * Every operation: its argument and result types and its meaning. Every meaning is total.
 *
 * Two's complement throughout: add, sub, mul and neg are modulo 2^32 or 2^64; shift counts are taken
 * modulo the width; x / 0 = x, x % 0 = 0, MIN / -1 = MIN, MIN % -1 = 0. f32 is IEEE-754 binary32, round
 * to nearest even, subnormals kept; arithmetic that yields NaN yields 0x7fc00000, also min, max, neg
 * and abs of a NaN. Comparisons give 0 or 1. `select(c, a, b)` is a where c != 0, both evaluated.
 */
export const ops = {
  "i32.add": binary32((a, b) => a + b),
  "i32.sub": binary32((a, b) => a - b),
  "i32.mul": binary32(Math.imul),
  "i32.neg": unary32((a) => -a),
  "i32.min_s": binary32((a, b) => a < b ? a : b),
  "i32.max_s": binary32((a, b) => a > b ? a : b),
  "i32.and": binary32((a, b) => a & b),
  "i32.or": binary32((a, b) => a | b),
  "i32.xor": binary32((a, b) => a ^ b),
  "i32.shl": binary32((a, n) => a << (n & 31)),
  "i32.shr_s": binary32((a, n) => a >> (n & 31)),
  "i32.shr_u": binary32((a, n) => a >>> (n & 31)),
  /** MIN / -1 is 2^31 in doubles and wraps to MIN. */
  "i32.div_s": binary32((a, b) => b === 0 ? a : Math.trunc(a / b)),
  "i32.div_u": binary32((a, b) => b === 0 ? a : (a >>> 0) / (b >>> 0)),
  "i32.rem_s": binary32((a, b) => b === 0 ? 0 : a % b),
  "i32.rem_u": binary32((a, b) => b === 0 ? 0 : (a >>> 0) % (b >>> 0)),
  /** Leading zero bits; 32 for 0. */
  "i32.clz": unary32(Math.clz32),
  "i32.eq": binary32((a, b) => flag(a === b)),
  "i32.ne": binary32((a, b) => flag(a !== b)),
  "i32.lt_s": binary32((a, b) => flag(a < b)),
  "i32.lt_u": binary32((a, b) => flag(a >>> 0 < b >>> 0)),
  "i32.le_s": binary32((a, b) => flag(a <= b)),
  "i32.le_u": binary32((a, b) => flag(a >>> 0 <= b >>> 0)),
  "i32.select": row(["i32", "i32", "i32"], "i32", choose<number>),
  /** Sum of the products of the four signed bytes of a and b. */
  "i32.dot4_s": binary32(dot4),
  "i32.mul_wide_s": row(
    ["i32", "i32"],
    "i64",
    (a: number, b: number) => BigInt(a) * BigInt(b),
  ),
  "i32.mul_wide_u": row(
    ["i32", "i32"],
    "i64",
    (a: number, b: number) => wrap(BigInt(a >>> 0) * BigInt(b >>> 0)),
  ),

  "i64.extend_s": row(["i32"], "i64", (a: number) => BigInt(a)),
  "i64.extend_u": row(["i32"], "i64", (a: number) => BigInt(a >>> 0)),
  /** The low 32 bits. */
  "i32.wrap": row(["i64"], "i32", (a: bigint) => Number(BigInt.asIntN(32, a))),
  "i64.add": binary64((a, b) => a + b),
  "i64.sub": binary64((a, b) => a - b),
  "i64.mul": binary64((a, b) => a * b),
  "i64.neg": row(["i64"], "i64", (a: bigint) => wrap(-a)),
  "i64.min_s": binary64((a, b) => a < b ? a : b),
  "i64.max_s": binary64((a, b) => a > b ? a : b),
  "i64.and": binary64((a, b) => a & b),
  "i64.or": binary64((a, b) => a | b),
  "i64.xor": binary64((a, b) => a ^ b),
  /** The count of a 64-bit shift is an i32, taken modulo 64. */
  "i64.shl": shift64((a, n) => a << n),
  "i64.shr_s": shift64((a, n) => a >> n),
  "i64.shr_u": shift64((a, n) => unsigned(a) >> n),
  "i64.div_s": binary64((a, b) => b === 0n ? a : a / b),
  "i64.div_u": binary64((a, b) => b === 0n ? a : unsigned(a) / unsigned(b)),
  "i64.rem_s": binary64((a, b) => b === 0n ? 0n : a % b),
  "i64.rem_u": binary64((a, b) => b === 0n ? 0n : unsigned(a) % unsigned(b)),
  "i64.eq": compare64((a, b) => a === b),
  "i64.ne": compare64((a, b) => a !== b),
  "i64.lt_s": compare64((a, b) => a < b),
  "i64.lt_u": compare64((a, b) => unsigned(a) < unsigned(b)),
  "i64.le_s": compare64((a, b) => a <= b),
  "i64.le_u": compare64((a, b) => unsigned(a) <= unsigned(b)),
  "i64.select": row(["i32", "i64", "i64"], "i64", choose<bigint>),

  "f32.add": binaryF((a, b) => a + b),
  "f32.sub": binaryF((a, b) => a - b),
  "f32.mul": binaryF((a, b) => a * b),
  "f32.div": binaryF((a, b) => a / b),
  "f32.sqrt": unaryF(Math.sqrt),
  "f32.neg": unaryF((a) => -a),
  "f32.abs": unaryF(Math.abs),
  /** NaN if either is; -0 < +0. */
  "f32.min": binaryF(Math.min),
  "f32.max": binaryF(Math.max),
  "f32.floor": unaryF(Math.floor),
  "f32.ceil": unaryF(Math.ceil),
  "f32.trunc": unaryF(Math.trunc),
  /** Half to even. */
  "f32.nearest": unaryF(nearest),
  "f32.eq": compareF((a, b) => a === b),
  "f32.ne": compareF((a, b) => a !== b),
  "f32.lt": compareF((a, b) => a < b),
  "f32.le": compareF((a, b) => a <= b),
  /** Moves 32 bits unchanged. */
  "f32.select": row(["i32", "f32", "f32"], "f32", choose<number>),
  "f32.from_i32": row(["i32"], "f32", (a: number) => f32ToBits(a)),
  "f32.from_i64": row(["i64"], "f32", f32FromI64),
  /** Truncates, saturates, NaN gives 0. */
  "i32.from_f32": row(["f32"], "i32", i32FromF32),
  "i64.from_f32": row(["f32"], "i64", i64FromF32),
  "i32.bits_of_f32": row(["f32"], "i32", (a: number) => a),
  "f32.of_bits": row(["i32"], "f32", (a: number) => a),
} as const satisfies Record<string, OpRow>;

/** Name of an operation. */
export type Op = keyof typeof ops;

// --- expressions -----------------------------------------------------------------------------------

/**
 * A scalar expression. Names of variables (`let`, loop indices and carries, parameters) are unique in a
 * kernel. An i64 constant is a bigint; an f32 constant is its bits.
 */
export type Expr =
  | { readonly kind: "const"; readonly type: Scalar; readonly value: Value }
  /** Index along an axis of the result, i32. */
  | { readonly kind: "axis"; readonly axis: number }
  /** The iteration number, i32. */
  | { readonly kind: "iteration" }
  | { readonly kind: "var"; readonly name: string; readonly type: Scalar }
  | { readonly kind: "op"; readonly op: Op; readonly args: readonly Expr[] }
  /** Element of an operand; one i32 index per dimension, each proven inside it. */
  | {
    readonly kind: "load";
    readonly operand: number;
    readonly index: readonly Expr[];
  }
  | {
    readonly kind: "let";
    readonly name: string;
    readonly value: Expr;
    readonly body: Expr;
  }
  | Sum
  | Loop
  | {
    readonly kind: "call";
    readonly fn: string;
    readonly args: readonly Expr[];
  };

/** Bounds of a loop: index runs over first, first + 1, ..., count values; a negative count is 0. */
export interface Range {
  readonly index: string;
  readonly first: Expr;
  readonly count: Expr;
  /** Static upper bound of count, proven by the verifier. */
  readonly bound: number;
}

/**
 * A contraction: the sum of `term` over a range, from 0 (+0). Integers wrap. f32 adds in index order, or
 * with lanes 4: lane l takes the terms (k - first) mod 4 = l in order, result (s0 + s2) + (s1 + s3).
 */
export interface Sum extends Range {
  readonly kind: "sum";
  readonly type: Scalar;
  readonly lanes: 1 | 4;
  readonly term: Expr;
}

/** A loop carrying scalars; all `next` are evaluated from the old values, then assigned together. */
export interface Loop extends Range {
  readonly kind: "loop";
  readonly carry: readonly Carry[];
  /** Evaluated after the loop, over the carried names. */
  readonly result: Expr;
}

export interface Carry {
  readonly name: string;
  readonly type: Scalar;
  readonly init: Expr;
  readonly next: Expr;
}

/** A pure scalar function; its body sees its parameters only and may call functions listed before it. */
export interface ScalarFunction {
  readonly name: string;
  readonly params: readonly { readonly name: string; readonly type: Scalar }[];
  readonly result: Scalar;
  readonly body: Expr;
}

// --- tensors and kernels ---------------------------------------------------------------------------

/**
 * Where an element of a constant lies: each axis index is split into the factors of that axis, outermost
 * first, and the factors in list order are the physical dimensions, row-major. The product of an axis'
 * factor sizes is at least its dimension; what is beyond it is a gap of zero bytes.
 *
 * `[{axis: 0, size: 2}, {axis: 1, size: 6}, {axis: 0, size: 8}]` holds shape [16, 6] in blocks of 8 rows.
 * No layout means row-major.
 */
export type Layout = readonly {
  readonly axis: number;
  readonly size: number;
}[];

export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly layout?: Layout;
}

/** A pure function from operand tensors to one result tensor of rank <= 6, stored row-major. */
export interface Kernel {
  readonly name: string;
  /** An operand's shape may be any row-major reshape of the tensor it is given, unless it has a layout. */
  readonly operands: readonly TensorType[];
  readonly result: TensorType;
  readonly functions: readonly ScalarFunction[];
  /** Per axis an i32 expression over the iteration, clamped to [0, axis]; elements beyond it are 0. */
  readonly extents?: readonly (Expr | null)[];
  /** The result is operand `operand` except in the given range of each axis; see docs/kernels.md. */
  readonly update?: {
    readonly operand: number;
    readonly ranges: readonly UpdateRange[];
  };
  /** The element at the result's axes, of the result type's scalar; the store narrows it. */
  readonly body: Expr;
}

/** Clamped to the tensor; over the iteration only. */
export interface UpdateRange {
  readonly first: Expr;
  readonly count: Expr;
}

/** Number of elements of a shape. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Bytes of a tensor as it is stored and committed, gaps of its layout included. */
export function byteLength(type: TensorType): number {
  const physical = type.layout ? type.layout.map((f) => f.size) : type.shape;
  return elementCount(physical) * dtypes[type.dtype].bytes;
}

/** Scalar type of an expression. */
export function typeOf(
  expr: Expr,
  kernel: Pick<Kernel, "operands" | "functions">,
): Scalar {
  switch (expr.kind) {
    case "const":
    case "var":
    case "sum":
      return expr.type;
    case "axis":
    case "iteration":
      return "i32";
    case "op":
      return ops[expr.op].result;
    case "load":
      return dtypes[kernel.operands[expr.operand].dtype].scalar;
    case "let":
      return typeOf(expr.body, kernel);
    case "loop":
      return typeOf(expr.result, kernel);
    case "call": {
      const fn = kernel.functions.find((f) => f.name === expr.fn);
      if (!fn) throw new RangeError(`Unknown function "${expr.fn}"`);
      return fn.result;
    }
    default:
      return expr satisfies never;
  }
}
