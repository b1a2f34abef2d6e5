/**
 * Addresses of loads: linear forms, and the registers and displacements that they come down to.
 *
 * A term in a loop's turn number becomes a pointer that grows each turn; terms of outer scopes are summed
 * outside the loop; loads whose constants lie within 64 KiB share one register. Arithmetic is modulo 2^32.
 */
import { REGIONS } from "../../fpvm/mod.ts";
import type { Graph, Id, Linear, Term } from "./graph.ts";

/** A register and a signed 16-bit displacement. */
export interface Address {
  readonly base: Id;
  readonly displacement: number;
}

/**
 * Memory that no program writes: loads that a guard keeps from a tensor read zero there. The stack is at the other end
 * of its region.
 */
export const ZEROS = { base: REGIONS.stack.base, bytes: 1 << 20 } as const;

/** Nodes that one linear form looks into; beyond it a sum is taken as a single term. */
const MOST_NODES = 64;

/** The linear form of sum(part.node * part.scale) + offset. */
export function linearize(
  graph: Graph,
  parts: readonly Term[],
  offset: number,
): Linear {
  const scales = new Map<Id, number>();
  let visited = 0;
  const visit = (id: Id, scale: number): void => {
    const node = graph.nodes[id];
    if (node.kind === "const") {
      offset += Math.imul(node.value, scale);
      return;
    }
    if (node.kind === "op" && ++visited <= MOST_NODES) {
      const [a, b] = node.args;
      const c = graph.constantOf(b ?? a);
      if (node.op === "i32.add") {
        visit(a, scale);
        return visit(b, scale);
      }
      if (node.op === "i32.sub") {
        visit(a, scale);
        return visit(b, -scale | 0);
      }
      if (node.op === "i32.mul" && c !== undefined) {
        return visit(a, Math.imul(scale, c));
      }
      if (node.op === "i32.shl" && c !== undefined) {
        return visit(a, scale << (c & 31));
      }
    }
    scales.set(id, ((scales.get(id) ?? 0) + scale) | 0);
  };
  for (const { node, scale } of parts) visit(node, scale | 0);
  const terms = [...scales].filter(([, scale]) => scale !== 0)
    .map(([node, scale]) => ({ node, scale }))
    .sort((a, b) => a.node - b.node);
  return { terms, offset: offset | 0 };
}

/**
 * The address where `guard` is not zero, else one in {@linkcode ZEROS}: what varies no faster than the guard is
 * selected once, for all loads that differ in the rest. Undefined where the rest is not known to stay inside.
 */
export function redirect(
  graph: Graph,
  { terms, offset }: Linear,
  guard: Id,
  base: number,
): Linear | undefined {
  const depth = (id: Id) => graph.scopes[graph.scopeOf[id]].depth;
  const outer = terms.filter((t) => depth(t.node) <= depth(guard))
    .sort((a, b) => depth(a.node) - depth(b.node) || a.node - b.node);
  const inner = terms.filter((t) => depth(t.node) > depth(guard));
  let [least, most] = [0, 0];
  for (const { node, scale } of inner) {
    const { min, max } = graph.intervals[node];
    least += Math.min(min * scale, max * scale);
    most += Math.max(min * scale, max * scale);
  }
  if (least < 0) return undefined;
  let rest = (offset - base) | 0;
  let start = base;
  if (rest < 0 || most + rest + 4 > ZEROS.bytes) [rest, start] = [0, offset];
  if (most + rest + 4 > ZEROS.bytes) return undefined;
  let at = graph.constant(start);
  for (const { node, scale } of outer) {
    const scaled = graph.op("i32.mul", node, graph.constant(scale));
    at = graph.op("i32.add", scaled, at);
  }
  const zeros = graph.constant(ZEROS.base);
  const node = graph.op("i32.select", guard, at, zeros);
  return { terms: [{ node, scale: 1 }, ...inner], offset: rest };
}

/** Gives every load of `loads` its register and displacement, adding the nodes that compute registers. */
export function placeAddresses(
  graph: Graph,
  loads: readonly Id[],
): Map<Id, Address> {
  const groups = new Map<string, { id: Id; at: Linear }[]>();
  for (const id of loads) {
    const node = graph.nodes[id];
    if (node.kind !== "load") continue;
    const key = node.at.terms.map((t) => `${t.node}*${t.scale}`).join(" ");
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push({ id, at: node.at });
  }
  const addresses = new Map<Id, Address>();
  for (const group of groups.values()) {
    const { terms } = group[0].at;
    const offsets = group.map((load) => load.at.offset >>> 0);
    const bases = cover(offsets);
    group.forEach((load, i) => {
      const base = bases.find((b) => Math.abs(offsets[i] - b) < 32768)!;
      addresses.set(load.id, {
        base: addressNode(graph, terms, base),
        displacement: offsets[i] - base,
      });
    });
  }
  return addresses;
}

/** Few bases such that every offset is less than 32 KiB from one of them. */
function cover(offsets: readonly number[]): number[] {
  const sorted = [...offsets].sort((a, b) => a - b);
  if (sorted[sorted.length - 1] < 32768) return [0];
  const bases: number[] = [];
  for (let i = 0; i < sorted.length;) {
    const first = sorted[i];
    let end = i;
    while (end < sorted.length && sorted[end] - first < 65535) end++;
    const span = sorted[end - 1] - first;
    bases.push(span < 32768 ? first : first + 32767);
    i = end;
  }
  return bases;
}

/** The node of sum(terms) + offset, each part in the outermost scope that knows it. */
function addressNode(
  graph: Graph,
  terms: readonly Term[],
  offset: number,
): Id {
  if (terms.length === 0) return graph.constant(offset);
  const deepest = terms.map((t) => graph.scopeOf[t.node])
    .reduce((a, b) => graph.scopes[a].depth >= graph.scopes[b].depth ? a : b);
  const inner = terms.filter((t) => graph.scopeOf[t.node] === deepest);
  const outer = terms.filter((t) => graph.scopeOf[t.node] !== deepest);
  let base = addressNode(graph, outer, offset);
  const isTurn = (id: Id) => {
    const node = graph.nodes[id];
    return node.kind === "phi" && node.carry === -1;
  };
  for (const { node, scale } of inner) {
    if (isTurn(node)) base = graph.pointer(deepest, base, scale);
  }
  for (const { node, scale } of inner) {
    if (isTurn(node)) continue;
    const scaled = graph.op("i32.mul", node, graph.constant(scale));
    base = graph.op("i32.add", base, scaled);
  }
  return base;
}
