/**
 * The same bytes on another instruction set: everything on x86-64 and again on arm64 under QEMU, compared.
 *
 * `deno run -A tools/second_architecture.ts [part ...]` prints a table of parts with the bytes that differ; exit code 1
 * where one does, 3 where the emulator, its libraries or the other Deno are missing. The other Deno comes from npm. Parts
 * are conversions and runs of the shipped models in every precision, the conformance suite through WebAssembly, tree
 * roots, and the command: a bundle and its receipt from here, verified there.
 */
import { join } from "node:path";
import { ChainLearnError } from "../fpvm/errors.ts";
import { bundle, projectFolder } from "./bundle.ts";
import {
  findEmulator,
  type Processor,
  thisProcessor,
} from "./second_architecture_emulator.ts";

/** Parts that the probe computes, so ordered that the even ones take as long as the odd; `command` is not among them. */
export const probeParts = [
  "kernels",
  "fashion_mlp int16",
  "roots",
  "fashion_mlp int8",
  "fashion_mlp float",
  "fashion_cnn int16",
  "fashion_cnn int8",
  "fashion_cnn float",
] as const;
const COMMAND = "command";

/** What a part came to. */
export interface PartResult {
  readonly part: string;
  readonly cases: number;
  readonly bytes: number;
  readonly differing: number;
  /** Here and there, start of the process not included. */
  readonly seconds: readonly [number, number];
  /** The first case that differs. */
  readonly first?: string;
}

/** A part on one processor. */
export interface Computed {
  readonly cases: Map<string, Uint8Array>;
  seconds: number;
}

/** Compares by name; a case that one side lacks differs in all its bytes, at least one. */
export function comparePart(
  part: string,
  here: Computed,
  there: Computed,
): PartResult {
  let bytes = 0;
  let differing = 0;
  let first: string | undefined;
  for (const name of new Set([...here.cases.keys(), ...there.cases.keys()])) {
    const [a, b] = [here.cases.get(name), there.cases.get(name)];
    const length = Math.max(a?.length ?? 0, b?.length ?? 0, 1);
    let count = 0;
    if (!a || !b) count = length;
    else for (let i = 0; i < length; i++) count += +(a[i] !== b[i]);
    bytes += length;
    differing += count;
    if (count > 0) first ??= name;
  }
  return {
    part,
    cases: here.cases.size,
    bytes,
    differing,
    seconds: [here.seconds, there.seconds],
    first,
  };
}

/** Cases by part, from the probe's file. */
export function parseProbe(text: string): Map<string, Computed> {
  const parts = new Map<string, Computed>();
  for (const line of text.trimEnd().split("\n")) {
    const { part, name, bytes, seconds } = JSON.parse(line);
    const known = parts.get(part) ?? { cases: new Map(), seconds: 0 };
    parts.set(part, known);
    if (seconds !== undefined) known.seconds = seconds;
    // Kernels may share a name; their order is the same on both sides.
    else {known.cases.set(
        `${known.cases.size} ${name}`,
        Uint8Array.fromHex(bytes),
      );}
  }
  return parts;
}

/** Bundles the probe, so that the other Deno needs neither libraries nor a type check. */
async function bundleProbe(folder: string): Promise<string> {
  const output = join(folder, "probe.js");
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["bundle", "--quiet", "--output", output],
      "tools/second_architecture_probe.ts",
    ],
    cwd: projectFolder,
    stdout: "null",
  }).output();
  if (success) return output;
  throw new ChainLearnError(
    `Cannot bundle the probe: expected the bundler to succeed, found:\n${
      new TextDecoder().decode(stderr).trim()
    }`,
    { exitCode: 3 },
  );
}

/** Runs JavaScript on a processor and returns its exit code and text. */
async function runOn(
  processor: Processor,
  args: readonly string[],
  folder: string,
): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(processor.program, {
    args: [...processor.args, "run", "-q", "-A", "--no-config", ...args],
    cwd: folder,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
  }).output();
  const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, text: text.join("") };
}

async function probe(
  processor: Processor,
  script: string,
  parts: readonly string[],
  folder: string,
): Promise<Map<string, Computed>> {
  const output = await Deno.makeTempFile({ dir: folder });
  const models = join(projectFolder, "models");
  const { code, text } = await runOn(
    processor,
    [script, models, output, ...parts],
    folder,
  );
  if (code === 0) return parseProbe(await Deno.readTextFile(output));
  throw new ChainLearnError(
    `Cannot compute on ${processor.name}: expected exit code 0, found ${code}:\n${text}`,
    { exitCode: 1 },
  );
}

