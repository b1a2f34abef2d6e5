/** `chainlearn vm run`: executes a program to its end and tells how it ended. */
import type { Command } from "commander";
import { run, runTranslated, stateHash, STATUS } from "../fpvm/mod.ts";
import { parseCount } from "./options.ts";
import { formatCount, note, printJson, toHex } from "./terminal.ts";
import { addProgram, openProgram, type ProgramOptions } from "./vm_program.ts";
import {
  causeOf,
  formatAddress,
  formatInstruction,
  formatMemory,
} from "./vm_text.ts";
import { parseRange } from "./vm_value.ts";

export const summary = "execute a program and tell how it ended";

interface RunOptions extends ProgramOptions {
  steps?: number;
  interpreted?: boolean;
  dump?: string;
  json?: boolean;
}

const statusNames = ["running", "exited", "trapped"];

/** Steps per second with three digits and a unit. */
function formatSpeed(stepsPerSecond: number): string {
  const [unit, divisor] = stepsPerSecond >= 1e9 ? ["G", 1e9] : ["M", 1e6];
  return `${(stepsPerSecond / divisor).toPrecision(3)} ${unit} steps/s`;
}

async function execute(path: string, options: RunOptions): Promise<void> {
  const { name, state, symbols } = await openProgram(path, options);
  const range = options.dump === undefined
    ? undefined
    : parseRange(options.dump, { symbols });
  const go = options.interpreted ? run : runTranslated;
  const started = performance.now();
  const steps = go(state, options.steps ?? Infinity);
  const seconds = (performance.now() - started) / 1000;
  const { status, exitCode, pc, memory } = state;
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
    const word = pc % 4 === 0 && pc < 2 ** 24 ? memory.load32(pc) >>> 0 : null;
    console.log(
      `at          ${formatAddress(symbols, pc)}: ${
        formatInstruction(word, pc, symbols)
      }`,
    );
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
