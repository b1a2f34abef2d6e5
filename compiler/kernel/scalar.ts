/**
 * The arithmetic behind the op table's rows that does not fit a line: binary32 in bits, 64-bit wrapping.
 *
 * i32 is a number in [-2^31, 2^31), i64 a bigint in [-2^63, 2^63), f32 its 32 bits as an i32 number. The meaning of
 * an operation is in `ir.ts`; these functions are only its vocabulary.
 */

const scratch = new DataView(new ArrayBuffer(4));
const MIN32 = -(2 ** 31);
const MIN64 = -(1n << 63n);

/** The only NaN that arithmetic produces. */
export const CANONICAL_NAN = 0x7fc00000;

/** The number that a binary32's bits stand for. */
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

/** Round half to even, in doubles; the sign of zero is kept. */
export function nearest(x: number): number {
  if (x !== x || Math.abs(x) >= 2 ** 23) return x;
  const floor = Math.floor(x);
  const rest = x - floor;
  const up = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0);
  const rounded = up ? floor + 1 : floor;
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
}

/** Modulo 2^64, signed. */
export const wrap = (x: bigint): bigint => BigInt.asIntN(64, x);
/** Modulo 2^64, unsigned. */
export const unsigned = (x: bigint): bigint => BigInt.asUintN(64, x);
/** A comparison's result. */
export const flag = (x: boolean): number => x ? 1 : 0;

/** Sum of the products of the four signed bytes of two words. */
export function dot4(a: number, b: number): number {
  let sum = 0;
  for (let shift = 0; shift < 32; shift += 8) {
    sum += ((a << (24 - shift)) >> 24) * ((b << (24 - shift)) >> 24);
  }
  return sum;
}

/** i64 to binary32, nearest even, not through f64: rounds the magnitude to 24 bits once. */
export function f32FromI64(x: bigint): number {
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

/** Truncates, saturates, NaN gives 0. */
export function i32FromF32(bits: number): number {
  const x = f32FromBits(bits);
  if (x !== x) return 0;
  return x >= 2 ** 31 ? 2 ** 31 - 1 : x <= MIN32 ? MIN32 : x | 0;
}

/** Truncates, saturates, NaN gives 0. */
export function i64FromF32(bits: number): bigint {
  const x = f32FromBits(bits);
  if (x !== x) return 0n;
  return x >= 2 ** 63
    ? -MIN64 - 1n
    : x <= -(2 ** 63)
    ? MIN64
    : BigInt(Math.trunc(x));
}