/** Every second part in a process of its own: emulation takes minutes and one core. */
async function probeInTwo(
  processor: Processor,
  script: string,
  parts: readonly string[],
  folder: string,
): Promise<Map<string, Computed>> {
  const halves = [0, 1].map((odd) => parts.filter((_, i) => i % 2 === odd));
  const found = await Promise.all(
    halves.filter((half) => half.length > 0)
      .map((half) => probe(processor, script, half, folder)),
  );
  return new Map(found.flatMap((parts) => [...parts]));
}

/** Commands as a user has them: convert and run here, `verify --receipt` there, every device. */
async function compareCommand(
  here: Processor,
  there: Processor,
  folder: string,
): Promise<PartResult> {
  const product = join(folder, "chainlearn.js");
  await bundle(product);
  const source = join(projectFolder, "models/fashion_cnn");
  const picture = join(source, "pictures/0-ankle-boot.png");
  const command = async (processor: Processor, ...args: string[]) => {
    const started = performance.now();
    const { code, text } = await runOn(processor, [product, ...args], folder);
    return { code, text, seconds: (performance.now() - started) / 1000 };
  };
  const [model, input] = ["m.clm", ["--input", picture]];
  const made = [
    await command(
      here,
      ...["convert", join(source, "fashion_cnn.onnx"), "-o", model],
    ),
    await command(here, "run", model, ...input, "--receipt", "r.json"),
  ];
  const failed = made.find(({ code }) => code !== 0);
  if (failed) {
    throw new ChainLearnError(
      `Cannot make a receipt: expected exit code 0, found ${failed.code}:\n${failed.text}`,
      { exitCode: 3 },
    );
  }
  const verify = [
    ...["verify", model, ...input, "--device", "cpu"],
    ...["--receipt", "r.json", "--junit", "out.xml"],
  ];
  const verified = await command(there, ...verify);
  const report = await Deno.readTextFile(join(folder, "out.xml"))
    .catch(() => "");
  const equal = verified.code === 0 && report.includes('failures="0"');
  return {
    part: COMMAND,
    cases: 1,
    bytes: (await Deno.stat(join(folder, "r.json"))).size,
    differing: equal ? 0 : 1,
    seconds: [made[0].seconds + made[1].seconds, verified.seconds],
    first: equal
      ? undefined
      : `chainlearn ${verify.join(" ")}: ${verified.text}`,
  };
}

/** Computes the parts here and on the other architecture, one after the other. */
export async function compareArchitectures(
  parts: readonly string[],
): Promise<PartResult[]> {
  const known: readonly string[] = [...probeParts, COMMAND];
  const unknown = parts.find((part) => !known.includes(part));
  if (unknown !== undefined) {
    throw new ChainLearnError(
      `Cannot compare part "${unknown}": expected one of ${known.join(", ")}`,
    );
  }
  const there = await findEmulator();
  const folder = await Deno.makeTempDir();
  try {
    const results: PartResult[] = [];
    const probed = parts.filter((part) => part !== COMMAND);
    if (probed.length > 0) {
      const script = await bundleProbe(folder);
      const a = await probeInTwo(thisProcessor, script, probed, folder);
      const b = await probeInTwo(there, script, probed, folder);
      for (const part of probed) {
        results.push(comparePart(part, a.get(part)!, b.get(part)!));
      }
    }
    if (parts.includes(COMMAND)) {
      results.push(await compareCommand(thisProcessor, there, folder));
    }
    return results;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function main(): Promise<number> {
  const { formatCount, formatSeconds, formatTable } = await import(
    "../cli/terminal.ts"
  );
  const parts = Deno.args.length > 0 ? Deno.args : [...probeParts, COMMAND];
  const results = await compareArchitectures(parts);
  console.log(formatTable(
    results.map(({ part, cases, bytes, differing, seconds }) => [
      part,
      ...[cases, bytes, differing].map(formatCount),
      ...seconds.map(formatSeconds),
    ]),
    ["part", "cases", "bytes", "differing", thisProcessor.name, "arm64"],
  ));
  const different = results.filter(({ differing }) => differing > 0);
  for (const { part, first } of different) console.log(`${part}: ${first}`);
  return different.length > 0 ? 1 : 0;
}

if (import.meta.main) {
  try {
    Deno.exitCode = await main();
  } catch (error) {
    if (!(error instanceof ChainLearnError)) throw error;
    console.error(`Error: ${error.message}`);
    if (error.hint) console.error(error.hint);
    Deno.exitCode = error.exitCode;
  }
}
