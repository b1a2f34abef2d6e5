/** ONNX Sigmoid: element-wise. */
import { unaryOperator } from "../binary.ts";

export const sigmoid = unaryOperator("Sigmoid", "sigmoid");
