/**
 * Conformance of everything around operations: sums and their lanes, loops, extents, updates, layouts with
 * poisoned gaps, requantization.
 */
import * as b from "../mod.ts";
import { defineKernel, f32FromBits, f32ToBits, type Scalar } from "../mod.ts";
import { ARRAYS, bytesOf, type ConformanceCase, F32, I32 } from "./case.ts";

/** One small kernel per rule. */
export function structureCases(): ConformanceCase[] {
  return [
    laneCase(0),
    laneCase(3),
    emptySumCase(),
    wrappingSumCase(),
    negativeCountCase(),
    swapCase(),
    extentCase(3),
    extentCase(-5),
    extentCase(100),
    updateCase(-1),
    updateCase(2),
    updateCase(6),
    layoutCase(),
    contractionCase("i8", "i32"),
    contractionCase("f32", "f32"),
    requantizeCase(),
  ];
}

/** Four lanes count from the first term, also where it is not 0 modulo 4. */
function laneCase(first: number): ConformanceCase {
  const terms = F32.filter((bits) =>
    Math.abs(f32FromBits(bits)) < 1e11
  ) as number[];
  const count = terms.length - first;
  const operands = [{ dtype: "f32", shape: [terms.length] }] as const;
  const [x] = b.operandsOf(operands);
  const body = b.sum(count, (k) => b.load(x, k), { first, lanes: 4 });
  const lanes = [0, 0, 0, 0];
  for (let k = first; k < terms.length; k++) {
    const lane = (k - first) % 4;
    lanes[lane] = Math.fround(lanes[lane] + f32FromBits(terms[k]));
  }
  const total = Math.fround(
    Math.fround(lanes[0] + lanes[2]) + Math.fround(lanes[1] + lanes[3]),
  );
  return {
    kernel: defineKernel({
      name: `lanes.from_${first}`,
      operands,
      result: { dtype: "f32", shape: [1] },
      body,
    }),
    operands: [ARRAYS.f32(terms)],
    iteration: 0,
    expected: ARRAYS.f32([f32ToBits(total)]),
    float: true,
  };
}

/** A sum starts at +0, so no terms give +0 and one term of -0 gives +0. */
function emptySumCase(): ConformanceCase {
  const operands = [{ dtype: "f32", shape: [1] }] as const;
  const [x] = b.operandsOf(operands);
  return {
    kernel: defineKernel({
      name: "sum.from_plus_zero",
      operands,
      result: { dtype: "f32", shape: [2] },
      body: b.sum(b.axis(0), () => b.load(x, 0), { bound: 1 }),
    }),
    operands: [ARRAYS.f32([f32ToBits(-0)])],
    iteration: 0,
    expected: ARRAYS.f32([0, 0]),
    float: true,
  };
}

function wrappingSumCase(): ConformanceCase {
  const operands = [{ dtype: "i32", shape: [I32.length] }] as const;
  const [x] = b.operandsOf(operands);
  const total = I32.reduce((sum, v) => (sum + Math.imul(v, 0x10001)) | 0, 0);
  return {
    kernel: defineKernel({
      name: "sum.wraps",
      operands,
      result: { dtype: "i32", shape: [1] },
      body: b.sum(I32.length, (k) => b.mul(b.load(x, k), 0x10001)),
    }),
    operands: [ARRAYS.i32(I32)],
    iteration: 0,
    expected: ARRAYS.i32([total]),
    float: false,
  };
}

/** Counts of -4 .. 4: a negative count runs no pass and keeps what the loop starts with. */
function negativeCountCase(): ConformanceCase {
  const body = b.loop(
    b.sub(b.axis(0), 4),
    { sum: b.i32(100) },
    (k, [sum]) => [b.add(b.mul(sum, 3), k)],
    ([sum]) => sum,
    { first: b.sub(b.iteration, 9), bound: 4 },
  );
  const expected = Array.from({ length: 9 }, (_, i) => {
    let sum = 100;
    for (let j = 0; j < i - 4; j++) sum = sum * 3 + (5 - 9 + j);
    return sum;
  });
  return {
    kernel: defineKernel({
      name: "loop.negative_count",
      operands: [],
      result: { dtype: "i32", shape: [9] },
      body,
    }),
    operands: [],
    iteration: 5,
    expected: ARRAYS.i32(expected),
    float: false,
  };
}

