/** ONNX Sub: element-wise, with broadcasting. */
import { binaryOperator } from "../binary.ts";

export const sub = binaryOperator("Sub", "sub");
