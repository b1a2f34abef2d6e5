/**
 * Evaluates a float graph in doubles: constant folding, calibration and accuracy reports.
 *
 * Straightforward loops over typed arrays. Results of type f32 are rounded to binary32 once per element;
 * sums inside a contraction stay in doubles, so this is closer to the real numbers than any float
 * runtime. It is not what a bundle executes: that is the kernels' own arithmetic.
 */
import { exp, log } from "./deterministic_math.ts";
import {
  type Graph,
  type GraphNode,
  type NodeId,
  type NodeOf,
  type ScalarExpr,
  stridesOf,
  type Window,
} from "./graph.ts";
import { elementCount } from "../ir.ts";
import { compileScalar } from "./scalar_functions.ts";

/** Values of every node, by id; `inputs` holds those of input nodes. */
export function evaluateGraph(
  graph: Graph,
  inputs: ReadonlyMap<NodeId, Float64Array>,
): Float64Array[] {
  const values: Float64Array[] = [];
  graph.nodes.forEach((node, id) => {
    const given = inputs.get(id);
    values.push(
      given ?? evaluateNode(
        node,
        node.inputs.map((i) => graph.nodes[i].shape),
        node.inputs.map((i) => values[i]),
      ),
    );
  });
  return values;
}

/** Value of one node from its inputs' shapes and values. */
export function evaluateNode(
  node: GraphNode,
  shapes: readonly (readonly number[])[],
  inputs: readonly Float64Array[],
): Float64Array {
  const result = compute(node, shapes, inputs);
  const isView = node.primitive.kind === "view" ||
    node.primitive.kind === "constant";
  if (node.dtype === "f32" && !isView) {
    for (let i = 0; i < result.length; i++) result[i] = Math.fround(result[i]);
  }
  return result;
}

function compute(
  node: GraphNode,
  shapes: readonly (readonly number[])[],
  inputs: readonly Float64Array[],
): Float64Array {
  const { primitive, shape } = node;
  switch (primitive.kind) {
    case "input":
      throw new RangeError(`Input "${node.name}" has no value`);
    case "constant":
      return primitive.data;
    case "view":
      return inputs[0];
    case "map":
      return mapElements(primitive.expr, shape, shapes, inputs);
    case "contract": {
      const { weights, windows, groups, clamp } = primitive;
      const out = contract(
        inputs[0],
        shapes[0],
        shape,
        weights.weight,
        weights.bias,
        windows,
        groups,
      );
      if (clamp) {
        for (let i = 0; i < out.length; i++) {
          out[i] = Math.min(Math.max(out[i], clamp.lo), clamp.hi);
        }
      }
      return out;
    }
    case "matmul":
      return matmul(inputs[0], inputs[1], shapes[0], shapes[1]);
    case "pool":
      return pool(node as NodeOf<"pool">, inputs[0], shapes[0]);
    case "argmax":
      return argmax(inputs[0], shapes[0], primitive.last);
    case "softmax":
      return softmax(inputs[0], shape, primitive.log);
    case "transpose":
      return transpose(inputs[0], shapes[0], primitive.perm);
    case "pad":
      return place(
        new Float64Array(elementCount(shape)).fill(primitive.value),
        shape,
        inputs[0],
        shapes[0],
        primitive.before,
      );
    case "concat": {
      const out = new Float64Array(elementCount(shape));
      const at = shape.map(() => 0);
      inputs.forEach((x, i) => {
        place(out, shape, x, shapes[i], at);
        at[primitive.axis] += shapes[i][primitive.axis];
      });
      return out;
    }
    case "slice":
      return slice(inputs[0], shapes[0], shape, primitive.starts);
    default:
      return primitive satisfies never;
  }
}

