/**
 * `small`: whole disputes over fashion_cnn, each about one seeded fault; the dearest of every kind.
 *
 * Among the faults are the first and the last leaf of the node with the most steps, of the first node and of the last.
 */
import { type Commitment, resultLeaves } from "../../compiler/mod.ts";
import { drawsFrom } from "../../dispute/mod.ts";
import { type Place, playFaults } from "./arena.ts";
import { type BenchContext, largest, type Measures } from "./group.ts";
import { fixedModel, shippedInputs } from "./shipped_models.ts";

const PICTURES = 10;

/** Index of the node whose leaf program is longest. */
export function busiestNode(
  { model, programs, nodePrograms }: Commitment,
): number {
  const steps = model.nodes.map((_, i) => programs[nodePrograms[i]].worstSteps);
  return steps.indexOf(largest(steps));
}

function placesOf(
  commitment: Commitment,
  count: number,
  seed: number,
): Place[] {
  const nodes = commitment.model.nodes.length;
  const places: Place[] = [];
  for (const step of [busiestNode(commitment), 0, nodes - 1]) {
    const last = resultLeaves(commitment.model, step) - 1;
    places.push({ step, leaf: 0 });
    if (last > 0) places.push({ step, leaf: last });
  }
  const draw = drawsFrom(seed);
  while (places.length < count) places.push({ step: draw(nodes) });
  return places;
}

export async function measure(
  { models, faults, seed, say }: BenchContext,
): Promise<Measures> {
  const commitment = await fixedModel(models, "fashion_cnn");
  const cases = await shippedInputs(models, commitment, PICTURES);
  const places = placesOf(commitment, faults, seed);
  const games = await playFaults({ commitment, cases, seed }, places);
  say(`${games.length} disputes, the honest side won each`);
  const most = (of: (game: typeof games[number]) => number) =>
    largest(games.map(of));
  return {
    "small.gas": most((game) => game.gas),
    "small.transactions": most((game) => game.transactions),
    "small.rounds": most(({ rounds }) =>
      rounds.graph + rounds.tensor + rounds.instruction
    ),
    "small.seconds": most((game) => game.seconds),
  };
}
