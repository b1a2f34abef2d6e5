import { assert, assertEquals, assertThrows } from "@std/assert";
import * as b from "../../compiler/kernel/build.ts";
import { defineKernel } from "../../compiler/kernel/define.ts";
import { interpret } from "../../compiler/kernel/interpreter.ts";
import { byteLength, type DType, type Kernel } from "../../compiler/ir.ts";
import { emitLeafProgram, printLeafProgram } from "../../compiler/mips/mod.ts";
import { verifyKernel } from "../../compiler/kernel/verify.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import { Random } from "../random.ts";
import {
  argMax,
  convolution,
  matmul,
  maxPool,
  saturatedAdd,
  softmax,
  wideMatmul,
} from "./mips_kernels.ts";
import {
  leafOperands,
  type LeafRun,
  runLeaves,
} from "../../compiler/conformance/mod.ts";

/** Runs every leaf against the interpreter; without computed counts the step bound is exact. */
function check(kernel: Kernel, options: { exact?: boolean } = {}): LeafRun {
  verifyKernel(kernel);
  const random = new Random(7);
  const operands = kernel.operands.map((type) =>
    random.bytes(byteLength(type))
  );
  const run = runLeaves(kernel, operands, 3);
  assertEquals(run.result, interpret(kernel, operands, 3), kernel.name);
  const most = Math.max(...run.steps);
  if (options.exact ?? true) {
    assertEquals(run.program.worstSteps, most, `steps of ${kernel.name}`);
  } else {
    assert(most <= run.program.worstSteps, `steps of ${kernel.name}`);
  }
  return run;
}

const SHAPES = [[], [1], [31], [32], [33], [7, 5], [1, 33], [3, 1, 11], [65]];

Deno.test("emitLeafProgram: leaves straddle rows and end with the tensor, for every element size", () => {
  for (const shape of SHAPES) {
    for (const dtype of ["i8", "i16", "i32", "i64"] as DType[]) {
      check(saturatedAdd(shape, dtype));
    }
  }
});

Deno.test("emitLeafProgram: matmul, rows of any length, weights by rows, columns or blocks", () => {
  check(matmul([3, 40, 33]));
  check(matmul([2, 67, 5], { dtype: "i16" }));
  check(matmul([2, 67, 7], { transposed: true, result: "i32" }));
  check(matmul([5, 24, 3], { result: "i64" }));
  check(matmul([3, 64, 16], {
    transposed: true,
    layout: [
      { axis: 0, size: 2 },
      { axis: 1, size: 32 },
      { axis: 0, size: 8 },
      { axis: 1, size: 2 },
    ],
  }));
});

Deno.test("emitLeafProgram: i64 sums of wide products, of fixed and of computed length", () => {
  for (const k of [3, 24, 67, 300]) {
    const { program } = check(wideMatmul([3, k, 7]));
    if (k === 300) assert(program.worstSteps / (4 * k) < 4);
  }
  const count = b.clamp(b.add(b.axis(0), b.iteration), 0, 67);
  check(wideMatmul([60, 67, 3], count), { exact: false });
});

Deno.test("emitLeafProgram: convolution, with groups, stride, dilation and both ways of padding", () => {
  check(convolution({ size: 7, inputs: 16, outputs: 5, kernel: 3 }));
  for (const padding of ["outside", "inside"] as const) {
    const shape = { size: 6, outputs: 8, kernel: 3, pad: 1, padding };
    check(convolution({ ...shape, inputs: 4 }));
    check(convolution({ ...shape, inputs: 40 }));
    check(convolution({ ...shape, inputs: 8, groups: 8 }));
    check(convolution({ ...shape, inputs: 8, groups: 8, shiftsKnown: true }));
    check(convolution({ ...shape, inputs: 8, groups: 2 }));
  }
  check(convolution({
    size: 9,
    inputs: 8,
    outputs: 4,
    kernel: 3,
    groups: 2,
    stride: 2,
    pad: 2,
    dilation: 2,
  }));
  check(convolution({
    size: 8,
    inputs: 12,
    outputs: 12,
    kernel: 3,
    groups: 12,
    pad: 1,
  }));
  for (const [groups, inputs] of [[1, 20], [20, 20], [1, 3]]) {
    const shape = { size: 6, inputs, outputs: 20, kernel: 3, pad: 1, groups };
    check(convolution({ ...shape, padding: "window" }), { exact: false });
  }
});

