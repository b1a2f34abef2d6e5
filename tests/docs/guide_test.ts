/** Runs the shell blocks of docs/guide.md in order, as a user would. */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The text of all ```sh blocks: one script. */
function scriptOf(markdown: string): string {
  return [...markdown.matchAll(/```sh\n([\s\S]*?)```/g)]
    .map(([, block]) => block).join("");
}

/** Makes `chainlearn` a command of the folder's `bin`. */
async function installCommand(folder: string): Promise<void> {
  const command = join(folder, "bin", "chainlearn");
  await Deno.mkdir(join(folder, "bin"));
  await Deno.writeTextFile(
    command,
    `#!/bin/sh\nexec "${Deno.execPath()}" run -A --no-check "${
      join(root, "cli.ts")
    }" "$@"\n`,
    { mode: 0o755 },
  );
}

Deno.test({
  name: "guide.md: every command runs in an empty folder",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const model = join(root, "models/fashion_mlp");
    for (
      const [from, to] of [
        ["fashion_mlp.onnx", "model.onnx"],
        ["fashion_mlp.calib.npz", "model.calib.npz"],
        ["labels.txt", "labels.txt"],
        ["pictures/0-ankle-boot.png", "x.png"],
      ]
    ) await Deno.copyFile(join(model, from), join(folder, to));
    await installCommand(folder);
    const markdown = await Deno.readTextFile(join(root, "docs/guide.md"));
    const run = (script: string) =>
      new Deno.Command("sh", {
        // Echoes each command to standard error, ends at the first that fails.
        args: ["-exc", script],
        cwd: folder,
        env: { PATH: `${join(folder, "bin")}:${Deno.env.get("PATH")}` },
        stdin: "null",
      }).output();
    try {
      const { code, stderr } = await run(scriptOf(markdown));
      assertEquals(code, 0, new TextDecoder().decode(stderr));
    } finally {
      await run("[ ! -f .env ] || chainlearn devnet --down");
      await Deno.remove(folder, { recursive: true });
    }
  },
});
