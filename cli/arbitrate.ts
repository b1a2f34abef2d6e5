/** `chainlearn arbitrate`: judges one disputed instruction from its witness file alone. */
import type { Command } from "commander";
import { parseWitness } from "../dispute/mod.ts";
import {
  ChainLearnError,
  disassemble,
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
  const pc = unpackState(witness.subarray(0, 178)).pc >>> 0;
  const hasInstruction = witness.length > 178;
  const word = hasInstruction
    ? new DataView(witness.buffer, witness.byteOffset + 178 + (pc & 28))
      .getUint32(0, true)
    : null;
  const text = word === null
    ? "no instruction: the machine had stopped"
    : disassemble(word, pc);
  if (!claimTrue) Deno.exitCode = 1;
  if (options.json) {
    return printJson({
      claimTrue,
      node: file.step,
      leaf: file.leaf,
      step: file.vmStep,
      instruction: { pc, word, text },
      prestate,
      poststate,
      claimed: `0x${file.claimed}`,
    });
  }
  console.log(
    `node ${file.step}, leaf ${file.leaf}, step ${file.vmStep}: ${text}`,
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