/** All carries change together: each pass swaps two of them. */
function swapCase(): ConformanceCase {
  const body = b.loop(
    b.axis(0),
    { x: b.i32(7), y: b.i32(-9) },
    (_, [x, y]) => [y, x],
    ([x, y]) => b.sub(b.mul(x, 100), y),
    { bound: 32 },
  );
  return {
    kernel: defineKernel({
      name: "loop.swap",
      operands: [],
      result: { dtype: "i16", shape: [33] },
      body,
    }),
    operands: [],
    iteration: 0,
    expected: bytesOf(
      Int16Array.from({ length: 33 }, (_, i) => i % 2 ? -907 : 709),
    ),
    float: false,
  };
}

/** Beyond the extent, clamped to [0, axis], all is zero. */
function extentCase(extent: number): ConformanceCase {
  const expected = new Int16Array(35);
  for (let i = 0; i < 7; i++) {
    for (let j = 0; j < Math.min(extent, 5); j++) {
      expected[i * 5 + j] = i * 10 + j + 1;
    }
  }
  return {
    kernel: defineKernel({
      name: `extent.${extent}`,
      operands: [],
      result: { dtype: "i16", shape: [7, 5] },
      extents: [null, b.sub(b.iteration, 50)],
      body: b.add(b.add(b.mul(b.axis(0), 10), b.axis(1)), 1),
    }),
    operands: [],
    iteration: extent + 50,
    expected: bytesOf(expected),
    float: false,
  };
}

/** Rows first .. first + 2, clamped to the tensor, are new; the body reads the old neighbour below. */
function updateCase(first: number): ConformanceCase {
  const operands = [{ dtype: "u8", shape: [7, 5] }] as const;
  const [old] = b.operandsOf(operands);
  const bytes = Uint8Array.from({ length: 35 }, (_, i) => 3 * i + 1);
  const expected = bytes.slice();
  for (let i = Math.max(first, 0); i < Math.min(first + 3, 7); i++) {
    for (let j = 0; j < 5; j++) {
      expected[i * 5 + j] = bytes[Math.max(i - 1, 0) * 5 + j] + 100;
    }
  }
  return {
    kernel: defineKernel({
      name: `update.${first}`,
      operands,
      result: { dtype: "u8", shape: [7, 5] },
      update: {
        operand: 0,
        ranges: [
          { first: b.min(b.sub(b.iteration, 1), 99), count: b.i32(3) },
          { first: b.i32(0), count: b.i32(5) },
        ],
      },
      body: b.add(b.load(old, b.max(b.sub(b.axis(0), 1), 0), b.axis(1)), 100),
    }),
    operands: [bytes],
    iteration: first + 1,
    expected,
    float: false,
  };
}

/** Shape [5, 3] in blocks of 4 rows and 2 columns; gaps are poisoned. */
function layoutCase(): ConformanceCase {
  const layout = [
    { axis: 1, size: 2 },
    { axis: 0, size: 2 },
    { axis: 1, size: 2 },
    { axis: 0, size: 4 },
  ];
  const operands = [{ dtype: "i8", shape: [5, 3], layout }] as const;
  const [x] = b.operandsOf(operands);
  const bytes = new Uint8Array(32).fill(0xee);
  const expected = new Int8Array(15);
  for (let i = 0; i < 5; i++) {
    for (let j = 0; j < 3; j++) {
      const at = (((j >> 1) * 2 + (i >> 2)) * 2 + (j & 1)) * 4 + (i & 3);
      bytes[at] = expected[i * 3 + j] = 16 * i + j - 30;
    }
  }
  return {
    kernel: defineKernel({
      name: "layout.blocks",
      operands,
      result: { dtype: "i8", shape: [5, 3] },
      body: b.load(x, b.axis(0), b.axis(1)),
    }),
    operands: [bytes],
    iteration: 0,
    expected: bytesOf(expected),
    float: false,
  };
}

