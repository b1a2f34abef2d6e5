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

// --- f32 in bits -------------------------------------------------------------------------------------

const scratch = new DataView(new ArrayBuffer(8));

/** The only NaN that arithmetic produces. */
export const CANONICAL_NAN = 0x7fc00000;

/** Bits of a binary32 as the number they stand for. */
export function f32FromBits(bits: number): number {
  scratch.setInt32(0, bits);
  return scratch.getFloat32(0);
}

/** A double rounded to binary32, as bits; any NaN becomes the canonical one. */
export function f32ToBits(x: number): number {
  if (x !== x) return CANONICAL_NAN;
  scratch.setFloat32(0, x);
  return scratch.getInt32(0);
}

/** Lifts an operation on doubles; exact for + - * / and sqrt, since 53 >= 2 * 24 + 2 (Figueroa 1995). */
const lift1 = (f: (a: number) => number) => (a: number) =>
  f32ToBits(f(f32FromBits(a)));
const lift2 = (f: (a: number, b: number) => number) => (a: number, b: number) =>
  f32ToBits(f(f32FromBits(a), f32FromBits(b)));
const compare =
  (f: (a: number, b: number) => boolean) => (a: number, b: number) =>
    f(f32FromBits(a), f32FromBits(b)) ? 1 : 0;

/** Round half to even, in doubles; the sign of zero is kept. */
function nearest(x: number): number {
  if (x !== x || Math.abs(x) >= 2 ** 23) return x;
  const floor = Math.floor(x);
  const rest = x - floor;
  const up = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0);
  const rounded = up ? floor + 1 : floor;
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
}

// --- i64 -------------------------------------------------------------------------------------------

const wrap = (x: bigint): bigint => BigInt.asIntN(64, x);
const unsigned = (x: bigint): bigint => BigInt.asUintN(64, x);
const flag = (x: boolean): number => x ? 1 : 0;
const MIN32 = -(2 ** 31);
const MIN64 = -(1n << 63n);

/** i64 to binary32, nearest even, not through f64: rounds the magnitude to 24 bits once. */
function f32FromI64(x: bigint): number {
  const magnitude = x < 0n ? -x : x;
  let drop = 0n;
  while (magnitude >> drop >= 1n << 24n) drop++;
  let kept = magnitude >> drop;
  const rest = magnitude - (kept << drop);
  const half = drop === 0n ? 1n : 1n << (drop - 1n);
  if (rest > half || (rest === half && kept & 1n)) kept++;
  const rounded = Number(kept << drop);
  return f32ToBits(x < 0n ? -rounded : rounded);
}

const dot4 = (a: number, b: number): number => {
  let sum = 0;
  for (let shift = 0; shift < 32; shift += 8) {
    sum += ((a << (24 - shift)) >> 24) * ((b << (24 - shift)) >> 24);
  }
  return sum | 0;
};

// --- the op table ----------------------------------------------------------------------------------

/**
 * Every operation: its argument and result types and its meaning. Every meaning is total.
 *
 * Two's complement throughout: add, sub, mul and neg are modulo 2^32 or 2^64; shift counts are taken
 * modulo the width; x / 0 = x, x % 0 = 0, MIN / -1 = MIN, MIN % -1 = 0. f32 is IEEE-754 binary32, round
 * to nearest even, subnormals kept; arithmetic that yields NaN yields 0x7fc00000, also min, max, neg
 * and abs of a NaN. Comparisons give 0 or 1. `select(c, a, b)` is a where c != 0, both evaluated.
 */
