/**
 * A LLaMA model as it is executed and committed: one iteration is one token, some 23 nodes a layer.
 *
 * The weights come from a source and are asked for when somebody reads them, so that a model larger than memory can be
 * described, committed and disputed. Names follow the published checkpoints. It converts nothing: a source gives int8
 * rows and the real factor of each.
 */
import { exp } from "../graph/deterministic_math.ts";
import type { DType, Kernel, TensorType } from "../ir.ts";
import { verifyKernel } from "../kernel/verify.ts";
import { tensorBytes } from "../lower/lowering.ts";
import type {
  Constant,
  Model,
  Node,
  OperandRef,
  Slot,
} from "../model/model.ts";
import { quantizeMultiplier } from "../quantize/multiplier.ts";
import { expTables } from "../quantize/softmax.ts";
import {
  type LlamaKernels,
  llamaKernels,
  parametersType,
  SCORE_SCALE,
} from "./kernels.ts";
import type { LlamaShape } from "./shape.ts";

/** Where the weights come from. */
export interface LlamaWeights {
  /** Bytes of the tensor, the same ones whenever they are asked for. */
  bytes(name: string, type: TensorType): Uint8Array;
  /** For each row the factor from the sum of int8 products to a unit of the result. */
  factors(name: string, rows: number, columns: number): ArrayLike<number>;
}

type KernelName = keyof LlamaKernels;

/** The model's nodes in order, with the tensors that they need. */
class LlamaBuilder {
  readonly nodes: Node[] = [];
  readonly slots: Slot[] = [];
  readonly constants: Constant[] = [];
  readonly kernels: readonly Kernel[];
  readonly #names: readonly KernelName[];
  readonly #byName: LlamaKernels;
  readonly #constantByName = new Map<string, number>();

