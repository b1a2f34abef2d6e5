/** `soundness`: games with one random fault each over both shipped models; the honest side must win them all. */
import { playCampaign } from "../../dispute/mod.ts";
import type { BenchContext, Measures } from "./group.ts";
import { fixedModel, shippedInputs, shippedModels } from "./shipped_models.ts";

const PICTURES = 4;

export async function measure(
  { models, games, seed, say }: BenchContext,
): Promise<Measures> {
  const stages = await Promise.all(shippedModels.map(async (name) => {
    const commitment = await fixedModel(models, name);
    return {
      commitment,
      cases: await shippedInputs(models, commitment, PICTURES),
    };
  }));
  let played = 0;
  const result = await playCampaign({
    games,
    seed,
    models: stages,
    onGame: () => {
      if (++played % 20 === 0) say(`${played} of ${games} games`);
    },
  });
  for (const { model, lie, liar, ending } of result.lost) {
    say(
      `Lost to a lying ${liar}: ${lie.kind} in node ${lie.step}, leaf ${lie.leaf}, step ${lie.vmStep} of ${model}, ended by ${ending}`,
    );
  }
  return {
    "soundness.games": result.games,
    "soundness.honestWins": result.honestWins,
  };
}
