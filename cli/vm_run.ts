/** `chainlearn vm run`: executes a program to its end and tells how it ended. */
import { type Command, InvalidArgumentError } from "commander";
import {
  ChainLearnError,
  run,
  runTranslated,
  setFrameLimit,
  stateHash,
  STATUS,
  type VmState,
} from "../fpvm/mod.ts";
import { parseCount } from "./options.ts";
import {
  formatBytes,
  formatCount,
  note,
  printJson,
  toHex,
} from "./terminal.ts";
import { addProgram, openProgram, type ProgramOptions } from "./vm_program.ts";
import { causeOf, formatAddress, formatMemory, formatNext } from "./vm_text.ts";
import { parseRange } from "./vm_value.ts";

export const summary = "execute a program and tell how it ended";

const LEAST_MEMORY = 2 ** 20;
const MOST_FRAMES = 2 ** 25;
/** Steps between two looks at the memory: what these can touch may exceed the bound for that long. */
const SLICE = 2 ** 22;

interface RunOptions extends ProgramOptions {
  steps?: number;
  interpreted?: boolean;
  /** Bytes. */
  memory?: number;
  dump?: string;
  json?: boolean;
}

const statusNames = ["running", "exited", "trapped"];

/** Steps per second with three digits and a unit. */
function formatSpeed(stepsPerSecond: number): string {
  const [unit, divisor] = stepsPerSecond >= 1e9 ? ["G", 1e9] : ["M", 1e6];
  return `${(stepsPerSecond / divisor).toPrecision(3)} ${unit} steps/s`;
}

/** A size as people write it: 65536, 64K, 256M, 2G. */
function parseBytes(text: string): number {
  const [, digits, unit = ""] = /^(\d+)([KMG]?)$/i.exec(text) ?? [];
  const bytes = Number(digits) *
    2 ** (10 * " KMG".indexOf(unit.toUpperCase() || " "));
  if (!(bytes >= LEAST_MEMORY && Number.isSafeInteger(bytes))) {
    throw new InvalidArgumentError(
      `expected a size of at least 1M, such as 256M, found "${text}"`,
    );
  }
  return bytes;
}

/** Runs, and where memory is bounded looks now and then how much the machine holds. Returns the steps. */
function runBounded(
  state: VmState,
  name: string,
  { steps: limit = Infinity, interpreted, memory: bytes }: RunOptions,
): number {
  const go = interpreted ? run : runTranslated;
  if (bytes === undefined) return go(state, limit);
  // A page that is written is in a frame and in the tree: a quarter for the frames leaves the tree the most.
  setFrameLimit(Math.min(bytes / 4, MOST_FRAMES));
  let steps = 0;
  while (steps < limit && state.status === STATUS.running) {
    steps += go(state, Math.min(SLICE, limit - steps));
    const held = state.memory.heldBytes;
    if (held <= bytes * 3 / 4) continue;
    throw new ChainLearnError(
      `Cannot run ${name} in ${
        formatBytes(bytes)
      } of memory: expected at most ${
        formatBytes(bytes * 3 / 4)
      } of pages, found ${formatBytes(held)} after ${formatCount(steps)} steps`,
      { exitCode: 3, hint: "Give more with --memory" },
    );
  }
  return steps;
}

async function execute(path: string, options: RunOptions): Promise<void> {
  const { name, state, symbols } = await openProgram(path, options);
  const range = options.dump === undefined
    ? undefined
    : parseRange(options.dump, { symbols });
  const started = performance.now();
  const steps = runBounded(state, name, options);
  const seconds = (performance.now() - started) / 1000;
  const { status, exitCode, pc } = state;
  const isGood = status === STATUS.running ||
    (status === STATUS.exited && exitCode === 0);
  if (!isGood) Deno.exitCode = 1;
  const dump = range && formatMemory(state, range.address, range.length);
  if (options.json) {
    return printJson({
      program: name,
      status: statusNames[status] ?? status,
      exitCode: status === STATUS.running ? null : exitCode,
      cause: status === STATUS.trapped ? causeOf(exitCode) : undefined,
      pc,
      steps,
      seconds,
      stateHash: stateHash(state),
      dump: dump?.split("\n"),
    });
  }
  // Of fewer steps it is the time to translate them.
  if (steps >= 100_000) {
    const how = options.interpreted ? "Interpreted" : "Translated";
    note(`${how}: ${formatSpeed(steps / seconds)}`);
  }
  console.log(`status      ${statusNames[status] ?? status}`);
  if (status !== STATUS.running) {
    console.log(
      `exit code   ${exitCode}${
        status === STATUS.trapped ? `: ${causeOf(exitCode)}` : ""
      }`,
    );
  }
  if (status !== STATUS.exited) {
    const place = formatAddress(symbols, pc);
    console.log(`at          ${place}: ${formatNext(state, symbols)}`);
  }
  console.log(`steps       ${formatCount(steps)}`);
  console.log(`state hash  ${toHex(stateHash(state))}`);
  if (dump !== undefined) console.log(dump);
}

/** Adds the subcommand's arguments and options. */
export function define(command: Command): void {
  addProgram(command)
    .option("--steps <n>", "stop after at most n steps", parseCount)
    .option("--interpreted", "step by step instead of translated")
    .option(
      "--memory <size>",
      "stop with an error where the machine would hold more, such as 256M",
      parseBytes,
    )
    .option(
      "--dump <place>",
      "print memory at the end: ADDRESS or SYMBOL, with :LENGTH (64)",
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExit code 0 if the program exited with 0 or still runs after --steps, 1 if it trapped or exited otherwise.\n\nExamples:\n  chainlearn vm run prog.elf\n  chainlearn vm run prog.elf --dump result:128\n  chainlearn vm run m.clm --node 0 --leaf 3 --input x.png",
    )
    .action(execute);
}
