/**
 * Decides in which integer type and scale every value of the float graph is held.
 *
 * Values that are only moved or compared (views, pads, maxima, bounds) share one scale: they form a
 * group. A group has the range of its widest member and the bits that its most demanding reader allows.
 */
import { ChainLearnError } from "../../fpvm/mod.ts";
import { type Graph, type GraphNode, isKind } from "../graph/graph.ts";
import type { DType } from "../ir.ts";
import { clampOf } from "../passes/affine.ts";
import type { Observation } from "./calibrate.ts";

/** Room above the calibrated range where there are bits to spare. */
const HEADROOM = 1.25;
/** Fraction of values that an int8 range must hold. */
const PERCENTILE = 0.9999;

/** How the values of a group are stored. */
export interface Group {
  /** Largest real magnitude. */
  range: number;
  /** Bits including the sign, at most 16. */
  bits: number;
  /** Set for raw integers and results of a fixed scale. */
  forced?: {
    readonly dtype: DType;
    readonly scale: number;
    readonly limit: number;
  };
}

/** Largest stored magnitude. */
export function limitOf(group: Group): number {
  return group.forced?.limit ?? (1 << (group.bits - 1)) - 1;
}

export function scaleOf(group: Group): number {
  if (group.forced) return group.forced.scale;
  return group.range > 0 ? group.range / limitOf(group) : 1 / limitOf(group);
}

export function dtypeOf(group: Group, precision: "int8" | "int16"): DType {
  return group.forced?.dtype ?? (precision === "int8" ? "i8" : "i16");
}

/** Raw integer types that a quantized graph takes as they are, with their largest magnitudes. */
const rawTypes: Partial<Record<DType, number>> = {
  u8: 255,
  bool: 1,
  i8: 128,
  i16: 32768,
  u16: 65535,
};

/** A group for every node; constants get none, they take their reader's. */
export function assignGroups(
  graph: Graph,
  observations: readonly Observation[],
  precision: "int8" | "int16",
): (Group | undefined)[] {
  const groups: (Group | undefined)[] = [];
  const joined = new Map<Group, Group>();
  const find = (group: Group): Group => {
    let root = group;
    while (joined.has(root)) root = joined.get(root)!;
    return root;
  };
  graph.nodes.forEach((node, id) => {
    if (isKind(node, "constant")) return;
    const own = newGroup(node, observations[id], precision);
    if (!sharesScale(node)) {
      groups[id] = own;
      return;
    }
    const members = node.inputs.flatMap((i) =>
      groups[i] ? [find(groups[i]!)] : []
    );
    const [first, ...others] = new Set(members);
    for (const other of others) {
      if (first.forced || other.forced) {
        throw new ChainLearnError(
          `Cannot quantize ${node.primitive.kind} "${node.name}": expected inputs of one scale, found raw integers beside activations`,
          { hint: "Convert with --precision float, or put the Cast after it" },
        );
      }
      first.range = Math.max(first.range, other.range);
      joined.set(other, first);
    }
    if (!first.forced) first.range = Math.max(first.range, own.range);
    groups[id] = first;
  });
  const roots = groups.map((g) => g && find(g));
  for (const group of new Set(roots)) {
    if (group && precision === "int16") group.range *= HEADROOM;
  }
  return roots;
}

/** Whether a node's result has the scale of its inputs. */
function sharesScale(node: GraphNode): boolean {
  switch (node.primitive.kind) {
    case "view":
    case "transpose":
    case "slice":
    case "pad":
    case "concat":
      return true;
    case "pool":
      return node.primitive.pool === "max";
    case "map":
      return node.dtype === "f32" && clampOf(node) !== undefined;
    default:
      return false;
  }
}

function newGroup(
  node: GraphNode,
  observation: Observation,
  precision: "int8" | "int16",
): Group {
  const bits = precision === "int8" ? 8 : 16;
  const { primitive, dtype } = node;
  if (primitive.kind === "softmax" && !primitive.log) {
    const forced = { dtype: "i16", scale: 1 / 32768, limit: 32767 } as const;
    return { range: 1, bits, forced };
  }
  if (dtype !== "f32") {
    const limit = rawTypes[dtype];
    if (primitive.kind === "input" && limit === undefined) {
      throw new ChainLearnError(
        `Cannot quantize input "${node.name}": expected float32 or an integer of at most 16 bits, found ${dtype}`,
        { hint: "Convert with --precision float" },
      );
    }
    const stored: DType = limit === undefined ? "i32" : dtype;
    const forced = { dtype: stored, scale: 1, limit: limit ?? 2 ** 31 - 1 };
    return { range: forced.limit, bits, forced };
  }
  const range = precision === "int8"
    ? observation.percentile(PERCENTILE)
    : observation.magnitude();
  return { range: Number.isFinite(range) ? range : 0, bits };
}
