import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readInputs } from "../../cli/inputs.ts";
import { commitModel, convertOnnx } from "../../compiler/mod.ts";
import { openModel } from "../../cli/model_files.ts";
import { type CampaignGame, playCampaign } from "../../dispute/mod.ts";

const folder = fileURLToPath(new URL("../../models/", import.meta.url));
const SEED = 4;
const GAMES = 18;
const FLOAT_GAMES = 6;

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

Deno.test("playCampaign: the honest side wins games about floats, down to an instruction", async () => {
  const name = "fashion_mlp";
  const bytes = await Deno.readFile(join(folder, name, `${name}.onnx`));
  const { model } = convertOnnx(bytes, { name, precision: "float" });
  const commitment = commitModel(model);
  const picture = join(folder, name, "pictures/0-ankle-boot.png");
  const { honestWins, lost } = await playCampaign({
    games: FLOAT_GAMES,
    seed: SEED,
    models: [{ commitment, cases: [await readInputs([picture], model)] }],
  });
  assertEquals(lost.map(({ lie }) => lie), [], `${SEED}`);
  assertEquals(honestWins, FLOAT_GAMES);
});
