/**
 * Builds a float graph node by node, simplifying as it goes.
 *
 * Operations on constants are evaluated; identities vanish; views merge; transposes cancel, turn into
 * views where only axes of length 1 move, and sink below element-wise operations, so that a network
 * imported in channels-first order becomes channels-last with no transpose left inside.
 */
import { ChainLearnError } from "../../fpvm/mod.ts";
import { evaluateNode } from "./float_reference.ts";
import {
  apply,
  arg,
  type Clamp,
  type ContractWeights,
  type Graph,
  type GraphDType,
  type GraphInput,
  type GraphNode,
  isKind,
  type NodeId,
  type NodeOf,
  type Primitive,
  type ScalarExpr,
  substitute,
  value,
  type Window,
  windowCount,
} from "./graph.ts";
import { elementCount } from "../ir.ts";

/** Most elements of any tensor of a graph: 2 GiB of i16. */
const MAX_ELEMENTS = 2 ** 30;
/** Most elements of a constant that is computed here. */
const MAX_FOLDED = 2 ** 24;

const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const same = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((x, i) => x === b[i]);

/** Where a node comes from: a name, and the source nodes behind it. */
export interface Origin {
  readonly name: string;
  readonly lineage: readonly string[];
}

export class GraphBuilder {
  readonly nodes: GraphNode[] = [];
  readonly inputs: GraphInput[] = [];
  /** Transposes by their argument, so that two readers share one. */
  readonly #transposes = new Map<string, NodeId>();
  /** Given to every node that is added. */
  origin: Origin = { name: "graph", lineage: [] };

  node(id: NodeId): GraphNode {
    return this.nodes[id];
  }

  shape(id: NodeId): readonly number[] {
    return this.nodes[id].shape;
  }

  /** Data of a constant node, else undefined. */
  data(id: NodeId): Float64Array | undefined {
    const { primitive } = this.nodes[id];
    return primitive.kind === "constant" ? primitive.data : undefined;
  }

  finish(outputs: Graph["outputs"]): Graph {
    return { nodes: this.nodes, inputs: this.inputs, outputs };
  }

  /** Throws the error for a bad source node; the importer puts the node's name before it. */
  fail(expected: string, found: string): never {
    throw new ChainLearnError(
      `Cannot build "${this.origin.name}": expected ${expected}, found ${found}`,
    );
  }

  /** Appends a node as it is, or its value where all its inputs are constants. */
  add(
    primitive: Primitive,
    inputs: readonly NodeId[],
    shape: readonly number[],
    dtype: GraphDType,
  ): NodeId {
    if (shape.some((n) => !Number.isSafeInteger(n) || n < 1)) {
      this.fail("positive dimensions", `[${shape}]`);
    }
    if (elementCount(shape) > MAX_ELEMENTS) {
      this.fail(`at most ${MAX_ELEMENTS} elements`, `[${shape}]`);
    }
    let node: GraphNode = { ...this.origin, dtype, shape, primitive, inputs };
    const constants = inputs.map((id) => this.data(id));
    if (inputs.length > 0 && constants.every((c) => c !== undefined)) {
      if (elementCount(shape) > MAX_FOLDED) {
        this.fail(`a constant of at most ${MAX_FOLDED} elements`, `[${shape}]`);
      }
      const shapes = inputs.map((id) => this.shape(id));
      const data = evaluateNode(node, shapes, constants);
      node = { ...node, inputs: [], primitive: { kind: "constant", data } };
    }
    return this.nodes.push(node) - 1;
  }

  input(
    shape: readonly number[],
    dtype: GraphDType,
    details: Omit<GraphInput, "node">,
  ): NodeId {
    const node = this.add({ kind: "input" }, [], shape, dtype);
    this.inputs.push({ ...details, node });
    return node;
  }

  constant(
    data: Float64Array,
    shape: readonly number[],
    dtype: GraphDType = "f32",
  ): NodeId {
    return this.nodes.push({
      ...this.origin,
      dtype,
      shape,
      primitive: { kind: "constant", data },
      inputs: [],
    }) - 1;
  }

  // --- views and moves -------------------------------------------------------------------------------

