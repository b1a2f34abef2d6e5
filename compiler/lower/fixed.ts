/**
 * Lowers the quantized graph: one kernel for each of its operations.
 *
 * Bias, multiplier and shift of a channel are rows of one constant, so that a contraction has three
 * operands. Element-wise kernels see their tensors as one axis and are shared by all nodes of that size.
 * `quantize/fixed_reference.ts` computes the same integers; a test compares the two bit for bit.
 */
import {
  add,
  axis,
  clamp,
  div,
  i32,
  i64,
  load,
  mul,
  op,
  type Operand,
  requantize,
  shl,
  shr,
  sub,
  sum,
  widen,
  wrap,
} from "../kernel/build.ts";
import { elementCount, type Expr, type TensorType } from "../ir.ts";
import type {
  FixedGraph,
  FixedNode,
  FixedOp,
} from "../quantize/fixed_graph.ts";
import { ChannelRequantization, largestSum } from "./channel_requantization.ts";
import { channelAxes } from "./channels.ts";
import { lowerSoftmax } from "./fixed_softmax.ts";
import {
  axes,
  constantOperand,
  type FixedPlace,
  type Lowering,
  type OperandSource,
} from "./lowering.ts";
import { broadcastIndex, lowerMove } from "./moves.ts";
import { lowerMaxPool } from "./pools.ts";
import { lowerArgmax } from "./rows.ts";
import { sumWindows } from "./windows.ts";

type OpOf<K extends FixedOp["kind"]> = Extract<FixedOp, { kind: K }>;

/** The kernel of a node; inputs, constants and views have none. */
export function lowerFixedNode(graph: FixedGraph, node: FixedNode): Lowering {
  const place: FixedPlace = {
    graph,
    node,
    operand: (i, shape) => {
      const { dtype, shape: own } = graph.nodes[node.inputs[i]];
      const type = { dtype, shape: shape ?? own };
      return { kind: "value", id: node.inputs[i], type };
    },
    result: (shape = node.shape) => ({ dtype: node.dtype, shape }),
  };
  const { op } = node;
  switch (op.kind) {
    case "contract":
      return lowerContract(place, op);
    case "matmul":
      return lowerMatmul(place, op);
    case "affine":
      return lowerAffine(place, op);
    case "sum":
      return lowerSum(place, op);
    case "product":
    case "quotient":
      return lowerPair(place, op);
    case "table":
      return lowerTable(place, op);
    case "clamp":
      return elementwise(
        place,
        "clamp",
        (x) => clamp(x, op.bounds.lo, op.bounds.hi),
      );
    case "copy":
      return elementwise(place, "copy", (x) => x);
    case "max_pool":
      return lowerMaxPool(
        place.operand(0),
        place.result(),
        op.windows,
        i32(-32768),
      );
    case "average_pool":
      return lowerAveragePool(place, op);
    case "softmax":
    case "log_softmax":
      return lowerSoftmax(place, op);
    case "argmax":
      return lowerArgmax(place, op.last);
    case "transpose":
    case "pad":
    case "concat":
    case "slice":
      return lowerMove(
        op,
        node.inputs.map((_, i) => place.operand(i)),
        place.result(),
        op.kind === "pad" ? i32(op.value) : i32(0),
      );
    case "input":
    case "constant":
    case "view":
      throw new RangeError(`A ${op.kind} has no kernel`);
    default:
      return op satisfies never;
  }
}

function lowerContract(place: FixedPlace, op: OpOf<"contract">): Lowering {
  const { node, graph } = place;
  const { windows, groups } = op;
  const inShape = graph.nodes[node.inputs[0]].shape;
  const outShape = node.shape;
  const sizes = inShape.slice(1, -1);
  const places = outShape.slice(1, -1);
  const kernel = windows.map((w) => w.size);
  const { input, output, channel, perGroup, from } = channelAxes(
    inShape.at(-1)!,
    outShape.at(-1)!,
    groups,
    windows.length + 1,
  );
  const channels = new ChannelRequantization(
    op,
    largestSum(op.weight, outShape.at(-1)!, graph.nodes[node.inputs[0]].dtype),
  );
  const title = windows.length === 0
    ? "matrix_product"
    : groups > 1
    ? "grouped_convolution"
    : "convolution";
  return {
    title,
    operands: [
      place.operand(0, [inShape[0], ...sizes, ...input]),
      constantOperand("weight", op.weight, "i8", [
        ...output,
        ...kernel,
        perGroup,
      ]),
      channels.operand(output),
    ],
    result: place.result([outShape[0], ...places, ...output]),
    body: ([x, w, q]) => {
      const term = (at: Expr[], k: Expr[]) => {
        const product = (c: Expr) =>
          mul(
            load(x, axis(0), ...at, ...from(c)),
            load(w, ...channel, ...k, c),
          );
        return perGroup === 1 ? product(i32(0)) : sum(perGroup, product);
      };
      const acc = sumWindows(windows, sizes, places, i32(0), term);
      return channels.apply(acc, q, channel);
    },
  };
}

function lowerMatmul(place: FixedPlace, op: OpOf<"matmul">): Lowering {
  const { node, graph } = place;
  const [a, b] = node.inputs.map((i) => graph.nodes[i].shape);
  const { m, s } = op.multiplier;
  return {
    title: "activation_product",
    operands: [place.operand(0), place.operand(1)],
    result: place.result(),
    body: ([x, y]) => {
      const batch = b[0] === 1 ? i32(0) : axis(0);
      const total = sum(
        a[2],
        (k) => wide(load(x, axis(0), axis(1), k), load(y, batch, k, axis(2))),
      );
      const shifted = shr(total, op.preShift);
      return requantize(shifted, m, s, 0, op.bounds.lo, op.bounds.hi);
    },
  };
}

