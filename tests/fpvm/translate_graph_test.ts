import { assert, assertEquals } from "@std/assert";
import {
  blocksOf,
  countSteps,
  type FlowGraph,
  type Part,
  predecessorsOf,
  structureOf,
} from "../../fpvm/translate_graph.ts";
import { Random } from "../random.ts";

function randomGraph(random: Random): FlowGraph {
  const count = 1 + random.below(24);
  const successors = Array.from(
    { length: count },
    () => Array.from({ length: random.below(3) }, () => random.below(count)),
  );
  const entries = new Set([0]);
  for (let i = random.below(4); i > 0; i--) entries.add(random.below(count));
  return { successors, entries };
}

const flatten = (part: Part): number[] =>
  typeof part === "number" ? [part] : part.parts.flatMap(flatten);

/** Checks a sequence and what is in it; `headers` are those of the loops around it. */
function checkSequence(
  parts: readonly Part[],
  graph: FlowGraph,
  ids: readonly number[],
  headers: readonly number[],
  name: string,
): void {
  const place = new Map<number, number>();
  parts.forEach((part, i) => blocksOf(part).forEach((b) => place.set(b, i)));
  const predecessors = predecessorsOf(graph.successors);
  parts.forEach((part, i) => {
    for (const block of blocksOf(part)) {
      for (const next of graph.successors[block]) {
        const to = place.get(next);
        if (to === undefined || headers.includes(next)) continue;
        const isForward = to > i || (to === i && typeof part !== "number");
        assert(isForward, `${name}: ${block} to ${next}`);
      }
    }
    if (typeof part === "number") return;
    const inside = new Set(part.blocks);
    assertEquals(flatten(part).toSorted(), [...part.blocks].toSorted(), name);
    assertEquals(flatten(part)[0], part.header, name);
    const entered = part.blocks.filter((block) =>
      graph.entries.has(block) ||
      predecessors[block].some((p) => !inside.has(p))
    );
    const others = entered.filter((block) => block !== part.header);
    assertEquals([...part.others], others, `${name}: entered`);
    const numbers = part.blocks.map((b) => ids[b]).filter((id) => id > 0);
    for (const block of others) assert(ids[block] > 0, name);
    if (numbers.length > 0) {
      const span = Math.max(...numbers) - Math.min(...numbers) + 1;
      assertEquals(span, numbers.length, `${name}: numbers of a loop`);
    }
    checkSequence(part.parts, graph, ids, [...headers, part.header], name);
  });
}

Deno.test("structureOf: edges go forward or to the header of a loop around them, in 3,000 random graphs", () => {
  for (let seed = 0; seed < 3000; seed++) {
    const graph = randomGraph(new Random(seed));
    const { parts, ids } = structureOf(graph);
    const all = parts.flatMap(flatten);
    assertEquals(
      all.toSorted((a, b) => a - b),
      graph.successors.map((_, i) => i),
      `seed ${seed}`,
    );
    for (const entry of graph.entries) assert(ids[entry] > 0, `seed ${seed}`);
    checkSequence(parts, graph, ids, [], `seed ${seed}`);
  }
});

Deno.test("structureOf: a loop with two ways back is one loop, two entries make it dispatch", () => {
  // 0 -> 1 -> 2 -> 1 and 2 -> 3 -> 1; 3 -> 4.
  const successors = [[1], [2], [1, 3], [1, 4], []];
  const once = structureOf({ successors, entries: new Set([0]) });
  assertEquals(once.parts, [
    0,
    { header: 1, blocks: [1, 2, 3], others: [], parts: [1, 2, 3] },
    4,
  ]);
  assertEquals(once.ids, [1, 0, 0, 0, 0]);
  // The same, entered at 3 too: irreducible.
  const twice = structureOf({
    successors: [[1, 3], [2], [1, 3], [1, 4], []],
    entries: new Set([0]),
  });
  assertEquals(twice.parts, [
    0,
    { header: 1, blocks: [1, 2, 3], others: [3], parts: [1, 2, 3] },
    4,
  ]);
  assertEquals(twice.ids, [1, 0, 0, 2, 0]);
});

Deno.test("countSteps: steps are counted once on every way through a random graph", () => {
  for (let seed = 0; seed < 500; seed++) {
    const random = new Random(seed);
    const graph = randomGraph(random);
    const lengths = graph.successors.map(() => 1 + random.below(90));
    const { parts } = structureOf(graph);
    const order = parts.flatMap(flatten);
    const { needs, before } = countSteps(
      graph,
      order,
      lengths,
      (from) => lengths[from],
    );
    for (let walk = 0; walk < 20; walk++) {
      let block = random.pick([...graph.entries]);
      let [steps, counted, allowed] = [0, 0, 0];
      for (let i = 0; i < 30; i++) {
        const need = needs[block];
        if (need !== undefined) {
          assertEquals(counted, steps, `seed ${seed}`);
          allowed = steps + need;
        } else assert(i > 0, `seed ${seed}: entered inside a region`);
        assertEquals(counted + before[block], steps, `seed ${seed}`);
        steps += lengths[block];
        assert(steps <= allowed, `seed ${seed}: more steps than looked for`);
        const next = graph.successors[block];
        if (next.length === 0) break;
        const from = block;
        block = random.pick(next);
        if (needs[block] !== undefined) counted += before[from] + lengths[from];
      }
    }
  }
});
