/**
 * `vm.phases.*`: the same lie in the same model, disputed in one, two and three phases.
 *
 * The shipped models are disputed on a local chain, growing chains of equal nodes without one (phase_growth.ts). Steps
 * are those of the program in dispute, which each side runs; hashes and memory are the honest side's.
 * `phase_document.ts` makes the tables and the plot of docs/phases.md from these keys.
 */
import { registerLocally, startLocalChain } from "../../dispute/mod.ts";
import { type Arena, openArena, playLie } from "./arena.ts";
import { type BenchContext, type Measures, roundedUnder } from "./group.ts";
import { measureGrowth } from "./phase_growth.ts";
import {
  ALL_PHASES,
  commitAll,
  costsOf,
  lieAtNode,
  sidesOf,
} from "./phase_lies.ts";
import { measureSpeeds } from "./phase_speed.ts";
import { fixedModel, shippedInputs, shippedModels } from "./shipped_models.ts";
import { busiestNode } from "./small.ts";

/** Inputs among which one is sought on which the lie matters. */
const PICTURES = 10;

async function measureShipped(
  arena: Arena,
  name: (typeof shippedModels)[number],
  { models, seed, say }: BenchContext,
): Promise<Measures> {
  const three = await fixedModel(models, name);
  const commitments = commitAll(three.model);
  const cases = await shippedInputs(models, three, PICTURES);
  const lie = await lieAtNode(three, cases, busiestNode(commitments[2]), seed);
  const measures: Record<string, number> = {};
  for (const phases of ALL_PHASES) {
    const sides = await sidesOf(commitments, phases, lie);
    const { registrationId } = await registerLocally(
      arena.honest.market,
      commitments[phases],
    );
    const played = await playLie(arena, {
      name: `${name} in ${phases} phase(s)`,
      registrationId,
      game: 0,
      truth: sides.honest,
      lie: sides.liar,
      liar: "submitter",
    });
    const { gas, transactions, seconds } = played;
    const costs = costsOf(sides, phases, lie.leaf);
    Object.assign(
      measures,
      roundedUnder(`vm.phases.${name}.${phases}`, {
        ...costs,
        seconds,
        transactions,
        gas,
      }),
    );
    say(
      `${name} in ${phases} phase(s): ${costs.steps} steps, ${costs.hashes} hashes, ${transactions} transactions, ${gas} gas, ${
        seconds.toFixed(2)
      } s`,
    );
  }
  return { ...measures, ...await measureSpeeds(name, commitments, lie.inputs) };
}

/** All keys under `vm.phases`. */
export async function measurePhases(context: BenchContext): Promise<Measures> {
  let measures: Measures = {};
  {
    await using chain = await startLocalChain();
    const arena = await openArena(chain);
    for (const name of shippedModels) {
      const found = await measureShipped(arena, name, context);
      measures = { ...measures, ...found };
    }
  }
  return { ...measures, ...await measureGrowth(context) };
}
