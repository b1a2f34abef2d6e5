/** ONNX Softmax. */
import type { OnnxOperator } from "../operator.ts";
import { softmaxAlong } from "../softmax.ts";

export const softmax: OnnxOperator = {
  name: "Softmax",
  attributes: { axis: "int" },
  inputs: [1, 1],
  build: (context) => softmaxAlong(context, false),
};
