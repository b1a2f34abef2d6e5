/** ONNX LogSoftmax. */
import type { OnnxOperator } from "../operator.ts";
import { softmaxAlong } from "../softmax.ts";

export const logSoftmax: OnnxOperator = {
  name: "LogSoftmax",
  attributes: { axis: "int" },
  inputs: [1, 1],
  build: (context) => softmaxAlong(context, true),
};
