/**
 * `cpu`: speed of int8 products and of a whole network, beside the runtimes that people use today.
 *
 * A product is 384 x 384 x 384 with requantization, in GMAC/s; the peer's is u8 by s8 to i32, its fastest,
 * without. The network has MobileNetV2's shape, 224 x 224, in int8 here and in float in the peers, on two
 * threads, in seconds. Peers come from npm in this run, each in a process of its own. Every figure is the
 * fastest of many runs after a warm-up, from the input to the last node's result. Relaxed keys are absent where a probe finds that slower.
 */
import { join } from "node:path";
import {
  add,
  axis,
  convertOnnx,
  defineKernel,
  elementCount,
  load,
  type Model,
  mul,
  operandsOf,
  requantize,
  sum,
  type TensorType,
} from "../../compiler/mod.ts";
import {
  inputShape,
  INT32,
  makeModel,
  OnnxWriter,
  UINT8,
} from "../../models/mobilenet_shape/mod.ts";
import { isRelaxedFaster } from "../../runtime/mod.ts";
import { NATIVE, peerSeconds, secondsOf, WEB } from "./fastest_run.ts";
import type { BenchContext, Measures } from "./group.ts";

const SIZE = 384;

/** One product with requantization; weights in -64..63, so that every way of summing is exact. */
function productModel(): Model {
  const operands: TensorType[] = [
    { dtype: "i8", shape: [SIZE, SIZE] },
    { dtype: "i8", shape: [SIZE, SIZE] },
    { dtype: "i32", shape: [3, SIZE] },
  ];
  const [x, w, q] = operandsOf(operands);
  const row = (r: number) => load(q, r, axis(1));
  const total = sum(
    SIZE,
    (k) => mul(load(x, axis(0), k), load(w, axis(1), k)),
  );
  const kernel = defineKernel({
    name: "product",
    operands,
    result: { dtype: "i8", shape: [SIZE, SIZE] },
    body: requantize(add(total, row(0)), row(1), row(2), 0, -128, 127),
  });
  const weights = new Uint8Array(SIZE * SIZE)
    .map((_, i) => (i * 31) % 128 - 64);
  const parameters = Int32Array.from(
    { length: 3 * SIZE },
    (_, i) => [7, 2 ** 30 + 12345, 43][Math.floor(i / SIZE)],
  );
  return {
    name: "product",
    mode: "fixed",
    kernels: [kernel],
    nodes: [{
      name: "product",
      kernel: 0,
      operands: [
        { kind: "slot", index: 1 },
        { kind: "weight", index: 0 },
        { kind: "weight", index: 1 },
      ],
      result: 0,
      whole: false,
      lineage: [],
    }],
    constants: [
      { name: "w", type: operands[1], bytes: weights },
      {
        name: "q",
        type: operands[2],
        bytes: new Uint8Array(parameters.buffer),
      },
    ],
    slots: [
      { name: "y", type: kernel.result },
      { name: "x", type: operands[0] },
    ],
    inputs: [{ name: "x", slot: 1, role: "data", accepts: { kind: "tensor" } }],
    outputs: [{ name: "y", slot: 0, scale: 1 }],
    schedule: { kind: "fixed", iterations: 1 },
    kept: 1,
  };
}

/** The same product for the peer: u8 by s8. */
function productOnnx(): Uint8Array {
  const writer = new OnnxWriter();
  const weights = new Int8Array(SIZE * SIZE).map((_, i) => (i * 31) % 128 - 64);
  writer.constant("w", [SIZE, SIZE], weights);
  writer.node("MatMulInteger", "y", ["x", "w"]);
  return writer.encode(
    { name: "x", type: UINT8, dims: [SIZE, SIZE] },
    { name: "y", type: INT32, dims: [SIZE, SIZE] },
  );
}

const round = (x: number, digits: number) => Number(x.toPrecision(digits));

/** Multiply-accumulates per second of a product that takes so long, in billions. */
const speed = (seconds: number) => round(SIZE ** 3 / seconds / 1e9, 4);

async function measureProducts(
  context: BenchContext,
  folder: string,
): Promise<Measures> {
  const model = productModel();
  const path = join(folder, "product.onnx");
  await Deno.writeFile(path, productOnnx());
  const input = { type: "uint8", shape: [SIZE, SIZE] };
  const measures: Record<string, number> = {};
  const relaxed = await isRelaxedFaster();
  if (!relaxed) context.say("The relaxed dot product is not faster here");
  for (const threads of [1, 2]) {
    const plain = speed(await secondsOf(model, threads, true));
    measures[`cpu.gemm.plain.${threads}`] = plain;
    if (relaxed) {
      measures[`cpu.gemm.relaxed.${threads}`] = speed(
        await secondsOf(model, threads, false),
      );
    }
    const peer = await peerSeconds(context, WEB, path, threads, input);
    if (peer === undefined) continue;
    measures[`peer.ortweb.gemm.${threads}`] = speed(peer);
    context.say(
      `${threads} threads: plain ${plain} GMAC/s, ${
        (plain / speed(peer)).toFixed(2)
      } times the peer's ${speed(peer)}`,
    );
  }
  return measures;
}

async function measureNetwork(
  context: BenchContext,
  folder: string,
): Promise<Measures> {
  const onnx = makeModel(context.seed);
  const path = join(folder, "network.onnx");
  await Deno.writeFile(path, onnx);
  const count = elementCount(inputShape);
  const sample = Float32Array.from(
    { length: count },
    (_, i) => (i * 7919 >> 3) % 128 / 64 - 1,
  );
  const { model } = convertOnnx(onnx, {
    name: "network",
    precision: "int8",
    calibration: {
      image: {
        dtype: "f32",
        shape: inputShape,
        bytes: new Uint8Array(sample.buffer),
      },
    },
  });
  const own = await secondsOf(model, 2, false);
  const measures: Record<string, number> = {
    "cpu.cnn.seconds": round(own, 4),
  };
  const input = { type: "float32", shape: inputShape };
  for (const [key, name] of [["ortweb", WEB], ["ort", NATIVE]]) {
    const peer = await peerSeconds(context, name, path, 2, input);
    if (peer === undefined) continue;
    measures[`peer.${key}.cnn.seconds`] = round(peer, 4);
    context.say(`Network: ${(peer / own).toFixed(2)} times as fast as ${name}`);
  }
  return measures;
}

export async function measure(context: BenchContext): Promise<Measures> {
  const folder = await Deno.makeTempDir();
  try {
    return {
      ...await measureProducts(context, folder),
      ...await measureNetwork(context, folder),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
