/**
 * What a conformance case is, and the edge values that the cases are made of.
 */
import { f32ToBits, type Kernel, type Scalar, type Value } from "../mod.ts";

/** A kernel, what it reads, and the result bytes that every target gives. */
export interface ConformanceCase {
  readonly kernel: Kernel;
  readonly operands: readonly Uint8Array[];
  readonly iteration: number;
  readonly expected: Uint8Array;
  /** Operations or storage of f32, f16 or bf16 occur. */
  readonly float: boolean;
}

export const I32 = [
  ...[0, 1, -1, 2, -2, 3, -3, 7, 10, 31, 32, 33, 63, 64, 65],
  ...[127, 128, -128, -129, 255, 256, 32767, -32768, 65535, 65536],
  ...[0x01fe80ff, 0x7f807f80, 0x55555555, 0x2aaaaaaa, -0x55555556],
  ...[2 ** 30, -(2 ** 30), 2 ** 30 + 1, 2 ** 24 + 1, 2 ** 24 + 3],
  ...[2 ** 31 - 1, 2 ** 31 - 65, -(2 ** 31), -(2 ** 31) + 1],
];

const I64 = [
  ...[0n, 1n, -1n, 2n, -2n, 3n, -3n, 10n, 32n, 63n, 64n, 65n, 255n, -256n],
  ...[31n, 32n, 52n, 53n, 62n].flatMap((
    n,
  ) => [1n << n, (1n << n) - 1n, -(1n << n)]),
  ...[(1n << 32n) + 1n, -(1n << 31n) - 1n, -(1n << 62n) - 1n],
  ...[0x5555555555555555n, -0x5555555555555556n, -0x7fffffff80000000n],
  // Half a unit of binary32, and its neighbours.
  ...[(1n << 24n) + 1n, (1n << 40n) + (1n << 16n), (3n << 39n) + (1n << 16n)],
  ...[(1n << 40n) + (1n << 16n) + 1n, (1n << 40n) + (1n << 16n) - 1n],
  ...[(1n << 60n) + (1n << 36n) + 1n, -((1n << 60n) + (1n << 36n) + 1n)],
  ...[(1n << 63n) - 1n, -(1n << 63n), -(1n << 63n) + 1n],
];

export const F32 = [
  ...[0, -0, 1, -1, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 3, -3, 1 / 3, -7.75],
  ...[2 ** 23, 2 ** 23 - 0.5, -(2 ** 22) - 0.5, 2 ** 24, 16777218, 1e10, 1e38],
  ...[2 ** 31, -(2 ** 31), 2 ** 31 - 128, 2 ** 32, 2 ** 63, -(2 ** 63)],
  ...[9223371487098961920, Infinity, -Infinity],
].map(f32ToBits).concat(
  [
    ...[1, 2, 0x007fffff, 0x00800000, 0x00800001, 0x7f7fffff, 0x3f7fffff],
    ...[0x3f800001, 0x3effffff, 0x1f800000, 0x34000000, 0x4b000001],
    ...[0x80000001, 0x807fffff, 0x80800000, 0xff7fffff],
    // NaN: the canonical one, payloads, signalling, negative.
    ...[0x7fc00000, 0x7fc00001, 0x7f800001, 0x7fffffff, 0xffc00000, 0xff812345],
  ].map((x) => x | 0),
);

export const EDGES: Record<Scalar, readonly Value[]> = {
  i32: I32,
  i64: I64,
  f32: F32,
};
export const ARRAYS: Record<Scalar, (values: readonly Value[]) => Uint8Array> =
  {
    i32: (values) => bytesOf(Int32Array.from(values as number[])),
    i64: (values) => bytesOf(BigInt64Array.from(values as bigint[])),
    f32: (values) => bytesOf(Int32Array.from(values as number[])),
  };

export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer as ArrayBuffer);
}
