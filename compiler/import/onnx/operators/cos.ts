/** ONNX Cos: element-wise. */
import { unaryOperator } from "../binary.ts";

export const cos = unaryOperator("Cos", "cos");
