import { assertEquals, assertRejects } from "@std/assert";
import {
  add,
  axis,
  defineKernel,
  load,
  type Model,
  mul,
  operandsOf,
  requantize,
  sum,
} from "../../compiler/mod.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import {
  createCpuExecutor,
  createInterpreterExecutor,
  type Executor,
} from "../../runtime/mod.ts";
import { Random } from "../random.ts";
import { testInput, testModel } from "./models.ts";

/** Slots after every step. */
async function trace(executor: Executor, iterations: number) {
  const steps: Uint8Array[][] = [];
  const run = await executor.run([testInput()], {
    iterations,
    onNode: (step, node, slots) => {
      assertEquals([steps.length, steps.length % 8], [step, node]);
      steps.push(slots.map((s) => s.slice()));
    },
  });
  return { run, steps };
}

Deno.test("createCpuExecutor gives the interpreter's bytes after every node, with 1, 2 and 3 threads", async () => {
  const model = testModel(9);
  const interpreter = createInterpreterExecutor(model);
  const expected = await trace(interpreter, 3);
  assertEquals(expected.steps.length, 24);
  for (const threads of [1, 2, 3]) {
    const executor = await createCpuExecutor(model, { threads });
    try {
      assertEquals(await trace(executor, 3), expected, `${threads} threads`);
      assertEquals(await trace(executor, 3), expected, "a second run");
    } finally {
      executor.close();
    }
  }
});

Deno.test("Executor.run stops at the very next node where the stop slot is set", async () => {
  const model = testModel(1);
  for (
    const executor of [
      createInterpreterExecutor(model),
      await createCpuExecutor(model),
    ]
  ) {
    const { steps, run } = await trace(executor, 4);
    assertEquals(steps.length, 32);
    for (const slots of steps.slice(15)) assertEquals(slots, steps[15]);
    assertEquals(run.slots, steps[15]);
    const options = { iterations: 2, keep: "all" } as const;
    assertEquals(await executor.run([testInput()], options), run);
    executor.close();
  }
});

Deno.test("Executor.run refuses inputs of another length or number, and iterations beyond the schedule", async () => {
  const executor = await createCpuExecutor(testModel(9));
  const refuses = (
    inputs: Uint8Array[],
    iterations: number | undefined,
    message: string,
  ) =>
    assertRejects(
      () => executor.run(inputs, { iterations }),
      ChainLearnError,
      message,
    );
  const input = testInput();
  await refuses([], 1, "expected inputs: 1, found 0");
  await refuses(
    [input.subarray(1)],
    1,
    'expected 4096 bytes in input "x", found 4095',
  );
  await refuses([input], undefined, "expected 1 to 4 iterations, found none");
  await refuses([input], 0, "expected 1 to 4 iterations, found 0");
  await refuses([input], 5, "expected 1 to 4 iterations, found 5");
  await refuses([input], 1.5, "found 1.5");
  executor.close();
  await refuses([input], 1, "found it closed");
});

Deno.test("Executor.run refuses a second run before the first is over", async () => {
  const executor = createInterpreterExecutor(testModel(9));
  const first = executor.run([testInput()], {
    iterations: 1,
    onNode: () => new Promise((resolve) => setTimeout(resolve, 1)),
  });
  await assertRejects(
    () => executor.run([testInput()], { iterations: 1 }),
    ChainLearnError,
    "found it running",
  );
  await first;
});

Deno.test("createCpuExecutor refuses a model beyond its memory and a thread count out of range", async () => {
  const model = testModel(9);
  const large: Model = {
    ...model,
    slots: [...model.slots, {
      name: "large",
      type: { dtype: "i8", shape: [2 ** 16, 2 ** 16] },
    }],
  };
  await assertRejects(
    () => createCpuExecutor(large),
    ChainLearnError,
    "at most 4 GiB",
  );
  await assertRejects(
    () => createCpuExecutor(model, { threads: 0 }),
    ChainLearnError,
    "expected 1 to 256 threads, found 0",
  );
});

/** Two layers with weights of their own and one kernel; weights of the first are in -64..63 or anything. */
function productModel(random: Random): Model {
  const [rows, width] = [1 + random.below(40), 8 + random.below(60)];
  const operands = [
    { dtype: "i8", shape: [rows, width] },
    { dtype: "i8", shape: [width, width] },
    { dtype: "i32", shape: [3, width] },
  ] as const;
  const [x, w, q] = operandsOf(operands);
  const row = (r: number) => load(q, r, axis(1));
  const total = sum(
    width,
    (k) => mul(load(x, axis(0), k), load(w, axis(1), k)),
  );
  const lo = random.bool() ? 0 : -128;
  const kernel = defineKernel({
    name: "product",
    operands,
    result: operands[0],
    body: requantize(add(total, row(0)), row(1), row(2), 0, lo, 127),
  });
  const limit = random.bool() ? 64 : 128;
  const constants = [limit, 128].map((limit, i) => ({
    name: `w${i}`,
    type: operands[1],
    bytes: random.bytes(width * width).map((byte) =>
      byte % (2 * limit) - limit
    ),
  }));
  const parameters = Int32Array.from(
    { length: 3 * width },
    (_, i) =>
      [
        random.below(2000) - 1000,
        2 ** 30 + random.below(2 ** 30),
        36 + random.below(8),
      ][Math.floor(i / width)],
  );
  return {
    name: "products",
    mode: "fixed",
    kernels: [kernel],
    nodes: [0, 1].map((i) => ({
      name: `layer${i}`,
      kernel: 0,
      operands: [
        { kind: "slot", index: i === 0 ? 2 : 1 },
        { kind: "weight", index: i },
        { kind: "weight", index: 2 },
      ] as const,
      result: i === 0 ? 1 : 0,
      whole: false,
      lineage: [],
    })),
    constants: [
      ...constants,
      {
        name: "q",
        type: operands[2],
        bytes: new Uint8Array(parameters.buffer),
      },
    ],
    slots: ["y", "hidden", "x"].map((name) => ({ name, type: operands[0] })),
    inputs: [{ name: "x", slot: 2, role: "data", accepts: { kind: "tensor" } }],
    outputs: [{ name: "y", slot: 0, scale: 1 }],
    schedule: { kind: "fixed", iterations: 1 },
    kept: 1,
  };
}

Deno.test("createCpuExecutor gives the interpreter's bytes whichever way products are summed", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const model = productModel(random);
    const [, , { type }] = model.slots;
    const input = random.bytes(type.shape[0] * type.shape[1]);
    const expected = await createInterpreterExecutor(model).run([input]);
    for (const plain of [false, true]) {
      const threads = 1 + random.below(3);
      const executor = await createCpuExecutor(model, { threads, plain });
      try {
        const found = await executor.run([input]);
        assertEquals(found, expected, `Seed ${seed}, plain ${plain}`);
      } finally {
        executor.close();
      }
    }
  }
});
