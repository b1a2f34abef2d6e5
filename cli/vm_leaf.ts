/**
 * The program of one leaf out of a bundle, as a dispute would run it, for the `vm` commands.
 */
import { type Commitment, resultLeaves } from "../compiler/mod.ts";
import { Execution, LeafTrace } from "../dispute/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import { iterationsOf } from "../runtime/mod.ts";
import { openBundle, withExecutor } from "./bundles.ts";
import { readInputs } from "./inputs.ts";
import type { Program, ProgramOptions } from "./vm_program.ts";

/** The step of a node by its name or number. */
function stepOf({ model }: Commitment, node: string, path: string): number {
  const byName = model.nodes.findIndex(({ name }) => name === node);
  if (byName >= 0) return byName;
  const step = /^\d+$/.test(node) ? Number(node) : NaN;
  if (step < model.nodes.length) return step;
  throw new ChainLearnError(
    `Cannot open a program of ${path}: expected a node's name or a step below ${model.nodes.length}, found "${node}"`,
    { hint: `chainlearn inspect ${path} lists the nodes` },
  );
}

/** Programs that a node has: one for each leaf of its result, or a single one. */
function leavesOf({ model, descriptors }: Commitment, step: number): number {
  if (descriptors[step].whole) return 1;
  return resultLeaves(model, step);
}

/** Composes the program of one leaf of a node, over the operands that a run of the model gives it. */
export async function openLeaf(
  path: string,
  { node, leaf = 0, input }: ProgramOptions,
): Promise<Program> {
  if (node === undefined) {
    throw new ChainLearnError(
      `Cannot open a program of ${path}: expected --node, found none`,
      { hint: `chainlearn inspect ${path} lists the nodes` },
    );
  }
  const commitment = await openBundle(path);
  const { model } = commitment;
  const step = stepOf(commitment, node, path);
  const leaves = leavesOf(commitment, step);
  if (leaf >= leaves) {
    throw new ChainLearnError(
      `Cannot open a program of ${path}: expected a leaf of node "${
        model.nodes[step].name
      }" below ${leaves}, found ${leaf}`,
    );
  }
  const inputs = await readInputs(input, model);
  const iterations = iterationsOf(model, undefined);
  const terms = { inputs, iterations, finish: true };
  const execution = await withExecutor(
    model,
    "cpu",
    (executor) => Execution.run(commitment, terms, executor),
  );
  return {
    name: `leaf ${leaf} of node "${model.nodes[step].name}"`,
    state: new LeafTrace(execution, step, leaf).stateAt(0),
    symbols: [],
  };
}
