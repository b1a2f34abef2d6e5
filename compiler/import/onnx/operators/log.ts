/** ONNX Log: element-wise. */
import { unaryOperator } from "../binary.ts";

export const log = unaryOperator("Log", "log");
