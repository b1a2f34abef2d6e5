import { assert, assertEquals, assertThrows } from "@std/assert";
import * as b from "../../../compiler/kernel/build.ts";
import { defineKernel } from "../../../compiler/kernel/define.ts";
import type { Expr, Kernel, Layout } from "../../../compiler/ir.ts";
import { limits, verifyKernel } from "../../../compiler/kernel/verify.ts";
import { ChainLearnError } from "../../../fpvm/mod.ts";

const operands = [
  { dtype: "i8", shape: [4, 9] },
  { dtype: "u8", shape: [256] },
  { dtype: "i32", shape: [4] },
] as const;
const [matrix, table, words] = b.operandsOf(operands);

const kernelOf = (body: Expr, more: Partial<Kernel> = {}): Kernel =>
  defineKernel({
    name: "sample",
    operands,
    result: { dtype: "i32", shape: [4, 9] },
    body,
    ...more,
  });

function assertRefused(kernel: Kernel, ...parts: string[]): void {
  const error = assertThrows(
    () => verifyKernel(kernel),
    ChainLearnError,
    "Cannot verify kernel",
  );
  for (const part of parts) {
    assert(
      error.message.includes(part),
      `Expected "${part}" in "${error.message}"`,
    );
  }
}

const literal = (expr: unknown): Expr => expr as Expr;

Deno.test("verifyKernel: proves loads over axes, loops, clamps and storage types", () => {
  const i = b.axis(0);
  const j = b.axis(1);
  for (
    const body of [
      b.load(matrix, i, j),
      b.load(table, b.add(b.mul(i, 8), j)),
      b.load(table, b.add(b.load(matrix, i, j), 128)),
      b.load(table, b.load(table, b.and(b.load(words, i), 255))),
      b.load(table, b.op("i32.rem_u", b.load(words, i), 256)),
      b.load(table, b.shrU(b.load(words, i), 24)),
      b.load(table, b.clamp(b.sub(b.mul(j, 3), 5), 0, 255)),
      b.load(words, b.min(b.iteration, 3)),
      b.load(table, b.div(b.min(b.iteration, 2 ** 20), 4097)),
      b.sum(9, (k) => b.load(matrix, i, k)),
      b.sum(b.add(i, 1), (k) => b.load(matrix, i, k), {
        bound: 4,
        first: b.add(i, 2),
      }),
      // An argmax carries an index; that it stays below 9 is found by widening.
      b.load(
        table,
        b.loop(9, { best: b.i32(0) }, (k, [best]) => [
          b.select(
            b.lt(b.load(matrix, i, best), b.load(matrix, i, k)),
            k,
            best,
          ),
        ]),
      ),
    ]
  ) verifyKernel(kernelOf(body));
});

Deno.test("verifyKernel: D4 refuses every load that may leave its operand", () => {
  const i = b.axis(0);
  const j = b.axis(1);
  const guarded = b.select(b.lt(j, 4), b.load(words, j), 0);
  assertRefused(
    kernelOf(b.load(matrix, j, i)),
    '"sample"',
    "%0[i1, i0]",
    "0..3",
  );
  assertRefused(kernelOf(guarded), "index 0 in 0..3", "0..8");
  assertRefused(kernelOf(b.load(table, b.load(words, i))), "%1[%2[i0]]");
  assertRefused(kernelOf(b.load(table, b.load(matrix, i, j))), "-128..127");
  assertRefused(kernelOf(b.load(words, b.iteration)), "0..2147483646");
  assertRefused(kernelOf(b.load(words, b.sub(i, 1))), "-1..2");
  // The sum of two bytes may not wrap, the product of two words may.
  assertRefused(
    kernelOf(b.load(table, b.mul(b.load(words, i), 2))),
    "-2147483648",
  );
  assertRefused(
    kernelOf(
      b.load(words, b.max(b.mul(b.load(words, i), b.load(words, 0)), 0)),
    ),
    "0..2147483647",
  );
  assertRefused(kernelOf(b.sum(5, (k) => b.load(words, k))), "0..4");
  assertRefused(
    kernelOf(
      b.load(words, b.loop(3, { x: b.i32(0) }, (_, [x]) => [b.add(x, 1)])),
    ),
    "%2[",
  );
  // A float says nothing of the integer that it becomes.
  assertRefused(
    kernelOf(b.load(words, b.op("i32.from_f32", b.toF32(i)))),
    "%2[",
  );
});

