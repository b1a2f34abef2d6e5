/**
 * Turns the float graph into the quantized graph, node by node, from calibrated ranges.
 *
 * Groups (scales.ts) and weights (weights.ts) are decided first, since a contraction's accumulator bound
 * limits the bits of its input; then every node becomes one integer node with its multipliers.
 */
import { ChainLearnError } from "../../fpvm/mod.ts";
import { poolCounts } from "../graph/float_reference.ts";
import {
  type Clamp,
  type Graph,
  type GraphNode,
  isKind,
  type NodeId,
  type NodeOf,
} from "../graph/graph.ts";
import type { DType } from "../ir.ts";
import type { Observation } from "./calibrate.ts";
import type {
  Bounds,
  FixedGraph,
  FixedId,
  FixedNode,
  FixedOp,
} from "./fixed_graph.ts";
import { quantizeMap } from "./quantize_map.ts";
import { quantizeMultiplier, quantizeTogether } from "./multiplier.ts";
import {
  assignGroups,
  dtypeOf,
  type Group,
  limitOf,
  scaleOf,
} from "./scales.ts";
import { expTables, LOG_BITS } from "./softmax.ts";
import {
  accumulatorBound,
  channelParameters,
  limitBits,
  type QuantizedWeights,
  quantizeWeights,
} from "./weights.ts";

export type FixedPrecision = "int8" | "int16";

/** Quantizes a graph; throws with every node that has no integer form. */
export function quantizeGraph(
  graph: Graph,
  observations: readonly Observation[],
  precision: FixedPrecision,
): FixedGraph {
  const quantizer = new Quantizer(graph, observations, precision);
  return quantizer.run();
}

/** State of one quantization; `emit` appends a node of the result. */
export class Quantizer {
  readonly nodes: FixedNode[] = [];
  readonly #ids: FixedId[] = [];
  readonly #groups: readonly (Group | undefined)[];
  readonly #weights = new Map<NodeId, QuantizedWeights>();

  constructor(
    readonly graph: Graph,
    readonly observations: readonly Observation[],
    readonly precision: FixedPrecision,
  ) {
    this.#groups = assignGroups(graph, observations, precision);
  }

  run(): FixedGraph {
    this.#prepareWeights();
    const problems: string[] = [];
    this.graph.nodes.forEach((node, id) => {
      if (isKind(node, "constant")) return;
      try {
        this.#ids[id] = this.#node(node, id);
      } catch (error) {
        if (!(error instanceof ChainLearnError)) throw error;
        problems.push(error.message);
        this.#ids[id] = this.emit(id, { kind: "input" }, []);
      }
    });
    if (problems.length > 0) {
      throw new ChainLearnError(
        `Cannot quantize the model: ${problems.join("; ")}`,
        { problems, hint: "Convert with --precision float" },
      );
    }
    return {
      nodes: this.nodes,
      inputs: this.graph.inputs.map(({ name, node }) => ({
        name,
        node: this.#ids[node],
      })),
      outputs: this.graph.outputs.map(({ name, node }) => ({
        name,
        node: this.#ids[node] ?? this.constant(node),
      })),
    };
  }

  group(id: NodeId): Group {
    const group = this.#groups[id];
    if (!group) throw new RangeError(`Node ${id} has no group`);
    return group;
  }

  /** Bounds of a node's stored integers, from its real bounds if it has any. */
  bounds(id: NodeId, clamp?: Clamp): Bounds {
    const group = this.group(id);
    const limit = limitOf(group);
    const scale = scaleOf(group);
    const inside = (x: number) => Math.max(Math.min(x, limit), -limit);
    return {
      lo: clamp ? inside(Math.round(clamp.lo / scale)) : -limit,
      hi: clamp ? inside(Math.round(clamp.hi / scale)) : limit,
    };
  }

