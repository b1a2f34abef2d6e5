/** ONNX Flatten: a matrix of the axes before and from `axis`. */
import type { OnnxOperator } from "../operator.ts";

export const flatten: OnnxOperator = {
  name: "Flatten",
  attributes: { axis: "int" },
  inputs: [1, 1],
  build(context) {
    const shape = context.shape(0);
    const rank = shape.length;
    const given = context.int("axis", 1);
    if (given < -rank || given > rank) {
      context.fail(`an axis in [${-rank}, ${rank}]`, String(given));
    }
    const axis = given < 0 ? given + rank : given;
    const product = (list: readonly number[]) =>
      list.reduce((a, b) => a * b, 1);
    return context.graph.view(context.input(0), [
      product(shape.slice(0, axis)),
      product(shape.slice(axis)),
    ]);
  },
};
