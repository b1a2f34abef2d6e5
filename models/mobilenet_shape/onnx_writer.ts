/** Writes small ONNX models: nodes, float and integer initializers, one input and one output. */
import onnxp from "onnx-proto";

const { onnx } = onnxp;

/** ONNX's numbers of element types. */
export const FLOAT = 1, UINT8 = 2, INT8 = 3, INT32 = 6;

type Attribute = number | readonly number[];

/** A graph under construction. */
export class OnnxWriter {
  readonly #nodes: unknown[] = [];
  readonly #initializers: unknown[] = [];

  /** Adds a constant tensor; gives its name. */
  constant(
    name: string,
    dims: readonly number[],
    values: Float32Array | Int8Array | Uint8Array,
  ): string {
    const dataType = values instanceof Float32Array
      ? FLOAT
      : values instanceof Int8Array
      ? INT8
      : UINT8;
    const { buffer, byteOffset, byteLength } = values;
    const rawData = new Uint8Array(buffer, byteOffset, byteLength);
    this.#initializers.push({ name, dims, dataType, rawData });
    return name;
  }

  /** Adds a node with one output of the same name; gives it. */
  node(
    opType: string,
    name: string,
    input: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    const attribute = Object.entries(attributes).map(([key, value]) =>
      typeof value === "number"
        ? { name: key, type: 2, i: value }
        : { name: key, type: 7, ints: value }
    );
    this.#nodes.push({ opType, name, input, output: [name], attribute });
    return name;
  }

  /** The model's bytes. */
  encode(
    input: { name: string; type: number; dims: readonly number[] },
    output: { name: string; type: number; dims: readonly number[] },
  ): Uint8Array {
    const valueInfo = (
      { name, type, dims }: {
        name: string;
        type: number;
        dims: readonly number[];
      },
    ) => ({
      name,
      type: {
        tensorType: {
          elemType: type,
          shape: { dim: dims.map((dimValue) => ({ dimValue })) },
        },
      },
    });
    const model = {
      irVersion: 8,
      opsetImport: [{ domain: "", version: 13 }],
      producerName: "chainlearn",
      graph: {
        name: "graph",
        node: this.#nodes,
        initializer: this.#initializers,
        input: [valueInfo(input)],
        output: [valueInfo(output)],
      },
    };
    // deno-lint-ignore no-explicit-any
    return onnx.ModelProto.encode(model as any).finish();
  }
}
