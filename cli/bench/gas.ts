/**
 * `gas`: what steps of the machine and moves of a dispute cost on chain, as whole transactions.
 *
 * Steps are taken from the longest leaf program of fashion_cnn and sent to the machine's contract alone; the dearest of
 * each kind counts. Moves come from disputes over the same model: a move is any transaction but the opening, the opening
 * of a node or a leaf, and the last step, which have keys of their own or are steps. The dearest transaction of every
 * function is searched at the limits of the formats (gas_worst.ts), and a product of matrices is made on chain to compare
 * (gas_onchain.ts).
 */
import { type Commitment, resultLeaves } from "../../compiler/mod.ts";
import {
  artifact,
  artifactNames,
  deployLocally,
  gasOfStep,
  startAnvil,
} from "../../contracts/mod.ts";
import { LeafTrace, type PlayedDispute } from "../../dispute/mod.ts";
import { executeOnce, playFaults } from "./arena.ts";
import { measureOnchain } from "./gas_onchain.ts";
import { witnessesOf } from "./gas_steps.ts";
import { measureWorst } from "./gas_worst.ts";
import { type BenchContext, largest, type Measures } from "./group.ts";
import { fixedModel, shippedInputs } from "./shipped_models.ts";
import { busiestNode } from "./small.ts";

const DISPUTES = 8;
const separate = new Set(["openDispute", "openNode", "openLeaf", "arbitrate"]);

async function measureSteps(
  commitment: Commitment,
  inputs: Uint8Array[],
): Promise<Measures> {
  const node = busiestNode(commitment);
  const execution = await executeOnce(commitment, inputs);
  const middle = resultLeaves(commitment.model, node) >> 1;
  const witnesses = witnessesOf(
    new LeafTrace(execution, node, middle).stateAt(0),
  );
  await using anvil = await startAnvil();
  const machine = await deployLocally(anvil.rpcUrl, artifact("StepVm"));
  const measures: Record<string, number> = {};
  for (const [kind, list] of Object.entries(witnesses)) {
    const costs: number[] = [];
    for (const witness of list) {
      costs.push(await gasOfStep(anvil.rpcUrl, machine, witness));
    }
    if (costs.length > 0) measures[`gas.step.${kind}`] = largest(costs);
  }
  return measures;
}

function measureMoves(games: readonly PlayedDispute[]): Measures {
  const moves = games.flatMap((game) => game.moves);
  const costs = moves.filter(({ move }) => !separate.has(move))
    .map(({ gas }) => gas);
  const dearest = (name: string) =>
    largest(moves.filter(({ move }) => move === name).map(({ gas }) => gas));
  return {
    "gas.move.mean": Math.round(costs.reduce((a, b) => a + b) / costs.length),
    "gas.open.node": dearest("openNode"),
    "gas.open.leaf": dearest("openLeaf"),
  };
}

export async function measure(context: BenchContext): Promise<Measures> {
  const { models, seed, say } = context;
  const commitment = await fixedModel(models, "fashion_cnn");
  const cases = await shippedInputs(models, commitment, 4);
  const steps = await measureSteps(commitment, cases[0]);
  say("Measured single steps");
  const places = Array.from({ length: DISPUTES }, () => ({}));
  const games = await playFaults({ commitment, cases, seed }, places);
  return {
    ...steps,
    ...measureMoves(games),
    ...await measureWorst(context),
    ...await measureOnchain(context),
    "contracts.largestBytes": largest(
      artifactNames.map((name) => artifact(name).deployedBytes),
    ),
  };
}
