import { assert, assertEquals, assertThrows } from "@std/assert";
import * as b from "../../../compiler/kernel/build.ts";
import { defineKernel } from "../../../compiler/kernel/define.ts";
import { updatesInPlace } from "../../../compiler/kernel/in_place.ts";
import {
  interpret,
  prepareKernel,
} from "../../../compiler/kernel/interpreter.ts";
import {
  byteLength,
  dtypes,
  type Expr,
  type Kernel,
  ops,
  type Value,
} from "../../../compiler/ir.ts";
import { readers, writers } from "../../../compiler/kernel/storage.ts";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import { ChainLearnError } from "../../../fpvm/mod.ts";
import {
  conformanceKernels,
  randomKernel,
} from "../../../compiler/conformance/mod.ts";
import { Random } from "../../random.ts";

Deno.test("interpret: D17 gives every case of the conformance suite bit for bit", () => {
  for (
    const { kernel, operands, iteration, expected } of conformanceKernels()
  ) {
    verifyKernel(kernel);
    const found = interpret(kernel, operands, iteration);
    if (
      found.length !== expected.length ||
      found.some((x, i) => x !== expected[i])
    ) {
      assertEquals(found, expected, kernel.name);
    }
  }
});

type Environment = ReadonlyMap<string, Value>;

/** The element at `axes`, by walking the tree: no closures, no cells, nothing kept. */
function element(
  kernel: Kernel,
  operands: readonly Uint8Array[],
  iteration: number,
  axes: readonly number[],
): Value {
  const value = (e: Expr, env: Environment): Value => {
    const number = (e: Expr) => value(e, env) as number;
    const add = (type: "i32" | "i64" | "f32", x: Value, y: Value) =>
      (ops[`${type}.add`].meaning as (x: Value, y: Value) => Value)(x, y);
    switch (e.kind) {
      case "const":
        return e.value;
      case "axis":
        return axes[e.axis];
      case "iteration":
        return iteration;
      case "var":
        return env.get(e.name)!;
      case "op":
        return (ops[e.op].meaning as (...a: Value[]) => Value)(
          ...e.args.map((a) => value(a, env)),
        );
      case "load": {
        const type = kernel.operands[e.operand];
        const bytes = operands[e.operand];
        const at = offset(type, e.index.map(number)) * dtypes[type.dtype].bytes;
        return readers[type.dtype](
          new DataView(bytes.buffer, bytes.byteOffset),
          at,
        );
      }
      case "let":
        return value(e.body, new Map(env).set(e.name, value(e.value, env)));
      case "call": {
        const fn = kernel.functions.find((f) => f.name === e.fn)!;
        return value(
          fn.body,
          new Map(fn.params.map((p, i) => [p.name, value(e.args[i], env)])),
        );
      }
      case "sum": {
        const terms = Array.from(
          { length: Math.max(number(e.count), 0) },
          (_, j) =>
            value(e.term, new Map(env).set(e.index, number(e.first) + j)),
        );
        const lane = (l: number) =>
          terms.filter((_, j) => j % e.lanes === l)
            .reduce((s, t) => add(e.type, s, t), e.type === "i64" ? 0n : 0);
        if (e.lanes === 1) return lane(0);
        return add(
          e.type,
          add(e.type, lane(0), lane(2)),
          add(e.type, lane(1), lane(3)),
        );
      }
      case "loop": {
        let carried = new Map(e.carry.map((c) => [c.name, value(c.init, env)]));
        for (let j = 0; j < number(e.count); j++) {
          const inner = new Map([...env, ...carried, [
            e.index,
            number(e.first) + j,
          ]]);
          carried = new Map(e.carry.map((c) => [c.name, value(c.next, inner)]));
        }
        return value(e.result, new Map([...env, ...carried]));
      }
      default:
        return e satisfies never;
    }
  };
  return value(kernel.body, new Map());
}

/** Offset of an element, in elements, by the definition of a layout. */
function offset(type: Kernel["result"], index: readonly number[]): number {
  const factors = type.layout ??
    type.shape.map((size, axis) => ({ axis, size }));
  const digits: number[] = [];
  const rest = [...index];
  for (let f = factors.length - 1; f >= 0; f--) {
    const { axis, size } = factors[f];
    digits[f] = rest[axis] % size;
    rest[axis] = (rest[axis] - digits[f]) / size;
  }
  return factors.reduce((at, { size }, f) => at * size + digits[f], 0);
}

Deno.test("interpret: gives what walking the tree for one element gives, hoisted or not", () => {
  for (let seed = 1; seed <= 400; seed++) {
    const { kernel, operands, iteration } = randomKernel(new Random(seed));
    if (kernel.extents || kernel.update) continue;
    const found = interpret(kernel, operands, iteration);
    const { shape, dtype } = kernel.result;
    const size = dtypes[dtype].bytes;
    const random = new Random(seed);
    for (let n = 0; n < 8; n++) {
      const axes = shape.map((size) => random.below(size));
      const at = offset(kernel.result, axes) * size;
      const expected = new Uint8Array(8);
      writers[dtype](
        new DataView(expected.buffer),
        0,
        element(kernel, operands, iteration, axes),
      );
      assertEquals(
        found.slice(at, at + size),
        expected.slice(0, size),
        `Seed ${seed}, element ${axes}`,
      );
    }
  }
});