const wide = (a: Expr, b: Expr) => op("i32.mul_wide_s", a, b);

/** A kernel over all elements in one axis. */
function elementwise(
  place: FixedPlace,
  title: string,
  body: (x: Expr) => Expr,
): Lowering {
  const count = [elementCount(place.node.shape)];
  return {
    title,
    operands: [place.operand(0, count)],
    result: place.result(count),
    body: ([x]) => body(load(x, axis(0))),
  };
}

function lowerAffine(place: FixedPlace, op: OpOf<"affine">): Lowering {
  const { factor, parameters, bounds } = op;
  const { bias, m, s } = parameters;
  if (factor.length === 1) {
    return elementwise(place, "affine", (x) =>
      requantize(
        add(mul(x, factor[0]), bias[0]),
        m[0],
        s[0],
        0,
        bounds.lo,
        bounds.hi,
      ));
  }
  const count = factor.length;
  const outer = elementCount(place.node.shape) / (count * op.inner);
  const shape = [outer, count, ...(op.inner > 1 ? [op.inner] : [])];
  const input = place.graph.nodes[place.node.inputs[0]];
  const channels = new ChannelRequantization(
    op,
    largestSum(factor, count, input.dtype),
  );
  return {
    title: "affine_by_channel",
    operands: [
      place.operand(0, shape),
      channels.operand([count], [factor]),
    ],
    result: place.result(shape),
    body: ([x, q]) =>
      channels.apply(
        mul(load(x, ...axes(shape.length)), load(q, 3, axis(1))),
        q,
        [axis(1)],
      ),
  };
}

/** Operands and result as one axis where no operand broadcasts. */
function aligned(place: FixedPlace): {
  operands: OperandSource[];
  result: TensorType;
} {
  const { node, graph } = place;
  const same = node.inputs.every((i) =>
    `${graph.nodes[i].shape}` === `${node.shape}`
  );
  const shape = same ? [elementCount(node.shape)] : undefined;
  return {
    operands: node.inputs.map((_, i) => place.operand(i, shape)),
    result: place.result(shape),
  };
}

/** Loads an operand at the result's axes, with broadcasting. */
const loadAligned = (x: Operand, result: TensorType) =>
  load(x, ...broadcastIndex(x.type.shape, result.shape));

function lowerSum(place: FixedPlace, op: OpOf<"sum">): Lowering {
  const { operands, result } = aligned(place);
  const { multipliers, offset, s, bounds } = op;
  return {
    title: "weighted_sum",
    operands,
    result,
    body: (inputs) => {
      const rounding = i64(offset + (1n << BigInt(s - 1)));
      const total = inputs.reduce<Expr>(
        (acc, x, i) =>
          add(acc, wide(loadAligned(x, result), i32(multipliers[i]))),
        rounding,
      );
      return wrap(clamp(shr(total, s), bounds.lo, bounds.hi));
    },
  };
}

function lowerPair(
  place: FixedPlace,
  op: OpOf<"product"> | OpOf<"quotient">,
): Lowering {
  const { operands, result } = aligned(place);
  const { multiplier, bounds } = op;
  const { m, s } = multiplier;
  return {
    title: op.kind,
    operands,
    result,
    body: (inputs) => {
      const [a, b] = [0, 1].map((i) =>
        loadAligned(inputs[Math.min(i, inputs.length - 1)], result)
      );
      if (op.kind === "product") {
        return requantize(mul(a, b), m, s, 0, bounds.lo, bounds.hi);
      }
      // a * m / b with 16 fraction bits, rounded when these and the shift go.
      const scaled = shl(wide(a, i32(m)), 16);
      const ratio = div(scaled, widen(b));
      const rounded = s + 16 > 63
        ? i64(0)
        : shr(add(ratio, i64(1n << BigInt(s + 15))), s + 16);
      return wrap(clamp(rounded, bounds.lo, bounds.hi));
    },
  };
}

function lowerTable(place: FixedPlace, op: OpOf<"table">): Lowering {
  const { table, first } = op;
  const count = [elementCount(place.node.shape)];
  return {
    title: "table",
    operands: [
      place.operand(0, count),
      constantOperand("table", table, place.node.dtype, [table.length]),
    ],
    result: place.result(count),
    body: ([x, t]) =>
      load(t, clamp(sub(load(x, axis(0)), first), 0, table.length - 1)),
  };
}

function lowerAveragePool(
  place: FixedPlace,
  op: OpOf<"average_pool">,
): Lowering {
  const { node, graph } = place;
  const inShape = graph.nodes[node.inputs[0]].shape;
  const sizes = inShape.slice(1, -1);
  const places = node.shape.slice(1, -1);
  const { windows, m, s, bounds } = op;
  const varies = m.length > 1;
  const last = node.shape.length - 1;
  const total = (x: Operand) =>
    sumWindows(
      windows,
      sizes,
      places,
      i32(0),
      (at) => load(x, axis(0), ...at, axis(last)),
    );
  const parameters = constantOperand(
    "parameters",
    [...m, ...s],
    "i32",
    [2, ...places],
  );
  return {
    title: "average_pool",
    operands: [place.operand(0), ...(varies ? [parameters] : [])],
    result: place.result(),
    body: ([x, q]) => {
      const spatial = places.map((_, i) => axis(i + 1));
      return requantize(
        total(x),
        varies ? load(q, 0, ...spatial) : m[0],
        varies ? load(q, 1, ...spatial) : s[0],
        0,
        bounds.lo,
        bounds.hi,
      );
    },
  };
}