  constructor(
    readonly shape: LlamaShape,
    readonly weights: LlamaWeights,
    softmaxBits: number,
  ) {
    this.#byName = llamaKernels(shape, softmaxBits);
    this.#names = Object.keys(this.#byName) as KernelName[];
    this.kernels = Object.values(this.#byName);
    for (const kernel of this.kernels) verifyKernel(kernel);
  }

  slot(name: string, dtype: DType, ...shape: number[]): OperandRef {
    const index = this.slots.push({ name, type: { dtype, shape } }) - 1;
    return { kind: "slot", index };
  }

  /** The constant of that name; `bytes` is called when somebody reads it. */
  constant(
    name: string,
    type: TensorType,
    bytes: () => Uint8Array,
  ): OperandRef {
    const known = this.#constantByName.get(name);
    const index = known ??
      this.constants.push({
          name,
          type,
          get bytes() {
            return bytes();
          },
        }) - 1;
    this.#constantByName.set(name, index);
    return { kind: "weight", index };
  }

  weight(name: string, dtype: DType, ...shape: number[]): OperandRef {
    const type = { dtype, shape };
    return this.constant(name, type, () => this.weights.bytes(name, type));
  }

  table(name: string, values: ArrayLike<number>, type: TensorType) {
    return this.constant(name, type, () => tensorBytes(values, type.dtype));
  }

  /** A node; its result gets a slot of its own unless one is given. */
  node(
    name: string,
    kernel: KernelName,
    operands: readonly OperandRef[],
    result?: OperandRef,
  ): OperandRef {
    const { dtype, shape } = this.#byName[kernel].result;
    const target = result ?? this.slot(name, dtype, ...shape);
    if (target.kind !== "slot") throw new RangeError(`${name} writes no slot`);
    this.nodes.push({
      name,
      kernel: this.#names.indexOf(kernel),
      operands,
      result: target.index,
      whole: false,
      lineage: [name],
    });
    return target;
  }

  /** A projection by the matrix of that name. */
  project(
    name: string,
    kernel: KernelName,
    [rows, columns]: readonly [number, number],
    x: OperandRef,
    scale?: OperandRef,
  ): OperandRef {
    const parameters = () => {
      const factors = this.weights.factors(name, rows, columns);
      const pairs = Array.from(factors, quantizeMultiplier);
      const words = [...pairs.map(({ m }) => m), ...pairs.map(({ s }) => s)];
      return tensorBytes(words, "i32");
    };
    return this.node(name, kernel, [
      x,
      this.weight(`${name}.weight`, "i8", rows, columns),
      this.constant(`${name}.parameters`, parametersType(rows), parameters),
      ...(scale ? [scale] : []),
    ]);
  }

  /** Norm, its largest magnitude, and the int8 vector with that scale. */
  normalize(name: string, x: OperandRef): [x: OperandRef, scale: OperandRef] {
    const weight = this.weight(`${name}.weight`, "i16", this.shape.dim);
    const normed = this.node(name, "norm", [x, weight]);
    const scale = this.node(`${name}.largest`, "largest", [normed]);
    return [this.node(`${name}.quantized`, "quantize", [normed, scale]), scale];
  }

  attention(layer: string, stream: OperandRef, exponentials: OperandRef) {
    const { dim, heads, context } = this.shape;
    const name = `${layer}.attention`;
    const [x, scale] = this.normalize(`${layer}.attention_norm`, stream);
    const [q, k, v] = ["wq", "wk", "wv"].map((w) =>
      this.project(`${name}.${w}`, "input", [dim, dim], x, scale)
    );
    const angles = this.weight("rope", "i16", context, dim / heads / 2, 2);
    const [turnedQ, turnedK] = [["q", q], ["k", k]].map(([part, vector]) =>
      this.node(`${name}.rope_${part}`, "rope", [vector as OperandRef, angles])
    );
    const [keys, values] = [["keys", turnedK], ["values", v]].map(
      ([part, vector]) => {
        const cache = this.slot(`${name}.${part}`, "i8", context, dim);
        const operands = [cache, vector as OperandRef];
        return this.node(
          `${name}.remember_${part}`,
          "remember",
          operands,
          cache,
        );
      },
    );
    const scores = this.node(`${name}.scores`, "scores", [turnedQ, keys]);
    const p = this.node(`${name}.softmax`, "softmax", [scores, exponentials]);
    const attended = this.node(`${name}.attend`, "attend", [p, values]);
    const y = this.project(`${name}.wo`, "output", [dim, dim], attended);
    return this.node(`${name}.residual`, "accumulate", [stream, y]);
  }

  feedForward(layer: string, stream: OperandRef, silu: OperandRef) {
    const { dim, hidden } = this.shape;
    const name = `${layer}.feed_forward`;
    const [x, scale] = this.normalize(`${layer}.ffn_norm`, stream);
    const [gate, up] = ["w1", "w3"].map((w) =>
      this.project(`${name}.${w}`, "up", [hidden, dim], x, scale)
    );
    const gated = this.node(`${name}.gate`, "gate", [gate, up, silu]);
    const y = this.project(`${name}.w2`, "down", [dim, hidden], gated);
    return this.node(`${name}.residual`, "accumulate", [stream, y]);
  }
}

/** silu of an int8 with 4 fraction bits, with 11 fraction bits. */
const siluTable = () =>
  Int16Array.from({ length: 256 }, (_, i) => {
    const x = (i - 128) / 16;
    return Math.round(2048 * x / (1 + exp(-x)));
  });

/**
 * The model of that shape. Its input is the prompt, i32 [prompt + 1]: the number of tokens, then these; its output the
 * tokens chosen after each position. The request says how many positions, at most the context.
 */
export function llamaModel(shape: LlamaShape, weights: LlamaWeights): Model {
  const { dim, layers, vocabulary, context, prompt } = shape;
  const tables = expTables(SCORE_SCALE, context);
  const build = new LlamaBuilder(shape, weights, tables.bits);
  const tokens = build.slot("tokens", "i32", context);
  const given = build.slot("prompt", "i32", prompt + 1);
  const exponentials = build.table(
    "exponentials",
    [...tables.high, ...tables.low],
    { dtype: "i32", shape: [2, 256] },
  );
  const silu = build.table("silu", siluTable(), { dtype: "i16", shape: [256] });
  const id = build.node("token", "token", [given, tokens]);
  const rows = build.weight("tok_embeddings.weight", "i8", vocabulary, dim);
  let stream = build.node("tok_embeddings", "embedding", [id, rows]);
  for (let i = 0; i < layers; i++) {
    stream = build.attention(`layers.${i}`, stream, exponentials);
    stream = build.feedForward(`layers.${i}`, stream, silu);
  }
  const [x] = build.normalize("norm", stream);
  const logits = build.project("output", "logits", [vocabulary, dim], x);
  const next = build.node("next", "choose", [logits]);
  build.node("answer", "answer", [tokens, next], tokens);
  const stopped = build.node("stop", "stop", [next, given]);
  return {
    name: `llama_${layers}x${dim}`,
    mode: "fixed",
    kernels: build.kernels,
    nodes: build.nodes,
    constants: build.constants,
    slots: build.slots,
    inputs: [{
      name: "prompt",
      slot: 1,
      role: "data",
      accepts: { kind: "tensor" },
    }],
    outputs: [{ name: "tokens", slot: 0, scale: 1 }],
    schedule: { kind: "request", max: context },
    kept: 1,
    stopSlot: (stopped as { index: number }).index,
  };
}
