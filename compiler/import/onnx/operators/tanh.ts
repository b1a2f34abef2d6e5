/** ONNX Tanh: element-wise. */
import { unaryOperator } from "../binary.ts";

export const tanh = unaryOperator("Tanh", "tanh");
