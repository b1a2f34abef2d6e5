/**
 * How scalars lie in tensor bytes: one reader and one writer per storage type, little-endian.
 *
 * Widening is exact and moves a NaN's sign and payload bits unquieted; narrowing rounds to nearest even,
 * overflows to infinity and turns any NaN into 0x7e00 (f16) or 0x7fc0 (bf16). Integer stores keep the low
 * bits. A bool is true when its byte is not 0, and is stored as 0 or 1. f32 values are their bits.
 */
import type { DType, Value } from "../ir.ts";

/** Bits of the binary32 that a binary16 stands for. */
export function widenF16(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (mantissa << 13);
  if (exponent !== 0) {
    return sign | ((exponent + 112) << 23) | (mantissa << 13);
  }
  if (mantissa === 0) return sign;
  // Subnormal: mantissa * 2^-24; its top bit becomes the hidden one.
  const shift = Math.clz32(mantissa) - 21;
  return sign | ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13);
}

/** The binary16 nearest to a binary32 given by its bits, ties to even. */
export function narrowF16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 rounds up to infinity
  if (magnitude >= 0x38800000) {
    return sign | (shiftToEven(magnitude, 13) - (112 << 10));
  }
  // Below 2^-14 the result counts units of 2^-24; under a quarter unit it is zero.
  const exponent = magnitude >>> 23;
  if (exponent < 102) return sign;
  return sign | shiftToEven((magnitude & 0x7fffff) | 0x800000, 126 - exponent);
}

/** Bits of the binary32 that a bfloat16 stands for. */
export function widenBf16(half: number): number {
  return half << 16;
}

/** The bfloat16 nearest to a binary32 given by its bits, ties to even. */
export function narrowBf16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fc0;
  return shiftToEven(bits >>> 0, 16) & 0xffff;
}

/** x / 2^count rounded half to even; x < 2^32, count in 1..24. */
function shiftToEven(x: number, count: number): number {
  const kept = x >>> count;
  const rest = x - kept * (1 << count);
  const half = 1 << (count - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}

/** Reads the element at a byte offset as a scalar. */
export const readers: Record<DType, (view: DataView, at: number) => Value> = {
  bool: (view, at) => view.getUint8(at) !== 0 ? 1 : 0,
  i8: (view, at) => view.getInt8(at),
  u8: (view, at) => view.getUint8(at),
  i16: (view, at) => view.getInt16(at, true),
  u16: (view, at) => view.getUint16(at, true),
  i32: (view, at) => view.getInt32(at, true),
  i64: (view, at) => view.getBigInt64(at, true),
  f32: (view, at) => view.getInt32(at, true),
  f16: (view, at) => widenF16(view.getUint16(at, true)),
  bf16: (view, at) => widenBf16(view.getUint16(at, true)),
};

/** Writes a scalar as the element at a byte offset. */
export const writers: Record<
  DType,
  (view: DataView, at: number, value: Value) => void
> = {
  bool: (view, at, value) => view.setUint8(at, value === 0 ? 0 : 1),
  i8: (view, at, value) => view.setInt8(at, Number(value)),
  u8: (view, at, value) => view.setUint8(at, Number(value)),
  i16: (view, at, value) => view.setInt16(at, Number(value), true),
  u16: (view, at, value) => view.setUint16(at, Number(value), true),
  i32: (view, at, value) => view.setInt32(at, Number(value), true),
  i64: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
  f32: (view, at, value) => view.setInt32(at, Number(value), true),
  f16: (view, at, value) => view.setUint16(at, narrowF16(Number(value)), true),
  bf16: (view, at, value) =>
    view.setUint16(at, narrowBf16(Number(value)), true),
};
