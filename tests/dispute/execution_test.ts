import {
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { commitModel, type Model, tensorHeight } from "../../compiler/mod.ts";
import { Execution, type RequestTerms } from "../../dispute/mod.ts";
import { ChainLearnError, MerkleTree, tensorRoot } from "../../fpvm/mod.ts";
import {
  createCpuExecutor,
  createInterpreterExecutor,
  initialSlots,
  type Run,
} from "../../runtime/mod.ts";
import { testInput, testModel } from "../runtime/models.ts";
import { smallTruth } from "./arena.ts";

const truth = await smallTruth(9);
const { commitment, terms } = truth;
const { model } = commitment;

/** S_0 .. S_n, each hashed as a whole from what the executor shows after each step. */
async function hashedStates(
  model: Model,
  { inputs, iterations, finish }: RequestTerms,
): Promise<{ states: Uint8Array[]; run: Run }> {
  const rootOf = (slots: readonly Uint8Array[], kept = slots.length) =>
    MerkleTree.ofLeaves(
      slots.map((slot, i) => i < kept ? tensorRoot(slot) : new Uint8Array(32)),
    ).root;
  const states = [rootOf(initialSlots(model, inputs))];
  const run = await createInterpreterExecutor(model).run(inputs, {
    iterations,
    onNode: (_step, _node, slots) => {
      states.push(rootOf(slots));
    },
  });
  if (finish) states.push(rootOf(run.slots, model.kept));
  return { states, run };
}

Deno.test("Execution.run: commits to every state, on every executor, with and without the finish step", async () => {
  for (const stop of [0, 1, 9]) {
    for (const finish of [true, false]) {
      const model = testModel(stop);
      const terms = { inputs: [testInput()], iterations: 3, finish };
      const cpu = await createCpuExecutor(model, { threads: 1 });
      const execution = await Execution.run(commitModel(model), terms, cpu)
        .finally(() => cpu.close());
      const { states, run } = await hashedStates(model, terms);
      assertEquals(execution.steps, states.length - 1);
      states.forEach((root, i) =>
        assertEquals(
          execution.stateRoot(i),
          root,
          `stop ${stop}, finish ${finish}, state ${i}`,
        )
      );
      if (!finish) assertEquals(execution.outputs, run.outputs);
    }
  }
});

Deno.test("Execution: repeats the state once the stop slot is set, and still finishes", async () => {
  const stopped = await smallTruth(0);
  for (let i = 8; i <= 32; i++) {
    assertEquals(stopped.stateRoot(i), stopped.stateRoot(8), `state ${i}`);
  }
  assertNotEquals(stopped.stateRoot(7), stopped.stateRoot(8));
  assertNotEquals(stopped.stateRoot(33), stopped.stateRoot(32));
});

Deno.test("Execution: knows every slot before and after each step", () => {
  assertEquals([truth.nodeSteps, truth.steps], [32, 33]);
  const initial = initialSlots(model, terms.inputs);
  model.slots.forEach((slot, i) => {
    assertEquals(truth.slotBytes(0, i), initial[i], slot.name);
    for (const step of [0, 1, 8, 32]) {
      assertEquals(
        truth.slotRoot(step, i),
        tensorRoot(truth.slotBytes(step, i), tensorHeight(slot.type)),
      );
    }
  });
  truth.results().forEach(({ step, bytes }) => {
    const slot = model.nodes[step % 8].result;
    assertEquals(truth.slotBytes(step + 1, slot), bytes, `step ${step}`);
    // A step writes one slot and no other.
    model.slots.forEach((_, other) => {
      if (other === slot) return;
      assertEquals(
        truth.slotRoot(step + 1, other),
        truth.slotRoot(step, other),
      );
    });
  });
});

Deno.test("Execution: the finish step clears what is not kept, and nothing else", () => {
  model.slots.forEach((slot, i) => {
    const kept = i < model.kept;
    assertEquals(
      truth.slotBytes(33, i).length,
      kept ? truth.slotBytes(32, i).length : 0,
    );
    assertEquals(
      truth.slotRoot(33, i),
      kept ? truth.slotRoot(32, i) : new Uint8Array(32),
      slot.name,
    );
  });
  assertEquals(truth.outputs, [truth.slotBytes(32, 0)]);
});

Deno.test("Execution.stopped: is set from the state on that the stop slot's node makes", async () => {
  const stopping = await smallTruth(1);
  for (let i = 0; i <= 32; i++) {
    assertEquals(stopping.stopped(i), i >= 16, `state ${i}`);
    assertEquals(truth.stopped(i), false);
  }
  for (let i = 17; i <= 32; i++) {
    assertEquals(stopping.stateRoot(i), stopping.stateRoot(16));
  }
});

Deno.test("Execution.run: an altered result is consistent from there on", async () => {
  const executor = createInterpreterExecutor(model);
  const false_ = await Execution.run(commitment, terms, executor, (step, r) => {
    if (step === 12) r[0] ^= 1;
  });
  for (let i = 0; i <= 33; i++) {
    const same = false_.stateRoot(i).toHex() === truth.stateRoot(i).toHex();
    assertEquals(same, i <= 12, `state ${i}`);
  }
});

Deno.test("Execution.restore: gives back the execution", () => {
  const restored = Execution.restore(commitment, terms, truth.results());
  for (let i = 0; i <= 33; i++) {
    assertEquals(restored.stateRoot(i), truth.stateRoot(i));
  }
});

Deno.test("Execution.restore: refuses steps out of order or range, and other lengths", () => {
  const refuses = (
    results: { step: number; bytes: Uint8Array }[],
    text: string,
  ) =>
    assertThrows(
      () => Execution.restore(commitment, terms, results),
      ChainLearnError,
      text,
    );
  const [first, second, ...rest] = truth.results();
  refuses([second, first, ...rest], "expected a step in 2 .. 31, found 0");
  refuses([first, first], "expected a step in 1 .. 31, found 0");
  refuses([{ ...first, step: 32 }], "expected a step in 0 .. 31, found 32");
  refuses([{ ...first, step: 0.5 }], "expected a step in 0 .. 31, found 0.5");
  refuses(
    [{ step: 0, bytes: new Uint8Array(5) }],
    "step 0: expected 4096 bytes, found 5",
  );
});

Deno.test("Execution: refuses iterations that the schedule does not allow", async () => {
  const five: RequestTerms = { ...terms, iterations: 5 };
  const text = "expected 1 to 4 iterations, found 5";
  assertThrows(
    () => Execution.restore(commitment, five, []),
    ChainLearnError,
    text,
  );
  await assertRejects(
    () => Execution.run(commitment, five, createInterpreterExecutor(model)),
    ChainLearnError,
    text,
  );
});

Deno.test("Execution.stateTree: refuses a state that is none", () => {
  for (const i of [-1, 34, NaN]) {
    assertThrows(() => truth.stateTree(i), ChainLearnError, "expected 0 .. 33");
  }
});
