/**
 * What an ONNX operator is to the importer: a name, its attributes, and a function that builds it.
 *
 * `NodeContext` gives an operator its inputs and attributes with checks that name the node, so that an
 * operator file holds the operator's meaning only. An operator that this folder does not list is
 * unsupported; adding one is a new file and a line in `operators.ts`.
 */
import { ChainLearnError } from "../../../fpvm/mod.ts";
import type { GraphDType, NodeId } from "../../graph/graph.ts";
import type { GraphBuilder } from "../../graph/graph_builder.ts";
import type { AttributeValue, OnnxNode } from "./reader.ts";

export interface OnnxOperator {
  readonly name: string;
  /** Attributes that are understood, with their kinds. */
  readonly attributes: Readonly<Record<string, AttributeValue["kind"]>>;
  /** Least and most inputs. */
  readonly inputs: readonly [number, number];
  /** Gives the node's results. */
  readonly build: (context: NodeContext) => NodeId;
}

/** One node while it is imported. */
export class NodeContext {
  constructor(
    readonly graph: GraphBuilder,
    readonly node: OnnxNode,
    readonly opset: number,
    private readonly operands: readonly (NodeId | undefined)[],
  ) {}

  /** Throws an error that names the node. */
  fail(expected: string, found: string): never {
    throw new ChainLearnError(
      `${this.node.op} "${this.node.name}": expected ${expected}, found ${found}`,
    );
  }

  /** Input i, which must be there. */
  input(i: number): NodeId {
    return this.optional(i) ??
      this.fail(`input ${i}`, `${this.operands.length} inputs`);
  }

  optional(i: number): NodeId | undefined {
    return this.operands[i];
  }

  get inputCount(): number {
    return this.operands.length;
  }

  shape(i: number): readonly number[] {
    return this.graph.shape(this.input(i));
  }

  dtype(i: number): GraphDType {
    return this.graph.node(this.input(i)).dtype;
  }

  /** Input i, which must be of a floating-point type. */
  float(i: number): NodeId {
    const id = this.input(i);
    const { dtype } = this.graph.node(id);
    if (dtype !== "f32") this.fail(`float32 as input ${i}`, dtype);
    return id;
  }

  /** Values of input i, which must be known at compile time. */
  constant(i: number, what: string): Float64Array {
    return this.graph.data(this.input(i)) ??
      this.fail(
        `constant ${what} (input ${i})`,
        "a value computed from the model's inputs",
      );
  }

  constantOr(i: number, what: string): Float64Array | undefined {
    return this.optional(i) === undefined ? undefined : this.constant(i, what);
  }

  private attribute<K extends AttributeValue["kind"]>(
    name: string,
    kind: K,
  ): Extract<AttributeValue, { kind: K }> | undefined {
    const found = this.node.attributes.get(name);
    if (!found) return undefined;
    if (found.kind !== kind) {
      this.fail(`attribute "${name}" of kind ${kind}`, found.kind);
    }
    return found as Extract<AttributeValue, { kind: K }>;
  }

  int(name: string, otherwise: number): number {
    return this.attribute(name, "int")?.value ?? otherwise;
  }

  /** A flag, 0 or 1. */
  flag(name: string, otherwise: boolean): boolean {
    const n = this.int(name, otherwise ? 1 : 0);
    if (n !== 0 && n !== 1) this.fail(`attribute "${name}" 0 or 1`, String(n));
    return n === 1;
  }

  real(name: string, otherwise: number): number {
    const x = this.attribute(name, "float")?.value ?? otherwise;
    if (x !== x) this.fail(`a number as attribute "${name}"`, "NaN");
    return x;
  }

  ints(name: string): readonly number[] | undefined {
    return this.attribute(name, "ints")?.value;
  }

  string(name: string, otherwise: string): string {
    return this.attribute(name, "string")?.value ?? otherwise;
  }

  tensor(name: string) {
    return this.attribute(name, "tensor")?.value;
  }

  /** An axis in [-rank, rank), counted from the front. */
  axis(axis: number, rank: number): number {
    if (axis < -rank || axis >= rank) {
      this.fail(`an axis in [${-rank}, ${rank})`, String(axis));
    }
    return axis < 0 ? axis + rank : axis;
  }

  /** Distinct axes, sorted. */
  axes(axes: Iterable<number>, rank: number): number[] {
    const list = [...axes].map((a) => this.axis(a, rank));
    if (new Set(list).size !== list.length) {
      this.fail("distinct axes", `[${list}]`);
    }
    return list.sort((a, b) => a - b);
  }
}
