/**
 * Which loads and stores of a block share one look at the page table: those relative to the same value of a
 * register whose offsets are close together.
 *
 * Let a be the lowest address of such a group and a + s the highest. If both lie in the same page, with
 * 0 <= s < 4096, so does every address between them, also modulo 2^32; the page's frame does not move while
 * translated code runs, and an aligned access does not leave the page of its first byte. If the access with the
 * strictest alignment is aligned, so are all whose distance from it is a multiple of their own size. Where one of
 * this does not hold, every access of the block is checked by itself.
 */

import type { StraightInstruction } from "./translate_blocks.ts";
import { registersOf } from "./translate_instructions.ts";

/** Loads and stores that are checked together. */
export interface PlaceGroup {
  /** Index in the body of the first access. */
  readonly first: number;
  /** The first access's address less the lowest. */
  readonly firstOffset: number;
  /** The highest address less the lowest. */
  readonly span: number;
  /** Bits that are zero in the lowest address plus `alignOffset` where all accesses are aligned. */
  readonly alignMask: number;
  readonly alignOffset: number;
  /** Whether one of them is a store. */
  readonly hasStore: boolean;
  /** By index in the body: addresses less the lowest. */
  readonly offsets: ReadonlyMap<number, number>;
}

/** Largest distance in a group: the further apart, the more often in two pages. */
const MAX_SPAN = 1024;

/** A group that is being made; offsets are relative to a value that is the same for all of them. */
interface OpenGroup {
  readonly first: number;
  readonly offsets: Map<number, number>;
  alignMask: number;
  alignOffset: number;
  hasStore: boolean;
  least: number;
  most: number;
}

/** Adds an access where it fits; returns whether it does. */
function join(
  group: OpenGroup,
  index: number,
  offset: number,
  { kind, alignMask }: StraightInstruction,
): boolean {
  const least = Math.min(group.least, offset);
  const most = Math.max(group.most, offset);
  const common = Math.min(group.alignMask, alignMask);
  if (most - least > MAX_SPAN) return false;
  if (((offset - group.alignOffset) & common) !== 0) return false;
  if (alignMask > group.alignMask) {
    group.alignMask = alignMask;
    group.alignOffset = offset;
  }
  group.least = least;
  group.most = most;
  group.hasStore ||= kind === "store";
  group.offsets.set(index, offset);
  return true;
}

const isUnaligned = ({ name }: StraightInstruction) =>
  name === "lwl" || name === "lwr" || name === "swl" || name === "swr";

/** The groups of a body, each of at least two accesses, in the order of their first ones. */
export function placeGroups(
  body: readonly StraightInstruction[],
): PlaceGroup[] {
  // The value of a register: a nameless value plus a constant.
  let values = 32;
  const known = Array.from({ length: 32 }, (_, i) => ({ value: i, plus: 0 }));
  const open = new Map<number, OpenGroup>();
  const groups: OpenGroup[] = [];
  body.forEach((instruction, index) => {
    const { kind, name, rs, rt, imm, alignMask } = instruction;
    if ((kind === "load" || kind === "store") && !isUnaligned(instruction)) {
      const { value, plus } = known[rs];
      const offset = plus + imm;
      const group = open.get(value);
      if (!group || !join(group, index, offset, instruction)) {
        const made = {
          first: index,
          offsets: new Map([[index, offset]]),
          alignMask,
          alignOffset: offset,
          hasStore: kind === "store",
          least: offset,
          most: offset,
        };
        open.set(value, made);
        groups.push(made);
      }
    }
    const sum = name === "addiu"
      ? { value: known[rs].value, plus: known[rs].plus + imm }
      : name === "addu" && rt === 0
      ? known[rs]
      : undefined;
    for (const register of registersOf(instruction).written) {
      if (register !== 0) known[register] = sum ?? { value: values++, plus: 0 };
    }
  });
  return groups.filter(({ offsets }) => offsets.size > 1).map((group) => ({
    first: group.first,
    firstOffset: group.offsets.get(group.first)! - group.least,
    span: group.most - group.least,
    alignMask: group.alignMask,
    alignOffset: group.alignOffset - group.least,
    hasStore: group.hasStore,
    offsets: new Map(
      [...group.offsets].map(([i, offset]) => [i, offset - group.least]),
    ),
  }));
}
