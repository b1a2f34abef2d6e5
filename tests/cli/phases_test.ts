import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chainlearn, succeeds } from "./command.ts";

const models = fileURLToPath(
  new URL("../../models/fashion_mlp", import.meta.url),
);

/** A folder with the model, its sample inputs and a picture. */
async function workplace(): Promise<string> {
  const folder = await Deno.makeTempDir();
  const files = ["fashion_mlp.onnx", "fashion_mlp.calib.npz"];
  for (const name of files) {
    await Deno.copyFile(join(models, name), join(folder, name));
  }
  const pictures = join(models, "pictures");
  const [picture] = [...Deno.readDirSync(pictures)].map((entry) => entry.name)
    .filter((name) => name.endsWith(".png")).sort();
  await Deno.copyFile(join(pictures, picture), join(folder, "x.png"));
  return folder;
}

Deno.test("convert --phases: models of one and two phases answer as those of three and dispute down to one instruction", async () => {
  const folder = await workplace();
  const outputs: string[] = [];
  for (const phases of ["3", "2", "1"]) {
    const on = ["--input", "x.png"];
    await succeeds(
      folder,
      ["convert", "fashion_mlp.onnx", "--phases", phases, "-o", "m.clm"],
    );
    const { out } = await succeeds(folder, ["inspect", "m.clm", "--json"]);
    assertEquals(JSON.parse(out).phases, Number(phases));
    const receipt = `${phases}.receipt.json`;
    await succeeds(folder, ["run", "m.clm", ...on, "--receipt", receipt]);
    outputs.push(
      JSON.parse(await Deno.readTextFile(join(folder, receipt))).outputs[0],
    );
    if (phases === "3") continue;
    await succeeds(folder, ["verify", "m.clm", ...on, "--receipt", receipt]);
    await succeeds(folder, ["prove", "m.clm", ...on, "-o", "honest.claim"]);
    await succeeds(folder, [
      "prove",
      "m.clm",
      ...on,
      "-o",
      "liar.claim",
      "--fault",
      "node=0,leaf=0,step=50",
    ]);
    await chainlearn(
      folder,
      ["bisect", "honest.claim", "liar.claim", "-o", "s.witness"],
    );
    const judged = await chainlearn(folder, ["arbitrate", "s.witness"]);
    assertStringIncludes(judged.out + judged.err, "node 0, leaf 0, step 49");
    assertStringIncludes(judged.out + judged.err, "The claim is false.");
  }
  assert(outputs.every((output) => output === outputs[0]), outputs.join(" "));
});

Deno.test("convert --phases: refuses a count that there is not", async () => {
  const folder = await workplace();
  const { code, err } = await chainlearn(
    folder,
    ["convert", "fashion_mlp.onnx", "--phases", "4"],
  );
  assertEquals(code, 2);
  assertStringIncludes(err, 'expected one of 1, 2, 3, found "4"');
});
