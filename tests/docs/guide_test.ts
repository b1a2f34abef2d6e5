/** Runs the shell blocks of docs/guide.md in order, as a user would. */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Commands of the ```sh blocks, one a line. */
function commandsOf(markdown: string): string[] {
  return [...markdown.matchAll(/```sh\n([\s\S]*?)```/g)]
    .flatMap(([, block]) => block.split("\n"))
    .map((line) => line.trim()).filter((line) =>
      line.startsWith("chainlearn ")
    );
}

Deno.test("guide.md: every command runs in an empty folder", async () => {
  const folder = await Deno.makeTempDir();
  const model = join(root, "models/fashion_mlp");
  await Deno.copyFile(
    join(model, "fashion_mlp.onnx"),
    join(folder, "model.onnx"),
  );
  await Deno.copyFile(
    join(model, "fashion_mlp.calib.npz"),
    join(folder, "model.calib.npz"),
  );
  await Deno.copyFile(join(model, "labels.txt"), join(folder, "labels.txt"));
  await Deno.copyFile(
    join(model, "pictures/0-ankle-boot.png"),
    join(folder, "x.png"),
  );
  const markdown = await Deno.readTextFile(join(root, "docs/guide.md"));
  for (const line of commandsOf(markdown)) {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        join(root, "cli.ts"),
        ...line.split(/\s+/).slice(1),
      ],
      cwd: folder,
    }).output();
    assertEquals(
      code,
      0,
      `${line}: exit code ${code}: ${new TextDecoder().decode(stderr)}`,
    );
  }
  await Deno.remove(folder, { recursive: true });
});
