/** ONNX Reshape to a constant shape: 0 copies a dimension, -1 takes what is left. */
import { elementCount } from "../../../ir.ts";
import type { OnnxOperator } from "../operator.ts";

export const reshape: OnnxOperator = {
  name: "Reshape",
  attributes: { allowzero: "int" },
  inputs: [2, 2],
  build(context) {
    const from = context.shape(0);
    const wanted = [...context.constant(1, "shape")];
    const keepZero = context.flag("allowzero", false);
    const shape = wanted.map((n, d) => n === 0 && !keepZero ? from[d] ?? 0 : n);
    const open = shape.indexOf(-1);
    const known = shape.reduce((a, b, d) => d === open ? a : a * b, 1);
    if (open >= 0) shape[open] = elementCount(from) / known;
    const bad = shape.some((n) => !Number.isSafeInteger(n) || n < 1);
    if (bad || elementCount(shape) !== elementCount(from)) {
      context.fail(
        `a shape of the ${elementCount(from)} elements of [${from}]`,
        `[${wanted}]`,
      );
    }
    return context.graph.view(context.input(0), shape);
  },
};
