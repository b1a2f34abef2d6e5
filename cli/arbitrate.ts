/** `chainlearn arbitrate`: judges one disputed instruction from its witness file alone. */
import type { Command } from "commander";
import { instructionOf, parseWitness } from "../dispute/mod.ts";
import {
  ChainLearnError,
  STATE_BYTES,
  stepWitness,
  unpackState,
} from "../fpvm/mod.ts";
import { readText } from "./files.ts";
import { paint, printJson, toHex } from "./terminal.ts";

async function arbitrate(
  path: string,
  options: { json?: boolean },
): Promise<void> {
  const file = parseWitness(await readText(path, "witness"), path);
  const witness = Uint8Array.fromHex(file.witness);
  const { prestate, poststate } = stepWitness(witness);
  if (prestate.toHex() !== file.prestate) {
    throw new ChainLearnError(
      `Cannot judge ${path}: expected a witness of prestate ${file.prestate}, found one of ${prestate.toHex()}`,
    );
  }
  const claimTrue = poststate.toHex() === file.claimed;
  const instruction = instructionOf(witness) ?? {
    pc: unpackState(witness.subarray(0, STATE_BYTES)).pc >>> 0,
    word: null,
    text: "no instruction: the machine had stopped",
  };
  if (!claimTrue) Deno.exitCode = 1;
  if (options.json) {
    return printJson({
      claimTrue,
      node: file.step,
      leaf: file.leaf,
      step: file.vmStep,
      instruction,
      prestate,
      poststate,
      claimed: `0x${file.claimed}`,
    });
  }
  console.log(
    `node ${file.step}, leaf ${file.leaf}, step ${file.vmStep}: ${instruction.text}`,
  );
  console.log(`prestate   ${toHex(prestate)}`);
  console.log(`poststate  ${toHex(poststate)}`);
  console.log(`claimed    0x${file.claimed}`);
  console.log(
    claimTrue
      ? paint.green("The claim is true.")
      : paint.red("The claim is false."),
  );
}

/** Adds the command's arguments and options. */
export function define(command: Command): void {
  command
    .argument("<witness>", "a .witness file of bisect or prove")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExit code 0 if the claimed step is true, 1 if it is false.\n\nExample:\n  chainlearn arbitrate step.witness",
    )
    .action(arbitrate);
}