Deno.test("interpret: D4 reads no byte beyond an operand and none of a layout's gaps", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const { kernel, operands, iteration } = randomKernel(new Random(seed));
    const random = new Random(seed + 1);
    const poisoned = operands.map((bytes, i) => {
      const type = kernel.operands[i];
      const size = dtypes[type.dtype].bytes;
      const copy = random.bytes(bytes.length + 64);
      const walk = (index: number[]) => {
        if (index.length === type.shape.length) {
          const at = offset(type, index) * size;
          copy.set(bytes.subarray(at, at + size), at);
          return;
        }
        for (let x = 0; x < type.shape[index.length]; x++) walk([...index, x]);
      };
      walk([]);
      return copy;
    });
    assertEquals(
      interpret(kernel, poisoned, iteration),
      interpret(kernel, operands, iteration),
      `Seed ${seed}`,
    );
  }
});

Deno.test("interpret: evaluates a row's maximum and sum once per row", () => {
  const n = 1500;
  const tensor = { dtype: "i32", shape: [4, n] } as const;
  const [x] = b.operandsOf([tensor]);
  const i = b.axis(0);
  const body = b.bind(
    "most",
    b.loop(n, { m: b.i32(-1) }, (k, [m]) => [b.max(m, b.load(x, i, k))]),
    (most) => b.add(most, b.sum(n, (k) => b.sub(b.load(x, i, k), most))),
  );
  const kernel = defineKernel({
    name: "rows",
    operands: [tensor],
    result: tensor,
    body,
  });
  const values = Int32Array.from({ length: 4 * n }, (_, k) => k % 1009);
  const start = performance.now();
  const found = new Int32Array(
    interpret(kernel, [new Uint8Array(values.buffer)], 0).buffer,
  );
  // Once per element would be 4 * 1500 * 3000 steps: over a second.
  assert(performance.now() - start < 500);
  for (const row of [0, 3]) {
    const of = values.slice(row * n, row * n + n);
    const most = of.reduce((a, b) => Math.max(a, b));
    const total = of.reduce((sum, v) => sum + v - most, most);
    assertEquals(found[row * n + 77], total);
  }
});

Deno.test("prepareKernel: D17 a shrinking extent leaves nothing of a longer run", () => {
  const kernel = defineKernel({
    name: "prefix",
    operands: [],
    result: { dtype: "u8", shape: [33] },
    extents: [b.sub(b.i32(20), b.iteration)],
    body: b.i32(7),
  });
  const run = prepareKernel(kernel);
  const lengths = [0, 5, 20, 25, 3].map((t) =>
    run([], t).filter((x) => x === 7).length
  );
  assertEquals(lengths, [20, 15, 0, 0, 17]);
});

Deno.test("prepareKernel: keeps nothing from run to run", () => {
  const tensor = { dtype: "u8", shape: [3] } as const;
  const [x] = b.operandsOf([tensor]);
  const kernel = defineKernel({
    name: "total",
    operands: [tensor],
    result: { dtype: "i32", shape: [2] },
    body: b.add(b.sum(3, (k) => b.load(x, k)), b.iteration),
  });
  const run = prepareKernel(kernel);
  assertEquals([...new Int32Array(run([Uint8Array.of(1, 2, 3)], 10).buffer)], [
    16,
    16,
  ]);
  assertEquals([...new Int32Array(run([Uint8Array.of(4, 5, 6)], 20).buffer)], [
    35,
    35,
  ]);
});

Deno.test("interpret: refuses missing and short operands, and an index outside its dimension", () => {
  const tensor = { dtype: "i32", shape: [3] } as const;
  const [x] = b.operandsOf([tensor]);
  const kernel = defineKernel({
    name: "wild",
    operands: [tensor],
    result: { dtype: "i32", shape: [4] },
    body: b.load(x, b.axis(0)),
  });
  assertThrows(
    () => interpret(kernel, [], 0),
    ChainLearnError,
    "expected 12 bytes in operand 0",
  );
  assertThrows(
    () => interpret(kernel, [new Uint8Array(11)], 0),
    ChainLearnError,
    "found 11",
  );
  assertThrows(
    () => interpret(kernel, [new Uint8Array(byteLength(tensor))], 0),
    ChainLearnError,
    "index 0 of operand 0 in 0..2, found 3",
  );
});

Deno.test("updatesInPlace: D17 is false for an update that reads a neighbour", () => {
  const tensor = { dtype: "u8", shape: [7, 5] } as const;
  const [old] = b.operandsOf([tensor]);
  const update = (body: Expr) =>
    updatesInPlace(defineKernel({
      name: "update",
      operands: [tensor],
      result: tensor,
      update: {
        operand: 0,
        ranges: [{ first: b.i32(0), count: b.i32(3) }, {
          first: b.i32(0),
          count: b.i32(5),
        }],
      },
      body,
    }));
  const own = b.load(old, b.axis(0), b.axis(1));
  assertEquals(update(b.add(own, 1)), true);
  assertEquals(update(b.add(own, b.load(old, b.axis(0), 4))), false);
  assertEquals(update(b.sum(5, (k) => b.load(old, b.axis(0), k))), false);
});
