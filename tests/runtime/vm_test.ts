import { assertEquals } from "@std/assert";
import { commitModel, type Model } from "../../compiler/mod.ts";
import {
  createCpuExecutor,
  createVmExecutor,
  type Executor,
  nodeInVm,
} from "../../runtime/mod.ts";
import { testInput, testModel } from "./models.ts";

/** All slots after every node. */
async function trace(
  executor: Executor,
  inputs: Uint8Array[],
  iterations: number,
) {
  const steps: Uint8Array[][] = [];
  const run = await executor.run(inputs, {
    iterations,
    onNode: (_step, _node, slots) => {
      steps.push(slots.map((slot) => slot.slice()));
    },
  });
  executor.close();
  return { run, steps };
}

Deno.test("createVmExecutor: gives the CPU's bytes after every node, up to the stop", async () => {
  const model = testModel(1);
  const inputs = [testInput()];
  const vm = createVmExecutor(commitModel(model));
  assertEquals(vm.device, "vm");
  const cpu = await createCpuExecutor(model, { threads: 1 });
  assertEquals(await trace(vm, inputs, 3), await trace(cpu, inputs, 3));
});

Deno.test("nodeInVm: gives zeros past the end of the result", () => {
  const model: Model = testModel(9);
  const commitment = commitModel(model);
  const slots = model.slots.map((slot) => slot.initial ?? new Uint8Array(4096));
  slots[2] = testInput();
  const node = nodeInVm(commitment, 6, 0, slots);
  assertEquals(node.leaves, 1);
  const { leaf, steps } = node.run(0);
  assertEquals(leaf.subarray(4), new Uint8Array(28));
  const { worstSteps } = commitment.programs[commitment.nodePrograms[6]];
  assertEquals(steps <= worstSteps, true);
  // Leaves beyond the tensor are zero as well: a tensor phase may ask for them.
  assertEquals(nodeInVm(commitment, 2, 0, slots).leaves, 128);
  assertEquals(
    nodeInVm(commitment, 2, 0, slots).run(128).leaf,
    new Uint8Array(32),
  );
  assertEquals(node.run(1).leaf, new Uint8Array(32));
});
