/** ONNX Constant: a tensor, or a scalar or list in an attribute. */
import type { OnnxOperator } from "../operator.ts";

export const constant: OnnxOperator = {
  name: "Constant",
  attributes: {
    value: "tensor",
    value_float: "float",
    value_floats: "floats",
    value_int: "int",
    value_ints: "ints",
  },
  inputs: [0, 0],
  build(context) {
    const { attributes } = context.node;
    const given = [...attributes.values()];
    if (given.length !== 1) {
      context.fail("exactly one value", `${given.length}`);
    }
    const [attribute] = given;
    switch (attribute.kind) {
      case "tensor": {
        const { data, shape, dtype } = attribute.value;
        return context.graph.constant(data, shape, dtype);
      }
      case "float":
        return context.graph.constant(Float64Array.of(attribute.value), []);
      case "floats":
        return context.graph.constant(
          Float64Array.from(attribute.value),
          [attribute.value.length],
        );
      case "int":
        return context.graph.constant(
          Float64Array.of(attribute.value),
          [],
          "i64",
        );
      case "ints":
        return context.graph.constant(
          Float64Array.from(attribute.value),
          [attribute.value.length],
          "i64",
        );
      default:
        return context.fail("a numeric value", attribute.kind);
    }
  },
};
