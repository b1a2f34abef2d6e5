/** ONNX Relu: max(x, 0). */
import { apply, arg, value } from "../../../graph/graph.ts";
import type { OnnxOperator } from "../operator.ts";

export const relu: OnnxOperator = {
  name: "Relu",
  attributes: {},
  inputs: [1, 1],
  build: (context) =>
    context.graph.map(
      apply("max", arg(0), value(0)),
      [context.float(0)],
      "f32",
    ),
};
