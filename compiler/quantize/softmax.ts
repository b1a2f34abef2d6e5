/**
 * Integer softmax: tables and the exact arithmetic that the kernels use.
 *
 * With d = max - x >= 0 as stored integers, e = e^(-d * scale) is the product of two table entries (the
 * high and the low byte of d), its row sum fits 31 bits, and one division for each row gives a
 * reciprocal, so that an element costs a multiplication and a shift. The logarithm of the sum is linear
 * interpolation between 257 entries of ln(1 + i / 256).
 */
import { exp, log } from "../graph/deterministic_math.ts";
import type { ExpTables } from "./fixed_graph.ts";

/** Fraction bits of table entries. */
export const TABLE_BITS = 30;
/** Fraction bits of logarithms. */
export const LOG_BITS = 20;
const ONE = 2 ** 30;
const LOG_ONE = 2 ** 20;

/** Tables of e^(-d * scale) for rows of `width` elements. */
export function expTables(scale: number, width: number): ExpTables {
  const table = (step: number) =>
    Int32Array.from(
      { length: 256 },
      (_, i) => Math.round(exp(-i * step * scale) * ONE),
    );
  let bits = 24;
  for (let sum = width; sum > 2 ** 6; sum /= 2) bits--;
  return { high: table(256), low: table(1), bits };
}

/** ln(1 + i / 256), i = 0 .. 256. */
export const logTable: Int32Array = Int32Array.from(
  { length: 257 },
  (_, i) => Math.round(log(1 + i / 256) * LOG_ONE),
);

/** ln 2. */
export const LN2_FIXED: number = Math.round(log(2) * LOG_ONE);

/** One exponential with `bits` fraction bits. */
export function fixedExp(d: number, { high, low, bits }: ExpTables): number {
  const clamped = Math.min(Math.max(d, 0), 65535);
  const product = BigInt(high[clamped >> 8]) * BigInt(low[clamped & 255]);
  return Number(product >> BigInt(2 * TABLE_BITS - bits));
}

/** A row of probabilities with scale 2^-15. */
export function softmaxRow(row: Float64Array, tables: ExpTables): Float64Array {
  const { terms, sum } = rowSum(row, tables);
  const reciprocal = (1n << BigInt(tables.bits + TABLE_BITS)) / BigInt(sum);
  const shift = BigInt(tables.bits + 15);
  return terms.map((term) => {
    const e = BigInt(term);
    const y = (e * reciprocal + (1n << (shift - 1n))) >> shift;
    return Math.min(Number(y), 32767);
  });
}

/** The natural logarithm of a row's sum, with LOG_BITS fraction bits. */
export function logOfSum(sum: number, bits: number): number {
  const zeros = Math.clz32(sum);
  const mantissa = sum << zeros;
  const index = (mantissa >>> 23) & 255;
  const fraction = (mantissa >>> 8) & 0x7fff;
  const step = logTable[index + 1] - logTable[index];
  return (31 - zeros - bits) * LN2_FIXED + logTable[index] +
    ((step * fraction) >> 15);
}

/** The maximum of a row, its exponentials and their sum. */
export function rowSum(
  row: Float64Array,
  tables: ExpTables,
): { max: number; terms: Float64Array; sum: number } {
  const max = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const terms = row.map((x) => fixedExp(max - x, tables));
  return { max, terms, sum: terms.reduce((a, b) => a + b, 0) };
}