  /** Appends the integer node of float node `id`. */
  emit(
    id: NodeId,
    op: FixedOp,
    inputs: readonly FixedId[],
    extra: Partial<FixedNode> = {},
  ): FixedId {
    const { name, shape, lineage } = this.graph.nodes[id];
    const group = this.group(id);
    return this.nodes.push({
      name,
      op,
      inputs,
      shape,
      lineage,
      dtype: dtypeOf(group, this.precision),
      scale: scaleOf(group),
      source: id,
      ...extra,
    }) - 1;
  }

  /** The integer form of an input of some node. */
  input(id: NodeId): FixedId {
    return this.#ids[id];
  }

  /** A constant tensor quantized on its own, or in a given group's scale. */
  constant(id: NodeId, group?: Group): FixedId {
    const node = this.graph.nodes[id];
    if (!isKind(node, "constant")) {
      throw new RangeError(`"${node.name}" is no constant`);
    }
    const { data } = node.primitive;
    const whole = node.dtype !== "f32";
    const limit = group
      ? limitOf(group)
      : this.precision === "int8"
      ? 127
      : 32767;
    const range = data.reduce((a, x) => Math.max(a, Math.abs(x)), 0);
    const scale = whole ? 1 : group ? scaleOf(group) : range / limit || 1;
    const dtype: DType = whole
      ? "i32"
      : group
      ? dtypeOf(group, this.precision)
      : this.precision === "int8"
      ? "i8"
      : "i16";
    const stored = data.map((x) =>
      Math.max(
        Math.min(Math.round(x / scale), whole ? 2 ** 31 - 1 : limit),
        -limit,
      )
    );
    const { name, shape, lineage } = node;
    return this.nodes.push({
      name,
      op: { kind: "constant", data: stored },
      inputs: [],
      shape,
      lineage,
      dtype,
      scale,
      source: id,
    }) - 1;
  }

  /** Throws an error that names a node. */
  fail(node: GraphNode, expected: string, found: string): never {
    throw new ChainLearnError(
      `Cannot quantize ${node.primitive.kind} "${node.name}": expected ${expected}, found ${found}`,
    );
  }

  /** Magnitude that an integer node's input may reach must leave room for exact arithmetic. */
  requireActivation(node: GraphNode, id: NodeId): void {
    if (this.group(id).forced?.dtype === "i32") {
      this.fail(node, "activations", "indices, which have no scale");
    }
  }