/** Steps through an index space of `shape`, giving the offset under each of several stride vectors. */
export function walk(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (flat: number, offsets: readonly number[]) => void,
): void {
  const count = elementCount(shape);
  const index = shape.map(() => 0);
  const offsets = strides.map(() => 0);
  for (let flat = 0; flat < count; flat++) {
    visit(flat, offsets);
    for (let d = shape.length - 1; d >= 0; d--) {
      index[d]++;
      for (let i = 0; i < strides.length; i++) offsets[i] += strides[i][d];
      if (index[d] < shape[d]) break;
      index[d] = 0;
      for (let i = 0; i < strides.length; i++) {
        offsets[i] -= strides[i][d] * shape[d];
      }
    }
  }
}

/** Strides with 0 along broadcast axes; `shape` has the rank of `out`. */
export function broadcastStrides(
  shape: readonly number[],
  out: readonly number[],
): number[] {
  return stridesOf(shape).map((s, d) => shape[d] === out[d] ? s : 0);
}

function mapElements(
  expr: ScalarExpr,
  shape: readonly number[],
  shapes: readonly (readonly number[])[],
  inputs: readonly Float64Array[],
): Float64Array {
  const fn = compileScalar(expr);
  const out = new Float64Array(elementCount(shape));
  const args = inputs.map(() => 0);
  if (inputs.every((x) => x.length === out.length)) {
    for (let flat = 0; flat < out.length; flat++) {
      for (let i = 0; i < args.length; i++) args[i] = inputs[i][flat];
      out[flat] = fn(args);
    }
    return out;
  }
  const strides = shapes.map((s) => broadcastStrides(s, shape));
  walk(shape, strides, (flat, offsets) => {
    for (let i = 0; i < args.length; i++) args[i] = inputs[i][offsets[i]];
    out[flat] = fn(args);
  });
  return out;
}

/** Windows of two spatial axes: missing ones get size 1 over an axis of length 1. */
function planar(windows: readonly Window[]): [Window, Window] {
  const unit: Window = {
    size: 1,
    stride: 1,
    dilation: 1,
    padBefore: 0,
    padAfter: 0,
  };
  const all = [unit, unit, ...windows].slice(-2);
  return [all[0], all[1]];
}

/** Shape [N, ...spatial, C] with exactly two spatial axes. */
function planarShape(
  shape: readonly number[],
): [number, number, number, number] {
  const spatial = [1, 1, ...shape.slice(1, -1)].slice(-2);
  return [shape[0], spatial[0], spatial[1], shape[shape.length - 1]];
}

/**
 * The contraction itself; exact on integers below 2^53, so the fixed reference uses it too.
 *
 * Each window is gathered once and multiplied with four rows of weights at a time: four independent sums
 * hide the latency of addition (measured 5 times as fast as one sum at a time).
 */
export function contract(
  x: Float64Array,
  inShape: readonly number[],
  outShape: readonly number[],
  weight: Float64Array,
  bias: Float64Array,
  windows: readonly Window[],
  groups: number,
): Float64Array {
  const [n, ih, iw, cin] = planarShape(inShape);
  const [, oh, ow, cout] = planarShape(outShape);
  const [wy, wx] = planar(windows);
  const cg = cin / groups;
  const og = cout / groups;
  const patch = new Float64Array(wy.size * wx.size * cg);
  const out = new Float64Array(n * oh * ow * cout);
  const gather = (b: number, y: number, xx: number, channel: number) => {
    for (let ky = 0, to = 0; ky < wy.size; ky++) {
      const iy = y * wy.stride + ky * wy.dilation - wy.padBefore;
      for (let kx = 0; kx < wx.size; kx++, to += cg) {
        const ix = xx * wx.stride + kx * wx.dilation - wx.padBefore;
        const inside = iy >= 0 && iy < ih && ix >= 0 && ix < iw;
        const from = ((b * ih + iy) * iw + ix) * cin + channel;
        for (let c = 0; c < cg; c++) patch[to + c] = inside ? x[from + c] : 0;
      }
    }
  };
  for (let b = 0, flat = 0; b < n; b++) {
    for (let y = 0; y < oh; y++) {
      for (let xx = 0; xx < ow; xx++) {
        for (let g = 0; g < groups; g++, flat += og) {
          gather(b, y, xx, g * cg);
          multiplyRows(patch, weight, bias, g * og, og, out, flat);
        }
      }
    }
  }
  return out;
}

