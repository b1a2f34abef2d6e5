/**
 * Element types of ONNX by number and name, and its 64-bit integers as numbers.
 *
 * Integers beyond 2^53 become the safe extremes: Slice and others say "to the end" by the largest int64,
 * and no tensor that can be computed with has such a dimension.
 */
import type { GraphDType } from "../../graph/graph.ts";

/** Element types by their number in ONNX. */
export const elementTypes: Readonly<Record<number, GraphDType>> = {
  1: "f32",
  2: "u8",
  3: "i8",
  4: "u16",
  5: "i16",
  6: "i32",
  7: "i64",
  9: "bool",
};

const otherTypes: Readonly<Record<number, string>> = {
  8: "string",
  10: "float16",
  11: "double",
  12: "uint32",
  13: "uint64",
  14: "complex64",
  15: "complex128",
  16: "bfloat16",
};

/** What to call an element type that is not supported. */
export function typeName(type: number): string {
  return elementTypes[type] ?? otherTypes[type] ?? `number ${type}`;
}

/** A whole number from protobuf's int64; beyond 2^53 the safe extreme of its sign. */
export function toNumber(
  x: number | { toNumber(): number; toString(): string } | null | undefined,
): number {
  const n = typeof x === "number" ? x : x ? x.toNumber() : 0;
  if (!Number.isSafeInteger(n)) {
    return n > 0 ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER;
  }
  return n;
}
