/**
 * A convolutional network of ImageNet shape with weights drawn from a seed, for measurements, and the writer of ONNX
 * files that it is made with.
 *
 * @example
 * ```ts
 * import { inputShape, makeModel } from "./mod.ts";
 *
 * console.log(inputShape, makeModel(1).length);
 * ```
 *
 * @module
 */
export { inputShape, makeModel } from "./make_model.ts";
export { INT32, OnnxWriter, UINT8 } from "./onnx_writer.ts";