/** out[at + i] = bias[first + i] + patch * row (first + i) of the weights, for i below count. */
function multiplyRows(
  patch: Float64Array,
  weight: Float64Array,
  bias: Float64Array,
  first: number,
  count: number,
  out: Float64Array,
  at: number,
): void {
  const width = patch.length;
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    const o = first + i;
    let w0 = o * width;
    let w1 = w0 + width, w2 = w1 + width, w3 = w2 + width;
    let s0 = bias[o], s1 = bias[o + 1], s2 = bias[o + 2], s3 = bias[o + 3];
    for (let k = 0; k < width; k++) {
      const v = patch[k];
      s0 += v * weight[w0++];
      s1 += v * weight[w1++];
      s2 += v * weight[w2++];
      s3 += v * weight[w3++];
    }
    out[at + i] = s0;
    out[at + i + 1] = s1;
    out[at + i + 2] = s2;
    out[at + i + 3] = s3;
  }
  for (; i < count; i++) {
    const o = first + i;
    let sum = bias[o];
    for (let k = 0, w = o * width; k < width; k++) {
      sum += patch[k] * weight[w++];
    }
    out[at + i] = sum;
  }
}

/** [B, M, K] times [B or 1, K, N]. */
export function matmul(
  a: Float64Array,
  b: Float64Array,
  aShape: readonly number[],
  bShape: readonly number[],
): Float64Array {
  const [batch, m, k] = aShape;
  const n = bShape[2];
  const out = new Float64Array(batch * m * n);
  for (let i = 0; i < batch; i++) {
    const base = bShape[0] === 1 ? 0 : i * k * n;
    for (let r = 0; r < m; r++) {
      for (let c = 0; c < n; c++) {
        let sum = 0;
        for (let j = 0; j < k; j++) {
          sum += a[(i * m + r) * k + j] * b[base + j * n + c];
        }
        out[(i * m + r) * n + c] = sum;
      }
    }
  }
  return out;
}

/** Elements of the window at `place` along an axis of `size`: count of those inside, or with padding. */
export function windowSpan(
  place: number,
  size: number,
  w: Window,
  countPadding: boolean,
): number {
  let count = 0;
  for (let k = 0; k < w.size; k++) {
    const at = place * w.stride + k * w.dilation - w.padBefore;
    const low = countPadding ? -w.padBefore : 0;
    const high = countPadding ? size + w.padAfter : size;
    if (at >= low && at < high) count++;
  }
  return count;
}

/** Maximum, or sum before division, over every window. */
export function poolWindows(
  x: Float64Array,
  inShape: readonly number[],
  outShape: readonly number[],
  windows: readonly Window[],
  kind: "max" | "sum",
): Float64Array {
  const [n, ih, iw, c] = planarShape(inShape);
  const [, oh, ow] = planarShape(outShape);
  const [wy, wx] = planar(windows);
  const out = new Float64Array(n * oh * ow * c);
  for (let b = 0, flat = 0; b < n; b++) {
    for (let y = 0; y < oh; y++) {
      for (let xx = 0; xx < ow; xx++) {
        for (let ch = 0; ch < c; ch++, flat++) {
          let best = kind === "max" ? -Infinity : 0;
          for (let ky = 0; ky < wy.size; ky++) {
            const iy = y * wy.stride + ky * wy.dilation - wy.padBefore;
            if (iy < 0 || iy >= ih) continue;
            for (let kx = 0; kx < wx.size; kx++) {
              const ix = xx * wx.stride + kx * wx.dilation - wx.padBefore;
              if (ix < 0 || ix >= iw) continue;
              const v = x[((b * ih + iy) * iw + ix) * c + ch];
              best = kind === "max" ? Math.max(best, v) : best + v;
            }
          }
          out[flat] = best;
        }
      }
    }
  }
  return out;
}

