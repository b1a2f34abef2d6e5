/** A copy of one tensor in the machine's memory, for programs of whole models: 32 bytes a turn. */
import { LEAF_BYTES } from "../../fpvm/mod.ts";
import { assemble } from "./assemble.ts";
import { Code, type Register } from "./code.ts";
import { fillDelaySlots } from "./delay_slots.ts";
import { countSteps } from "./steps.ts";
import { emitConstant, type Segment } from "./whole.ts";

const FROM = 4, TO = 5, END = 6;
const WORDS: readonly Register[] = [8, 9, 10, 11, 12, 13, 14, 15];

/** Copies `bytes` bytes between two places that do not overlap, both aligned to 4 bytes. */
export function emitCopy(
  name: string,
  from: number,
  to: number,
  bytes: number,
): Segment {
  const code = new Code();
  const turns = Math.floor(bytes / LEAF_BYTES);
  const once = code.part(() => {
    emitConstant(code, FROM, from);
    emitConstant(code, TO, to);
    emitConstant(code, END, from + LEAF_BYTES * turns);
    if (turns > 0) emitTurns(code, turns);
    emitRest(code, bytes % LEAF_BYTES);
  });
  const items = fillDelaySlots(code.items);
  return { code: assemble(name, items), steps: countSteps(once, items) };
}

function emitTurns(code: Code, turns: number): void {
  const top = code.newLabel();
  code.repeated(turns, () => {
    code.mark(top);
    WORDS.forEach((rt, i) => code.emit("lw", { rt, rs: FROM, imm: 4 * i }));
    WORDS.forEach((rt, i) => code.emit("sw", { rt, rs: TO, imm: 4 * i }));
    code.emit("addiu", { rt: FROM, rs: FROM, imm: LEAF_BYTES });
    code.emit("addiu", { rt: TO, rs: TO, imm: LEAF_BYTES });
    code.emit("bne", { rs: FROM, rt: END }, top);
  });
}

/** What is left, word by word, then byte by byte: the source may hold other bytes beyond its end. */
function emitRest(code: Code, bytes: number): void {
  const [rt] = WORDS;
  let at = 0;
  for (; at + 4 <= bytes; at += 4) {
    code.emit("lw", { rt, rs: FROM, imm: at });
    code.emit("sw", { rt, rs: TO, imm: at });
  }
  for (; at < bytes; at++) {
    code.emit("lbu", { rt, rs: FROM, imm: at });
    code.emit("sb", { rt, rs: TO, imm: at });
  }
}
