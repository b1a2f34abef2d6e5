/**
 * Conformance of scalar functions: one that calls another, in the terms of a sum and outside, with parameters of every
 * type in another order than the caller's.
 */
import * as b from "../mod.ts";
import { defineKernel, f32FromBits, f32ToBits } from "../mod.ts";
import { ARRAYS, type ConformanceCase, F32 } from "./case.ts";

const ROWS = 9;
const TERMS = 7;

/** Functions of integers and functions of floats. */
export function callCases(): ConformanceCase[] {
  return [integerCase(), floatCase()];
}

/** An i64 that no 32 bits hold, another for each index. */
const wide = (index: number) => BigInt(index * 0x1234567 - 3) << 13n;

/** outer(x, k) = inner(k + 1, inner(k, x)), where inner(k, x) = 3 x - (k + x): wraps at 64 bits. */
function integerCase(): ConformanceCase {
  const operands = [{ dtype: "i64", shape: [ROWS, TERMS] }] as const;
  const [x] = b.operandsOf(operands);
  const inner = b.scalarFunction(
    "inner",
    { k: "i32", x: "i64" },
    (k, x) => b.sub(b.mul(x, 3), b.add(b.widen(k), x)),
  );
  const outer = b.scalarFunction(
    "outer",
    { x: "i64", k: "i32" },
    (x, k) => b.call(inner, b.add(k, 1), b.call(inner, k, x)),
  );
  const value = (i: number, k: number) => wide(i * TERMS + k) << 24n;
  const plain = (k: number, x: bigint) => 3n * x - (BigInt(k) + x);
  const expected = Array.from({ length: ROWS }, (_, i) => {
    let total = plain(i, -5n);
    for (let k = 0; k < TERMS; k++) {
      total += plain(k + 1, plain(k, value(i, k)));
    }
    return BigInt.asIntN(64, total);
  });
  return {
    kernel: defineKernel({
      name: "call.i64",
      operands,
      result: { dtype: "i64", shape: [ROWS] },
      functions: [inner, outer],
      body: b.add(
        b.sum(TERMS, (k) => b.call(outer, b.load(x, b.axis(0), k), k)),
        b.call(inner, b.axis(0), -5),
      ),
    }),
    operands: [
      ARRAYS.i64(
        Array.from(
          { length: ROWS * TERMS },
          (_, at) => BigInt.asIntN(64, value(0, at)),
        ),
      ),
    ],
    iteration: 0,
    expected: ARRAYS.i64(expected),
    float: false,
  };
}

/** outer(w, x) = x - inner(x, w), where inner(x, w) = x * f32(w): each step rounds to binary32. */
function floatCase(): ConformanceCase {
  const operands = [
    { dtype: "f32", shape: [ROWS, TERMS] },
    { dtype: "i64", shape: [TERMS] },
  ] as const;
  const [x, w] = b.operandsOf(operands);
  const inner = b.scalarFunction(
    "inner",
    { x: "f32", w: "i64" },
    (x, w) => b.mul(x, b.toF32(w)),
  );
  const outer = b.scalarFunction(
    "outer",
    { w: "i64", x: "f32" },
    (w, x) => b.sub(x, b.call(inner, x, w)),
  );
  const finite = F32.filter((bits) =>
    Math.abs(f32FromBits(bits as number)) < 1e11
  ) as number[];
  const left = Array.from(
    { length: ROWS * TERMS },
    (_, at) => finite[at % finite.length],
  );
  // Below 2^53, so that the only rounding on the way to binary32 is fround's.
  const right = Array.from({ length: TERMS }, (_, k) => wide(k + 1));
  const expected = Array.from({ length: ROWS }, (_, i) => {
    let total = 0;
    for (let k = 0; k < TERMS; k++) {
      const value = f32FromBits(left[i * TERMS + k]);
      const product = Math.fround(value * Math.fround(Number(right[k])));
      total = Math.fround(total + Math.fround(value - product));
    }
    return f32ToBits(total);
  });
  return {
    kernel: defineKernel({
      name: "call.f32",
      operands,
      result: { dtype: "f32", shape: [ROWS] },
      functions: [inner, outer],
      body: b.sum(
        TERMS,
        (k) => b.call(outer, b.load(w, k), b.load(x, b.axis(0), k)),
      ),
    }),
    operands: [ARRAYS.f32(left), ARRAYS.i64(right)],
    iteration: 0,
    expected: ARRAYS.f32(expected),
    float: true,
  };
}
