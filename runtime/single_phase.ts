/**
 * The executor of a single-phase model: its body runs as any graph does, and its one step gives the output.
 */
import type { Model } from "../compiler/mod.ts";
import { type Executor, initialSlots, iterationsOf } from "./executor.ts";

/** Runs the body on its own executor; slots and steps are those of the model of one node. */
export function executorOfBody(model: Model, body: Executor): Executor {
  const [{ result }] = model.nodes;
  return {
    device: body.device,
    async run(inputs, options = {}) {
      iterationsOf(model, options.iterations);
      const slots = initialSlots(model, inputs);
      const { outputs } = await body.run(inputs);
      slots[result].set(outputs[0]);
      await options.onNode?.(0, 0, slots);
      return { outputs: [slots[result].slice()], slots };
    },
    close: () => body.close(),
  };
}
