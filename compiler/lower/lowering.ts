/**
 * What lowering one graph node gives: a kernel's parts and where its operands come from.
 *
 * The fixed and the float lowering both produce this; `model_builder.ts` turns it into nodes, shared
 * kernels, constants and slots.
 */
import { axis, type Operand } from "../kernel/build.ts";
import type { Graph, GraphNode } from "../graph/graph.ts";
import {
  type DType,
  dtypes,
  type Expr,
  f32ToBits,
  type ScalarFunction,
  type TensorType,
} from "../ir.ts";
import type { FixedGraph, FixedNode } from "../quantize/fixed_graph.ts";
import { writers } from "../kernel/storage.ts";

/** An operand: the value of another node, or a constant made here. */
export type OperandSource =
  | { readonly kind: "value"; readonly id: number; readonly type: TensorType }
  | {
    readonly kind: "constant";
    /** What it is to its node: "weight", "parameters", "table". */
    readonly role: string;
    readonly type: TensorType;
    readonly bytes: Uint8Array;
  };

export interface Lowering {
  /** What the kernel does, for its name. */
  readonly title: string;
  readonly operands: readonly OperandSource[];
  /** Row-major; any reshape of the node's own shape. */
  readonly result: TensorType;
  readonly functions?: readonly ScalarFunction[];
  readonly body: (operands: readonly Operand[]) => Expr;
}

/** One node of a graph while it is lowered. */
export interface Place<Graph, Node> {
  readonly graph: Graph;
  readonly node: Node;
  /** Input i as an operand, under another shape if given. */
  readonly operand: (i: number, shape?: readonly number[]) => OperandSource;
  /** The result's type, under another shape if given. */
  readonly result: (shape?: readonly number[]) => TensorType;
}

/** A node of the quantized graph while it is lowered. */
export type FixedPlace = Place<FixedGraph, FixedNode>;

/** A node of the float graph while it is lowered. */
export type FloatPlace = Place<Graph, GraphNode>;

/** Little-endian bytes of a tensor; f32 values are rounded to binary32. */
export function tensorBytes(
  values: ArrayLike<number>,
  dtype: DType,
): Uint8Array {
  const { bytes: size, scalar } = dtypes[dtype];
  const bytes = new Uint8Array(values.length * size);
  const view = new DataView(bytes.buffer);
  const write = writers[dtype];
  for (let i = 0; i < values.length; i++) {
    const x = values[i];
    const value = scalar === "f32"
      ? f32ToBits(x)
      : scalar === "i64"
      ? BigInt(x)
      : x;
    write(view, i * size, value);
  }
  return bytes;
}

/** A constant operand from numbers. */
export function constantOperand(
  role: string,
  values: ArrayLike<number>,
  dtype: DType,
  shape: readonly number[],
): OperandSource {
  const bytes = tensorBytes(values, dtype);
  return { kind: "constant", role, type: { dtype, shape }, bytes };
}

/** One index per axis of the result. */
export function axes(rank: number): Expr[] {
  return Array.from({ length: rank }, (_, d) => axis(d));
}
