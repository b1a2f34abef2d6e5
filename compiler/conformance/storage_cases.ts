/**
 * Conformance of loads and stores: every storage type, every 8-bit and 16-bit pattern, and the halves at
 * which f16 and bf16 round.
 */
import {
  axis,
  defineKernel,
  type DType,
  f32FromBits,
  f32ToBits,
  load,
  operandsOf,
} from "../mod.ts";
import { ARRAYS, bytesOf, type ConformanceCase, F32, I32 } from "./case.ts";

function copyCase(
  from: DType,
  to: DType,
  operand: Uint8Array,
  count: number,
  expected: Uint8Array,
): ConformanceCase {
  const operands = [{ dtype: from, shape: [count] }];
  return {
    kernel: defineKernel({
      name: `store.${from}.${to}`,
      operands,
      result: { dtype: to, shape: [count] },
      body: load(operandsOf(operands)[0], axis(0)),
    }),
    operands: [operand],
    iteration: 0,
    expected,
    float: from.includes("f") || to.includes("f"),
  };
}

/** Copies of a tensor from one element type to another. */
export function storageCases(): ConformanceCase[] {
  const every16 = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const every8 = Uint8Array.from({ length: 256 }, (_, i) => i);
  const wide = ARRAYS.i32(I32);
  const halves = narrowingEdges();
  return [
    copyCase("i32", "i8", wide, I32.length, bytesOf(Int8Array.from(I32))),
    copyCase("i32", "u8", wide, I32.length, bytesOf(Uint8Array.from(I32))),
    copyCase("i32", "i16", wide, I32.length, bytesOf(Int16Array.from(I32))),
    copyCase("i32", "u16", wide, I32.length, bytesOf(Uint16Array.from(I32))),
    copyCase(
      "i32",
      "bool",
      wide,
      I32.length,
      Uint8Array.from(I32, (x) => +(x !== 0)),
    ),
    copyCase(
      "i8",
      "i32",
      every8,
      256,
      bytesOf(Int32Array.from(new Int8Array(every8))),
    ),
    copyCase("u8", "i32", every8, 256, bytesOf(Int32Array.from(every8))),
    copyCase(
      "bool",
      "i32",
      every8,
      256,
      bytesOf(Int32Array.from(every8, (x) => +(x !== 0))),
    ),
    copyCase(
      "i16",
      "i32",
      bytesOf(every16),
      65536,
      bytesOf(Int32Array.from(new Int16Array(every16))),
    ),
    copyCase(
      "u16",
      "i32",
      bytesOf(every16),
      65536,
      bytesOf(Int32Array.from(every16)),
    ),
    copyCase(
      "f16",
      "f32",
      bytesOf(every16),
      65536,
      bytesOf(Int32Array.from(every16, widenedF16)),
    ),
    copyCase(
      "bf16",
      "f32",
      bytesOf(every16),
      65536,
      bytesOf(Int32Array.from(every16, (x) => x << 16)),
    ),
    copyCase("f32", "f32", ARRAYS.f32(F32), F32.length, ARRAYS.f32(F32)),
    copyCase(
      "f32",
      "f16",
      ARRAYS.f32(halves),
      halves.length,
      bytesOf(Uint16Array.from(halves, narrowedF16)),
    ),
    copyCase(
      "f32",
      "bf16",
      ARRAYS.f32(halves),
      halves.length,
      bytesOf(Uint16Array.from(halves, narrowedBf16)),
    ),
  ];
}

/** Bits of the value of a binary16; a NaN keeps sign and payload. */
function widenedF16(half: number): number {
  const magnitude = half & 0x7fff;
  const sign = half & 0x8000 ? -1 : 1;
  if (magnitude > 0x7c00) {
    return (half & 0x8000) << 16 | 0x7f800000 | (half & 0x3ff) << 13;
  }
  if (magnitude === 0x7c00) return f32ToBits(sign * Infinity);
  const exponent = magnitude >> 10;
  const mantissa = magnitude & 0x3ff;
  const value = exponent === 0
    ? mantissa / (1 << 24)
    : (mantissa + 1024) * (1 << exponent) / (1 << 25);
  return f32ToBits(sign * value);
}

/** Binary search among all binary16 values for the nearest, ties to the even one. */
function narrowedF16(bits: number): number {
  const x = f32FromBits(bits);
  if (x !== x) return 0x7e00;
  const value = (half: number) =>
    half === 0x7c00 ? 65536 : f32FromBits(widenedF16(half));
  return (bits < 0 ? 0x8000 : 0) | nearest(Math.abs(x), 0x7c00, value);
}

function narrowedBf16(bits: number): number {
  const x = f32FromBits(bits);
  if (x !== x) return 0x7fc0;
  const value = (half: number) =>
    half === 0x7f80 ? 2 ** 128 : f32FromBits(half << 16);
  return (bits < 0 ? 0x8000 : 0) | nearest(Math.abs(x), 0x7f80, value);
}

/** The index up to `top` whose value is nearest to x, ties to the even index; values ascend. */
function nearest(x: number, top: number, value: (i: number) => number): number {
  let low = 0;
  let high = top;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (value(middle) <= x) low = middle;
    else high = middle - 1;
  }
  if (low === top) return top;
  const below = x - value(low);
  const above = value(low + 1) - x;
  return below < above || (below === above && low % 2 === 0) ? low : low + 1;
}

/** Binary32 values at, and one unit beside, halfway between neighbours of the narrow types. */
function narrowingEdges(): number[] {
  const edges = [...F32 as number[]];
  const around = (bits: number) => edges.push(bits - 1, bits, bits + 1);
  for (
    const half of [
      0,
      1,
      2,
      3,
      0x3fe,
      0x3ff,
      0x400,
      0x401,
      0x3c00,
      0x3c01,
      0x7bfe,
      0x7bff,
    ]
  ) {
    const low = f32FromBits(widenedF16(half));
    const high = half === 0x7bff ? 65536 : f32FromBits(widenedF16(half + 1));
    around(f32ToBits((low + high) / 2));
  }
  for (const half of [1, 2, 0x7f, 0x80, 0x3f80, 0x3f81, 0x7f7e, 0x7f7f]) {
    around(half << 16);
    around((half << 16) + 0x8000);
  }
  return [...edges, ...edges.map((bits) => bits ^ -0x80000000)];
}