Deno.test("emitLeafProgram: pooling, argmax and softmax, the latter's row values once per row", () => {
  check(maxPool(9, 5, 2));
  check(maxPool(10, 33, 3));
  check(argMax(37, 10, "i64"));
  check(argMax(70, 300, "i32"));
  check(softmax(5, 10));
  const long = check(softmax(3, 1000));
  // 3 steps a column for the maximum and about 6 for the sum; a leaf spans at most two rows.
  assert(long.program.worstSteps < 2 * 1000 * 16 + 32 * 40);
});

Deno.test("emitLeafProgram: steps depend on the leaf and the iteration, not on the operands", () => {
  for (
    const kernel of [matmul([2, 9, 33]), argMax(9, 50, "i64"), softmax(4, 9)]
  ) {
    const runs = [1, 2, 3].map((seed) => {
      const random = new Random(seed);
      const operands = kernel.operands.map((t) => random.bytes(byteLength(t)));
      return runLeaves(kernel, operands, 0).steps;
    });
    assertEquals(runs[0], runs[1]);
    assertEquals(runs[0], runs[2]);
  }
});

Deno.test("emitLeafProgram: counts, extents and updates follow the iteration", () => {
  const types = [
    { dtype: "i16", shape: [4, 19] },
    { dtype: "i16", shape: [19] },
  ] as const;
  const [x, y] = b.operandsOf(types);
  const upTo = b.clamp(b.iteration, 0, 19);
  const scores = defineKernel({
    name: "scores",
    operands: types,
    result: { dtype: "i16", shape: [4, 19] },
    extents: [null, b.add(b.iteration, 1)],
    body: b.sum(
      upTo,
      (k) => b.mul(b.load(x, b.axis(0), k), b.load(y, b.axis(1))),
      { bound: 19 },
    ),
  });
  const cache = defineKernel({
    name: "cache",
    operands: types,
    result: { dtype: "i16", shape: [4, 19] },
    update: {
      operand: 0,
      ranges: [{ first: b.iteration, count: b.i32(1) }, {
        first: b.i32(2),
        count: b.sub(b.iteration, 1),
      }],
    },
    body: b.mul(b.load(y, b.axis(1)), 3),
  });
  for (const kernel of [scores, cache]) {
    verifyKernel(kernel);
    const random = new Random(11);
    const operands = types.map((type) => random.bytes(byteLength(type)));
    for (const iteration of [0, 1, 2, 3, 7, 18, 19, 40]) {
      const { result, steps, program } = runLeaves(kernel, operands, iteration);
      assertEquals(
        result,
        interpret(kernel, operands, iteration),
        `${kernel.name} at ${iteration}`,
      );
      assert(Math.max(...steps) <= program.worstSteps);
    }
  }
});

Deno.test("emitLeafProgram: more live values than registers go to the stack and come back", () => {
  const type = { dtype: "i32", shape: [64] } as const;
  const [x] = b.operandsOf([type]);
  const values = Array.from(
    { length: 60 },
    (_, i) =>
      b.mul(b.load(x, b.rem(b.add(b.axis(0), i), 64)), 0x10001 * (i + 3)),
  );
  const reduce = (op: typeof b.add) => values.reduce((a, v) => op(a, v));
  const body = b.add(
    b.sum(5, (k) => b.xor(b.add(reduce(b.xor), k), reduce(b.max))),
    reduce(b.min),
  );
  check(defineKernel({
    name: "spills",
    operands: [type],
    result: { dtype: "i32", shape: [40] },
    body,
  }));
});

