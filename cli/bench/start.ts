/**
 * `start`: how long the installed command takes to print its help, to convert a model from nothing, and to run that
 * model again: `run.milliseconds` is the whole process, of a bundle that an earlier run has checked.
 *
 * Installed means: the bundle by `deno install -g`, as the README tells. Every time is one of a process of its own.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ChainLearnError } from "../../fpvm/mod.ts";
import { exists } from "../files.ts";
import { type BenchContext, type Measures, median } from "./group.ts";
import { shippedPath } from "./shipped_models.ts";

const STARTS = 15;
const CONVERSIONS = 3;
const RUNS = 15;

/** Runs a program to its end; seconds it took. */
async function timeOf(
  program: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<number> {
  const started = performance.now();
  const { success, stderr } = await new Deno.Command(program, {
    args,
    env,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  const seconds = (performance.now() - started) / 1000;
  if (success) return seconds;
  throw new ChainLearnError(
    `Cannot measure ${program} ${args[0]}: expected it to succeed, found:\n${
      new TextDecoder().decode(stderr).trim()
    }`,
    { exitCode: 3 },
  );
}

/** The bundle: this program itself where it is one, else built from the sources. */
async function findBundle(folder: string): Promise<string> {
  const main = fileURLToPath(Deno.mainModule);
  if (main.endsWith(".js")) return main;
  const builder = fileURLToPath(
    new URL("../../tools/bundle.ts", import.meta.url),
  );
  if (!await exists(builder)) {
    throw new ChainLearnError(
      `Cannot build the bundle: expected ${builder}, found none`,
      { exitCode: 3 },
    );
  }
  const bundle = join(folder, "chainlearn.js");
  await timeOf(Deno.execPath(), ["run", "-A", builder, bundle]);
  return bundle;
}

export async function measure(
  { models, say }: BenchContext,
): Promise<Measures> {
  const folder = await Deno.makeTempDir();
  try {
    const bundle = await findBundle(folder);
    await timeOf(Deno.execPath(), [
      ...["install", "--global", "--quiet", "-A", "--no-config"],
      ...["--root", folder, "--name", "chainlearn", bundle],
    ]);
    const command = join(folder, "bin", "chainlearn");
    // What is installed starts `deno` from PATH.
    const env = { PATH: `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}` };
    const starts: number[] = [];
    for (let i = 0; i < STARTS; i++) {
      starts.push(await timeOf(command, ["--help"], env));
    }
    const milliseconds = Math.round(1e4 * median(starts)) / 10;
    say(`chainlearn --help: ${milliseconds} ms, the median of ${STARTS}`);
    const path = await shippedPath(models, "fashion_cnn");
    const conversions: number[] = [];
    for (let i = 0; i < CONVERSIONS; i++) {
      const args = ["convert", path, "-o", join(folder, "m.clm")];
      conversions.push(await timeOf(command, args, env));
    }
    const seconds = Math.round(1e3 * median(conversions)) / 1e3;
    say(`chainlearn convert: ${seconds} s, the median of ${CONVERSIONS}`);
    const model = join(folder, "m.clm");
    const picture = join(dirname(path), "pictures", "0-ankle-boot.png");
    // The first run fills the cache.
    const runs: number[] = [];
    for (let i = 0; i <= RUNS; i++) {
      const args = ["run", model, "--input", picture];
      runs.push(
        await timeOf(command, args, { ...env, XDG_CACHE_HOME: folder }),
      );
    }
    const [first, ...warm] = runs.map((time) => Math.round(1e4 * time) / 10);
    say(
      `chainlearn run: ${
        median(warm)
      } ms, the median of ${RUNS}; ${first} ms the first time`,
    );
    return {
      "start.milliseconds": milliseconds,
      "convert.seconds": seconds,
      "run.milliseconds": median(warm),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