  /** The same elements in row-major order under another shape. */
  view(x: NodeId, shape: readonly number[]): NodeId {
    const node = this.nodes[x];
    if (same(node.shape, shape)) return x;
    if (elementCount(node.shape) !== elementCount(shape)) {
      this.fail(`${elementCount(node.shape)} elements`, `shape [${shape}]`);
    }
    if (isKind(node, "view")) return this.view(node.inputs[0], shape);
    return this.add({ kind: "view" }, [x], shape, node.dtype);
  }

  /** Axis d of the result is axis perm[d] of x. */
  transpose(x: NodeId, perm: readonly number[]): NodeId {
    const node = this.nodes[x];
    if (perm.every((p, d) => p === d)) return x;
    const shape = perm.map((d) => node.shape[d]);
    if (isKind(node, "transpose")) {
      const inner = node.primitive.perm;
      return this.transpose(node.inputs[0], perm.map((d) => inner[d]));
    }
    const moved = perm.filter((d) => node.shape[d] > 1);
    if (moved.every((d, i) => i === 0 || moved[i - 1] < d)) {
      return this.view(x, shape);
    }
    const key = `${x}:${perm}`;
    const known = this.#transposes.get(key);
    if (known !== undefined) return known;
    const id = this.add({ kind: "transpose", perm }, [x], shape, node.dtype);
    this.#transposes.set(key, id);
    return id;
  }

  /** Zeros or `fill` around x; negative amounts cut off. */
  pad(
    x: NodeId,
    before: readonly number[],
    after: readonly number[],
    fill: number,
  ): NodeId {
    const cut = (n: number) => Math.max(-n, 0);
    const starts = before.map(cut);
    const kept = this.shape(x).map((n, d) => n - starts[d] - cut(after[d]));
    const inner = this.slice(x, starts, kept);
    const grow = before.map((n) => Math.max(n, 0));
    const shape = kept.map((n, d) => n + grow[d] + Math.max(after[d], 0));
    if (same(kept, shape)) return inner;
    const node = this.nodes[inner];
    if (isKind(node, "transpose")) {
      const { perm } = node.primitive;
      const back = (values: readonly number[]) =>
        perm.map((_, d) => values[perm.indexOf(d)]);
      const padded = this.pad(
        node.inputs[0],
        back(grow),
        back(after.map((n) => Math.max(n, 0))),
        fill,
      );
      return this.transpose(padded, perm);
    }
    return this.add(
      { kind: "pad", before: grow, value: fill },
      [inner],
      shape,
      node.dtype,
    );
  }

  slice(
    x: NodeId,
    starts: readonly number[],
    shape: readonly number[],
  ): NodeId {
    if (same(this.shape(x), shape)) return x;
    return this.add({ kind: "slice", starts }, [x], shape, this.nodes[x].dtype);
  }

