/**
 * The integer form of an element-wise map: bounds, a factor per channel, a weighted sum, a product, a
 * quotient, or a table of a function of one value.
 */
import type { NodeId, NodeOf } from "../graph/graph.ts";
import { elementCount } from "../ir.ts";
import { affineOf, at, clampOf, peelClamp } from "../passes/affine.ts";
import { compileScalar } from "../graph/scalar_functions.ts";
import type { FixedId, FixedOp } from "./fixed_graph.ts";
import { linearForm, pairForm } from "./map_forms.ts";
import { quantizeMultiplier, quantizeTogether } from "./multiplier.ts";
import type { Quantizer } from "./quantize.ts";
import { dtypeOf, limitOf, scaleOf } from "./scales.ts";

/** Adds the integer node of a map, or throws naming it. */
export function quantizeMap(
  q: Quantizer,
  node: NodeOf<"map">,
  id: NodeId,
): FixedId {
  if (node.dtype !== "f32") return castToInteger(q, node, id);
  const clamp = clampOf(node);
  if (clamp) {
    const op = { kind: "clamp", bounds: q.bounds(id, clamp) } as const;
    return q.emit(id, op, [q.input(node.inputs[0])]);
  }
  const variable = node.inputs.filter((i) =>
    q.graph.nodes[i].primitive.kind !== "constant"
  );
  variable.forEach((i) => q.requireActivation(node, i));
  const result = affine(q, node, id) ?? sumOrPair(q, node, id);
  if (result !== undefined) return result;
  if (node.inputs.length === 1) return table(q, node, id);
  return q.fail(
    node,
    "a sum, product or quotient of two values, or a function of one",
    "an expression of several values",
  );
}

/** Integers may be copied between types; a rounded activation has no integer form. */
function castToInteger(
  q: Quantizer,
  node: NodeOf<"map">,
  id: NodeId,
): FixedId {
  const [source] = node.inputs;
  const whole = q.graph.nodes[source].dtype !== "f32";
  if (node.primitive.expr.kind !== "arg" || !whole) {
    q.fail(node, "a cast between integers", "an activation cast to integers");
  }
  return q.emit(id, { kind: "copy" }, [q.input(source)]);
}

function affine(
  q: Quantizer,
  node: NodeOf<"map">,
  id: NodeId,
): FixedId | undefined {
  const { inner, clamp } = peelClamp(node.primitive.expr);
  const lookup = {
    data: (i: NodeId) => {
      const { primitive } = q.graph.nodes[i];
      return primitive.kind === "constant" ? primitive.data : undefined;
    },
    shape: (i: NodeId) => q.graph.nodes[i].shape,
  };
  const found = affineOf(lookup, inner, node.inputs);
  if (!found || `${lookup.shape(found.x)}` !== `${node.shape}`) {
    return undefined;
  }
  const input = q.group(found.x);
  const [step, limit] = [scaleOf(input), limitOf(input)];
  const result = scaleOf(q.group(id));
  const channels = Math.max(found.scale.length, found.offset.length);
  const list = () => new Int32Array(channels);
  const op = {
    kind: "affine" as const,
    inner: elementCount(node.shape.slice(found.axis + 1)),
    factor: list(),
    parameters: { bias: list(), m: list(), s: list().fill(1) },
    bounds: q.bounds(id, clamp),
  };
  let accumulator = 0;
  for (let c = 0; c < channels; c++) {
    const scale = at(found.scale, c);
    const offset = at(found.offset, c) / step;
    // The unit is the largest for which factor * x + bias stays below 2^30.
    const largest = Math.abs(scale) * limit + Math.abs(offset);
    if (largest === 0) continue;
    const unit = 2 ** 30 / largest;
    op.factor[c] = Math.round(scale * unit);
    op.parameters.bias[c] = Math.round(offset * unit);
    const { m, s } = quantizeMultiplier(step / (unit * result));
    op.parameters.m[c] = m;
    op.parameters.s[c] = s;
    accumulator = Math.max(
      accumulator,
      Math.abs(op.factor[c]) * limit + Math.abs(op.parameters.bias[c]),
    );
  }
  return q.emit(id, op, [q.input(found.x)], { accumulator });
}

function sumOrPair(
  q: Quantizer,
  node: NodeOf<"map">,
  id: NodeId,
): FixedId | undefined {
  const { inner, clamp } = peelClamp(node.primitive.expr);
  const linear = node.inputs.length > 1
    ? linearForm(inner, node.inputs.length)
    : undefined;
  const pair = pairForm(inner, node.inputs.length);
  if (!linear && !pair) return undefined;
  const operands = node.inputs.map((i) => q.input(i) ?? q.constant(i));
  const scales = operands.map((i) => q.nodes[i].scale);
  const result = scaleOf(q.group(id));
  const bounds = q.bounds(id, clamp);
  if (linear) {
    const factors = linear.coefficients.map((c, i) => c * scales[i] / result);
    const { multipliers, s } = quantizeTogether(factors);
    let unit = 1;
    for (let i = 0; i < s; i++) unit *= 2;
    const offset = Math.round(linear.offset / result * unit);
    // Beyond 2^53 the offset alone saturates the result.
    const safe = Math.max(
      Math.min(offset, Number.MAX_SAFE_INTEGER),
      -Number.MAX_SAFE_INTEGER,
    );
    const op: FixedOp = {
      kind: "sum",
      multipliers,
      offset: BigInt(safe),
      s,
      bounds,
    };
    return q.emit(id, op, operands);
  }
  const { kind, a, b, factor } = pair!;
  const scale = kind === "product"
    ? scales[a] * scales[b]
    : scales[a] / scales[b];
  const ratio = factor * scale / result;
  if (ratio < 0) {
    q.fail(node, "a positive factor", String(factor));
  }
  const op: FixedOp = { kind, multiplier: quantizeMultiplier(ratio), bounds };
  return q.emit(id, op, [operands[a], operands[b]]);
}

/** Every stored integer's function value, computed here. */
function table(q: Quantizer, node: NodeOf<"map">, id: NodeId): FixedId {
  const [source] = node.inputs;
  const input = q.group(source);
  const limit = limitOf(input);
  const step = scaleOf(input);
  const stored = dtypeOf(input, q.precision);
  const first = stored.startsWith("u") ? 0 : -limit;
  const fn = compileScalar(node.primitive.expr);
  const { lo, hi } = q.bounds(id);
  const scale = scaleOf(q.group(id));
  const entries = Int16Array.from({ length: limit - first + 1 }, (_, i) => {
    const y = Math.round(fn([(first + i) * step]) / scale);
    return y !== y ? 0 : Math.max(Math.min(y, hi), lo);
  });
  return q.emit(id, { kind: "table", table: entries, first }, [
    q.input(source),
  ]);
}
