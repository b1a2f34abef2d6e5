/**
 * Simplification of word operations: constants, identities, and index arithmetic of unrolled loops.
 *
 * Every rule is exact modulo 2^32 or guarded by an interval. The rules on shifts and masks of `8 t + u`
 * are what makes blocked layouts cheap: inside an unrolled loop the position in the block is a constant.
 */
import { type Op, ops, type Value } from "../ir.ts";
import type { WordOp } from "../legalize/legalize.ts";
import type { Graph, Id, Node } from "./graph.ts";

/** Signed bounds, both included. */
export interface Interval {
  readonly min: number;
  readonly max: number;
}

const FULL: Interval = { min: -0x8000_0000, max: 0x7fff_ffff };
const BIT: Interval = { min: 0, max: 1 };

/** 2^n for n in 0..31. */
const power = (n: number): number => (1 << n) >>> 0;

const LOADED: Record<string, Interval> = {
  lb: { min: -128, max: 127 },
  lbu: { min: 0, max: 255 },
  lh: { min: -32768, max: 32767 },
  lhu: { min: 0, max: 65535 },
  lw: FULL,
};

function within(min: number, max: number): Interval {
  return min >= FULL.min && max <= FULL.max ? { min, max } : FULL;
}

/** Bounds of a node's value from its arguments' bounds. */
export function intervalOf(graph: Graph, node: Node): Interval {
  switch (node.kind) {
    case "const":
      return { min: node.value, max: node.value };
    case "axis":
      return {
        min: 0,
        max: graph.axes[node.axis] -
          (node.axis === graph.block.axis ? graph.block.size : 1),
      };
    case "load":
      return LOADED[node.name];
    case "op":
      return opInterval(node.op, node.args.map((a) => graph.intervals[a]));
    default:
      return FULL;
  }
}

function opInterval(op: WordOp, [a, b, c]: readonly Interval[]): Interval {
  const fixed = b !== undefined && b.min === b.max ? b.min : undefined;
  switch (op) {
    case "i32.add":
      return within(a.min + b.min, a.max + b.max);
    case "i32.sub":
      return within(a.min - b.max, a.max - b.min);
    case "i32.mul": {
      const all = [a.min * b.min, a.min * b.max, a.max * b.min, a.max * b.max];
      return within(Math.min(...all), Math.max(...all));
    }
    case "i32.shl": {
      if (fixed === undefined) return FULL;
      const factor = power(fixed & 31);
      return within(a.min * factor, a.max * factor);
    }
    case "i32.shr_u":
    case "i32.shr_s":
      if (fixed === undefined) return a.min >= 0 ? within(0, a.max) : FULL;
      if (op === "i32.shr_u" && a.min < 0) {
        return (fixed & 31) === 0 ? a : within(0, power(32 - (fixed & 31)) - 1);
      }
      return within(a.min >> (fixed & 31), a.max >> (fixed & 31));
    case "i32.and":
      if (b.min >= 0) {
        return within(0, a.min >= 0 ? Math.min(a.max, b.max) : b.max);
      }
      return a.min >= 0 ? within(0, a.max) : FULL;
    case "i32.div_u":
      if (a.min < 0) return FULL;
      return within(
        0,
        fixed !== undefined && fixed > 0 ? Math.floor(a.max / fixed) : a.max,
      );
    case "i32.rem_u":
      return fixed !== undefined && fixed > 0 ? within(0, fixed - 1) : FULL;
    case "i32.min_s":
      return within(Math.min(a.min, b.min), Math.min(a.max, b.max));
    case "i32.max_s":
      return within(Math.max(a.min, b.min), Math.max(a.max, b.max));
    case "i32.select":
      return within(Math.min(b.min, c.min), Math.max(b.max, c.max));
    case "i32.clz":
      return { min: 0, max: 32 };
    case "i32.eq":
    case "i32.ne":
    case "i32.lt_s":
    case "i32.lt_u":
    case "i32.le_s":
    case "i32.le_u":
      return BIT;
    default:
      return FULL;
  }
}

const COMMUTATIVE: ReadonlySet<WordOp> = new Set<WordOp>([
  "i32.add",
  "i32.mul",
  "i32.and",
  "i32.or",
  "i32.xor",
  "i32.eq",
  "i32.ne",
  "i32.min_s",
  "i32.max_s",
  "mulh_s",
  "mulh_u",
]);

const SHIFTS: ReadonlySet<WordOp> = new Set<WordOp>([
  "i32.shl",
  "i32.shr_s",
  "i32.shr_u",
]);

function evaluate(op: WordOp, values: readonly number[]): number {
  if (op === "mulh_s" || op === "mulh_u") {
    const wide = ops[op === "mulh_s" ? "i32.mul_wide_s" : "i32.mul_wide_u"]
      .meaning(values[0], values[1]);
    return Number(BigInt.asIntN(32, wide >> 32n));
  }
  const meaning = ops[op as Op].meaning as (...args: Value[]) => Value;
  return Number(meaning(...values));
}

