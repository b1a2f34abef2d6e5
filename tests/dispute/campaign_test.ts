import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readInputs } from "../../cli/inputs.ts";
import { openModel } from "../../cli/model_files.ts";
import { type CampaignGame, playCampaign } from "../../dispute/mod.ts";

const folder = fileURLToPath(new URL("../../models/", import.meta.url));
const SEED = 4;
const GAMES = 18;

Deno.test("playCampaign: the honest side wins every game about both models, each kind of fault twice", async () => {
  const models = await Promise.all(
    ["fashion_mlp", "fashion_cnn"].map(async (name) => {
      const commitment = await openModel(join(folder, name, `${name}.onnx`));
      const picture = join(folder, name, "pictures/0-ankle-boot.png");
      const { model } = commitment;
      return { commitment, cases: [await readInputs([picture], model)] };
    }),
  );
  const games: CampaignGame[] = [];
  const { honestWins, lost } = await playCampaign({
    games: GAMES,
    seed: SEED,
    models,
    onGame: (game) => games.push(game),
  });
  assertEquals(lost.map(({ model, lie }) => ({ model, lie })), [], `${SEED}`);
  assertEquals(honestWins, GAMES);
  assertEquals(new Set(games.map((game) => game.lie.kind)).size, 9);
  assertEquals(new Set(games.map((game) => game.liar)).size, 2);
});
