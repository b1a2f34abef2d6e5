/**
 * Places activations in memory once: slots that are never live together share it.
 *
 * A slot is live from the node that first writes it to the last one that touches it. Slots whose bytes outlast that
 * (kept ones, outputs, the stop slot, whatever is read before it is written) have memory of their own. Offsets
 * come from a few greedy orders, of which the best is taken: the problem is NP-hard, and these are within a
 * few percent of the bound on networks (what is live at one node, at most).
 */
import { byteLength, type Model } from "../compiler/mod.ts";

/** Where slots lie that share memory, from 0. */
export interface SlotPlan {
  /** Byte offset of each slot, a multiple of 64; 32 bytes behind it may be read. */
  readonly offsets: readonly number[];
  /** Whether a slot's memory is another's at other times: it holds its bytes only while it is live. */
  readonly shared: readonly boolean[];
  /** Peak bytes of activations, all of them in this plan. */
  readonly bytes: number;
  /** Lower bound by liveness: the most bytes live at any node, without gaps between them. */
  readonly least: number;
  /** Bytes if each slot had memory of its own. */
  readonly apart: number;
}

/** Steps, inclusive, during which a slot's bytes matter; -1 is before the first node. */
export interface Lifetime {
  readonly first: number;
  readonly last: number;
}

/** Bytes of memory that a tensor takes: vectors may read past its end, and the next one is aligned. */
export function placedBytes(bytes: number): number {
  return Math.ceil((bytes + 32) / 64) * 64;
}

/** The lifetime of each slot within one pass over the nodes; undefined where it outlasts the pass. */
export function lifetimesOf(model: Model): (Lifetime | undefined)[] {
  const { schedule } = model;
  const passes = schedule.kind === "fixed" ? schedule.iterations : schedule.max;
  const first: (number | undefined)[] = model.slots.map(() => undefined);
  const last: number[] = model.slots.map(() => -1);
  const lasting = new Set<number>(model.outputs.map(({ slot }) => slot));
  if (model.stopSlot !== undefined) lasting.add(model.stopSlot);
  model.slots.forEach(({ initial }, slot) => {
    if (initial !== undefined || slot < model.kept) lasting.add(slot);
  });
  for (const { slot } of model.inputs) {
    // A later pass reads the input again.
    if (passes === 1) first[slot] = -1;
    else lasting.add(slot);
  }
  model.nodes.forEach(({ operands, result }, node) => {
    for (const ref of operands) {
      if (ref.kind !== "slot") continue;
      // Read before it is written: it holds its first bytes, or those of the pass before.
      if (first[ref.index] === undefined) lasting.add(ref.index);
      last[ref.index] = node;
    }
    first[result] ??= node;
    last[result] = node;
  });
  return model.slots.map((_, slot) => {
    const from = first[slot];
    return from === undefined || lasting.has(slot)
      ? undefined
      : { first: from, last: last[slot] };
  });
}

/** Plans the activations of a model's graph; a single-phase model's is its body. */
export function planSlots(model: Model): SlotPlan {
  const lengths = model.slots.map(({ type }) => byteLength(type));
  const lifetimes = lifetimesOf(model);
  const offsets: number[] = new Array(lengths.length);
  let lastingEnd = 0;
  lengths.forEach((bytes, slot) => {
    if (lifetimes[slot]) return;
    offsets[slot] = lastingEnd;
    lastingEnd += placedBytes(bytes);
  });
  const blocks = lengths.flatMap((bytes, slot): Block[] => {
    const lifetime = lifetimes[slot];
    return lifetime ? [{ slot, bytes: placedBytes(bytes), ...lifetime }] : [];
  });
  const best = orders
    .map((order) => placeInOrder([...blocks].sort(order)))
    .reduce((a, b) => b.end < a.end ? b : a);
  for (const [slot, at] of best.offsets) offsets[slot] = lastingEnd + at;
  const own = lengths.reduce(
    (sum, bytes, slot) => lifetimes[slot] ? sum : sum + bytes,
    0,
  );
  const live = new Array(model.nodes.length + 1).fill(own);
  lifetimes.forEach((lifetime, slot) => {
    if (!lifetime) return;
    for (let node = lifetime.first; node <= lifetime.last; node++) {
      live[node + 1] += lengths[slot];
    }
  });
  return {
    offsets,
    shared: lifetimes.map((lifetime) => lifetime !== undefined),
    bytes: lastingEnd + best.end,
    least: live.reduce((a, b) => Math.max(a, b)),
    apart: lengths.reduce((sum, bytes) => sum + placedBytes(bytes), 0),
  };
}

interface Block extends Lifetime {
  readonly slot: number;
  readonly bytes: number;
}

const spanOf = ({ first, last }: Block) => last - first + 1;

/** Largest first, largest area first, and in the order of birth; equal ones by slot, so that a plan is one plan. */
const orders: readonly ((a: Block, b: Block) => number)[] = [
  (a, b) => b.bytes - a.bytes || a.slot - b.slot,
  (a, b) => b.bytes * spanOf(b) - a.bytes * spanOf(a) || a.slot - b.slot,
  (a, b) => a.first - b.first || b.bytes - a.bytes || a.slot - b.slot,
];

/** Gives each block in turn the tightest gap between those placed before that live at the same time. */
function placeInOrder(
  blocks: readonly Block[],
): { offsets: Map<number, number>; end: number } {
  /** By offset. */
  const placed: { block: Block; at: number }[] = [];
  const offsets = new Map<number, number>();
  let end = 0;
  for (const block of blocks) {
    let [best, bestGap, free] = [-1, Infinity, 0];
    for (const { block: other, at } of placed) {
      if (other.last < block.first || other.first > block.last) continue;
      const gap = at - free;
      if (gap >= block.bytes && gap < bestGap) [best, bestGap] = [free, gap];
      free = Math.max(free, at + other.bytes);
    }
    const at = best < 0 ? free : best;
    const index = placed.findIndex((p) => p.at > at);
    placed.splice(index < 0 ? placed.length : index, 0, { block, at });
    offsets.set(block.slot, at);
    end = Math.max(end, at + block.bytes);
  }
  return { offsets, end };
}
