/** `chainlearn vm run`: executes a program to its end and tells how it ended. */
import { type Command, InvalidArgumentError } from "commander";
import {
  run,
  runTranslated,
  stateHash,
  STATUS,
  type VmState,
} from "../fpvm/mod.ts";
import { parseCount } from "./options.ts";
import { formatCount, note, printJson, toHex } from "./terminal.ts";
import { boundMemory } from "./vm_memory.ts";
import { addProgram, openProgram, type ProgramOptions } from "./vm_program.ts";
import { causeOf, formatAddress, formatMemory, formatNext } from "./vm_text.ts";
import { parseRange } from "./vm_value.ts";

export const summary = "execute a program and tell how it ended";

const LEAST_MEMORY = 2 ** 20;

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

/** Runs, with no more memory than was given; returns the steps. */
function runBounded(
  state: VmState,
  { steps: limit = Infinity, interpreted, memory }: RunOptions,
): number {
  // The file lasts as long as the process: what is printed at the end may be in it.
  if (memory !== undefined) boundMemory(state, memory);
  return (interpreted ? run : runTranslated)(state, limit);
}

async function execute(path: string, options: RunOptions): Promise<void> {
  const { name, state, symbols } = await openProgram(path, options);
  const range = options.dump === undefined
    ? undefined
    : parseRange(options.dump, { symbols });
  const started = performance.now();
  const steps = runBounded(state, options);
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
      "hold no more than this, such as 256M, and the rest in a temporary file",
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