Deno.test("verifyKernel: refuses loop counts that may pass their bound or depend on data", () => {
  const i = b.axis(0);
  assertRefused(
    kernelOf(b.sum(b.add(i, 1), () => b.i32(1), { bound: 3 })),
    "up to 3",
    "up to 4",
  );
  assertRefused(
    kernelOf(b.sum(b.iteration, () => b.i32(1), { bound: 100 })),
    "up to 100",
  );
  assertRefused(
    kernelOf(b.sum(b.load(matrix, 0, 0), () => b.i32(1), { bound: 127 })),
    "bounds over axes and iteration",
  );
  assertRefused(
    kernelOf(b.sum(3, (k) => b.sum(k, () => b.i32(1), { bound: 3 }))),
    "bounds over axes and iteration",
  );
  assertRefused(kernelOf(b.sum(0, () => b.i32(1))), "bound of at least 1");
});

Deno.test("verifyKernel: refuses wrong types, names, operands and functions", () => {
  const one = b.i32(1);
  const kernel = kernelOf(one);
  const bad = (body: unknown) => ({ ...kernel, body: literal(body) });
  assertRefused(kernelOf(b.i64(1)), "expected i32", "found i64");
  assertRefused(
    bad({ kind: "op", op: "i32.add", args: [one, b.i64(1)] }),
    "expected i32 in 1L",
  );
  assertRefused(bad({ kind: "op", op: "i32.add", args: [one] }), "2 arguments");
  assertRefused(bad({ kind: "op", op: "toString", args: [] }), '"toString"');
  assertRefused(
    bad({ kind: "const", type: "i32", value: 2 ** 31 }),
    "a constant of type i32",
  );
  assertRefused(
    bad({ kind: "const", type: "i32", value: 0.5 }),
    "a constant of type i32",
  );
  assertRefused(
    bad({ kind: "const", type: "i64", value: 1n << 63n }),
    "a constant of type i64",
  );
  assertRefused(bad({ kind: "axis", axis: 2 }), "an axis below 2");
  assertRefused(
    bad({ kind: "var", name: "x", type: "i32" }),
    "a variable in scope",
  );
  assertRefused(
    bad({ kind: "load", operand: 3, index: [] }),
    "an operand below 3",
  );
  assertRefused(bad({ kind: "load", operand: 0, index: [one] }), "2 indices");
  assertRefused(
    bad({ kind: "call", fn: "f", args: [] }),
    "a function listed before",
  );
  const bound = { kind: "let", name: "x", value: one, body: one } as const;
  assertRefused(
    bad({ kind: "op", op: "i32.add", args: [bound, bound] }),
    '"x" bound again',
  );
  assertRefused(
    bad({
      kind: "let",
      name: "x",
      value: b.i64(1),
      body: { kind: "var", name: "x", type: "i32" },
    }),
    "expected i64",
  );
  const call = { kind: "call", fn: "f", args: [] } as const;
  const self = { name: "f", params: [], result: "i32", body: call } as const;
  assertRefused({ ...kernel, functions: [self] }, "a function listed before");
  assertRefused(
    { ...kernel, functions: [{ ...self, body: b.axis(0) }] },
    "parameters alone",
  );
  assertRefused(
    { ...kernel, functions: [{ ...self, body: b.load(words, 0) }] },
    "parameters alone",
  );
  const lanes = { ...b.sum(2, () => one), lanes: 4 };
  assertRefused(bad(lanes), "4 of f32");
});

