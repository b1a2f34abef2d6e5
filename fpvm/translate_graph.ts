/**
 * The control flow of a group of blocks in the form WebAssembly wants: sequences of blocks and loops, nested.
 *
 * Strongly connected blocks become a loop around one of them, its header; without the edges to the header the
 * rest falls apart into smaller components, and so on (F. Bourdoncle, "Efficient chaotic iteration strategies
 * with widenings", 1993, section 4). Within a sequence control only goes forward. A loop that is entered elsewhere
 * than at its header, because flow is irreducible or because the host may resume inside it, dispatches at its
 * start on the number of the block that control goes to. Knows nothing of instructions.
 */

/** A loop: its parts without the edges back to the header. */
export interface Loop {
  readonly header: number;
  readonly parts: readonly Part[];
  /** All blocks inside. */
  readonly blocks: readonly number[];
  /** Blocks other than the header at which it is entered. */
  readonly others: readonly number[];
}

/** A block by its index, or a loop. */
export type Part = number | Loop;

/** Edges by block, and the blocks to which control may come from outside all of them. */
export interface FlowGraph {
  readonly successors: readonly (readonly number[])[];
  readonly entries: ReadonlySet<number>;
}

/** What a group of blocks becomes. */
export interface Structure {
  readonly parts: readonly Part[];
  /** Numbers from 1 for dispatching, contiguous within each loop; 0 for blocks that are only branched to. */
  readonly ids: readonly number[];
}

/** The blocks of a part. */
export const blocksOf = (part: Part): readonly number[] =>
  typeof part === "number" ? [part] : part.blocks;

/** Predecessors by block; an edge that is there twice counts twice. */
export function predecessorsOf(
  successors: FlowGraph["successors"],
): readonly (readonly number[])[] {
  const predecessors: number[][] = successors.map(() => []);
  successors.forEach((to, from) =>
    to.forEach((t) => predecessors[t].push(from))
  );
  return predecessors;
}

/**
 * Strongly connected components of some blocks in an order in which edges only go forward, by Tarjan's algorithm;
 * what can be reached from the first block comes after it.
 */
function components(
  blocks: readonly number[],
  successors: FlowGraph["successors"],
  isCut: (block: number) => boolean,
): number[][] {
  const among = new Set(blocks);
  const found = new Map<number, number>();
  const low = new Map<number, number>();
  const stack: number[] = [];
  const onStack = new Set<number>();
  const result: number[][] = [];
  const visit = (block: number): number => {
    const number = found.size;
    let lowest = number;
    found.set(block, number);
    stack.push(block);
    onStack.add(block);
    for (const next of successors[block]) {
      if (!among.has(next) || isCut(next)) continue;
      if (!found.has(next)) lowest = Math.min(lowest, visit(next));
      else if (onStack.has(next)) lowest = Math.min(lowest, found.get(next)!);
    }
    low.set(block, lowest);
    if (lowest === number) {
      const component = stack.splice(stack.indexOf(block));
      component.forEach((member) => onStack.delete(member));
      result.push(component.sort((a, b) => a - b));
    }
    return lowest;
  };
  for (const block of blocks) if (!found.has(block)) visit(block);
  return result.reverse();
}

/** Arranges all blocks of a graph; see the head of this file. */
export function structureOf(graph: FlowGraph): Structure {
  const { successors, entries } = graph;
  const predecessors = predecessorsOf(successors);
  const headers = new Set<number>();
  const needsId = new Set(entries);

  const loopOf = (blocks: readonly number[]): Loop => {
    const inside = new Set(blocks);
    const entered = blocks.filter((block) =>
      entries.has(block) || predecessors[block].some((p) => !inside.has(p))
    );
    const edgesBack = (block: number) =>
      predecessors[block].filter((p) => inside.has(p)).length;
    const header = (entered.length > 0 ? entered : blocks).reduce((a, b) =>
      edgesBack(b) > edgesBack(a) ? b : a
    );
    const others = entered.filter((block) => block !== header);
    others.forEach((block) => needsId.add(block));
    headers.add(header);
    const rest = blocks.filter((block) => block !== header);
    return { header, blocks, others, parts: sequence([header, ...rest]) };
  };

  const sequence = (blocks: readonly number[]): Part[] =>
    components(blocks, successors, (block) => headers.has(block))
      .map((component) => {
        const [block] = component;
        const isLoop = component.length > 1 ||
          (successors[block].includes(block) && !headers.has(block));
        return isLoop ? loopOf(component) : block;
      });

  const parts = sequence(successors.map((_, i) => i));
  const ids = successors.map(() => 0);
  let last = 0;
  const number = (part: Part): void => {
    if (typeof part !== "number") part.parts.forEach(number);
    else if (needsId.has(part)) ids[part] = ++last;
  };
  parts.forEach(number);
  return { parts, ids };
}

/** Where steps are counted. */
export interface StepCount {
  /**
   * Most steps from the start of a block until they are counted next, where the block is the first of a region;
   * undefined inside one.
   */
  readonly needs: readonly (number | undefined)[];
  /** Steps from the start of its region to the start of each block. */
  readonly before: readonly number[];
}

/** Longest region: what is left to `step` before a stop. */
const MAX_REGION = 96;

/**
 * Regions of blocks in which steps are counted once, at the way out: trees of blocks that only their parent in
 * the tree leads to. `lengths` gives the steps of each block, `order` has parents before children.
 */
export function countSteps(
  { successors, entries }: FlowGraph,
  order: readonly number[],
  lengths: readonly number[],
  edgeSteps: (from: number, to: number) => number,
): StepCount {
  const predecessors = predecessorsOf(successors);
  const root = successors.map((_, i) => i);
  const before = successors.map(() => 0);
  const needs: (number | undefined)[] = successors.map(() => undefined);
  const seen = new Set<number>();
  for (const block of order) {
    const [parent] = predecessors[block];
    if (
      predecessors[block].length === 1 && !entries.has(block) &&
      seen.has(parent)
    ) {
      const steps = before[parent] + edgeSteps(parent, block);
      if (steps + lengths[block] <= MAX_REGION) {
        root[block] = root[parent];
        before[block] = steps;
      }
    }
    seen.add(block);
    const end = before[block] + lengths[block];
    needs[root[block]] = Math.max(needs[root[block]] ?? 0, end);
  }
  return { needs, before };
}
