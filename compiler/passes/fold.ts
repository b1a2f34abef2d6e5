/**
 * Folds what stands around a contraction into its weights: batch normalization and other affine maps
 * after it, input normalization before it, padding, channel order of a flattened image, bounds.
 */
import {
  type ContractWeights,
  type Graph,
  isKind,
  type NodeId,
  type NodeOf,
} from "../graph/graph.ts";
import {
  type GraphBuilder,
  type Match,
  mergeLineage,
  rewrite,
} from "../graph/graph_builder.ts";
import { transpose } from "../graph/float_reference.ts";
import { type Affine, affineOf, at, clampOf } from "./affine.ts";

/** Rebuilds a contraction on another input with other parameters. */
function contractAgain(
  builder: GraphBuilder,
  node: NodeOf<"contract">,
  x: NodeId,
  change: Partial<NodeOf<"contract">["primitive"]>,
): NodeId {
  const p = { ...node.primitive, ...change };
  return builder.contract(x, p.weights, p.windows, p.groups, p.clamp);
}

/** contract -> affine: the factor goes into the weights of each output channel. */
function foldAfter({ node, inputs, builder, soleUse }: Match) {
  if (!isKind(node, "map") || node.dtype !== "f32") return undefined;
  const affine = affineOf(builder, node.primitive.expr, inputs);
  if (!affine) return undefined;
  const i = inputs.indexOf(affine.x);
  const producer = builder.node(affine.x);
  if (!isKind(producer, "contract") || producer.primitive.clamp) {
    return undefined;
  }
  const { weights } = producer.primitive;
  const { outputs } = weights;
  const fits = affine.axis === node.shape.length - 1 &&
    [1, outputs].includes(affine.scale.length) &&
    [1, outputs].includes(affine.offset.length);
  const sameShape = `${producer.shape}` === `${node.shape}`;
  if (!fits || !sameShape || !soleUse(i)) return undefined;
  const row = weights.weight.length / outputs;
  const folded: ContractWeights = {
    ...weights,
    weight: weights.weight.map((w, k) =>
      w * at(affine.scale, Math.floor(k / row))
    ),
    bias: weights.bias.map((b, o) =>
      b * at(affine.scale, o) + at(affine.offset, o)
    ),
  };
  builder.origin = {
    name: node.name,
    lineage: mergeLineage(producer, node),
  };
  return contractAgain(builder, producer, producer.inputs[0], {
    weights: folded,
  });
}

/** contract -> clamp: bounds on the result. */
function foldClamp({ node, inputs, builder, soleUse }: Match) {
  const clamp = clampOf(node);
  const producer = builder.node(inputs[0] ?? 0);
  if (!clamp || !isKind(producer, "contract") || !soleUse(0)) return undefined;
  if (producer.primitive.clamp) return undefined;
  builder.origin = {
    name: node.name,
    lineage: mergeLineage(producer, node),
  };
  return contractAgain(builder, producer, producer.inputs[0], { clamp });
}

/** affine -> contract: factors go into the weights of each input channel, offsets into the bias. */
function foldBefore({ node, inputs, builder }: Match) {
  if (!isKind(node, "contract")) return undefined;
  let { weights } = node.primitive;
  const { windows, groups } = node.primitive;
  let x = inputs[0];
  let lineage = node.lineage;
  for (;;) {
    const found = affineBefore(builder, x, node);
    if (!found) break;
    const { affine, next, source } = found;
    const padded = windows.some((w) => w.padBefore > 0 || w.padAfter > 0);
    if (padded && affine.offset.some((v) => v !== 0)) break;
    weights = absorb(weights, affine, groups);
    lineage = mergeLineage(builder.node(source), { lineage });
    x = next;
  }
  if (x === inputs[0]) return undefined;
  builder.origin = { name: node.name, lineage };
  return contractAgain(builder, node, x, { weights });
}

