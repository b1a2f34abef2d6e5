import { assertEquals, assertNotEquals } from "@std/assert";
import { MerkleTree, tensorRoot } from "../../fpvm/mod.ts";
import {
  commitRun,
  createCpuExecutor,
  createInterpreterExecutor,
  finishedSlotRoots,
  initialSlotRoots,
  stateRoot,
} from "../../runtime/mod.ts";
import { testInput, testModel } from "./models.ts";

Deno.test("commitRun commits to every state and to the finish step", async () => {
  const model = testModel(9);
  const executor = createInterpreterExecutor(model);
  const inputs = [testInput()];
  const expected = [stateRoot(initialSlotRoots(model, inputs))];
  const run = await executor.run(inputs, {
    iterations: 2,
    onNode: (_step, _node, slots) => {
      const roots = slots.map((slot) => tensorRoot(slot));
      expected.push(MerkleTree.ofLeaves(roots, 3).root);
    },
  });
  const roots = run.slots.map((slot, i) =>
    i < model.kept ? tensorRoot(slot) : new Uint8Array(32)
  );
  expected.push(MerkleTree.ofLeaves(roots, 3).root);

  const cpu = await createCpuExecutor(model);
  const trace = await commitRun(model, cpu, inputs, { iterations: 2 });
  cpu.close();
  assertEquals(trace.states, expected);
  assertEquals(trace.states.length, 2 * 8 + 2);
  trace.states.forEach((state, i) =>
    assertEquals(stateRoot(trace.slotRoots(i)), state, `state ${i}`)
  );
  assertEquals(trace.run, run);

  const open = await commitRun(model, executor, inputs, {
    iterations: 2,
    finish: false,
  });
  assertEquals(open.states, expected.slice(0, -1));
});

Deno.test("commitRun repeats the state once the stop slot is set, and still finishes", async () => {
  const model = testModel(0);
  const executor = createInterpreterExecutor(model);
  const trace = await commitRun(model, executor, [testInput()], {
    iterations: 3,
  });
  assertEquals(trace.states.length, 3 * 8 + 2);
  for (let i = 8; i <= 24; i++) assertEquals(trace.states[i], trace.states[8]);
  assertNotEquals(trace.states[7], trace.states[8]);
  assertEquals(
    trace.states[25],
    stateRoot(finishedSlotRoots(model, trace.slotRoots(24))),
  );
});
