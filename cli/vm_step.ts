/** `chainlearn vm step`: one step with its state hashes and its witness; or judges a witness as the contract does. */
import type { Command } from "commander";
import {
  buildWitness,
  ChainLearnError,
  observeStep,
  runTranslated,
  STATE_BYTES,
  stateHash,
  STATUS,
  stepWitness,
  unpackState,
} from "../fpvm/mod.ts";
import { readText, writeFile } from "./files.ts";
import { parseCount } from "./options.ts";
import { formatCount, note, paint, printJson, toHex } from "./terminal.ts";
import { addProgram, openProgram, type ProgramOptions } from "./vm_program.ts";
import { formatEffect, formatInstruction, formatStatus } from "./vm_text.ts";

export const summary = "show one step, write its witness, or check a witness";

interface StepOptions extends ProgramOptions {
  at: number;
  /** A file, or true to print. */
  witness?: string | true;
  check?: string;
  json?: boolean;
}

async function showStep(path: string, options: StepOptions): Promise<void> {
  const { name, state, symbols } = await openProgram(path, options);
  const done = runTranslated(state, options.at);
  if (done < options.at) {
    throw new ChainLearnError(
      `Cannot show step ${options.at} of ${name}: expected at most ${done}, where the program stops, found ${options.at}`,
    );
  }
  const prestate = stateHash(state);
  const witness = buildWitness(state);
  const effect = observeStep(state);
  const poststate = stateHash(state);
  const { witness: to } = options;
  if (typeof to === "string") {
    await writeFile(to, `${toHex(witness)}\n`, "witness");
  }
  const text = formatInstruction(effect.word, effect.pc, symbols);
  const what = formatEffect(effect, symbols);
  if (options.json) {
    return printJson({
      step: options.at,
      pc: effect.pc,
      word: effect.word,
      text,
      effect: what,
      prestate,
      poststate,
      witnessBytes: witness.length,
      witness,
    });
  }
  console.log(`step       ${formatCount(options.at)}: ${text}`);
  if (what !== "") console.log(`effect     ${what}`);
  console.log(`prestate   ${toHex(prestate)}`);
  console.log(`poststate  ${toHex(poststate)}`);
  console.log(`witness    ${formatCount(witness.length)} bytes`);
  if (to === true) console.log(toHex(witness));
  else if (to !== undefined) note(`Wrote ${to}`);
}

/** A witness file's bytes and what it claims: hex as `vm step` writes it, or JSON as `prove` and `bisect` do. */
async function readWitness(
  text: string,
  file: string,
): Promise<{ witness: Uint8Array; prestate?: string; claimed?: string }> {
  const digits = /^\s*(?:0x)?((?:[0-9a-f]{2})*)\s*$/i.exec(text)?.[1];
  if (digits !== undefined) return { witness: Uint8Array.fromHex(digits) };
  if (!text.trimStart().startsWith("{")) {
    throw new ChainLearnError(
      `Cannot read witness ${file}: expected hex or a .witness file, found other text`,
    );
  }
  // Loaded only for them: hex starts in a tenth of the time.
  const { parseWitness } = await import("../dispute/mod.ts");
  const { witness, prestate, claimed } = parseWitness(text, file);
  return { witness: Uint8Array.fromHex(witness), prestate, claimed };
}

/** The hashes that the contract would return, or its refusal as an error of exit code 1. */
function judged(witness: Uint8Array, file: string) {
  try {
    return stepWitness(witness);
  } catch (cause) {
    if (!(cause instanceof ChainLearnError)) throw cause;
    const reason = cause.message.replace(/^Cannot [^:]*: /, "");
    throw new ChainLearnError(`Cannot execute witness ${file}: ${reason}`, {
      exitCode: 1,
      cause,
      hint: "The contract reverts on it",
    });
  }
}

/** The instruction that a valid witness executes, or why there is none. */
function instructionIn(witness: Uint8Array): string {
  const state = unpackState(witness.subarray(0, STATE_BYTES));
  if (witness.length === STATE_BYTES) {
    return state.status === STATUS.running
      ? "(no instruction at pc)"
      : `(no instruction: ${formatStatus(state)})`;
  }
  const at = witness.byteOffset + STATE_BYTES + (state.pc & 28);
  const word = new DataView(witness.buffer, at).getUint32(0, true);
  return formatInstruction(word, state.pc, []);
}

async function check(file: string, options: StepOptions): Promise<void> {
  const read = await readWitness(await readText(file, "witness"), file);
  const { prestate, poststate } = judged(read.witness, file);
  const { prestate: expected, claimed } = read;
  if (expected !== undefined && expected !== prestate.toHex()) {
    throw new ChainLearnError(
      `Cannot execute witness ${file}: expected prestate 0x${expected}, found ${
        toHex(prestate)
      }`,
      { exitCode: 1 },
    );
  }
  const isTrue = claimed === undefined || claimed === poststate.toHex();
  if (!isTrue) Deno.exitCode = 1;
  const text = instructionIn(read.witness);
  if (options.json) {
    return printJson({ isTrue, text, prestate, poststate, claimed });
  }
  console.log(`step       ${text}`);
  console.log(`prestate   ${toHex(prestate)}`);
  console.log(`poststate  ${toHex(poststate)}`);
  if (claimed !== undefined) console.log(`claimed    0x${claimed}`);
  console.log(
    isTrue
      ? paint.green("The contract executes it.")
      : paint.red("The contract executes it; the claim is false."),
  );
}

async function step(
  path: string | undefined,
  options: StepOptions,
): Promise<void> {
  if (options.check !== undefined) return await check(options.check, options);
  if (path === undefined) {
    throw new ChainLearnError(
      "Cannot show a step: expected a program or --check with a witness, found neither",
    );
  }
  await showStep(path, options);
}

/** Adds the subcommand's arguments and options. */
export function define(command: Command): void {
  addProgram(command, true)
    .option("--at <n>", "which step, from 0", parseCount, 0)
    .option("--witness [file]", "print the step's witness in hex, or write it")
    .option(
      "--check <file>",
      "execute a witness as the contract does: hex, or a .witness file",
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExit code 1 if the contract refuses the witness of --check, or the step that its file claims is false.\n\nExamples:\n  chainlearn vm step prog.elf --at 1000\n  chainlearn vm step prog.elf --at 1000 --witness w.hex\n  chainlearn vm step --check w.hex",
    )
    .action(step);
}
