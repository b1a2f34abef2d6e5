/**
 * The executor that runs the reference interpreter: slow, and the definition that others are held to.
 */
import {
  byteLength,
  type Model,
  type PreparedKernel,
  prepareKernel,
} from "../compiler/mod.ts";
import { type Executor, executorOf } from "./executor.ts";
import { executorOfBody } from "./single_phase.ts";
import { weightsTable } from "./weights_table.ts";

/** Runs a model by the reference interpreter, in this thread. */
export function createInterpreterExecutor(model: Model): Executor {
  if (model.body) {
    return executorOfBody(model, createInterpreterExecutor(model.body));
  }
  const slots = model.slots.map((slot) =>
    new Uint8Array(byteLength(slot.type))
  );
  const prepared = new Map<number, PreparedKernel>();
  const table = weightsTable(model);
  return executorOf(model, {
    name: "interpreter",
    slots,
    runNode(index, iteration) {
      const node = model.nodes[index];
      let run = prepared.get(node.kernel);
      if (!run) {
        run = prepareKernel(model.kernels[node.kernel]);
        prepared.set(node.kernel, run);
      }
      const operands = node.operands.map((ref) =>
        ref.kind === "weight"
          ? model.constants[ref.index].bytes
          : ref.kind === "slot"
          ? slots[ref.index]
          : table()
      );
      slots[node.result].set(run(operands, iteration));
    },
    close() {},
  });
}