Deno.test("emitLeafProgram: takes at most 3.5, 4.5 and 8 steps per multiply-accumulate, over the whole leaf", () => {
  const perMac = (kernel: Kernel, macs: number) =>
    emitLeafProgram(kernel, leafOperands(kernel)).worstSteps / (32 * macs);
  const square = { size: 16, kernel: 3, pad: 1, shiftsKnown: true };
  const measured = [
    perMac(matmul([1, 512, 32]), 512),
    perMac(matmul([4, 784, 24], { transposed: true }), 784),
    perMac(convolution({ ...square, inputs: 16, outputs: 24 }), 144),
    perMac(convolution({ ...square, inputs: 64, outputs: 32 }), 576),
    perMac(
      convolution({ ...square, inputs: 32, outputs: 32, groups: 32 }),
      9,
    ),
  ];
  const bars = [3.5, 3.5, 4.5, 4.5, 8];
  measured.forEach((steps, i) => assert(steps <= bars[i], `${measured}`));
});

Deno.test("emitLeafProgram: a guard is not pushed into a sum that varies less often than it", () => {
  const types = [
    { dtype: "i8", shape: [4, 300] },
    { dtype: "i8", shape: [4, 32] },
  ] as const;
  const [x, y] = b.operandsOf(types);
  const row = b.sum(300, (k) => b.load(x, b.axis(0), k));
  const product = b.mul(row, b.load(y, b.axis(0), b.axis(1)));
  const isOdd = b.and(b.axis(1), 1);
  const kernel = defineKernel({
    name: "scaled_rows",
    operands: types,
    result: { dtype: "i32", shape: [4, 32] },
    body: b.select(isOdd, b.add(product, row), 0),
  });
  const { program } = check(kernel);
  assert(program.worstSteps < 2 * 3 * 300, `${program.worstSteps} steps`);
});

Deno.test("emitLeafProgram: loads only the operands that the kernel reads", () => {
  const type = { dtype: "i32", shape: [8] } as const;
  const [, , last] = b.operandsOf([type, type, type]);
  const kernel = defineKernel({
    name: "third",
    operands: [type, type, type],
    result: type,
    body: b.load(last, b.axis(0)),
  });
  const text = printLeafProgram(emitLeafProgram(kernel, leafOperands(kernel)));
  assertEquals(text.match(/syscall/g)!.length, 2);
  check(kernel);
});

Deno.test("emitLeafProgram: names the kernel that it refuses", () => {
  const heights = [{ height: 26, constant: false }, {
    height: 0,
    constant: false,
  }];
  assertThrows(
    () => emitLeafProgram(saturatedAdd([8], "i8"), heights),
    ChainLearnError,
    "expected activations of at most 1073741824 bytes",
  );
  const long = matmul([1, 1 << 24, 32], { result: "i32" });
  assertThrows(
    () => emitLeafProgram(long, leafOperands(long)),
    ChainLearnError,
    "expected at most 268435456 steps per leaf",
  );
});

Deno.test("emitLeafProgram: gives the same bytes every time", () => {
  const kernel = convolution({ size: 6, inputs: 4, outputs: 6, kernel: 3 });
  const emit = () => emitLeafProgram(kernel, leafOperands(kernel));
  assertEquals(emit(), emit());
});

Deno.test("emitLeafProgram: D16 refuses calls of calls that would fill the memory, with and without equal parts", () => {
  for (const change of [0, 1]) {
    let last = b.scalarFunction("f0", { x: "i32" }, (x) => b.add(x, 1));
    const functions = [last];
    for (let i = 1; i < 26; i++) {
      const called = last;
      last = b.scalarFunction(
        `f${i}`,
        { x: "i32" },
        (x) =>
          b.add(b.call(called, b.mul(x, i)), b.call(called, b.xor(x, change))),
      );
      functions.push(last);
    }
    const operands = [{ dtype: "i8" as const, shape: [2 ** 26] }];
    const [x] = b.operandsOf(operands);
    const kernel = defineKernel({
      name: "doubling",
      operands,
      functions,
      result: { dtype: "i32", shape: [1] },
      body: b.call(last, b.load(x, 5)),
    });
    // So much work is allowed beside an operand of this size.
    verifyKernel(kernel);
    assertThrows(
      () => emitLeafProgram(kernel, leafOperands(kernel)),
      ChainLearnError,
      'Cannot emit kernel "doubling" for MIPS: expected at most 131072',
    );
  }
});
