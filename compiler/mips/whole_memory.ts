/**
 * Where the tensors of a single-phase model lie in the machine's memory.
 *
 * What exists before the program runs (the weights table, and the slots it opens) has windows in the value region; the
 * output is in the output region. Every other slot has room from its first use to its last, in the stack region between
 * the zeros and the spilled registers, or in what the windows leave of the value region.
 */
import {
  ChainLearnError,
  leafCountHeight,
  REGIONS,
  treeHeight,
} from "../../fpvm/mod.ts";
import { byteLength, type TensorType } from "../ir.ts";
import type { Model } from "../model/model.ts";
import { openedSlots } from "../model/phases.ts";
import { ZEROS } from "./address.ts";
import { type Opening, operandKey } from "./whole.ts";
import { windowBytes } from "./windows.ts";

/** Spilled registers lie at the top of the stack region. */
const SPILL_BYTES = 1 << 16;
/** Tensors begin at multiples of this. */
const ALIGNMENT = 64;

/** Height of a tensor's tree. */
export const heightOf = (type: TensorType) => treeHeight(byteLength(type));

/** See the head of this file. */
export interface MemoryPlan {
  /** What is opened before the first node, in the order of the program's operands: the table, then slots. */
  readonly openings: readonly Opening[];
  readonly table: number;
  /** Address of each slot; -1 of one that nothing uses. */
  readonly slots: readonly number[];
  /** Room for a copy of the largest slot that a node both reads and writes. */
  readonly copy: number;
  /** Window of the output slot's first value, where it has one. */
  readonly given?: number;
}

/** Free addresses. */
interface Room {
  readonly begin: number;
  readonly end: number;
}

/** A place that is taken from one node to another, both included. */
interface Taken extends Room {
  readonly from: number;
  readonly to: number;
}

/** Places everything; throws where it does not fit. */
export function planMemory(body: Model): MemoryPlan {
  const refuse = (bytes: number): never => {
    throw new ChainLearnError(
      `Cannot emit "${body.name}" as one program: expected room for all activations, found none for ${bytes} bytes`,
      { hint: "Convert it with --phases 2 or 3" },
    );
  };
  const opened = openedSlots(body);
  const { openings, end } = placeWindows(body, opened);
  const value = regionOf(REGIONS.value);
  if (end > value.end) return refuse(end - value.begin);
  const stack = regionOf(REGIONS.stack);
  const rooms = [
    { begin: stack.begin + ZEROS.bytes, end: stack.end - SPILL_BYTES },
    { begin: aligned(end), end: value.end },
  ];
  const rewritten = body.nodes.filter(({ operands, result }) =>
    operands.some((ref) => ref.kind === "slot" && ref.index === result)
  );
  const copied = rewritten.reduce(
    (most, { result }) => Math.max(most, byteLength(body.slots[result].type)),
    0,
  );
  const taken: Taken[] = [];
  const place = (bytes: number, from: number, to: number) => {
    const begin = firstFit(rooms, taken, bytes, from, to) ?? refuse(bytes);
    taken.push({ begin, end: begin + aligned(bytes), from, to });
    return begin;
  };
  const copy = place(copied, 0, body.nodes.length);
  const output = body.outputs[0].slot;
  const slots: number[] = new Array(body.slots.length).fill(-1);
  opened.forEach((slot, i) => slots[slot] = openings[1 + i].address);
  slots[output] = REGIONS.output.base;
  for (const { slot, from, to } of lifetimes(body)) {
    if (slots[slot] >= 0) continue;
    slots[slot] = place(byteLength(body.slots[slot].type), from, to);
  }
  const given = opened.indexOf(output);
  return {
    openings,
    table: openings[0].address,
    slots,
    copy,
    ...(given < 0 ? {} : { given: openings[1 + given].address }),
  };
}

const aligned = (n: number) => Math.ceil(n / ALIGNMENT) * ALIGNMENT;

const regionOf = (
  { base, height }: { base: number; height: number },
): Room => ({
  begin: base,
  end: base + windowBytes(height),
});

/** Windows of the weights table and the opened slots, the largest first, and where they end. */
function placeWindows(body: Model, opened: readonly number[]) {
  const heights = [
    leafCountHeight(body.constants.length),
    ...opened.map((slot) => heightOf(body.slots[slot].type)),
  ];
  const openings: Opening[] = [];
  let end: number = REGIONS.value.base;
  const order = heights.map((_, i) => i)
    .sort((a, b) => heights[b] - heights[a] || a - b);
  for (const i of order) {
    const height = heights[i];
    openings[i] = { address: end, height, key: operandKey(i) };
    end += windowBytes(height);
  }
  return { openings, end };
}

/** First and last node that touch each slot, by first node; a slot that is read before it is written is zero till then. */
function lifetimes(body: Model) {
  const found = new Map<number, { slot: number; from: number; to: number }>();
  const touch = (slot: number, node: number, reads: boolean) => {
    const known = found.get(slot);
    if (known) known.to = node;
    else {
      // Nothing may have lain where zeros are read: no slot before it, none after it.
      const last = body.nodes.length;
      found.set(slot, {
        slot,
        from: reads ? 0 : node,
        to: reads ? last : node,
      });
    }
  };
  body.nodes.forEach(({ operands, result }, node) => {
    for (const ref of operands) {
      if (ref.kind === "slot") touch(ref.index, node, true);
    }
    touch(result, node, false);
  });
  return [...found.values()].sort((a, b) => a.from - b.from || a.slot - b.slot);
}

/** Lowest free address for so many bytes between two nodes. */
function firstFit(
  rooms: readonly Room[],
  taken: readonly Taken[],
  bytes: number,
  from: number,
  to: number,
): number | undefined {
  const met = taken.filter((t) => t.from <= to && t.to >= from)
    .sort((a, b) => a.begin - b.begin);
  for (const room of rooms) {
    let begin = room.begin;
    for (const other of met) {
      if (other.begin >= begin + aligned(bytes)) break;
      begin = Math.max(begin, other.end);
    }
    if (begin + bytes <= room.end) return begin;
  }
  return undefined;
}
