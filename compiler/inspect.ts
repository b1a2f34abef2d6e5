/** What is inside a foreign model, and everything that stands in the way of converting it, at once. */
import { importOnnx } from "./import/onnx/importer.ts";

/** A declared input or output; a dimension is a size, a name that `dims` may bind, or "" if unknown. */
export interface InspectedValue {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly (number | string)[];
}

export interface Inspection {
  readonly format: "onnx";
  readonly opset: number;
  readonly inputs: readonly InspectedValue[];
  readonly outputs: readonly InspectedValue[];
  /** Nodes of each operator, by descending count, then by name. */
  readonly operators: readonly {
    readonly op: string;
    readonly count: number;
  }[];
  /** Elements of all constants. */
  readonly parameters: number;
  /** Names of dimensions that `dims` may bind. */
  readonly dimensions: readonly string[];
  /** Each names its node and says what to do; empty if the model can be imported. */
  readonly problems: readonly string[];
}

/**
 * Lists what an ONNX file holds and all that is unsupported or wrong in it.
 *
 * Throws a ChainLearnError only where the bytes are no ONNX file.
 */
export function inspectOnnx(
  bytes: Uint8Array,
  dims: Readonly<Record<string, number>> = {},
  name = "model",
): Inspection {
  const { model, problems } = importOnnx(bytes, dims, name);
  const counts = new Map<string, number>();
  for (const { op, domain } of model.nodes) {
    const name = domain ? `${domain}.${op}` : op;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const operators = [...counts].map(([op, count]) => ({ op, count }));
  operators.sort((a, b) => b.count - a.count || (a.op < b.op ? -1 : 1));
  const show = (values: typeof model.inputs) =>
    values.map(({ name, dtype, shape }) => ({
      name,
      dtype,
      shape: shape ?? [],
    }));
  const names = model.inputs.flatMap((i) => i.shape ?? [])
    .filter((d): d is string => typeof d === "string" && d !== "");
  const parameters = [...model.initializers.values()]
    .reduce((sum, tensor) => sum + (tensor?.data.length ?? 0), 0);
  return {
    format: "onnx",
    opset: model.opset,
    inputs: show(model.inputs),
    outputs: show(model.outputs),
    operators,
    parameters,
    dimensions: [...new Set(names)],
    problems,
  };
}
