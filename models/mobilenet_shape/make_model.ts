/**
 * A convolutional network of ImageNet shape for measurements: MobileNetV2's architecture (Sandler et al.
 * 2018, width 1.0, batch normalization folded) with weights drawn from a seed.
 *
 * 224 x 224 x 3 to 1000 classes, 300 M multiply-accumulates, 3.5 M weights. Nothing is stored: the same
 * seed gives the same bytes. It recognizes nothing.
 */
import { FLOAT, OnnxWriter } from "./onnx_writer.ts";

/** Expansion, channels, repetitions and first stride of each stage: table 2 of the paper. */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/** Deterministic numbers, uniform in [-1, 1): a linear congruential generator, its high bits. */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

/** Height and width of the input, its channels, and the classes. */
export const inputShape = [1, 3, 224, 224] as const;
export const classes = 1000;

/** The ONNX file. */
export function makeModel(seed = 1): Uint8Array {
  const writer = new OnnxWriter();
  const random = uniform(seed);
  let convolutions = 0;
  const convolution = (
    input: string,
    from: number,
    to: number,
    size: number,
    stride: number,
    groups: number,
    isActive: boolean,
  ): string => {
    const name = `conv${convolutions++}`;
    const taps = size * size * from / groups;
    // Uniform with the variance that keeps a rectified signal's size (He et al. 2015).
    const limit = Math.sqrt((isActive ? 6 : 3) / taps);
    const weight = Float32Array.from(
      { length: to * taps },
      () => limit * random(),
    );
    const bias = Float32Array.from({ length: to }, () => 0.1 * random());
    const pad = (size - 1) / 2;
    const result = writer.node("Conv", name, [
      input,
      writer.constant(
        `${name}.weight`,
        [to, from / groups, size, size],
        weight,
      ),
      writer.constant(`${name}.bias`, [to], bias),
    ], {
      kernel_shape: [size, size],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      group: groups,
    });
    if (!isActive) return result;
    return writer.node("Clip", `${name}.relu6`, [result, "zero", "six"]);
  };
  writer.constant("zero", [], Float32Array.of(0));
  writer.constant("six", [], Float32Array.of(6));

  let channels = 32;
  let x = convolution("image", 3, channels, 3, 2, 1, true);
  for (const [expansion, to, count, firstStride] of STAGES) {
    for (let i = 0; i < count; i++) {
      const stride = i === 0 ? firstStride : 1;
      const hidden = channels * expansion;
      let y = x;
      if (expansion > 1) y = convolution(y, channels, hidden, 1, 1, 1, true);
      y = convolution(y, hidden, hidden, 3, stride, hidden, true);
      y = convolution(y, hidden, to, 1, 1, 1, false);
      x = stride === 1 && channels === to
        ? writer.node("Add", `add${convolutions}`, [x, y])
        : y;
      channels = to;
    }
  }
  x = convolution(x, channels, 1280, 1, 1, 1, true);
  x = writer.node("GlobalAveragePool", "pool", [x]);
  x = writer.node("Flatten", "features", [x], { axis: 1 });
  const limit = Math.sqrt(3 / 1280);
  const weight = Float32Array.from(
    { length: classes * 1280 },
    () => limit * random(),
  );
  x = writer.node("Gemm", "logits", [
    x,
    writer.constant("logits.weight", [classes, 1280], weight),
    writer.constant("logits.bias", [classes], new Float32Array(classes)),
  ], { transB: 1 });
  return writer.encode(
    { name: "image", type: FLOAT, dims: inputShape },
    { name: x, type: FLOAT, dims: [1, classes] },
  );
}
