/** The executors' test model for disputes of one, two and three phases. */
import { inPhases, type Model, type Phases } from "../../compiler/mod.ts";
import { testModel } from "./models.ts";

/** One pass over the test model, which one program can be: nothing chooses iterations or stops it. */
export function onePass(phases: Phases): Model {
  const { stopSlot, nodes, ...rest } = testModel(9);
  return inPhases({
    ...rest,
    nodes: nodes.filter((node) => node.result !== stopSlot),
    schedule: { kind: "fixed", iterations: 1 },
  }, phases);
}
