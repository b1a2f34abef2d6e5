/** `vm.phases.chain`: what a dispute costs as a model grows, in one, two and three phases, without a chain. */
import { playLocally, shapeOf } from "../../dispute/mod.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import { type BenchContext, type Measures, roundedUnder } from "./group.ts";
import {
  ALL_PHASES,
  commitAll,
  costsOf,
  lieAtNode,
  sidesOf,
} from "./phase_lies.ts";
import { chainModel } from "./phase_models.ts";

/** Nodes of the growing chains. */
export const CHAIN_NODES: readonly number[] = [1, 2, 4, 8, 16, 32, 64];

/** Growing chains of equal nodes: a lie in the middle node. */
export async function measureGrowth(
  { seed, say }: BenchContext,
): Promise<Measures> {
  const measures: Record<string, number> = {};
  for (const nodes of CHAIN_NODES) {
    const commitments = commitAll(chainModel(nodes));
    const { model } = commitments[3];
    const inputs = [new Uint8Array(1024).map((_, i) => i * 37)];
    const lie = await lieAtNode(commitments[3], [inputs], nodes >> 1, seed);
    for (const phases of ALL_PHASES) {
      const sides = await sidesOf(commitments, phases, lie);
      const shape = shapeOf(commitments[phases]);
      const played = playLocally(shape, sides.honest, sides.liar, true);
      if (played.winner !== "challenger") {
        throw new ChainLearnError(
          `Cannot trust the dispute about ${model.name} in ${phases} phase(s): expected the honest challenger to win, found the liar`,
          { exitCode: 1 },
        );
      }
      const { steps, bytes, hashes } = costsOf(sides, phases, lie.leaf);
      Object.assign(
        measures,
        roundedUnder(`vm.phases.chain.${nodes}.${phases}`, {
          steps,
          bytes,
          hashes,
        }),
      );
    }
  }
  say(`Chains of ${CHAIN_NODES.join(", ")} nodes, each in 1, 2 and 3 phases`);
  return measures;
}