/** A simpler node of the same value, or undefined where the operation must stand. */
export function foldOp(
  graph: Graph,
  op: WordOp,
  args: readonly Id[],
): Id | undefined {
  const values = args.map((a) => graph.constantOf(a));
  if (values.every((v) => v !== undefined)) {
    return graph.constant(evaluate(op, values));
  }
  if (COMMUTATIVE.has(op) && values[0] !== undefined) {
    return graph.op(op, args[1], args[0]);
  }
  if (SHIFTS.has(op)) {
    if (values[0] === 0) return args[0];
    const count = foldCount(graph, args[1]);
    if (count !== undefined) return graph.op(op, args[0], count);
  }
  if (op === "i32.select") return foldSelect(graph, args, values);
  if (op === "i32.neg") return graph.op("i32.sub", graph.constant(0), args[0]);
  if (args.length !== 2) return undefined;
  const [a, b] = args;
  const c = values[1];
  if (a === b) {
    const same = foldSame(graph, op, a);
    if (same !== undefined) return same;
  }
  if (c === undefined) return undefined;
  return foldConstant(graph, op, a, b, c | 0) ?? foldRange(graph, op, a, c | 0);
}

/** A simpler count of a shift, which is taken modulo 32. */
function foldCount(graph: Graph, count: Id): Id | undefined {
  const node = graph.nodes[count];
  if (node.kind !== "op") return undefined;
  const c = graph.constantOf(node.args[1] ?? node.args[0]);
  if (c === undefined) return undefined;
  const ignored = node.op === "i32.add" && (c & 31) === 0 ||
    node.op === "i32.and" && (c & 31) === 31;
  if (ignored) return node.args[0];
  return node.op === "i32.add" && c !== (c & 31)
    ? graph.op("i32.add", node.args[0], graph.constant(c & 31))
    : undefined;
}

function foldSelect(
  graph: Graph,
  [c, a, b]: readonly Id[],
  values: readonly (number | undefined)[],
): Id | undefined {
  if (values[0] !== undefined) return values[0] !== 0 ? a : b;
  if (a === b) return a;
  const { min, max } = graph.intervals[c];
  if (min > 0 || max < 0) return a;
  const test = graph.nodes[c];
  if (test.kind !== "op" || test.args.length !== 2) return undefined;
  if (graph.constantOf(test.args[1]) !== 0) return undefined;
  if (test.op === "i32.eq") return graph.op("i32.select", test.args[0], b, a);
  if (test.op === "i32.ne") return graph.op("i32.select", test.args[0], a, b);
  return undefined;
}

/** op(a, a). */
function foldSame(graph: Graph, op: WordOp, a: Id): Id | undefined {
  switch (op) {
    case "i32.sub":
    case "i32.xor":
    case "i32.ne":
    case "i32.lt_s":
    case "i32.lt_u":
      return graph.constant(0);
    case "i32.eq":
    case "i32.le_s":
    case "i32.le_u":
      return graph.constant(1);
    case "i32.and":
    case "i32.or":
    case "i32.min_s":
    case "i32.max_s":
      return a;
    default:
      return undefined;
  }
}

const isPower = (c: number) => c > 0 && (c & (c - 1)) === 0;
const log2 = (c: number) => 31 - Math.clz32(c);

/** op(a, constant). */
function foldConstant(
  graph: Graph,
  op: WordOp,
  a: Id,
  b: Id,
  c: number,
): Id | undefined {
  const node = graph.nodes[a];
  const innerOp = node.kind === "op" ? node.op : undefined;
  const inner = node.kind === "op" && node.args.length === 2
    ? graph.constantOf(node.args[1])
    : undefined;
  const x = node.kind === "op" ? node.args[0] : a;
  const k = (value: number) => graph.constant(value);
  switch (op) {
    case "i32.add":
      if (c === 0) return a;
      if (innerOp === "i32.add" && inner !== undefined) {
        return graph.op("i32.add", x, k(inner + c));
      }
      return undefined;
    case "i32.sub":
      return graph.op("i32.add", a, k(-c));
    case "i32.mul":
      if (c === 0) return b;
      if (c === 1) return a;
      if (c === -1) return graph.op("i32.sub", k(0), a);
      return isPower(c) ? graph.op("i32.shl", a, k(log2(c))) : undefined;
    case "i32.and":
      if (c === 0) return b;
      if (c === -1) return a;
      if (innerOp === "i32.and" && inner !== undefined) {
        return graph.op("i32.and", x, k(inner & c));
      }
      return undefined;
    case "i32.or":
    case "i32.xor":
      return c === 0 ? a : undefined;
    case "i32.shl":
    case "i32.shr_s":
    case "i32.shr_u": {
      const n = c & 31;
      if (n === 0) return a;
      if (n !== c) return graph.op(op, a, k(n));
      // Only the sign is left, whatever the inner count.
      if (op === "i32.shr_s" && n === 31 && innerOp === op && x !== a) {
        return graph.op(op, x, b);
      }
      if (innerOp !== op || inner === undefined) return undefined;
      if (inner + n < 32) return graph.op(op, x, k(inner + n));
      return op === "i32.shr_s" ? graph.op(op, x, k(31)) : k(0);
    }
    case "i32.lt_u":
      return c === 0 ? b : undefined;
    case "i32.div_s":
    case "i32.div_u":
      if (c === 1 || c === 0) return a;
      return isPower(c) && (op === "i32.div_u" || graph.intervals[a].min >= 0)
        ? graph.op("i32.shr_u", a, k(log2(c)))
        : undefined;
    case "i32.rem_s":
    case "i32.rem_u":
      if (c === 1 || c === 0) return k(0);
      return isPower(c) && (op === "i32.rem_u" || graph.intervals[a].min >= 0)
        ? graph.op("i32.and", a, k(c - 1))
        : undefined;
    default:
      return undefined;
  }
}

