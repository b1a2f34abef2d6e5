/**
 * Recognizes maps that multiply and add, and maps that bound.
 *
 * Batch normalization, input normalization and scaling all have the form x * scale + offset, by a scalar
 * or per channel; folding and quantization ask for that form, never for the operator it came from.
 */
import type { NodeId, ScalarExpr } from "../graph/graph.ts";
import { type Clamp, type GraphNode, isKind } from "../graph/graph.ts";
import type { GraphBuilder } from "../graph/graph_builder.ts";

/** x * scale[c] + offset[c] with c along one axis; lists of length 1 hold for all channels. */
export interface Affine {
  readonly x: NodeId;
  /** Axis of the channels; the last one where there is only one channel. */
  readonly axis: number;
  readonly scale: Float64Array;
  readonly offset: Float64Array;
}

interface Form {
  /** Factor of the one non-constant argument. */
  readonly scale: Float64Array;
  readonly offset: Float64Array;
}

const zero = Float64Array.of(0);
const one = Float64Array.of(1);
const isZero = (v: Float64Array) => v.every((x) => x === 0);

/** The value at channel c of a list that may stand for all channels. */
export const at = (v: Float64Array, c: number) => v[v.length === 1 ? 0 : c];

function zip(
  a: Float64Array,
  b: Float64Array,
  f: (a: number, b: number) => number,
): Float64Array {
  const length = Math.max(a.length, b.length);
  return Float64Array.from({ length }, (_, c) => f(at(a, c), at(b, c)));
}

/** The affine form of a map over inputs of which one is no constant, if it has one. */
export function affineOf(
  builder: Pick<GraphBuilder, "data" | "shape">,
  expr: ScalarExpr,
  inputs: readonly NodeId[],
): Affine | undefined {
  const variable = inputs.filter((id) => !builder.data(id));
  if (variable.length !== 1) return undefined;
  const [x] = variable;
  let axis: number | undefined;
  const form = (expr: ScalarExpr): Form | undefined => {
    switch (expr.kind) {
      case "const":
        return { scale: zero, offset: Float64Array.of(expr.value) };
      case "arg": {
        if (inputs[expr.index] === x) return { scale: one, offset: zero };
        const shape = builder.shape(inputs[expr.index]);
        const wide = shape.flatMap((n, d) => n === 1 ? [] : [d]);
        if (wide.length > 1) return undefined;
        if (wide.length === 1) {
          if (axis !== undefined && axis !== wide[0]) return undefined;
          axis = wide[0];
        }
        return { scale: zero, offset: builder.data(inputs[expr.index])! };
      }
      case "apply": {
        const [a, b] = expr.args.map(form);
        return a && b ? combine(expr.fn, a, b) : undefined;
      }
      default:
        return expr satisfies never;
    }
  };
  const found = form(expr);
  if (!found || isZero(found.scale)) return undefined;
  return { x, axis: axis ?? builder.shape(x).length - 1, ...found };
}

function combine(fn: string, a: Form, b: Form): Form | undefined {
  const times = (a: Form, factor: Float64Array): Form => ({
    scale: zip(a.scale, factor, (x, y) => x * y),
    offset: zip(a.offset, factor, (x, y) => x * y),
  });
  switch (fn) {
    case "add":
    case "sub": {
      const f = fn === "add"
        ? (x: number, y: number) => x + y
        : (x: number, y: number) => x - y;
      return {
        scale: zip(a.scale, b.scale, f),
        offset: zip(a.offset, b.offset, f),
      };
    }
    case "mul":
      if (isZero(a.scale)) return times(b, a.offset);
      return isZero(b.scale) ? times(a, b.offset) : undefined;
    case "div":
      if (!isZero(b.scale) || b.offset.some((x) => x === 0)) return undefined;
      return {
        scale: zip(a.scale, b.offset, (x, y) => x / y),
        offset: zip(a.offset, b.offset, (x, y) => x / y),
      };
    default:
      return undefined;
  }
}

/** An expression without the clamps around it, and what these amount to. */
export function peelClamp(
  expr: ScalarExpr,
): { inner: ScalarExpr; clamp?: Clamp } {
  let inner = expr;
  let lo = -Infinity, hi = Infinity;
  while (inner.kind === "apply" && (inner.fn === "min" || inner.fn === "max")) {
    const [a, b] = inner.args;
    const bound = a.kind === "const" ? a : b.kind === "const" ? b : undefined;
    if (!bound) break;
    // An outer bound wins over an inner one.
    if (inner.fn === "min") {
      if (bound.value < lo) hi = lo = Math.min(lo, bound.value);
      else hi = Math.min(hi, bound.value);
    } else {
      lo = Math.max(lo, Math.min(bound.value, hi));
    }
    inner = a.kind === "const" ? b : a;
  }
  return inner === expr ? { inner } : { inner, clamp: { lo, hi } };
}

/** The clamp that a map is, and nothing else. */
export function clampOf(node: GraphNode): Clamp | undefined {
  if (!isKind(node, "map") || node.inputs.length !== 1) return undefined;
  const { inner, clamp } = peelClamp(node.primitive.expr);
  return inner.kind === "arg" ? clamp : undefined;
}
