/** Runs docs/ci.md as written: its shell blocks, then the workflow's steps, then its script on a false receipt. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dirname, join } from "node:path";
import { bundle, projectFolder } from "../../tools/bundle.ts";
import { readJunit } from "../cli/xml.ts";

/** Texts of the fenced blocks of one language. */
function blocksOf(markdown: string, language: string): string[] {
  const fence = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g");
  return [...markdown.matchAll(fence)].map(([, block]) => block);
}

/** The `run` steps of a workflow, one line each. */
function stepsOf(workflow: string): string[] {
  return [...workflow.matchAll(/^ +- run: (.*)$/gm)].map(([, step]) => step);
}

/** A folder as the page has it, with the program in `ci`. */
async function makeFolder(): Promise<string> {
  const folder = await Deno.makeTempDir();
  const model = join(projectFolder, "models/fashion_mlp");
  for (
    const [from, to] of [
      ["fashion_mlp.onnx", "model.onnx"],
      ["fashion_mlp.calib.npz", "model.calib.npz"],
      ["labels.txt", "labels.txt"],
      ["pictures/0-ankle-boot.png", "x.png"],
    ]
  ) await Deno.copyFile(join(model, from), join(folder, to));
  await bundle(join(folder, "ci/chainlearn.js"));
  return folder;
}

Deno.test({
  name:
    "ci.md: the script and the workflow's steps pass, and fail on other bytes",
  ignore: Deno.build.os === "windows", // The script is for sh.
  fn: async () => {
    const page = join(projectFolder, "docs/ci.md");
    const markdown = await Deno.readTextFile(page);
    const folder = await makeFolder();
    const path = `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}`;
    const run = async (script: string) => {
      const { code, stdout, stderr } = await new Deno.Command("sh", {
        args: ["-exc", script],
        cwd: folder,
        env: { PATH: path, NO_COLOR: "1" },
        stdin: "null",
      }).output();
      const text = new TextDecoder();
      return { code, text: text.decode(stdout) + text.decode(stderr) };
    };
    const report = async () =>
      readJunit(await Deno.readTextFile(join(folder, "reports/x.xml")));

    const { code, text } = await run(blocksOf(markdown, "sh").join(""));
    assertEquals(code, 0, text);
    assertEquals((await report()).attributes.failures, "0");

    const [workflow] = blocksOf(markdown, "yaml");
    const [install, ...steps] = stepsOf(workflow);
    const readme = await Deno.readTextFile(join(projectFolder, "README.md"));
    assertStringIncludes(readme, install, "the version of the README");
    assertEquals(steps.length, 1);
    const again = await run(steps[0]);
    assertEquals(again.code, 0, again.text);

    const golden = join(folder, "x.receipt.json");
    const receipt = JSON.parse(await Deno.readTextFile(golden));
    const byte = parseInt(receipt.outputs[0].slice(0, 2), 16) ^ 1;
    receipt.outputs[0] = byte.toString(16).padStart(2, "0") +
      receipt.outputs[0].slice(2);
    await Deno.writeTextFile(golden, JSON.stringify(receipt));
    const failed = await run(steps[0]);
    assertEquals(failed.code, 1, failed.text);
    assertEquals((await report()).attributes.failures, "4");

    await Deno.copyFile(join(folder, "x.png"), join(folder, "model.clm"));
    const other = await run(steps[0]);
    assert(other.code !== 0, "another bundle than the one committed");
    await Deno.remove(folder, { recursive: true });
  },
});
