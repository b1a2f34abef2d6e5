/** Prints a program as assembly, one instruction a line with its address: what `convert --emit` writes. */
import { disassemble } from "../../fpvm/mod.ts";
import type { LeafProgram } from "../model/model.ts";

/** Lines of address, word and instruction; the worst step count comes first. */
export function printLeafProgram({ code, worstSteps }: LeafProgram): string {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  const lines = [`# at most ${worstSteps} steps`];
  for (let pc = 0; pc < code.length; pc += 4) {
    const word = view.getUint32(pc, true);
    const hex = (value: number) => value.toString(16).padStart(8, "0");
    const text = word === 0 ? "nop" : disassemble(word, pc);
    lines.push(`${hex(pc)}  ${hex(word)}  ${text}`);
  }
  return lines.join("\n") + "\n";
}
