import { assertEquals, assertRejects } from "@std/assert";
import type { Model } from "../../compiler/mod.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import {
  createCpuExecutor,
  createInterpreterExecutor,
  type Executor,
} from "../../runtime/mod.ts";
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
    assertEquals(await executor.run([testInput()], { iterations: 2 }), run);
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
