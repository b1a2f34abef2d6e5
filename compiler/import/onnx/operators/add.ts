/** ONNX Add: element-wise, with broadcasting. */
import { binaryOperator } from "../binary.ts";

export const add = binaryOperator("Add", "add");