  concat(parts: readonly NodeId[], axis: number): NodeId {
    if (parts.length === 1) return parts[0];
    const shared = this.#sharedPerm(parts);
    if (!shared) return this.#concat(parts, axis);
    const inner = parts.map((id) => this.#untranspose(id, shared));
    return this.transpose(this.#concat(inner, shared[axis]), shared);
  }

  #concat(parts: readonly NodeId[], axis: number): NodeId {
    if (parts.length === 1) return parts[0];
    // A node has at most 31 operands, so a longer list becomes a tree.
    if (parts.length > 16) {
      const groups = range(Math.ceil(parts.length / 16)).map((i) =>
        this.#concat(parts.slice(i * 16, i * 16 + 16), axis)
      );
      return this.#concat(groups, axis);
    }
    const shape = [...this.shape(parts[0])];
    shape[axis] = parts.reduce((sum, id) => sum + this.shape(id)[axis], 0);
    const dtype = this.nodes[parts[0]].dtype;
    return this.add({ kind: "concat", axis }, parts, shape, dtype);
  }

  // --- arithmetic ------------------------------------------------------------------------------------

  /** Element-wise over inputs of shapes that broadcast as in NumPy. */
  map(
    expr: ScalarExpr,
    inputs: readonly NodeId[],
    dtype: GraphDType,
  ): NodeId {
    const shape = this.#broadcast(inputs.map((id) => this.shape(id)));
    const full = inputs.map((id) => {
      const own = this.shape(id);
      const ones = new Array(shape.length - own.length).fill(1);
      return this.view(id, [...ones, ...own]);
    });
    if (full.every((id) => this.data(id))) {
      return this.add({ kind: "map", expr }, full, shape, dtype);
    }
    const { expr: inlined, kept } = this.#inlineScalars(expr, full, shape);
    if (
      inlined.kind === "arg" && this.nodes[kept[0]].dtype === dtype &&
      same(this.shape(kept[0]), shape)
    ) return kept[0];
    const perm = this.#sharedPerm(kept);
    if (perm) {
      const inner = kept.map((id) => this.#untranspose(id, perm));
      const moved = this.#broadcast(inner.map((id) => this.shape(id)));
      const primitive = { kind: "map", expr: inlined } as const;
      return this.transpose(this.add(primitive, inner, moved, dtype), perm);
    }
    const only = this.nodes[kept[0]];
    if (kept.length === 1 && isKind(only, "view")) {
      const inner = this.map(inlined, [only.inputs[0]], dtype);
      return this.view(inner, shape);
    }
    return this.add({ kind: "map", expr: inlined }, kept, shape, dtype);
  }

  /** One-element constants become part of the expression; equal inputs are named once. */
  #inlineScalars(
    expr: ScalarExpr,
    inputs: readonly NodeId[],
    shape: readonly number[],
  ): { expr: ScalarExpr; kept: NodeId[] } {
    const kept: NodeId[] = [];
    const inlined = substitute(expr, (index) => {
      const id = inputs[index];
      const data = this.data(id);
      if (data?.length === 1) return value(data[0]);
      if (!kept.includes(id)) kept.push(id);
      return arg(kept.indexOf(id));
    });
    const full = this.#broadcast(kept.map((id) => this.shape(id)));
    return same(full, shape)
      ? { expr: inlined, kept }
      : { expr, kept: [...inputs] };
  }

  /** A permutation under which every input is a transpose or a constant, if one input says so. */
  #sharedPerm(inputs: readonly NodeId[]): readonly number[] | undefined {
    let perm: readonly number[] | undefined;
    for (const id of inputs) {
      const node = this.nodes[id];
      if (isKind(node, "transpose")) {
        if (perm && !same(perm, node.primitive.perm)) return undefined;
        perm = node.primitive.perm;
      }
    }
    return perm;
  }

  #untranspose(id: NodeId, perm: readonly number[]): NodeId {
    return this.transpose(id, perm.map((_, d) => perm.indexOf(d)));
  }

  #broadcast(shapes: readonly (readonly number[])[]): number[] {
    const rank = Math.max(...shapes.map((s) => s.length));
    return range(rank).map((d) => {
      const sizes = shapes.map((s) => s[d - (rank - s.length)] ?? 1);
      const size = Math.max(...sizes);
      if (sizes.some((n) => n !== 1 && n !== size)) {
        this.fail(
          "shapes that broadcast",
          shapes.map((s) => `[${s}]`).join(" and "),
        );
      }
      return size;
    });
  }

  /** Convolution of x [N, ...spatial, Cin], or product with [rows, Cin] without windows. */
  contract(
    x: NodeId,
    weights: ContractWeights,
    windows: readonly Window[],
    groups: number,
    clamp?: Clamp,
  ): NodeId {
    const shape = this.shape(x);
    const spatial = windows.map((w, i) => windowCount(shape[i + 1], w));
    return this.add(
      {
        kind: "contract",
        weights,
        windows,
        groups,
        ...(clamp ? { clamp } : {}),
      },
      [x],
      [shape[0], ...spatial, weights.outputs],
      "f32",
    );
  }

  /** [B, M, K] times [B or 1, K, N]. */
  matmul(a: NodeId, b: NodeId): NodeId {
    const [batch, m] = this.shape(a);
    return this.add(
      { kind: "matmul" },
      [a, b],
      [batch, m, this.shape(b)[2]],
      "f32",
    );
  }

  pool(
    x: NodeId,
    pool: "max" | "average",
    windows: readonly Window[],
    countPadding: boolean,
  ): NodeId {
    const shape = this.shape(x);
    const spatial = windows.map((w, i) => windowCount(shape[i + 1], w));
    return this.add(
      { kind: "pool", pool, windows, countPadding },
      [x],
      [shape[0], ...spatial, shape[shape.length - 1]],
      this.nodes[x].dtype,
    );
  }

  argmax(x: NodeId, last: boolean): NodeId {
    const shape = [...this.shape(x).slice(0, -1), 1];
    return this.add({ kind: "argmax", last }, [x], shape, "i64");
  }

  softmax(x: NodeId, log: boolean): NodeId {
    return this.add({ kind: "softmax", log }, [x], this.shape(x), "f32");
  }
}

