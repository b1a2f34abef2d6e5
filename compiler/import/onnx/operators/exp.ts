/** ONNX Exp: element-wise. */
import { unaryOperator } from "../binary.ts";

export const exp = unaryOperator("Exp", "exp");
