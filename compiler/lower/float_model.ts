/**
 * From the float graph to f32 kernels.
 *
 * A contraction adds all its terms to one total in index order, which register tiles do for many outputs
 * together; that of a single row in four lanes, along which both operands are contiguous. The choice is part
 * of the kernel. Raw integer inputs are converted when loaded, indices are held as i32.
 */
import {
  add,
  axis,
  clamp,
  f32,
  load,
  max,
  mul,
  op,
  type Operand,
  select,
  sum,
  toF32,
  wrap,
} from "../kernel/build.ts";
import { poolCounts } from "../graph/float_reference.ts";
import {
  type Graph,
  type GraphDType,
  type GraphNode,
  isKind,
  type NodeOf,
} from "../graph/graph.ts";
import { type DType, elementCount, type Expr } from "../ir.ts";
import { channelAxes } from "./channels.ts";
import { floatFunctions, lowerScalar } from "./float_functions.ts";
import { lowerFloatSoftmax } from "./float_softmax.ts";
import {
  constantOperand,
  type FloatPlace,
  type Lowering,
  tensorBytes,
} from "./lowering.ts";
import {
  assemble,
  type AssembledModel,
  type NodeDescription,
} from "./model_builder.ts";
import { broadcastIndex, lowerMove } from "./moves.ts";
import { lowerMaxPool } from "./pools.ts";
import { lowerArgmax } from "./rows.ts";
import { sumInOrder, sumWindows } from "./windows.ts";

/** Lowers a float graph; integers other than inputs are held as i32. */
export function lowerFloat(graph: Graph): AssembledModel {
  return assemble({
    ...graph,
    describe: (node) => describe(node),
    lower: (node) => lowerNode(graph, node),
    copy: (id) => {
      const { shape } = graph.nodes[id];
      const type = {
        dtype: storage(graph.nodes[id]),
        shape: [elementCount(shape)],
      };
      return {
        title: "copy",
        operands: [{ kind: "value", id, type }],
        result: type,
        body: ([x]) => load(x, axis(0)),
      };
    },
    constantBytes: (node) => {
      if (!isKind(node, "constant")) throw new RangeError("No constant");
      return tensorBytes(node.primitive.data, storage(node));
    },
  });
}

/** How a value is stored. */
function storage(node: GraphNode): DType {
  const types: Partial<Record<GraphDType, DType>> = { i64: "i32" };
  const isInput = node.primitive.kind === "input";
  return isInput ? node.dtype : types[node.dtype] ?? node.dtype;
}

function describe(node: GraphNode): NodeDescription {
  const { name, shape, inputs, lineage } = node;
  const { kind } = node.primitive;
  return {
    name,
    type: { dtype: storage(node), shape },
    inputs,
    lineage,
    kind: kind === "input" || kind === "constant" || kind === "view"
      ? kind
      : "computed",
  };
}

function lowerNode(graph: Graph, node: GraphNode): Lowering {
  const place: FloatPlace = {
    graph,
    node,
    operand: (i, shape) => {
      const source = graph.nodes[node.inputs[i]];
      const dtype = storage(resolve(graph, node.inputs[i]));
      const type = { dtype, shape: shape ?? source.shape };
      return { kind: "value", id: node.inputs[i], type };
    },
    result: (shape = node.shape) => ({ dtype: storage(node), shape }),
  };
  const { primitive } = node;
  switch (primitive.kind) {
    case "map":
      return lowerMap(place, node as NodeOf<"map">);
    case "contract":
      return lowerContract(place, node as NodeOf<"contract">);
    case "matmul":
      return lowerMatmul(place);
    case "pool":
      return primitive.pool === "max"
        ? lowerMaxPool(
          place.operand(0),
          place.result(),
          primitive.windows,
          lowest(node.dtype),
        )
        : lowerAveragePool(place, node as NodeOf<"pool">);
    case "softmax":
      return lowerFloatSoftmax(place, primitive.log);
    case "argmax":
      return lowerArgmax(place, primitive.last);
    case "transpose":
    case "pad":
    case "concat":
    case "slice": {
      const operands = node.inputs.map((_, i) => place.operand(i));
      const value = primitive.kind === "pad" ? primitive.value : 0;
      return lowerMove(primitive, operands, place.result(), fill(node, value));
    }
    case "input":
    case "constant":
    case "view":
      throw new RangeError(`A ${primitive.kind} has no kernel`);
    default:
      return primitive satisfies never;
  }
}

const fill = (node: GraphNode, value: number): Expr =>
  node.dtype === "f32" ? f32(value) : op("i32.add", value, 0);

const lowest = (dtype: GraphDType): Expr =>
  dtype === "f32" ? f32(-Infinity) : op("i32.add", -(2 ** 31), 0);

function resolve(graph: Graph, id: number): GraphNode {
  const node = graph.nodes[id];
  return isKind(node, "view") ? resolve(graph, node.inputs[0]) : node;
}

