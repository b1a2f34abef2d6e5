/**
 * The float graph that every frontend builds: few primitives, static shapes, one result per node.
 *
 * Activations of windowed primitives are channels-last ([N, ...spatial, C]); a frontend with another
 * order puts transposes around them, and `graph_builder.ts` folds these away. Constant data is held in
 * doubles. A graph is plain data in topological order; `passes/` rewrite it, `quantize/` and `lower/`
 * turn it into kernels.
 */

/** Element types of the source model; integers occur as inputs, indices and shape arithmetic. */
export type GraphDType =
  | "f32"
  | "u8"
  | "i8"
  | "u16"
  | "i16"
  | "i32"
  | "i64"
  | "bool";

/** Index of a node in its graph; a node is its own result. */
export type NodeId = number;

/** Element-wise functions; `max`, `min`, comparisons of NaN as in IEEE 754-2019 minimum/maximum. */
export type ScalarFn =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "min"
  | "max"
  | "exp"
  | "log"
  | "sigmoid"
  | "tanh"
  | "erf"
  | "sin"
  | "cos"
  | "trunc";

/** What a map computes for one element: arguments are the elements of its (broadcast) inputs. */
export type ScalarExpr =
  | { readonly kind: "arg"; readonly index: number }
  | { readonly kind: "const"; readonly value: number }
  | {
    readonly kind: "apply";
    readonly fn: ScalarFn;
    readonly args: readonly ScalarExpr[];
  };

/** How a window moves along one spatial axis; padding counts elements before and after. */
export interface Window {
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padBefore: number;
  readonly padAfter: number;
}

/** Bounds applied to a result: min(max(x, lo), hi). */
export interface Clamp {
  readonly lo: number;
  readonly hi: number;
}

/** Weights of a contraction: [Cout, ...kernel, Cin / groups] and one bias for each output channel. */
export interface ContractWeights {
  readonly weight: Float64Array;
  readonly bias: Float64Array;
  readonly outputs: number;
  /** Cin / groups. */
  readonly inputs: number;
}

export type Primitive =
  | { readonly kind: "input" }
  | { readonly kind: "constant"; readonly data: Float64Array }
  | { readonly kind: "map"; readonly expr: ScalarExpr }
  /** Convolution of [N, ...spatial, Cin]; without windows the matrix product of [rows, Cin]. */
  | {
    readonly kind: "contract";
    readonly weights: ContractWeights;
    readonly windows: readonly Window[];
    readonly groups: number;
    readonly clamp?: Clamp;
  }
  /** [B, M, K] times [B or 1, K, N]; neither is constant, or the first one is. */
  | { readonly kind: "matmul" }
  /** Over [N, ...spatial, C]; an average divides by the elements inside unless `countPadding`. */
  | {
    readonly kind: "pool";
    readonly pool: "max" | "average";
    readonly windows: readonly Window[];
    readonly countPadding: boolean;
  }
  /** Index of the largest element of the last axis, which becomes 1. */
  | { readonly kind: "argmax"; readonly last: boolean }
  /** Along the last axis. */
  | { readonly kind: "softmax"; readonly log: boolean }
  | { readonly kind: "view" }
  | { readonly kind: "transpose"; readonly perm: readonly number[] }
  | {
    readonly kind: "pad";
    readonly before: readonly number[];
    readonly value: number;
  }
  | { readonly kind: "concat"; readonly axis: number }
  | { readonly kind: "slice"; readonly starts: readonly number[] };

export type PrimitiveKind = Primitive["kind"];

export interface GraphNode {
  /** Name of the source value or node, for messages and slots. */
  readonly name: string;
  readonly dtype: GraphDType;
  readonly shape: readonly number[];
  readonly primitive: Primitive;
  readonly inputs: readonly NodeId[];
  /** Names of the source nodes that it came from. */
  readonly lineage: readonly string[];
}

/** A graph input with the layout in which a person gives it. */
export interface GraphInput {
  readonly name: string;
  readonly node: NodeId;
  /** Set where pixels are eaten; the node's shape is then [N, H, W, C]. */
  readonly image?: { height: number; width: number; channels: number };
  /** The shape that the source model declares, for matching calibration arrays. */
  readonly declared: readonly number[];
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly inputs: readonly GraphInput[];
  readonly outputs: readonly { readonly name: string; readonly node: NodeId }[];
}

/** A node of a known primitive. */
export type NodeOf<K extends PrimitiveKind> = GraphNode & {
  readonly primitive: Extract<Primitive, { kind: K }>;
};

/** Whether a node has a primitive of this kind. */
export function isKind<K extends PrimitiveKind>(
  node: GraphNode,
  kind: K,
): node is NodeOf<K> {
  return node.primitive.kind === kind;
}

/** Number of places a window has along an axis of `size` elements, rounded down. */
export function windowCount(size: number, w: Window): number {
  const span = w.dilation * (w.size - 1) + 1;
  return Math.floor((size + w.padBefore + w.padAfter - span) / w.stride) + 1;
}

/** Row-major strides, in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

// --- scalar expressions ----------------------------------------------------------------------------

export const arg = (index: number): ScalarExpr => ({ kind: "arg", index });
export const value = (x: number): ScalarExpr => ({ kind: "const", value: x });
export const apply = (fn: ScalarFn, ...args: ScalarExpr[]): ScalarExpr => ({
  kind: "apply",
  fn,
  args,
});

/** The expression with every argument replaced. */
export function substitute(
  expr: ScalarExpr,
  replace: (index: number) => ScalarExpr,
): ScalarExpr {
  switch (expr.kind) {
    case "arg":
      return replace(expr.index);
    case "const":
      return expr;
    case "apply":
      return apply(expr.fn, ...expr.args.map((a) => substitute(a, replace)));
    default:
      return expr satisfies never;
  }
}

/** Number of applications in an expression. */
export function expressionSize(expr: ScalarExpr): number {
  return expr.kind === "apply"
    ? expr.args.reduce((n, a) => n + expressionSize(a), 1)
    : 0;
}