/** Number of low bits of a node that are surely zero; looks no deeper than `depth` nodes. */
function lowZeros(graph: Graph, id: Id, depth = 4): number {
  const node = graph.nodes[id];
  if (node.kind === "const") {
    return node.value === 0 ? 32 : 31 - Math.clz32(node.value & -node.value);
  }
  if (node.kind === "axis" && node.axis === graph.block.axis) {
    return log2(graph.block.size);
  }
  if (node.kind !== "op" || depth === 0) return 0;
  const shift = graph.constantOf(node.args[1] ?? node.args[0]);
  if (node.op === "i32.shl" && shift !== undefined) {
    return Math.min(
      32,
      lowZeros(graph, node.args[0], depth - 1) + (shift & 31),
    );
  }
  if (node.op !== "i32.add") return 0;
  return Math.min(...node.args.map((a) => lowZeros(graph, a, depth - 1)));
}

/** Rules on op(a, constant) that need to know a's bounds or low bits. */
function foldRange(
  graph: Graph,
  op: WordOp,
  a: Id,
  c: number,
): Id | undefined {
  const { min, max } = graph.intervals[a];
  const node = graph.nodes[a];
  switch (op) {
    case "i32.min_s":
      return max <= c ? a : min >= c ? graph.constant(c) : undefined;
    case "i32.max_s":
      return min >= c ? a : max <= c ? graph.constant(c) : undefined;
    case "i32.div_u":
      return min >= 0 && max < c ? graph.constant(0) : undefined;
    case "i32.rem_u":
      return min >= 0 && max < c ? a : undefined;
    case "i32.lt_s":
      return max < c
        ? graph.constant(1)
        : min >= c
        ? graph.constant(0)
        : undefined;
    case "i32.le_s":
      return max <= c
        ? graph.constant(1)
        : min > c
        ? graph.constant(0)
        : undefined;
    case "i32.eq":
    case "i32.ne":
      if (c >= min && c <= max) return undefined;
      return graph.constant(op === "i32.ne" ? 1 : 0);
    case "i32.and": {
      // Bits that all values of the interval share.
      const low = c === 0 ? 0 : log2(c & -c);
      if (min >= 0 && c > 0 && min >> low === max >> low) {
        return graph.constant(min & c);
      }
      if (min >= 0 && isPower(c + 1) && max <= c) return a;
      if (!isPower(c + 1)) return undefined;
      const bits = log2(c + 1);
      if (lowZeros(graph, a) >= bits) return graph.constant(0);
      if (node.kind !== "op" || node.op !== "i32.add") return undefined;
      const rest = graph.constantOf(node.args[1]);
      return rest !== undefined && lowZeros(graph, node.args[0]) >= bits
        ? graph.constant(rest & c)
        : undefined;
    }
    case "i32.shr_s":
    case "i32.shr_u":
      return min >= 0 ? foldShift(graph, a, c & 31) : undefined;
    default:
      return undefined;
  }
}

/** (2^k y + r) >> n for a value that is not negative. */
function foldShift(graph: Graph, a: Id, n: number): Id | undefined {
  const node = graph.nodes[a];
  if (node.kind !== "op") return undefined;
  const c = graph.constantOf(node.args[1] ?? node.args[0]);
  if (c === undefined) return undefined;
  const x = node.args[0];
  const inner = graph.intervals[x];
  if (inner.min < 0) return undefined;
  if (node.op === "i32.shl" && inner.max * power(c & 31) <= FULL.max) {
    return (c & 31) >= n
      ? graph.op("i32.shl", x, graph.constant((c & 31) - n))
      : graph.op("i32.shr_u", x, graph.constant(n - (c & 31)));
  }
  const exact = node.op === "i32.add" && c >= 0 &&
    inner.max + c <= FULL.max && lowZeros(graph, x) >= n;
  if (!exact) return undefined;
  return graph.op(
    "i32.add",
    graph.op("i32.shr_u", x, graph.constant(n)),
    graph.constant(c >> n),
  );
}