export const ops = {
  "i32.add": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, b: number) => (a + b) | 0,
  },
  "i32.sub": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, b: number) => (a - b) | 0,
  },
  "i32.mul": { args: ["i32", "i32"], result: "i32", meaning: Math.imul },
  "i32.neg": { args: ["i32"], result: "i32", meaning: (a: number) => -a | 0 },
  "i32.min_s": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, b: number) => a < b ? a : b,
  },
  "i32.max_s": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, b: number) => a > b ? a : b,
  },
  "i32.and": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, b: number) => a & b,
  },
  "i32.or": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, b: number) => a | b,
  },
  "i32.xor": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, b: number) => a ^ b,
  },
  "i32.shl": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, n: number) => a << (n & 31),
  },
  "i32.shr_s": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, n: number) => a >> (n & 31),
  },
  "i32.shr_u": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, n: number) => (a >>> (n & 31)) | 0,
  },
  "i32.div_s": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, b: number) =>
      b === 0 ? a : a === MIN32 && b === -1 ? MIN32 : (a / b) | 0,
  },
  "i32.div_u": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, b: number) =>
      b === 0 ? a : ((a >>> 0) / (b >>> 0)) | 0,
  },
  "i32.rem_s": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, b: number) => b === 0 || b === -1 ? 0 : (a % b) | 0,
  },
  "i32.rem_u": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, b: number) =>
      b === 0 ? 0 : ((a >>> 0) % (b >>> 0)) | 0,
  },
  /** Leading zero bits; 32 for 0. */
  "i32.clz": { args: ["i32"], result: "i32", meaning: Math.clz32 },
  "i32.eq": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, b: number) => flag(a === b),
  },
  "i32.ne": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, b: number) => flag(a !== b),
  },
  "i32.lt_s": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, b: number) => flag(a < b),
  },
  "i32.lt_u": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, b: number) => flag(a >>> 0 < b >>> 0),
  },
  "i32.le_s": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, b: number) => flag(a <= b),
  },
  "i32.le_u": {
    args: ["i32", "i32"],
    result: "i32",
    meaning: (a: number, b: number) => flag(a >>> 0 <= b >>> 0),
  },
  "i32.select": {
    args: ["i32", "i32", "i32"],
    result: "i32",
    meaning: (c: number, a: number, b: number) => c !== 0 ? a : b,
  },
  /** Sum of the products of the four signed bytes of a and b. */
  "i32.dot4_s": { args: ["i32", "i32"], result: "i32", meaning: dot4 },
  "i32.mul_wide_s": {
    args: ["i32", "i32"],
    result: "i64",
    meaning: (a: number, b: number) => BigInt(a) * BigInt(b),
  },
  "i32.mul_wide_u": {
    args: ["i32", "i32"],
    result: "i64",
    meaning: (a: number, b: number) => wrap(BigInt(a >>> 0) * BigInt(b >>> 0)),
  },

  "i64.extend_s": {
    args: ["i32"],
    result: "i64",
    meaning: (a: number) => BigInt(a),
  },
  "i64.extend_u": {
    args: ["i32"],
    result: "i64",
    meaning: (a: number) => BigInt(a >>> 0),
  },
  /** The low 32 bits. */
  "i32.wrap": {
    args: ["i64"],
    result: "i32",
    meaning: (a: bigint) => Number(BigInt.asIntN(32, a)),
  },
  "i64.add": {
    args: ["i64", "i64"],
    result: "i64",
    meaning: (a: bigint, b: bigint) => wrap(a + b),
  },
  "i64.sub": {
    args: ["i64", "i64"],
    result: "i64",
    meaning: (a: bigint, b: bigint) => wrap(a - b),
  },
  "i64.mul": {
    args: ["i64", "i64"],
    result: "i64",
    meaning: (a: bigint, b: bigint) => wrap(a * b),
  },
  "i64.neg": { args: ["i64"], result: "i64", meaning: (a: bigint) => wrap(-a) },
  "i64.min_s": {
    args: ["i64", "i64"],
    result: "i64",
    meaning: (a: bigint, b: bigint) => a < b ? a : b,
  },
  "i64.max_s": {
    args: ["i64", "i64"],
    result: "i64",
    meaning: (a: bigint, b: bigint) => a > b ? a : b,
  },
  "i64.and": {
    args: ["i64", "i64"],
    result: "i64",
    meaning: (a: bigint, b: bigint) => a & b,
  },
  "i64.or": {
    args: ["i64", "i64"],
    result: "i64",
    meaning: (a: bigint, b: bigint) => a | b,
  },
  "i64.xor": {
    args: ["i64", "i64"],
    result: "i64",
    meaning: (a: bigint, b: bigint) => a ^ b,
  },
  /** The count is an i32, taken modulo 64. */
  "i64.shl": {
    args: ["i64", "i32"],
    result: "i64",
    meaning: (a: bigint, n: number) => wrap(a << BigInt(n & 63)),
  },
  "i64.shr_s": {
    args: ["i64", "i32"],
    result: "i64",
    meaning: (a: bigint, n: number) => a >> BigInt(n & 63),
  },
  "i64.shr_u": {
    args: ["i64", "i32"],
    result: "i64",
    meaning: (a: bigint, n: number) => wrap(unsigned(a) >> BigInt(n & 63)),
  },
  "i64.div_s": {
    args: ["i64", "i64"],
    result: "i64",
    meaning: (a: bigint, b: bigint) =>
      b === 0n ? a : a === MIN64 && b === -1n ? MIN64 : a / b,
  },
  "i64.div_u": {
    args: ["i64", "i64"],
    result: "i64",
    meaning: (a: bigint, b: bigint) =>
      b === 0n ? a : wrap(unsigned(a) / unsigned(b)),
  },
  "i64.rem_s": {
    args: ["i64", "i64"],
    result: "i64",
    meaning: (a: bigint, b: bigint) => b === 0n ? 0n : a % b,
  },
  "i64.rem_u": {
    args: ["i64", "i64"],
    result: "i64",
    meaning: (a: bigint, b: bigint) =>
      b === 0n ? 0n : wrap(unsigned(a) % unsigned(b)),
  },
  "i64.eq": {
    args: ["i64", "i64"],
    result: "i32",
    meaning: (a: bigint, b: bigint) => flag(a === b),
  },
  "i64.ne": {
    args: ["i64", "i64"],
    result: "i32",
    meaning: (a: bigint, b: bigint) => flag(a !== b),
  },
  "i64.lt_s": {
    args: ["i64", "i64"],
    result: "i32",
    meaning: (a: bigint, b: bigint) => flag(a < b),
  },
  "i64.lt_u": {
    args: ["i64", "i64"],
    result: "i32",
    meaning: (a: bigint, b: bigint) => flag(unsigned(a) < unsigned(b)),
  },
  "i64.le_s": {
    args: ["i64", "i64"],
    result: "i32",
    meaning: (a: bigint, b: bigint) => flag(a <= b),
  },
  "i64.le_u": {
    args: ["i64", "i64"],
    result: "i32",
    meaning: (a: bigint, b: bigint) => flag(unsigned(a) <= unsigned(b)),
  },
  "i64.select": {
    args: ["i32", "i64", "i64"],
    result: "i64",
    meaning: (c: number, a: bigint, b: bigint) => c !== 0 ? a : b,
  },

  "f32.add": {
    args: ["f32", "f32"],
    result: "f32",
    meaning: lift2((a, b) => a + b),
  },
  "f32.sub": {
    args: ["f32", "f32"],
    result: "f32",
    meaning: lift2((a, b) => a - b),
  },
  "f32.mul": {
    args: ["f32", "f32"],
    result: "f32",
    meaning: lift2((a, b) => a * b),
  },
  "f32.div": {
    args: ["f32", "f32"],
    result: "f32",
    meaning: lift2((a, b) => a / b),
  },
  "f32.sqrt": { args: ["f32"], result: "f32", meaning: lift1(Math.sqrt) },
  "f32.neg": { args: ["f32"], result: "f32", meaning: lift1((a) => -a) },
  "f32.abs": { args: ["f32"], result: "f32", meaning: lift1(Math.abs) },
  /** NaN if either is; -0 < +0. */
  "f32.min": { args: ["f32", "f32"], result: "f32", meaning: lift2(Math.min) },
  "f32.max": { args: ["f32", "f32"], result: "f32", meaning: lift2(Math.max) },
  "f32.floor": { args: ["f32"], result: "f32", meaning: lift1(Math.floor) },
  "f32.ceil": { args: ["f32"], result: "f32", meaning: lift1(Math.ceil) },
  "f32.trunc": { args: ["f32"], result: "f32", meaning: lift1(Math.trunc) },
  /** Half to even. */
  "f32.nearest": { args: ["f32"], result: "f32", meaning: lift1(nearest) },
  "f32.eq": {
    args: ["f32", "f32"],
    result: "i32",
    meaning: compare((a, b) => a === b),
  },
  "f32.ne": {
    args: ["f32", "f32"],
    result: "i32",
    meaning: compare((a, b) => a !== b),
  },
  "f32.lt": {
    args: ["f32", "f32"],
    result: "i32",
    meaning: compare((a, b) => a < b),
  },
  "f32.le": {
    args: ["f32", "f32"],
    result: "i32",
    meaning: compare((a, b) => a <= b),
  },
  /** Moves 32 bits unchanged. */
  "f32.select": {
    args: ["i32", "f32", "f32"],
    result: "f32",
    meaning: (c: number, a: number, b: number) => c !== 0 ? a : b,
  },
  "f32.from_i32": {
    args: ["i32"],
    result: "f32",
    meaning: (a: number) => f32ToBits(a),
  },
  "f32.from_i64": { args: ["i64"], result: "f32", meaning: f32FromI64 },
  /** Truncates, saturates, NaN gives 0. */
  "i32.from_f32": {
    args: ["f32"],
    result: "i32",
    meaning: (a: number) => {
      const x = f32FromBits(a);
      return x !== x
        ? 0
        : x >= 2 ** 31
        ? 2 ** 31 - 1
        : x <= MIN32
        ? MIN32
        : x | 0;
    },
  },
  "i64.from_f32": {
    args: ["f32"],
    result: "i64",
    meaning: (a: number) => {
      const x = f32FromBits(a);
      if (x !== x) return 0n;
      return x >= 2 ** 63
        ? -MIN64 - 1n
        : x <= -(2 ** 63)
        ? MIN64
        : BigInt(Math.trunc(x));
    },
  },
  "i32.bits_of_f32": {
    args: ["f32"],
    result: "i32",
    meaning: (a: number) => a,
  },
  "f32.of_bits": { args: ["i32"], result: "f32", meaning: (a: number) => a },
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
