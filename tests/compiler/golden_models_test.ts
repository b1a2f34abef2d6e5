/** The shipped models convert to the bundles of tests/vectors/models.json, here and under other settings. */
import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { modelVectorsText } from "../../tools/make_model_vectors.ts";

const expected = Deno.readTextFileSync(
  new URL("../vectors/models.json", import.meta.url),
);
const remedy =
  "What is emitted or laid out changed, so older bundles would no longer load. If that is meant, raise FORMAT_VERSION in compiler/model/model_root.ts and run tools/make_model_vectors.ts";

Deno.test("convertOnnx: D3 the shipped models give their golden bundles", async () => {
  assertEquals(await modelVectorsText(), expected, remedy);
});

Deno.test("convertOnnx: gives the same bundles in another time zone, language and folder", async () => {
  const tool = fileURLToPath(
    new URL("../../tools/make_model_vectors.ts", import.meta.url),
  );
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", tool, "--print"],
    cwd: await Deno.makeTempDir(),
    env: { TZ: "Pacific/Apia", LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" },
  }).output();
  assertEquals(success, true, new TextDecoder().decode(stderr));
  assertEquals(new TextDecoder().decode(stdout), expected, remedy);
});
