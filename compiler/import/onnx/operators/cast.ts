/** ONNX Cast between float32 and integers; a float is truncated towards zero. */
import { apply, arg } from "../../../graph/graph.ts";
import type { OnnxOperator } from "../operator.ts";
import { elementTypes, typeName } from "../element_types.ts";

export const cast: OnnxOperator = {
  name: "Cast",
  attributes: { to: "int", saturate: "int", round_mode: "string" },
  inputs: [1, 1],
  build(context) {
    const to = context.int("to", 0);
    const dtype = elementTypes[to] ??
      context.fail("a cast to float32 or an integer type", typeName(to));
    const x = context.input(0);
    const from = context.dtype(0);
    const truncates = from === "f32" && dtype !== "f32";
    if (dtype === "bool" && from !== "bool") {
      context.fail("a cast to a number", "bool");
    }
    const expr = truncates ? apply("trunc", arg(0)) : arg(0);
    return context.graph.map(expr, [x], dtype);
  },
};
