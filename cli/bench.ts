/** `chainlearn bench`: the numbers that the project is measured by, group by group. */
import type { Command } from "commander";
import { fileURLToPath } from "node:url";
import { ChainLearnError } from "../fpvm/mod.ts";
import type { BenchContext, BenchGroup, Measures } from "./bench/group.ts";
import { writeDocument } from "./bench/document.ts";
import { parseCount } from "./options.ts";
import { formatSeconds, formatTable, note, printJson } from "./terminal.ts";

/** Every group; those without a loader come with later versions. */
const groups: Readonly<Record<string, (() => Promise<BenchGroup>) | null>> = {
  accuracy: () => import("./bench/accuracy.ts"),
  exactness: () => import("./bench/exactness.ts"),
  soundness: () => import("./bench/soundness.ts"),
  small: () => import("./bench/small.ts"),
  gas: () => import("./bench/gas.ts"),
  start: () => import("./bench/start.ts"),
  vm: () => import("./bench/vm.ts"),
  cpu: () => import("./bench/cpu.ts"),
  overhead: () => import("./bench/overhead.ts"),
  float: () => import("./bench/float.ts"),
  gpu: null,
  import: null,
  kill: null,
  large: () => import("./bench/large.ts"),
  llm: null,
  llm7b: null,
  train: null,
};

interface BenchCommandOptions {
  data: string;
  models: string;
  games: number;
  faults: number;
  seed: number;
  write?: boolean | string;
  json?: boolean;
}

/** Runs one group; what keeps it from running here is told, and is no failure of the others. */
async function measureGroup(
  name: string,
  context: BenchContext,
): Promise<Measures> {
  const load = groups[name];
  if (!load) {
    note(`${name}: not in this version`);
    return {};
  }
  note(`${name}:`);
  const started = performance.now();
  try {
    const measures = await (await load()).measure(context);
    const seconds = (performance.now() - started) / 1000;
    note(`  done in ${formatSeconds(seconds)}`);
    return measures;
  } catch (error) {
    if (!(error instanceof ChainLearnError) || error.exitCode !== 3) {
      throw error;
    }
    note(`  ${name} cannot run here: ${error.message}`);
    return {};
  }
}

/** Counts that have only one right value; anything else makes the command fail. */
function isSound(measures: Measures): boolean {
  return (measures["exactness.mismatches"] ?? 0) === 0 &&
    measures["soundness.games"] === measures["soundness.honestWins"];
}

async function bench(
  names: string[],
  options: BenchCommandOptions,
): Promise<void> {
  const unknown = names.filter((name) => !Object.hasOwn(groups, name));
  if (unknown.length > 0) {
    throw new ChainLearnError(
      `Cannot measure ${unknown.join(", ")}: expected groups of ${
        Object.keys(groups).join(", ")
      }`,
    );
  }
  const present = Object.keys(groups).filter((name) => groups[name]);
  const chosen = names.length > 0 ? [...new Set(names)] : present;
  const context = { ...options, say: (text: string) => note(`  ${text}`) };
  const [load] = Deno.loadavg();
  let measures: Measures = {};
  for (const name of chosen) {
    measures = { ...measures, ...await measureGroup(name, context) };
  }
  if (options.write) {
    const path = options.write === true
      ? fileURLToPath(new URL("../docs/benchmarks.md", import.meta.url))
      : options.write;
    await writeDocument(path, measures, chosen, load);
    const { writePhases } = await import("./bench/phase_document.ts");
    await writePhases(path, measures);
    note(`Wrote ${path}`);
  }
  if (!isSound(measures)) Deno.exitCode = 1;
  if (options.json) return printJson(measures);
  console.log(formatTable(
    Object.entries(measures).map(([key, value]) => [key, String(value)]),
    ["key", "value"],
  ));
}

/** Adds the command's arguments and options. */
export function define(command: Command): void {
  command
    .argument("[group...]", `any of ${Object.keys(groups).join(", ")}`)
    .option(
      "--data <folder>",
      "Fashion-MNIST's test files",
      "/usr/share/datasets/fashion-mnist",
    )
    .option(
      "--models <folder>",
      "the models that come with the project",
      fileURLToPath(new URL("../models", import.meta.url)),
    )
    .option("--games <n>", "games of the soundness group", parseCount, 100)
    .option("--faults <n>", "faults of the small group", parseCount, 24)
    .option("--seed <n>", "of everything that is drawn", parseCount, 1)
    .option("--write [file]", "write docs/benchmarks.md, or this file")
    .option("--json", "print one flat object")
    .addHelpText(
      "after",
      "\nWithout a group: all that this version has. Progress goes to standard error. A key that was not measured is absent.\nExit code 1 if bytes differ or a liar wins a game.\n\nExamples:\n  chainlearn bench\n  chainlearn bench accuracy gas --json",
    )
    .action(bench);
}
