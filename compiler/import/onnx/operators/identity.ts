/** ONNX Identity. */
import type { OnnxOperator } from "../operator.ts";

export const identity: OnnxOperator = {
  name: "Identity",
  attributes: {},
  inputs: [1, 1],
  build: (context) => context.input(0),
};
