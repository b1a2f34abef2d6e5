/** ONNX Div: element-wise, with broadcasting. */
import { binaryOperator } from "../binary.ts";

export const div = binaryOperator("Div", "div");
