/** ONNX Concat along an axis. */
import type { OnnxOperator } from "../operator.ts";

export const concat: OnnxOperator = {
  name: "Concat",
  attributes: { axis: "int" },
  inputs: [1, 2 ** 16],
  build(context) {
    const first = context.shape(0);
    const axis = context.axis(context.int("axis", 1), first.length);
    const parts = Array.from({ length: context.inputCount }, (_, i) => {
      const shape = context.shape(i);
      const fits = shape.length === first.length &&
        shape.every((n, d) => d === axis || n === first[d]);
      if (!fits) context.fail(`[${first}] except axis ${axis}`, `[${shape}]`);
      if (context.dtype(i) !== context.dtype(0)) {
        context.fail(`inputs of type ${context.dtype(0)}`, context.dtype(i));
      }
      return context.input(i);
    });
    return context.graph.concat(parts, axis);
  },
};
