/** ONNX Sin: element-wise. */
import { unaryOperator } from "../binary.ts";

export const sin = unaryOperator("Sin", "sin");
