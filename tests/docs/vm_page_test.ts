/** Runs the shell blocks of docs/vm.md in order, and compares what they print with the page. */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { succeeds } from "../cli/command.ts";
import { available } from "../fpvm/campaign.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const COMPILER = "mipsel-linux-gnu-gcc";

/** The page's shell blocks, each with the text block after it, if that comes before the next one. */
function blocksOf(markdown: string): { script: string; text?: string }[] {
  const blocks: { script: string; text?: string }[] = [];
  for (
    const [, kind, body] of markdown.matchAll(/```(sh|text)\n([\s\S]*?)```/g)
  ) {
    if (kind === "sh") blocks.push({ script: body });
    else blocks[blocks.length - 1].text = body;
  }
  return blocks;
}

async function makeFolder(): Promise<string> {
  const folder = await Deno.makeTempDir();
  const model = join(root, "models/fashion_mlp");
  await Deno.copyFile(join(model, "fashion_mlp.onnx"), join(folder, "m.onnx"));
  await Deno.copyFile(
    join(model, "fashion_mlp.calib.npz"),
    join(folder, "m.calib.npz"),
  );
  await Deno.copyFile(
    join(model, "pictures/0-ankle-boot.png"),
    join(folder, "x.png"),
  );
  await succeeds(folder, ["convert", "m.onnx"]);
  await Deno.mkdir(join(folder, "bin"));
  await Deno.writeTextFile(
    join(folder, "bin/chainlearn"),
    `#!/bin/sh\nexec "${Deno.execPath()}" run -A --no-check "${
      join(root, "cli.ts")
    }" "$@"\n`,
    { mode: 0o755 },
  );
  return folder;
}

/** Whether the compiler is the one whose addresses the page shows. */
async function isThePagesCompiler(markdown: string): Promise<boolean> {
  const { stdout } = await new Deno.Command(COMPILER, {
    args: ["-dumpfullversion"],
  })
    .output();
  return markdown.includes(`gcc ${new TextDecoder().decode(stdout).trim()}.`);
}

Deno.test({
  name: "vm.md: every command runs, and prints what the page says",
  ignore: Deno.build.os === "windows" || !available(COMPILER), // Needs a MIPS compiler; required where CHAINLEARN_REQUIRE_ALL is set.
  fn: async () => {
    const markdown = await Deno.readTextFile(join(root, "docs/vm.md"));
    const isSame = await isThePagesCompiler(markdown);
    const folder = await makeFolder();
    try {
      let compared = 0;
      for (const { script, text } of blocksOf(markdown)) {
        const { code, stdout, stderr } = await new Deno.Command("sh", {
          args: ["-ec", script],
          cwd: folder,
          env: {
            PATH: `${join(folder, "bin")}:${Deno.env.get("PATH")}`,
            NO_COLOR: "1",
          },
          stdin: "null",
        }).output();
        assertEquals(code, 0, `${script}\n${new TextDecoder().decode(stderr)}`);
        // Another compiler puts the same program at other addresses.
        if (text === undefined || !isSame) continue;
        const printed = new TextDecoder().decode(stdout);
        assert(printed.startsWith(text), `${script}\n${printed}`);
        compared++;
      }
      assertEquals(compared, isSame ? 3 : 0);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