/** x[7, 9] times a transposed w[10, 9] in blocks of 8 rows and 4 columns, gaps NaN or 0xff. */
function contractionCase(dtype: "i8" | "f32", result: Scalar): ConformanceCase {
  const [rows, columns, depth] = [7, 10, 9];
  const layout = [
    { axis: 0, size: 2 },
    { axis: 1, size: 3 },
    { axis: 0, size: 8 },
    { axis: 1, size: 4 },
  ];
  const operands = [
    { dtype, shape: [rows, depth] },
    { dtype, shape: [columns, depth], layout },
  ] as const;
  const [x, w] = b.operandsOf(operands);
  const size = dtype === "i8" ? 1 : 4;
  const left = new DataView(new ArrayBuffer(rows * depth * size));
  const right = new DataView(new ArrayBuffer(16 * 12 * size));
  new Uint8Array(right.buffer).fill(0xff);
  const value = (at: number) =>
    dtype === "i8" ? (at * 77) % 255 - 127 : (at * 77) % 97 / 7 - 6;
  const put = (view: DataView, at: number, v: number) =>
    dtype === "i8" ? view.setInt8(at, v) : view.setFloat32(4 * at, v, true);
  for (let i = 0; i < rows * depth; i++) put(left, i, value(i));
  for (let j = 0; j < columns; j++) {
    for (let k = 0; k < depth; k++) {
      const at = (((j >> 3) * 3 + (k >> 2)) * 8 + (j & 7)) * 4 + (k & 3);
      put(right, at, value(1000 + j * depth + k));
    }
  }
  const round = dtype === "i8" ? (v: number) => v : Math.fround;
  const expected: number[] = [];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let total = 0;
      for (let k = 0; k < depth; k++) {
        const [a, c] = [value(i * depth + k), value(1000 + j * depth + k)];
        total = round(total + round(round(a) * round(c)));
      }
      expected.push(dtype === "i8" ? total : f32ToBits(total));
    }
  }
  return {
    kernel: defineKernel({
      name: `contraction.${dtype}`,
      operands,
      result: { dtype: result, shape: [rows, columns] },
      body: b.sum(
        depth,
        (k) => b.mul(b.load(x, b.axis(0), k), b.load(w, b.axis(1), k)),
      ),
    }),
    operands: [new Uint8Array(left.buffer), new Uint8Array(right.buffer)],
    iteration: 0,
    expected: ARRAYS.i32(expected),
    float: dtype === "f32",
  };
}

/** The requantization rule in big integers, over accumulators and multipliers at their edges. */
function requantizeCase(): ConformanceCase {
  const factors = [0, 2 ** 30, 2 ** 30 + 1, 1518500249, 2 ** 31 - 1];
  const shifts = [1, 7, 30, 31, 32, 45, 62];
  const operands = [
    { dtype: "i32", shape: [I32.length] },
    { dtype: "i32", shape: [factors.length] },
    { dtype: "i32", shape: [shifts.length] },
  ] as const;
  const [acc, m, s] = b.operandsOf(operands);
  const expected = I32.flatMap((a) =>
    factors.flatMap((m) =>
      shifts.map((s) => {
        const product = BigInt(a) * BigInt(m) + (1n << BigInt(s - 1));
        const value = (product >> BigInt(s)) - 3n;
        return Number(value < -128n ? -128n : value > 127n ? 127n : value);
      })
    )
  );
  return {
    kernel: defineKernel({
      name: "requantize",
      operands,
      result: {
        dtype: "i8",
        shape: [I32.length, factors.length, shifts.length],
      },
      body: b.requantize(
        b.load(acc, b.axis(0)),
        b.load(m, b.axis(1)),
        b.load(s, b.axis(2)),
        -3,
        -128,
        127,
      ),
    }),
    operands: [ARRAYS.i32(I32), ARRAYS.i32(factors), ARRAYS.i32(shifts)],
    iteration: 0,
    expected: bytesOf(Int8Array.from(expected)),
    float: false,
  };
}
