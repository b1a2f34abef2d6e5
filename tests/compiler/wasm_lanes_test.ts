/**
 * Kernels that WebAssembly computes eight neighbours at a time: requantization with parameters of any
 * size, depthwise windows, pools, tables and broadcasts, against the interpreter.
 */
import { assertEquals } from "@std/assert";
import {
  add,
  axis,
  byteLength,
  clamp,
  defineKernel,
  type DType,
  type Expr,
  i32,
  interpret,
  type Kernel,
  load,
  loop,
  max,
  mul,
  op,
  operandsOf,
  printKernel,
  requantize,
  select,
  sub,
  sum,
  type TensorType,
} from "../../compiler/mod.ts";
import { runWasm } from "../../compiler/conformance/mod.ts";
import { Random } from "../random.ts";

const narrow: DType[] = ["i8", "u8", "i16"];

/** Rows of biases, multipliers and shifts; a few channels have what no conversion writes. */
function parameters(random: Random, channels: number): Uint8Array {
  const odd = random.below(3) === 0;
  const rows = [
    () => random.u32() | 0,
    () => odd ? random.u32() | 0 : 2 ** 30 + random.below(2 ** 30),
    () => odd ? random.below(70) - 3 : 34 + random.below(29),
  ];
  const values = rows.flatMap((row) => Array.from({ length: channels }, row));
  return new Uint8Array(Int32Array.from(values).buffer);
}

function check(kernel: Kernel, random: Random, last?: Uint8Array): void {
  const operands = kernel.operands.map((type, i) =>
    last && i === kernel.operands.length - 1
      ? last
      : random.bytes(byteLength(type))
  );
  const constants = operands.map((_, i) => i).slice(1);
  for (const target of [{}, { constants }]) {
    assertEquals(
      runWasm(
        kernel,
        operands,
        1,
        [random.below(40), random.below(40)],
        target,
      ),
      interpret(kernel, operands, 1),
      `Seed ${random.seed}\n${printKernel(kernel)}`,
    );
  }
}

/** Bias, multiplier and shift of a channel, as the lowering writes them. */
function finish(acc: Expr, q: ReturnType<typeof operandsOf>[number], c: Expr) {
  return requantize(
    add(acc, load(q, 0, c)),
    load(q, 1, c),
    load(q, 2, c),
    0,
    -128,
    127,
  );
}

Deno.test("compileWasm equals the interpreter on depthwise windows with any parameters", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const [size, channels] = [2 + random.below(10), 1 + random.below(40)];
    const operands: TensorType[] = [
      { dtype: random.pick(narrow), shape: [size, size, channels] },
      { dtype: random.pick(narrow), shape: [channels, 3, 3] },
      { dtype: "i32", shape: [3, channels] },
    ];
    const [x, w, q] = operandsOf(operands);
    const inside = (at: Expr, next: (index: Expr) => Expr) =>
      select(op("i32.lt_u", at, size), next(clamp(at, 0, size - 1)), 0);
    const place = (a: number, k: Expr) => sub(add(axis(a), k), 1);
    const acc = sum(
      3,
      (i) =>
        inside(
          place(0, i),
          (y) =>
            sum(3, (j) =>
              inside(place(1, j), (z) =>
                mul(load(x, y, z, axis(2)), load(w, axis(2), i, j)))),
        ),
    );
    const kernel = defineKernel({
      name: "depthwise",
      operands,
      result: { dtype: "i8", shape: [size, size, channels] },
      body: finish(acc, q, axis(2)),
    });
    check(kernel, random, parameters(random, channels));
  }
});

Deno.test("compileWasm equals the interpreter on requantized accumulators", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const [rows, channels] = [1 + random.below(6), 1 + random.below(40)];
    const operands: TensorType[] = [
      { dtype: "i32", shape: [rows, channels] },
      { dtype: "i32", shape: [3, channels] },
    ];
    const [x, q] = operandsOf(operands);
    const kernel = defineKernel({
      name: "requantize",
      operands,
      result: { dtype: "i8", shape: [rows, channels] },
      body: finish(load(x, axis(0), axis(1)), q, axis(1)),
    });
    check(kernel, random, parameters(random, channels));
  }
});

Deno.test("compileWasm equals the interpreter on pools, tables and transposes", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const [size, channels] = [2 + random.below(6), 1 + random.below(40)];
    const dtype = random.pick<DType>(["bool", "i8", "u8", "i16", "u16", "i32"]);
    const operands: TensorType[] = [
      { dtype, shape: [size, size, channels] },
      { dtype: random.pick(narrow), shape: [256] },
    ];
    const [x, t] = operandsOf(operands);
    const best = (i: number, at: Expr[], value: Expr): Expr =>
      i === 2
        ? max(value, load(x, ...at, axis(1)))
        : loop(size, { value }, (k, [v]) => [best(i + 1, [...at, k], v)]);
    const shapes = [[3, channels], [channels, size]];
    const bodies = [
      best(0, [], i32(-40000)),
      sub(
        load(t, clamp(load(x, 0, axis(1), axis(0)), 0, 255)),
        load(x, 1, 0, axis(0)),
      ),
    ];
    bodies.forEach((body, i) =>
      check(
        defineKernel({
          name: ["pool", "table"][i],
          operands,
          result: {
            dtype: random.pick<DType>(["i8", "i16", "i32"]),
            shape: shapes[i],
          },
          body,
        }),
        random,
      )
    );
  }
});
