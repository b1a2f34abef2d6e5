/**
 * The single file and the single executable, each alone in an empty folder with an empty environment.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { bundle, projectFolder } from "../../tools/bundle.ts";
import { writeSelfExtracting } from "../../tools/compile.ts";

interface Finished {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Starts `program` in `folder` with nothing in its environment but a cache folder. */
async function alone(
  folder: string,
  program: string,
  args: readonly string[],
): Promise<Finished> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd: folder,
    clearEnv: true,
    env: { XDG_CACHE_HOME: `${folder}-cache`, PATH: "" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

/** What every form of the product must do; `start` runs it with arguments. */
async function checkProduct(
  folder: string,
  start: (...args: string[]) => Promise<Finished>,
): Promise<void> {
  const ok = async (...args: string[]): Promise<Finished> => {
    const finished = await start(...args);
    assertEquals(finished.code, 0, `${args.join(" ")}: ${finished.err}`);
    return finished;
  };
  assertMatch((await ok("--help")).out, /convert .*turn a model into a bundle/);
  assertEquals((await ok("--version")).out, "0.1.0\n");
  const models = join(projectFolder, "models/fashion_mlp");
  for (const name of ["fashion_mlp.onnx", "fashion_mlp.calib.npz"]) {
    await Deno.copyFile(join(models, name), join(folder, name));
  }
  await Deno.copyFile(
    join(models, "pictures/0-ankle-boot.png"),
    join(folder, "boot.png"),
  );
  await ok("convert", "fashion_mlp.onnx");
  const input = ["fashion_mlp.clm", "--input", "boot.png"];
  const run = await ok("run", ...input, "--threads", "2", "--json");
  const { values } = JSON.parse(run.out).outputs[0];
  assertEquals(values.indexOf(Math.max(...values)), 9, "an ankle boot");
  const verified = JSON.parse((await ok("verify", ...input, "--json")).out);
  assertEquals(verified.equal, true);
  assertEquals(verified.devices.length, 4);
  const absent = await start("run", "absent.clm", "--input", "boot.png");
  assertEquals(absent.code, 2);
  assertMatch(absent.err, /^Error: Cannot read bundle absent\.clm: expected/);
  // The chain may be absent here; then doctor says so and does not fall over.
  const doctor = await start("doctor", "--json");
  assert(doctor.code === 0 || doctor.code === 3, doctor.err);
  assert(JSON.parse(doctor.out).findings.length >= 8);
  const names = [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
  assertEquals(names, [
    "boot.png",
    "fashion_mlp.calib.npz",
    "fashion_mlp.clm",
    "fashion_mlp.onnx",
  ]);
}

Deno.test("bundle and compile: one file works alone with an empty PATH", async (t) => {
  const built = await Deno.makeTempDir();
  const folder = async (name: string) => {
    await Deno.mkdir(join(built, name));
    return join(built, name);
  };
  try {
    const script = join(built, "chainlearn.js");
    await t.step("bundle: one JavaScript file", async () => {
      await bundle(script);
      const text = await Deno.readTextFile(script);
      assert(!text.includes(projectFolder), "no path of this machine");
      const empty = await folder("script");
      await checkProduct(
        empty,
        (...args) =>
          alone(empty, Deno.execPath(), ["run", "-A", script, ...args]),
      );
    });
    await t.step({
      name: "compile: a self-extracting executable",
      ignore: Deno.build.os === "windows", // It has no second form there.
      fn: async () => {
        const program = join(built, "chainlearn");
        await writeSelfExtracting(script, program);
        const empty = await folder("program");
        // Two first starts at once unpack the same files.
        const [one, two] = await Promise.all([
          alone(empty, program, ["--version"]),
          alone(empty, program, ["--version"]),
        ]);
        assertEquals([one.out, two.out], ["0.1.0\n", "0.1.0\n"], one.err);
        await checkProduct(empty, (...args) => alone(empty, program, args));
        const home = [...Deno.readDirSync(`${empty}-cache/chainlearn`)]
          .find((entry) => entry.name.startsWith("program-"))!.name;
        const files = [...Deno.readDirSync(`${empty}-cache/chainlearn/${home}`)]
          .map((entry) => entry.name).sort();
        assertEquals(files, ["chainlearn.js", "deno"]);
      },
    });
    await t.step({
      name: "compile: a damaged executable says so and starts nothing",
      ignore: Deno.build.os === "windows", // It has no second form there.
      fn: async () => {
        const damaged = join(built, "damaged");
        const bytes = await Deno.readFile(join(built, "chainlearn"));
        bytes.fill(0, bytes.length - 1000);
        await Deno.writeFile(damaged, bytes, { mode: 0o755 });
        const { code, err } = await alone(
          await folder("empty"),
          damaged,
          ["--version"],
        );
        assertEquals(code, 3);
        assertMatch(err, /Error: Cannot unpack chainlearn into/);
      },
    });
  } finally {
    await Deno.remove(built, { recursive: true });
  }
});