  #prepareWeights(): void {
    this.graph.nodes.forEach((node, id) => {
      if (!isKind(node, "contract")) return;
      this.requireActivation(node, node.inputs[0]);
      const input = this.group(node.inputs[0]);
      const weights = quantizeWeights(
        node.primitive.weights,
        input,
        this.observations[node.inputs[0]].means(),
        node.primitive.groups,
      );
      limitBits(node.name, weights, input);
      this.#weights.set(id, weights);
    });
    this.graph.nodes.forEach((node) => {
      if (!isKind(node, "pool") || node.primitive.pool === "max") return;
      const input = this.group(node.inputs[0]);
      const count = node.primitive.windows.reduce((n, w) => n * w.size, 1);
      while (count * limitOf(input) > 2 ** 31 - 1) {
        if (input.forced || input.bits <= 2) {
          this.fail(node, "sums below 2^31", `windows of ${count}`);
        }
        input.bits--;
      }
    });
  }

  #node(node: GraphNode, id: NodeId): FixedId {
    const { primitive } = node;
    const inputs = () =>
      node.inputs.map((i) => this.#ids[i] ?? this.constant(i, this.group(id)));
    switch (primitive.kind) {
      case "input":
      case "view":
      case "transpose":
      case "concat":
      case "slice":
        return this.emit(id, primitive, inputs());
      case "constant":
        throw new RangeError("constants are quantized by their readers");
      case "pad": {
        const { scale, limit } = {
          scale: scaleOf(this.group(id)),
          limit: limitOf(this.group(id)),
        };
        const value = Math.max(
          Math.min(Math.round(primitive.value / scale), limit),
          -limit,
        );
        return this.emit(id, { ...primitive, value }, inputs());
      }
      case "map":
        return quantizeMap(this, node as NodeOf<"map">, id);
      case "contract":
        return this.#contract(node as NodeOf<"contract">, id);
      case "matmul":
        return this.#matmul(node, id);
      case "pool":
        return primitive.pool === "max"
          ? this.emit(
            id,
            { kind: "max_pool", windows: primitive.windows },
            inputs(),
          )
          : this.#averagePool(node as NodeOf<"pool">, id);
      case "argmax":
        return this.emit(id, primitive, inputs());
      case "softmax":
        return this.#softmax(node as NodeOf<"softmax">, id);
      default:
        return primitive satisfies never;
    }
  }

  #contract(node: NodeOf<"contract">, id: NodeId): FixedId {
    const { windows, groups, clamp } = node.primitive;
    const input = this.group(node.inputs[0]);
    const weights = this.#weights.get(id)!;
    const op: FixedOp = {
      kind: "contract",
      weight: weights.weight,
      parameters: channelParameters(weights, input, scaleOf(this.group(id))),
      windows,
      groups,
      bounds: this.bounds(id, clamp),
    };
    return this.emit(id, op, [this.#ids[node.inputs[0]]], {
      accumulator: accumulatorBound(weights, input),
    });
  }

  #matmul(node: GraphNode, id: NodeId): FixedId {
    const operands = node.inputs.map((i) => this.#ids[i] ?? this.constant(i));
    const [a, b] = operands.map((i) => this.nodes[i]);
    node.inputs.forEach((i) => {
      if (this.#ids[i] !== undefined) this.requireActivation(node, i);
    });
    const accumulator = a.shape[2] * 2 ** 31;
    let preShift = 0;
    for (let bound = accumulator; bound > 2 ** 31 - 1; bound /= 2) preShift++;
    let unit = 1;
    for (let i = 0; i < preShift; i++) unit *= 2;
    const factor = a.scale * b.scale * unit / scaleOf(this.group(id));
    const op: FixedOp = {
      kind: "matmul",
      preShift,
      multiplier: quantizeMultiplier(factor),
      bounds: this.bounds(id),
    };
    return this.emit(id, op, operands, { accumulator });
  }

  #averagePool(node: NodeOf<"pool">, id: NodeId): FixedId {
    const { windows, countPadding } = node.primitive;
    const [source] = node.inputs;
    this.requireActivation(node, source);
    const shape = this.graph.nodes[source].shape;
    const counts = poolCounts(shape, node.shape, windows, countPadding);
    const same = counts.every((n) => n === counts[0]);
    const distinct = same ? counts.slice(0, 1) : counts;
    const ratio = scaleOf(this.group(source)) / scaleOf(this.group(id));
    const factors = Array.from(
      distinct,
      (count) => quantizeMultiplier(ratio / count),
    );
    const op: FixedOp = {
      kind: "average_pool",
      windows,
      m: Int32Array.from(factors, (f) => f.m),
      s: Int32Array.from(factors, (f) => f.s),
      bounds: this.bounds(id),
    };
    const largest = windows.reduce((n, w) => n * w.size, 1);
    return this.emit(id, op, [this.#ids[source]], {
      accumulator: largest * limitOf(this.group(source)),
    });
  }

  #softmax(node: NodeOf<"softmax">, id: NodeId): FixedId {
    const [source] = node.inputs;
    this.requireActivation(node, source);
    const width = node.shape[node.shape.length - 1];
    const scale = scaleOf(this.group(source));
    const tables = expTables(scale, width);
    if (!node.primitive.log) {
      return this.emit(id, { kind: "softmax", tables }, [this.#ids[source]]);
    }
    const result = scaleOf(this.group(id));
    const { multipliers, s } = quantizeTogether([
      scale / result,
      1 / ((1 << LOG_BITS) * result),
    ]);
    const op: FixedOp = {
      kind: "log_softmax",
      tables,
      xFactor: multipliers[0],
      logFactor: multipliers[1],
      s,
      bounds: this.bounds(id),
    };
    return this.emit(id, op, [this.#ids[source]]);
  }
}
