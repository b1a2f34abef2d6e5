/**
 * `deno task bundle`: the whole product as one JavaScript file, `dist/chainlearn.js`.
 *
 * Everything is in it: commands (each evaluated only when called), libraries, contract artifacts, the text of the CPU
 * threads. It runs alone: `deno run -A chainlearn.js`. Imported, this file builds the same for `tools/compile.ts`.
 */
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ChainLearnError } from "../fpvm/errors.ts";

/** The repository's root, where the import map is. */
export const projectFolder = fileURLToPath(new URL("../", import.meta.url));

/** Bundles `cli.ts` into `output`; throws a {@linkcode ChainLearnError} with the bundler's text where it fails. */
export async function bundle(output: string): Promise<void> {
  await Deno.mkdir(dirname(output), { recursive: true });
  // Renamed into place: a reader never sees half a bundle.
  const temporary = `${output}.${Deno.pid}.js`;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--minify", "-o", temporary, "cli.ts"],
    cwd: projectFolder,
    env: { NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) {
    await Deno.remove(temporary).catch(() => {});
    throw new ChainLearnError(
      `Cannot bundle cli.ts: expected the bundler to succeed, found:\n${
        new TextDecoder().decode(stderr).trim()
      }`,
      {
        exitCode: 3,
        hint: "The bundler fetches esbuild from npm once: go online",
      },
    );
  }
  await Deno.rename(temporary, output);
}

if (import.meta.main) {
  const output = resolve(Deno.args[0] ?? `${projectFolder}dist/chainlearn.js`);
  await bundle(output);
  const { size } = await Deno.stat(output);
  console.log(`Wrote ${output}: ${(size / 1024).toFixed(0)} KiB`);
}
