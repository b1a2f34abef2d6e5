/** ONNX Squeeze: removes axes of length 1, the given ones or all. */
import type { OnnxOperator } from "../operator.ts";

export const squeeze: OnnxOperator = {
  name: "Squeeze",
  attributes: { axes: "ints" },
  inputs: [1, 2],
  build(context) {
    const shape = context.shape(0);
    const given = context.ints("axes") ?? context.constantOr(1, "axes");
    const axes = given
      ? context.axes(given, shape.length)
      : shape.flatMap((n, d) => n === 1 ? [d] : []);
    const wide = axes.find((d) => shape[d] !== 1);
    if (wide !== undefined) {
      context.fail(`axis ${wide} of length 1`, `[${shape}]`);
    }
    const kept = shape.filter((_, d) => !axes.includes(d));
    return context.graph.view(context.input(0), kept);
  },
};
