/**
 * Joins maps that feed each other, so that a chain of element-wise operations is one node.
 *
 * `unary` fuses only chains over one activation whose result is again affine, a clamp around anything, or
 * a function of one value: what the integer kernels can do in one step. `all` fuses as far as the number
 * of operands allows.
 */
import {
  expressionSize,
  type Graph,
  isKind,
  type NodeId,
} from "../graph/graph.ts";
import {
  composeMaps,
  type GraphBuilder,
  type Match,
  mergeLineage,
  rewrite,
} from "../graph/graph_builder.ts";
import type { ScalarExpr } from "../graph/graph.ts";
import { affineOf, clampOf } from "./affine.ts";

const MAX_INPUTS = 8;
const MAX_SIZE = 24;

/** Fuses maps until none is left to fuse. */
export function fuseMaps(graph: Graph, extent: "unary" | "all"): Graph {
  let current = graph;
  for (let fused = true; fused;) {
    fused = false;
    current = rewrite(current, (match) => {
      const joined = fuse(match, extent);
      fused ||= joined !== undefined;
      return joined;
    });
  }
  return current;
}

function fuse(match: Match, extent: "unary" | "all"): NodeId | undefined {
  const { node, inputs, builder, soleUse } = match;
  if (!isKind(node, "map")) return undefined;
  for (let i = 0; i < inputs.length; i++) {
    const inner = builder.node(inputs[i]);
    if (!isKind(inner, "map") || !soleUse(i)) continue;
    if (`${inner.shape}` !== `${node.shape}`) continue;
    const joined = composeMaps(node, inputs, i, inner);
    const distinct = new Set(joined.inputs).size;
    if (distinct > MAX_INPUTS || expressionSize(joined.expr) > MAX_SIZE) {
      continue;
    }
    const allowed = extent === "all" || clampOf(node) !== undefined ||
      isUnary(builder, joined.expr, joined.inputs);
    if (!allowed) continue;
    builder.origin = { name: node.name, lineage: mergeLineage(inner, node) };
    return builder.map(joined.expr, joined.inputs, node.dtype);
  }
  return undefined;
}

function isUnary(
  builder: GraphBuilder,
  expr: ScalarExpr,
  inputs: readonly NodeId[],
): boolean {
  if (affineOf(builder, expr, inputs)) return true;
  const scalar = inputs.every((id) =>
    !builder.data(id) || builder.data(id)!.length === 1
  );
  const variable = new Set(inputs.filter((id) => !builder.data(id)));
  return scalar && variable.size === 1;
}
