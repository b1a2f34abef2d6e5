/**
 * The conformance suite that every target runs: each operation of the table on edge values against edge
 * values, each storage type both ways, and the rules of loops, extents and updates.
 *
 * What an operation has to give comes from `ops[op].meaning`; what a store or a sum has to give comes
 * from typed arrays and plain loops, not from the interpreter, which runs the suite like any other target.
 */
import * as b from "../../compiler/build.ts";
import { defineKernel } from "../../compiler/define.ts";
import {
  type DType,
  f32FromBits,
  f32ToBits,
  type Kernel,
  type Op,
  ops,
  type Scalar,
  type Value,
} from "../../compiler/ir.ts";

/** A kernel, what it reads, and the result bytes that every target gives. */
export interface ConformanceCase {
  readonly kernel: Kernel;
  readonly operands: readonly Uint8Array[];
  readonly iteration: number;
  readonly expected: Uint8Array;
  /** Operations or storage of f32, f16 or bf16 occur. */
  readonly float: boolean;
}

const I32 = [
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

const F32 = [
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

const EDGES: Record<Scalar, readonly Value[]> = {
  i32: I32,
  i64: I64,
  f32: F32,
};
const ARRAYS: Record<Scalar, (values: readonly Value[]) => Uint8Array> = {
  i32: (values) => bytesOf(Int32Array.from(values as number[])),
  i64: (values) => bytesOf(BigInt64Array.from(values as bigint[])),
  f32: (values) => bytesOf(Int32Array.from(values as number[])),
};

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer as ArrayBuffer);
}

/** Every case; with `float: false` those that a target without f32 can run. */
export function conformanceKernels(
  options: { readonly float?: boolean } = {},
): ConformanceCase[] {
  const all = [
    ...(Object.keys(ops) as Op[]).map(operationCase),
    ...storageCases(),
    ...structureCases(),
  ];
  return options.float === false ? all.filter((c) => !c.float) : all;
}

/** One operation over every combination of edge values, an axis per argument. */
function operationCase(op: Op): ConformanceCase {
  const { args, result } = ops[op];
  const isSelect = args.length === 3;
  const values = args.map((type, i) =>
    isSelect && i === 0 ? [0, 1, -1, 256, -(2 ** 31)] : EDGES[type]
  );
  const shape = values.map((v) => v.length);
  const types = args.map((dtype, i) => ({ dtype, shape: [shape[i]] }));
  const handles = b.operandsOf(types);
  const kernel = defineKernel({
    name: op,
    operands: types,
    result: { dtype: result, shape },
    body: b.op(op, ...handles.map((h, i) => b.load(h, b.axis(i)))),
  });
  const meaning = ops[op].meaning as (...args: Value[]) => Value;
  const combine = (
    chosen: Value[],
    rest: readonly (readonly Value[])[],
  ): Value[] =>
    rest.length === 0
      ? [meaning(...chosen)]
      : rest[0].flatMap((v) => combine([...chosen, v], rest.slice(1)));
  return {
    kernel,
    operands: values.map((v, i) => ARRAYS[args[i]](v)),
    iteration: 0,
    expected: ARRAYS[result](combine([], values)),
    float: result === "f32" || (args as readonly Scalar[]).includes("f32"),
  };
}

// --- storage -----------------------------------------------------------------------------------------

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
      body: b.load(b.operandsOf(operands)[0], b.axis(0)),
    }),
    operands: [operand],
    iteration: 0,
    expected,
    float: from.includes("f") || to.includes("f"),
  };
}

function storageCases(): ConformanceCase[] {
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
    ? mantissa * 2 ** -24
    : (mantissa + 1024) * 2 ** (exponent - 25);
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

// --- structure -------------------------------------------------------------------------------------

function structureCases(): ConformanceCase[] {
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
