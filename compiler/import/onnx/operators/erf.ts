/** ONNX Erf: element-wise. */
import { unaryOperator } from "../binary.ts";

export const erf = unaryOperator("Erf", "erf");
