/** ONNX Unsqueeze: axes of length 1 at the given places of the result. */
import type { OnnxOperator } from "../operator.ts";

export const unsqueeze: OnnxOperator = {
  name: "Unsqueeze",
  attributes: { axes: "ints" },
  inputs: [1, 2],
  build(context) {
    const shape = context.shape(0);
    const given = context.ints("axes") ?? context.constant(1, "axes");
    const axes = context.axes(given, shape.length + given.length);
    const grown = [...shape];
    for (const d of axes) grown.splice(d, 0, 1);
    return context.graph.view(context.input(0), grown);
  },
};