Deno.test("verifyKernel: refuses tensors and layouts that have no place for an element", () => {
  const kernel = kernelOf(b.i32(0));
  const withLayout = (layout: Layout) => ({
    ...kernel,
    operands: [{ dtype: "i8" as const, shape: [5, 3], layout }],
  });
  verifyKernel(
    withLayout([{ axis: 0, size: 3 }, { axis: 1, size: 3 }, {
      axis: 0,
      size: 2,
    }]),
  );
  assertRefused(
    withLayout([{ axis: 0, size: 4 }, { axis: 1, size: 3 }]),
    "5 places on axis 0",
  );
  assertRefused(withLayout([{ axis: 0, size: 5 }]), "3 places on axis 1");
  assertRefused(
    withLayout([{ axis: 0, size: 5 }, { axis: 1, size: 3 }, {
      axis: 2,
      size: 1,
    }]),
    "axis 2",
  );
  assertRefused({
    ...kernel,
    result: { dtype: "i32", shape: [1, 1, 1, 1, 1, 1, 1] },
  }, "6 dimensions");
  assertRefused(
    { ...kernel, result: { dtype: "i32", shape: [4, 0] } },
    "at least 1",
  );
  assertRefused({
    ...kernel,
    result: { dtype: "i8", shape: [2 ** 20, 2 ** 11] },
  }, "elements");
  assertRefused(
    { ...kernel, operands: Array(32).fill(operands[2]) },
    "31 operands",
  );
});

Deno.test("verifyKernel: lets extents and updates depend on the iteration alone", () => {
  const body = b.i32(0);
  const grown = b.add(b.iteration, 1);
  verifyKernel(kernelOf(body, { extents: [null, grown] }));
  assertRefused(
    kernelOf(body, { extents: [b.axis(0), null] }),
    "the iteration alone",
  );
  assertRefused(
    kernelOf(body, { extents: [b.load(words, 0), null] }),
    "the iteration alone",
  );
  assertRefused(kernelOf(body, { extents: [grown] }), "2 extents");
  const ranges = (first: Expr) => [{ first, count: b.i32(1) }];
  const update = (first: Expr, operand = 2): Kernel =>
    kernelOf(body, {
      result: { dtype: "i32", shape: [4] },
      update: { operand, ranges: ranges(first) },
    });
  verifyKernel(update(b.iteration));
  assertRefused(
    { ...update(b.iteration), extents: [grown] },
    "extents or an update",
  );
  assertRefused(update(grown), "fits i32");
  assertRefused(update(b.axis(0)), "the iteration alone");
  assertRefused(
    update(b.iteration, 1),
    "the updated operand of the result's type",
  );
});

Deno.test("verifyKernel: bounds depth, size, nesting and work of an untrusted kernel", () => {
  let deep: Expr = b.axis(0);
  for (let i = 0; i < limits.depth + 1; i++) deep = b.op("i32.clz", deep);
  assertRefused(kernelOf(b.i32(0), { body: deep }), "deep");
  let doubled: Expr = b.axis(0);
  for (let i = 0; i < 40; i++) {
    doubled = { kind: "op", op: "i32.add", args: [doubled, doubled] };
  }
  assertRefused(
    { ...kernelOf(b.i32(0)), body: doubled },
    `at most ${limits.nodes} expressions`,
  );
  const nest = (n: number): Expr =>
    n === 0 ? b.axis(1) : b.sum(1, () => nest(n - 1));
  verifyKernel(kernelOf(nest(limits.nesting)));
  assertRefused(kernelOf(nest(limits.nesting + 1)), "loops inside each other");
  const work = (n: number) =>
    kernelOf(b.sum(n, (k) => b.sum(n, (l) => b.xor(k, l))));
  verifyKernel(work(500));
  assertRefused(work(5000), "operations per element");
});

Deno.test("verifyKernel: counts a softmax's row maximum and row sum once per row", () => {
  const [rows, columns] = [64, 500];
  const tensor = { dtype: "i32", shape: [rows, columns] } as const;
  const [x] = b.operandsOf([tensor]);
  const i = b.axis(0);
  const body = b.bind(
    "most",
    b.loop(
      columns,
      { m: b.i32(-(2 ** 31)) },
      (k, [m]) => [b.max(m, b.load(x, i, k))],
    ),
    (most) =>
      b.div(
        b.sub(b.load(x, i, b.axis(1)), most),
        b.sum(columns, (k) => b.sub(b.load(x, i, k), most)),
      ),
  );
  const { work } = verifyKernel(defineKernel({
    name: "softmax",
    operands: [tensor],
    result: tensor,
    body,
  }));
  assertEquals(work.element, 2 * columns * 3 + 3);
  assertEquals(work.total, rows * (2 * columns * 3) + rows * columns * 3);
});
