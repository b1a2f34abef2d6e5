/** `vm.phases.<model>`: speed of a model on the CPU and, as one program, in the machine, and what phases gain by it. */
import type { Model } from "../../compiler/mod.ts";
import { LeafTrace } from "../../dispute/mod.ts";
import { run, runTranslated } from "../../fpvm/mod.ts";
import { nodeWork } from "../../runtime/mod.ts";
import { executeOnce } from "./arena.ts";
import {
  type Measures,
  nativeSeconds,
  roundedUnder,
  timeProgram,
} from "./group.ts";
import type { Commitments } from "./phase_lies.ts";
import { busiestNode } from "./small.ts";

/** Runs of the translated program, of which the fastest counts: the first ones translate and warm up. */
const TRANSLATED_RUNS = 4;

/** Multiply-accumulates of a model. */
const macsOf = ({ kernels, nodes }: Model) =>
  nodes.reduce((sum, { kernel }) => sum + nodeWork(kernels[kernel]).macs, 0);

/**
 * alpha is the time of the whole model in the machine over that on two threads. Gains are of a player's computing over
 * one phase: by the formula for nodes of equal work, and of two and three phases for the busiest node of this model.
 */
export async function measureSpeeds(
  name: string,
  commitments: Commitments,
  inputs: readonly Uint8Array[],
): Promise<Measures> {
  const { model } = commitments[3];
  const truth = await executeOnce(commitments[1], inputs);
  const start = new LeafTrace(truth, 0, 0).stateAt(0);
  const native = await nativeSeconds(model, inputs);
  const interpreted = timeProgram(start, run).seconds;
  const translated = Math.min(
    ...Array.from(
      { length: TRANSLATED_RUNS },
      () => timeProgram(start, runTranslated).seconds,
    ),
  );
  const { programs, nodePrograms } = commitments[2];
  const busiest = busiestNode(commitments[2]);
  const steps = commitments[1].programs[0].worstSteps;
  const node = programs[nodePrograms[busiest]].worstSteps / steps;
  const leaf = commitments[3]
    .programs[commitments[3].nodePrograms[busiest]].worstSteps / steps;
  const macs = macsOf(model) / 1e9;
  const nodes = model.nodes.length;
  const alpha = translated / native;
  return roundedUnder(`vm.phases.${name}`, {
    nodes,
    "alpha.step": interpreted / native,
    "alpha.translated": alpha,
    "gmacs.native": macs / native,
    "gmacs.step": macs / interpreted,
    "gmacs.translated": macs / translated,
    "gain.formula": alpha * nodes / (alpha + nodes),
    "gain.2": translated / (native + node * translated),
    "gain.3": translated / (native + leaf * translated),
  });
}
