import { assert, assertEquals } from "@std/assert";
import {
  add,
  axis,
  defineKernel,
  i32,
  type Kernel,
  load,
  mul,
  operandsOf,
  select,
  sum,
  type TensorType,
  wholeAxis,
} from "../../compiler/mod.ts";
import {
  boundOf,
  createInterpreterExecutor,
  measureLimits,
  type NodeProfile,
  nodeWork,
  profileRuns,
} from "../../runtime/mod.ts";
import { SIZE, testInput, testModel } from "./models.ts";

const i8 = (...shape: number[]): TensorType => ({ dtype: "i8", shape });

Deno.test("nodeWork counts products of two loaded values under sums, and no requantization", () => {
  const operands: TensorType[] = [
    i8(5, 7),
    { dtype: "u8", shape: [3, 7] },
    { dtype: "i32", shape: [3] },
  ];
  const [x, w, scale] = operandsOf(operands);
  const total = sum(
    7,
    (k) =>
      mul(
        add(load(x, axis(0), k), 4),
        select(load(w, axis(1), k), load(w, axis(1), k), 0),
      ),
  );
  const kernel = defineKernel({
    name: "product",
    operands,
    result: { dtype: "i32", shape: [5, 3] },
    body: mul(total, load(scale, axis(1))),
  });
  assertEquals(nodeWork(kernel), {
    macs: 5 * 3 * 7,
    factors: ["i8", "u8"],
    bytes: 35 + 21 + 4 * 3 + 4 * 15,
  });
});

Deno.test("nodeWork counts a hoisted sum once for each value of its axes", () => {
  const operands = [i8(4, 6)];
  const [x] = operandsOf(operands);
  const squares = sum(
    6,
    (k) => mul(load(x, axis(0), k), load(x, axis(0), k)),
  );
  const kernel = defineKernel({
    name: "norm",
    operands,
    result: { dtype: "i32", shape: [4, 6] },
    body: add(squares, load(x, axis(0), axis(1))),
  });
  assertEquals(nodeWork(kernel).macs, 4 * 6);
});

Deno.test("nodeWork moves what is read and written, not the whole of a table or cache", () => {
  const table = i8(1000, 8);
  const [rows, at] = operandsOf([table, { dtype: "u8", shape: [2] }]);
  const gather: Kernel = defineKernel({
    name: "gather",
    operands: [table, { dtype: "u8", shape: [2] }],
    result: i8(2, 8),
    body: load(rows, load(at, axis(0)), axis(1)),
  });
  assertEquals(nodeWork(gather), { macs: 0, bytes: 16 + 2 + 16 });
  const [old, x] = operandsOf([table, i8(1, 8)]);
  const append = defineKernel({
    name: "append",
    operands: [table, i8(1, 8)],
    result: table,
    update: {
      operand: 0,
      ranges: [{ first: i32(3), count: i32(1) }, wholeAxis(table, 1)],
    },
    body: add(load(old, axis(0), axis(1)), load(x, 0, axis(1))),
  });
  assertEquals(nodeWork(append), { macs: 0, bytes: 8 + 8 + 8 });
});

Deno.test("profileRuns times every node, all iterations together, and changes no result", async () => {
  const model = testModel(9);
  const executor = createInterpreterExecutor(model);
  const profile = await profileRuns(model, executor, [testInput()], {
    iterations: 2,
    warmUp: 0,
    seconds: 0,
  });
  assertEquals(profile.runs, 1);
  assertEquals(
    profile.nodes.map(({ node, name }) => [node, name]),
    model.nodes.map(({ name }, i) => [i, name]),
  );
  assertEquals(profile.nodes[0].work.macs, 2 * SIZE ** 3);
  const added = profile.nodes.reduce((sum, node) => sum + node.seconds, 0);
  assert(Math.abs(added - profile.seconds) < 1e-9);
  executor.close();
});

Deno.test("boundOf takes the slower of arithmetic and memory, at the node's own size", () => {
  const limits = {
    macs: { "i8 i8": 1e9 },
    traffic: { [2 ** 15]: 1e9, [2 ** 19]: 1e8 },
  };
  const node = (macs: number, bytes: number): NodeProfile => ({
    node: 0,
    name: "",
    seconds: 1e-3,
    work: { macs, bytes, ...(macs ? { factors: ["i8", "i8"] } : {}) },
  });
  const show = (macs: number, bytes: number) => {
    const { limit, rate, share } = boundOf(node(macs, bytes), limits);
    return [limit, rate, Number(share.toFixed(6))];
  };
  assertEquals(show(500_000, 30_000), ["arithmetic", 1e9, 0.5]);
  assertEquals(show(500_000, 80_000), ["memory", 1e8, 0.8]);
  assertEquals(show(0, 30_000), ["memory", 1e9, 0.03]);
});

Deno.test("measureLimits finds a limit for every pair of factors, floats by integers too", async () => {
  const pairs = [["i8", "i8"], ["f32", "f32"], ["i8", "f32"]] as const;
  const nodes = pairs.map((factors, node): NodeProfile => ({
    node,
    name: "",
    seconds: 1,
    work: { macs: 1, bytes: 40_000, factors },
  }));
  const limits = await measureLimits({ nodes, runs: 1, seconds: 3 }, {});
  assertEquals(Object.keys(limits.macs), ["i8 i8", "f32 f32", "i8 f32"]);
  assertEquals(Object.keys(limits.traffic), [`${2 ** 19}`]);
  const rates: number[] = [
    ...Object.values(limits.macs),
    ...Object.values(limits.traffic),
  ];
  for (const rate of rates) assert(Number.isFinite(rate) && rate > 0);
});