// --- rewriting -------------------------------------------------------------------------------------

/** What a rule sees: the node, its inputs in the new graph, and the use counts of the old graph. */
export interface Match<N extends GraphNode = GraphNode> {
  readonly node: N;
  readonly inputs: readonly NodeId[];
  readonly builder: GraphBuilder;
  /** Whether input i has no other reader in the old graph. */
  readonly soleUse: (i: number) => boolean;
}

/** Gives the node's replacement in the new graph, or undefined to keep it. */
export type Rule = (match: Match) => NodeId | undefined;

/** Rebuilds a graph in topological order, offering every node to a rule; unused nodes stay behind. */
export function rewrite(graph: Graph, rule: Rule): Graph {
  const live = liveNodes(graph);
  const uses = new Int32Array(graph.nodes.length);
  graph.nodes.forEach((node, id) => {
    if (live[id]) { for (const i of node.inputs) uses[i]++; }
  });
  for (const { node } of graph.outputs) uses[node]++;
  const builder = new GraphBuilder();
  const map = new Int32Array(graph.nodes.length).fill(-1);
  graph.nodes.forEach((node, id) => {
    if (!live[id]) return;
    builder.origin = { name: node.name, lineage: node.lineage };
    const inputs = node.inputs.map((i) => map[i]);
    map[id] = rule({
      node,
      inputs,
      builder,
      soleUse: (i) => uses[node.inputs[i]] === 1,
    }) ?? rebuild(builder, node, inputs);
  });
  builder.inputs.push(
    ...graph.inputs.map((input) => ({ ...input, node: map[input.node] })),
  );
  return builder.finish(
    graph.outputs.map((o) => ({ name: o.name, node: map[o.node] })),
  );
}

/** Nodes that an output depends on, and all inputs. */
function liveNodes(graph: Graph): Uint8Array {
  const live = new Uint8Array(graph.nodes.length);
  for (const { node } of graph.outputs) live[node] = 1;
  for (const { node } of graph.inputs) live[node] = 1;
  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    if (live[id]) { for (const i of graph.nodes[id].inputs) live[i] = 1; }
  }
  return live;
}

/** Adds a node again through the operation that simplifies it. */
function rebuild(
  builder: GraphBuilder,
  node: GraphNode,
  inputs: readonly NodeId[],
): NodeId {
  const { primitive } = node;
  switch (primitive.kind) {
    case "view":
      return builder.view(inputs[0], node.shape);
    case "transpose":
      return builder.transpose(inputs[0], primitive.perm);
    case "map":
      return builder.map(primitive.expr, inputs, node.dtype);
    default:
      return builder.add(primitive, inputs, node.shape, node.dtype);
  }
}

/** The lineage of several nodes, each source once. */
export function mergeLineage(
  ...nodes: readonly { readonly lineage: readonly string[] }[]
): string[] {
  return [...new Set(nodes.flatMap((n) => n.lineage))];
}

/** The composition of a map with the map that feeds its input `i`, over the joined inputs. */
export function composeMaps(
  outer: NodeOf<"map">,
  outerInputs: readonly NodeId[],
  i: number,
  inner: NodeOf<"map">,
): { expr: ScalarExpr; inputs: NodeId[] } {
  const inputs = [...outerInputs.slice(0, i), ...outerInputs.slice(i + 1)];
  const at = (index: number) => index < i ? index : index - 1;
  const shifted = substitute(
    inner.primitive.expr,
    (index) => arg(inputs.length + index),
  );
  const expr = substitute(
    outer.primitive.expr,
    (index) => index === i ? shifted : arg(at(index)),
  );
  return { expr, inputs: [...inputs, ...inner.inputs] };
}

/** min(max(x, lo), hi) with infinite bounds left out. */
export function clampExpr(x: ScalarExpr, { lo, hi }: Clamp): ScalarExpr {
  const above = lo === -Infinity ? x : apply("max", x, value(lo));
  return hi === Infinity ? above : apply("min", above, value(hi));
}
