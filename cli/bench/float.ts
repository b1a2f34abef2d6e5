/**
 * `float`: models in float mode on one thread, beside onnxruntime-web, which computes the same in floats.
 *
 * `float.ratio` is our seconds over the peer's for fashion_cnn; the same for the network of MobileNetV2's shape
 * is beside it. Every figure is the fastest of many runs after a warm-up. Ratios are absent where the peer does
 * not run.
 */
import { join } from "node:path";
import { convertOnnx } from "../../compiler/mod.ts";
import { inputShape, makeModel } from "../../models/mobilenet_shape/mod.ts";
import { peerSeconds, secondsOf, WEB } from "./fastest_run.ts";
import type { BenchContext, Measures } from "./group.ts";

const round = (x: number) => Number(x.toPrecision(4));

/** Keys of one model that start with `key`. */
async function measureModel(
  context: BenchContext,
  key: string,
  path: string,
  input: { type: string; shape: readonly number[] },
): Promise<Measures> {
  const onnx = await Deno.readFile(path);
  const { model } = convertOnnx(onnx, { name: "model", precision: "float" });
  const own = await secondsOf(model, 1, false);
  const peer = await peerSeconds(context, WEB, path, 1, input);
  if (peer === undefined) return { [`${key}.seconds`]: round(own) };
  context.say(`${key}: ${round(own / peer)} times the time of ${WEB}`);
  return {
    [`${key}.seconds`]: round(own),
    [`${key}.ratio`]: round(own / peer),
    [`peer.ortweb.${key}.seconds`]: round(peer),
  };
}

export async function measure(context: BenchContext): Promise<Measures> {
  const folder = await Deno.makeTempDir();
  try {
    const network = join(folder, "network.onnx");
    await Deno.writeFile(network, makeModel(context.seed));
    return {
      ...await measureModel(
        context,
        "float",
        join(context.models, "fashion_cnn", "fashion_cnn.onnx"),
        { type: "uint8", shape: [1, 1, 28, 28] },
      ),
      ...await measureModel(context, "float.network", network, {
        type: "float32",
        shape: inputShape,
      }),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
