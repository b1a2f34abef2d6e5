import { assertEquals, assertThrows } from "@std/assert";
import { ChainLearnError, MerkleTree, tensorRoot } from "../../fpvm/mod.ts";
import {
  commitRun,
  createCpuExecutor,
  finishedSlotRoots,
  finishedState,
  initialSlots,
  slotRoot,
  stateRoot,
} from "../../runtime/mod.ts";
import { testInput, testModel } from "./models.ts";

const model = testModel(9);
const roots = initialSlots(model, [testInput()])
  .map((bytes, slot) => slotRoot(model, slot, bytes));

Deno.test("stateRoot: is the root over every slot's tensor root, zero leaves beside them", () => {
  const expected = initialSlots(model, [testInput()])
    .map((bytes) => tensorRoot(bytes));
  assertEquals(roots, expected);
  assertEquals(stateRoot(roots), MerkleTree.ofLeaves(expected, 3).root);
});

Deno.test("finishedSlotRoots: keeps the first slots and clears the others", () => {
  const finished = finishedSlotRoots(model, roots);
  finished.forEach((root, i) =>
    assertEquals(root, i < model.kept ? roots[i] : new Uint8Array(32))
  );
});

Deno.test("finishedState: is the state of the finished slots' roots", () => {
  const bytes = initialSlots(model, [testInput()]);
  assertEquals(
    finishedState(model, bytes).root,
    stateRoot(finishedSlotRoots(model, roots)),
  );
});

Deno.test("commitRun: gives the root of every state, as hashing all slots each time does", async () => {
  for (const stop of [9, 1]) {
    const model = testModel(stop);
    const executor = await createCpuExecutor(model);
    const expected = [stateRoot(roots)];
    const { stateRoots, run } = await commitRun(
      model,
      executor,
      [testInput()],
      {
        iterations: 3,
        keep: "all",
        onNode(_, __, slots) {
          expected.push(
            stateRoot(slots.map((bytes, slot) => slotRoot(model, slot, bytes))),
          );
        },
      },
    );
    assertEquals(stateRoots.length, 3 * model.nodes.length + 1);
    assertEquals(stateRoots, expected);
    if (stop === 9) {
      const unstopped = { ...model, stopSlot: undefined };
      const other = await createCpuExecutor(unstopped);
      const options = { iterations: 3 };
      const given = [testInput()];
      const shared = await commitRun(unstopped, other, given, options);
      assertEquals(shared.stateRoots, expected);
      other.close();
    }
    assertEquals(run.slots.length, model.slots.length);
    executor.close();
  }
});

Deno.test("initialSlots: holds initial values, zeros, and the inputs as copies", () => {
  const input = testInput();
  const slots = initialSlots(model, [input]);
  assertEquals(slots[0], model.slots[0].initial);
  assertEquals(slots[1], new Uint8Array(4));
  assertEquals(slots[2], input);
  slots[0][0] ^= 1;
  slots[2][0] ^= 1;
  const again = initialSlots(model, [input]);
  assertEquals(again[0], model.slots[0].initial);
  assertEquals(again[2], testInput());
});

Deno.test("initialSlots: refuses inputs of another number or length", () => {
  assertThrows(
    () => initialSlots(model, []),
    ChainLearnError,
    "expected inputs: 1, found 0",
  );
  assertThrows(
    () => initialSlots(model, [new Uint8Array(3)]),
    ChainLearnError,
    'expected 4096 bytes in input "x", found 3',
  );
});