function pool(
  node: NodeOf<"pool">,
  x: Float64Array,
  inShape: readonly number[],
): Float64Array {
  const { pool, windows, countPadding } = node.primitive;
  const kind = pool === "max" ? "max" : "sum";
  const out = poolWindows(x, inShape, node.shape, windows, kind);
  if (kind === "max") return out;
  const counts = poolCounts(inShape, node.shape, windows, countPadding);
  const [n, oh, ow, c] = planarShape(node.shape);
  for (let i = 0, flat = 0; i < n * oh * ow; i++) {
    for (let ch = 0; ch < c; ch++) out[flat++] /= counts[i % (oh * ow)];
  }
  return out;
}

/** Divisor of an average at every place [OH, OW]. */
export function poolCounts(
  inShape: readonly number[],
  outShape: readonly number[],
  windows: readonly Window[],
  countPadding: boolean,
): Float64Array {
  const [, ih, iw] = planarShape(inShape);
  const [, oh, ow] = planarShape(outShape);
  const [wy, wx] = planar(windows);
  const counts = new Float64Array(oh * ow);
  for (let y = 0; y < oh; y++) {
    const rows = windowSpan(y, ih, wy, countPadding);
    for (let x = 0; x < ow; x++) {
      counts[y * ow + x] = rows * windowSpan(x, iw, wx, countPadding);
    }
  }
  return counts;
}

/** Index of the largest element of each row; `last` takes the last of equals. */
export function argmax(
  x: Float64Array,
  shape: readonly number[],
  last: boolean,
): Float64Array {
  const width = shape[shape.length - 1];
  const out = new Float64Array(x.length / width);
  for (let r = 0; r < out.length; r++) {
    let best = 0;
    for (let k = 1; k < width; k++) {
      const a = x[r * width + k], b = x[r * width + best];
      if (a > b || (last && a === b)) best = k;
    }
    out[r] = best;
  }
  return out;
}

function softmax(
  x: Float64Array,
  shape: readonly number[],
  asLog: boolean,
): Float64Array {
  const width = shape[shape.length - 1];
  const out = new Float64Array(x.length);
  for (let from = 0; from < x.length; from += width) {
    let max = -Infinity;
    for (let k = 0; k < width; k++) max = Math.max(max, x[from + k]);
    let sum = 0;
    for (let k = 0; k < width; k++) {
      out[from + k] = exp(x[from + k] - max);
      sum += out[from + k];
    }
    const logSum = log(sum);
    for (let k = 0; k < width; k++) {
      out[from + k] = asLog ? x[from + k] - max - logSum : out[from + k] / sum;
    }
  }
  return out;
}

/** Elements in the order of permuted axes: axis d of the result is axis perm[d] of x. */
export function transpose(
  x: Float64Array,
  shape: readonly number[],
  perm: readonly number[],
): Float64Array {
  const strides = stridesOf(shape);
  const out = new Float64Array(x.length);
  walk(
    perm.map((d) => shape[d]),
    [perm.map((d) => strides[d])],
    (flat, [at]) => {
      out[flat] = x[at];
    },
  );
  return out;
}

/** Copies x into `out` at an offset per axis; what lies outside is left out. */
export function place(
  out: Float64Array,
  outShape: readonly number[],
  x: Float64Array,
  shape: readonly number[],
  at: readonly number[],
): Float64Array {
  const strides = stridesOf(outShape);
  const base = at.reduce((sum, n, d) => sum + n * strides[d], 0);
  walk(shape, [strides], (flat, [offset]) => {
    out[base + offset] = x[flat];
  });
  return out;
}

/** The part of x that starts at `starts` and has the shape `outShape`. */
export function slice(
  x: Float64Array,
  shape: readonly number[],
  outShape: readonly number[],
  starts: readonly number[],
): Float64Array {
  const strides = stridesOf(shape);
  const base = starts.reduce((sum, n, d) => sum + n * strides[d], 0);
  const out = new Float64Array(elementCount(outShape));
  walk(outShape, [strides], (flat, [offset]) => {
    out[flat] = x[base + offset];
  });
  return out;
}
