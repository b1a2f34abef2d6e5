/**
 * Basic blocks of machine code: which instructions always run together, from where control may come.
 *
 * A block is straight code that may end in a branch or jump with its delay slot. What cannot be
 * translated (system calls, words that are no instruction, a branch in a delay slot) ends the block
 * before it. Knows nothing of WebAssembly.
 */

import type { PreparedInstruction } from "./instructions.ts";
import { CODE_END } from "./memory.ts";

/** Longest straight part of a block: bounds what is left to `step` after a page fault. */
export const MAX_BODY = 128;

export type ControlInstruction = Extract<
  PreparedInstruction,
  { kind: "branch" | "likely" | "jump" }
>;
export type StraightInstruction = Exclude<
  PreparedInstruction,
  ControlInstruction | { kind: "syscall" }
>;

export interface Block {
  /** Address of the first instruction. */
  readonly start: number;
  readonly body: readonly StraightInstruction[];
  /** The branch or jump after the body, with its delay slot. */
  readonly control?: {
    readonly instruction: ControlInstruction;
    readonly slot: StraightInstruction;
  };
}

/** Reads code; null where a word is no instruction or cannot be read. */
export type CodeReader = (pc: number) => PreparedInstruction | null;

/** Steps of a block whose delay slot is executed. */
export const blockLength = ({ body, control }: Block): number =>
  body.length + (control ? 2 : 0);

/** Addresses to which control goes from a block, as far as the block says. */
export function exitsOf(block: Block): number[] {
  const end = bodyEnd(block);
  if (block.control === undefined) return [end];
  const target = targetOf(block.control.instruction, end);
  return [
    ...(target === undefined ? [] : [target]),
    ...(block.control.instruction.kind === "jump" ? [] : [(end + 8) >>> 0]),
  ];
}

/**
 * Addresses of blocks at which the host may enter, besides `roots`: where calls return to, where a system call
 * or another instruction left to `step` ends, and the targets of branches back, so that every loop has one.
 */
export function entriesOf(
  blocks: readonly Block[],
  roots: Iterable<number>,
): Set<number> {
  const entries = new Set(roots);
  const starts = new Set(blocks.map(({ start }) => start));
  for (const block of blocks) {
    const end = bodyEnd(block);
    if (block.control === undefined) {
      if (!starts.has(end)) entries.add(end + 4);
    } else {
      if (block.control.instruction.link !== 0) entries.add(end + 8);
      for (const target of exitsOf(block)) {
        if (target <= end) entries.add(target);
      }
    }
  }
  return entries;
}

/** Address after the body. */
export const bodyEnd = ({ start, body }: Block): number =>
  start + 4 * body.length;

/** Where a branch or immediate jump at `pc` goes when taken; undefined for jumps to a register. */
export function targetOf(
  instruction: ControlInstruction,
  pc: number,
): number | undefined {
  if (instruction.kind !== "jump") {
    return (pc + 4 + instruction.imm * 4) >>> 0;
  }
  const isImmediate = instruction.name === "j" || instruction.name === "jal";
  return isImmediate ? instruction.operation(0, pc, instruction) : undefined;
}

function isControl(i: PreparedInstruction): i is ControlInstruction {
  return i.kind === "branch" || i.kind === "likely" || i.kind === "jump";
}

function straight(i: PreparedInstruction | null): StraightInstruction | null {
  return i === null || i.kind === "syscall" || isControl(i) ? null : i;
}

const isZeroWord = ({ word }: StraightInstruction) => word === 0;

/** The block that starts at an address and ends before the next of `leaders`. */
function readBlock(
  start: number,
  read: CodeReader,
  leaders: ReadonlySet<number>,
): Block {
  const at = (pc: number) => pc < CODE_END ? read(pc) : null;
  const body: StraightInstruction[] = [];
  for (let pc = start;; pc += 4) {
    if (pc !== start && leaders.has(pc)) return { start, body };
    const instruction = at(pc);
    if (instruction !== null && isControl(instruction)) {
      const slot = straight(at(pc + 4));
      return slot === null
        ? { start, body }
        : { start, body, control: { instruction, slot } };
    }
    const simple = straight(instruction);
    if (simple === null || body.length === MAX_BODY) return { start, body };
    body.push(simple);
  }
}

/** Addresses to which control may go from a block, as far as the code says. */
function successors(block: Block, read: CodeReader): number[] {
  const end = bodyEnd(block);
  // Zero words are no-ops: memory after a program is translated only if control really comes there.
  if (block.body.length === MAX_BODY && block.body.every(isZeroWord)) return [];
  if (block.control === undefined) {
    const isSyscall = end < CODE_END && read(end)?.kind === "syscall";
    return [isSyscall ? end + 4 : end];
  }
  const { instruction } = block.control;
  const target = targetOf(instruction, end);
  // After a jump that links, control comes back; after another one it does not.
  const mayFollow = instruction.kind !== "jump" || instruction.link !== 0;
  return [
    ...(target === undefined ? [] : [target]),
    ...(mayFollow ? [end + 8] : []),
  ];
}

/**
 * The blocks that can be reached from `roots` and that `isKnown` does not name, at most `limit`,
 * nearest first in time and then sorted by address. One at a root is missing where its first
 * instruction cannot be translated.
 */
export function findBlocks(
  roots: Iterable<number>,
  read: CodeReader,
  isKnown: (pc: number) => boolean,
  limit: number,
): Block[] {
  const leaders = new Set(roots);
  for (const leader of leaders) {
    const block = readBlock(leader, read, leaders);
    for (const pc of successors(block, read)) {
      if (leaders.size >= limit || pc >= CODE_END || pc % 4 !== 0) continue;
      if (!isKnown(pc)) leaders.add(pc);
    }
  }
  return [...leaders].sort((a, b) => a - b)
    .map((start) => readBlock(start, read, leaders))
    .filter((block) => blockLength(block) > 0);
}
