/** ONNX Mul: element-wise, with broadcasting. */
import { binaryOperator } from "../binary.ts";

export const mul = binaryOperator("Mul", "mul");