/** The affine map that feeds a contraction, directly or through a view that keeps channels apart. */
function affineBefore(
  builder: GraphBuilder,
  x: NodeId,
  consumer: NodeOf<"contract">,
): { affine: Affine; next: NodeId; source: NodeId } | undefined {
  const node = builder.node(x);
  const through = isKind(node, "view");
  const source = through ? node.inputs[0] : x;
  const map = builder.node(source);
  if (!isKind(map, "map") || map.dtype !== "f32") return undefined;
  const affine = affineOf(builder, map.primitive.expr, map.inputs);
  if (!affine) return undefined;
  const from = builder.node(affine.x);
  if (`${from.shape}` !== `${map.shape}`) return undefined;
  if (affine.axis !== map.shape.length - 1) return undefined;
  const channels = Math.max(affine.scale.length, affine.offset.length);
  const width = node.shape[node.shape.length - 1];
  if (through && channels > 1) {
    if (consumer.primitive.windows.length > 0 || width % channels !== 0) {
      return undefined;
    }
  }
  const next = through ? builder.view(affine.x, node.shape) : affine.x;
  return { affine, next, source };
}

function absorb(
  weights: ContractWeights,
  affine: Affine,
  groups: number,
): ContractWeights {
  const { weight, outputs, inputs } = weights;
  const row = weight.length / outputs;
  const bias = weights.bias.slice();
  const factor = (v: Float64Array, k: number) => {
    const group = Math.floor(Math.floor(k / row) / (outputs / groups));
    const channel = group * inputs + k % inputs;
    return v[channel % v.length];
  };
  const scaled = weight.map((w, k) => {
    bias[Math.floor(k / row)] += w * factor(affine.offset, k);
    return w * factor(affine.scale, k);
  });
  return { ...weights, weight: scaled, bias };
}

/** pad of zeros -> contract: a wider window border. */
function foldPad({ node, inputs, builder }: Match) {
  if (!isKind(node, "contract")) return undefined;
  const pad = builder.node(inputs[0]);
  if (!isKind(pad, "pad") || pad.primitive.value !== 0) return undefined;
  const { before } = pad.primitive;
  const inner = builder.shape(pad.inputs[0]);
  const after = pad.shape.map((n, d) => n - inner[d] - before[d]);
  const spatial = (d: number) => d > 0 && d <= node.primitive.windows.length;
  if (pad.shape.some((n, d) => n !== inner[d] && !spatial(d))) return undefined;
  const windows = node.primitive.windows.map((w, i) => ({
    ...w,
    padBefore: w.padBefore + before[i + 1],
    padAfter: w.padAfter + after[i + 1],
  }));
  builder.origin = { name: node.name, lineage: mergeLineage(pad, node) };
  return contractAgain(builder, node, pad.inputs[0], { windows });
}

/** transpose -> view to rows -> product: the weights' columns take the order of the channels-last data. */
function foldFlatten({ node, inputs, builder }: Match) {
  if (!isKind(node, "contract") || node.primitive.windows.length > 0) {
    return undefined;
  }
  const view = builder.node(inputs[0]);
  if (!isKind(view, "view")) return undefined;
  const moved = builder.node(view.inputs[0]);
  if (!isKind(moved, "transpose") || moved.primitive.perm[0] !== 0) {
    return undefined;
  }
  if (view.shape.length !== 2 || view.shape[0] !== moved.shape[0]) {
    return undefined;
  }
  const { weights } = node.primitive;
  const { perm } = moved.primitive;
  const back = perm.map((_, d) => perm.indexOf(d));
  const weight = transpose(
    weights.weight,
    [weights.outputs, ...moved.shape.slice(1)],
    back,
  );
  const source = builder.view(moved.inputs[0], view.shape);
  return contractAgain(builder, node, source, {
    weights: { ...weights, weight },
  });
}

/** All foldings around contractions, in the order in which one opens the way for the next. */
export function foldContractions(graph: Graph): Graph {
  const passes = [foldFlatten, foldPad, foldAfter, foldClamp, foldBefore];
  return passes.reduce((g, rule) => rewrite(g, rule), graph);
}
