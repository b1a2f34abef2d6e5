/** `chainlearn vm trace`: one line a step: where, what, and what it changed. */
import type { Command } from "commander";
import {
  observeStep,
  REGISTER_NAMES,
  runTranslated,
  STATUS,
  type StepEffect,
} from "../fpvm/mod.ts";
import { parseCount } from "./options.ts";
import { addProgram, openProgram, type ProgramOptions } from "./vm_program.ts";
import { formatInstruction, formatStep, placeName } from "./vm_text.ts";
import { formatCounted, note, paint } from "./terminal.ts";

export const summary = "print what every step of a program does";

/** Steps printed where no end is given. */
const DEFAULT_STEPS = 100;

interface TraceOptions extends ProgramOptions {
  from: number;
  to?: number;
  json?: boolean;
}

/** An effect as the JSON of a line. */
function lineOf(step: number, effect: StepEffect, text: string) {
  const { registers, subtree, ...rest } = effect;
  return {
    step,
    text,
    ...rest,
    registers: registers.map(({ register, before, value }) => ({
      register: typeof register === "number"
        ? REGISTER_NAMES[register]
        : register,
      before,
      value,
    })),
    subtree: subtree && { ...subtree, root: `0x${subtree.root.toHex()}` },
  };
}

async function trace(path: string, options: TraceOptions): Promise<void> {
  const { state, symbols } = await openProgram(path, options);
  const to = options.to ?? options.from + DEFAULT_STEPS;
  let step = runTranslated(state, options.from);
  for (; step < to && state.status === STATUS.running; step++) {
    const effect = observeStep(state);
    const { word, pc } = effect;
    if (options.json) {
      const text = formatInstruction(word, pc, symbols);
      console.log(JSON.stringify(lineOf(step, effect, text)));
      continue;
    }
    const name = placeName(symbols, pc);
    if (name !== "" && !name.includes("+")) {
      console.log(`${paint.cyan(`<${name}>`)}:`);
    }
    console.log(formatStep(step, effect, symbols));
  }
  if (step < to) {
    note(
      `The program ends after ${
        formatCounted(step, "step")
      }; vm run tells how it ended`,
    );
  }
}

/** Adds the subcommand's arguments and options. */
export function define(command: Command): void {
  addProgram(command)
    .option("--from <n>", "first step", parseCount, 0)
    .option(
      "--to <n>",
      `step before which to end (default: ${DEFAULT_STEPS} after the first)`,
      parseCount,
    )
    .option("--json", "print one JSON object a line")
    .addHelpText(
      "after",
      "\nColumns: step, pc, instruction word, instruction, what it wrote and read and where it goes.\n\nExamples:\n  chainlearn vm trace prog.elf\n  chainlearn vm trace prog.elf --from 1000000 --to 1000020",
    )
    .action(trace);
}