function lowerMap(place: FloatPlace, node: NodeOf<"map">): Lowering {
  const { graph } = place;
  const same = node.inputs.every((i) =>
    `${graph.nodes[i].shape}` === `${node.shape}`
  );
  const shape = same ? [elementCount(node.shape)] : undefined;
  const result = place.result(shape);
  return {
    title: "map",
    operands: node.inputs.map((_, i) => place.operand(i, shape)),
    result,
    functions: floatFunctions(node.primitive.expr),
    body: (inputs) => {
      const args = inputs.map((x) =>
        toF32(load(x, ...broadcastIndex(x.type.shape, result.shape)))
      );
      const plain = node.primitive.expr.kind === "arg" && node.dtype !== "f32";
      if (plain) {
        const [x] = inputs;
        return wrap(load(x, ...broadcastIndex(x.type.shape, result.shape)));
      }
      const value = lowerScalar(node.primitive.expr, args);
      return node.dtype === "f32" ? value : op("i32.from_f32", value);
    },
  };
}

function lowerContract(
  place: FloatPlace,
  node: NodeOf<"contract">,
): Lowering {
  const { windows, groups, weights, clamp: bounds } = node.primitive;
  const inShape = place.graph.nodes[node.inputs[0]].shape;
  const sizes = inShape.slice(1, -1);
  const places = node.shape.slice(1, -1);
  const kernel = windows.map((w) => w.size);
  const { input, output, channel, perGroup, from } = channelAxes(
    inShape.at(-1)!,
    node.shape.at(-1)!,
    groups,
    windows.length + 1,
  );
  // A single row is faster along its terms, and wants its weights as they are.
  const isRow = groups === 1 && node.shape[0] === 1 &&
    windows.every((w, i) =>
      w.size === 1 && w.padBefore === 0 && sizes[i] === 1 && places[i] === 1
    );
  const zeros = windows.map(() => op("i32.add", 0, 0));
  return {
    title: windows.length === 0 ? "matrix_product" : "convolution",
    operands: [
      place.operand(0, [inShape[0], ...sizes, ...input]),
      constantOperand("weight", weights.weight, "f32", [
        ...output,
        ...kernel,
        perGroup,
      ]),
      constantOperand("bias", weights.bias, "f32", output),
    ],
    result: place.result([node.shape[0], ...places, ...output]),
    body: ([x, w, b]) => {
      const total = isRow
        ? sum(perGroup, (c) =>
          mul(
            toF32(load(x, axis(0), ...zeros, ...from(c))),
            load(w, ...channel, ...zeros, c),
          ), { lanes: 4 })
        : sumInOrder(windows, sizes, places, perGroup, (at, k, c, inside) => {
          const value = toF32(load(x, axis(0), ...at, ...from(c)));
          return mul(
            inside ? select(inside, value, f32(0)) : value,
            load(w, ...channel, ...k, c),
          );
        });
      const biased = add(total, load(b, ...channel));
      return bounds ? bounded(biased, bounds.lo, bounds.hi) : biased;
    },
  };
}

/** min(max(x, lo), hi) without infinite bounds. */
function bounded(x: Expr, lo: number, hi: number): Expr {
  if (lo !== -Infinity && hi !== Infinity) return clamp(x, lo, hi);
  if (lo !== -Infinity) return max(x, lo);
  return hi === Infinity ? x : op("f32.min", x, hi);
}

function lowerMatmul(place: FloatPlace): Lowering {
  const [a, b] = place.node.inputs.map((i) => place.graph.nodes[i].shape);
  return {
    title: "activation_product",
    operands: [place.operand(0), place.operand(1)],
    result: place.result(),
    body: ([x, y]) => {
      const batch = b[0] === 1 ? op("i32.add", 0, 0) : axis(0);
      return sum(
        a[2],
        (k) => mul(load(x, axis(0), axis(1), k), load(y, batch, k, axis(2))),
      );
    },
  };
}

function lowerAveragePool(place: FloatPlace, node: NodeOf<"pool">): Lowering {
  const { windows, countPadding } = node.primitive;
  const inShape = place.graph.nodes[node.inputs[0]].shape;
  const sizes = inShape.slice(1, -1);
  const places = node.shape.slice(1, -1);
  const last = node.shape.length - 1;
  const counts = poolCounts(inShape, node.shape, windows, countPadding);
  const varies = !counts.every((n) => n === counts[0]);
  const divisors = constantOperand("divisors", counts, "f32", places);
  return {
    title: "average_pool",
    operands: [place.operand(0), ...(varies ? [divisors] : [])],
    result: place.result(),
    body: ([x, divisor]: readonly Operand[]) => {
      const total = sumWindows(
        windows,
        sizes,
        places,
        f32(0),
        (at) => load(x, axis(0), ...at, axis(last)),
      );
      const count = varies
        ? load(divisor, ...places.map((_, i) => axis(i + 1)))
        : f32(counts[0]);
      return op("f32.div", total, count);
    },
  };
}
