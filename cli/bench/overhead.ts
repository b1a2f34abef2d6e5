/**
 * `overhead`: what commitments cost beside the plain run of a network, in percent of its time.
 *
 * `overhead.submission` is what an honest submitter adds: the state after the finish step, which hashes what is kept,
 * and the siblings that prove the outputs in it, timed by
 * itself: it is less than two runs differ by. `overhead.committed` is what hashing every state adds, which happens
 * only once somebody objects; `overhead.hashing` is the time of hashing the same tensors alone, on one core, in percent
 * of what was added. The kinds of runs alternate, and each counts by its fastest. The network is the CNN of ImageNet
 * shape; the same for fashion_cnn stands under `overhead.fashion_cnn`.
 */
import {
  byteLength,
  convertOnnx,
  elementCount,
  type Model,
} from "../../compiler/mod.ts";
import {
  inputShape,
  makeModel,
} from "../../models/mobilenet_shape/make_model.ts";
import {
  commitRun,
  createCpuExecutor,
  finishedState,
  slotRoot,
} from "../../runtime/mod.ts";
import { formatSeconds } from "../terminal.ts";
import { fixedModel, shippedInputs } from "./shipped_models.ts";
import type { BenchContext, Measures } from "./group.ts";

/** Seconds of runs of each network. */
const SECONDS = 6;
/** Runs of each kind before any counts. */
const WARM_UP = 15;

const LEAF = 32;
const percentOf = (part: number, whole: number) =>
  Number((100 * part / whole).toPrecision(3));

/** Nodes hashed for every state: each result's tree, and a path in the state's. */
function committedNodes({ nodes, slots }: Model): number {
  const height = Math.ceil(Math.log2(slots.length));
  return nodes.reduce((sum, { result }) => {
    const leaves = Math.ceil(byteLength(slots[result].type) / LEAF);
    return sum + Math.max(0, leaves - 1) + height;
  }, 0);
}

/** What a network's commitments cost. */
interface Overhead {
  /** Seconds of a plain run. */
  readonly plain: number;
  /** Seconds from a run's end to a ready submission. */
  readonly submission: number;
  /** Seconds of a run whose every state is hashed. */
  readonly committed: number;
  /** Seconds of hashing the same tensors alone. */
  readonly hashing: number;
}

/** Alternates the kinds of runs; the fastest of each. */
async function overheadOf(
  model: Model,
  inputs: readonly Uint8Array[],
): Promise<Overhead> {
  const executor = await createCpuExecutor(model, {
    threads: navigator.hardwareConcurrency,
  });
  const kinds = ["plain", "submission", "committed", "hashing"] as const;
  const best = { plain: 0, submission: 0, committed: 0, hashing: 0 };
  const keep = (kind: keyof Overhead, from: number) =>
    best[kind] = Math.min(best[kind], (performance.now() - from) / 1000);
  const { slots: all } = await executor.run(inputs, { keep: "all" });
  const round = async () => {
    const started = performance.now();
    const { slots } = await executor.run(inputs);
    keep("plain", started);
    const ended = performance.now();
    const state = finishedState(model, slots);
    for (const { slot } of model.outputs) state.path(slot);
    keep("submission", ended);
    const again = performance.now();
    await commitRun(model, executor, inputs);
    keep("committed", again);
    const last = performance.now();
    for (const { result } of model.nodes) slotRoot(model, result, all[result]);
    keep("hashing", last);
  };
  try {
    for (let i = 0; i < WARM_UP; i++) await round();
    for (const kind of kinds) best[kind] = Infinity;
    const end = performance.now() + 1000 * SECONDS;
    while (performance.now() < end) await round();
    return best;
  } finally {
    executor.close();
  }
}

/** The network of ImageNet shape in int8, and an input. */
function imageNetShape(seed: number): [Model, Uint8Array[]] {
  const sample = Float32Array.from(
    { length: elementCount(inputShape) },
    (_, i) => (i * 7919 >> 3) % 128 / 64 - 1,
  );
  const { model } = convertOnnx(makeModel(seed), {
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
  const inputs = model.inputs.map(({ slot }) =>
    new Uint8Array(byteLength(model.slots[slot].type))
      .map((_, i) => (i * 7919 >> 3) % 128)
  );
  return [model, inputs];
}

export async function measure(context: BenchContext): Promise<Measures> {
  const { models, seed, say } = context;
  const fashion = await fixedModel(models, "fashion_cnn");
  const [picture] = await shippedInputs(models, fashion, 1);
  const networks: [string, Model, readonly Uint8Array[]][] = [
    ["overhead", ...imageNetShape(seed)],
    ["overhead.fashion_cnn", fashion.model, picture],
  ];
  const measures: Record<string, number> = {};
  for (const [key, model, inputs] of networks) {
    const { plain, submission, committed, hashing } = await overheadOf(
      model,
      inputs,
    );
    const nodes = committedNodes(model);
    const added = committed - plain;
    measures[`${key}.submission`] = percentOf(submission, plain);
    measures[`${key}.committed`] = percentOf(added, plain);
    measures[`${key}.hashing`] = percentOf(hashing, added);
    say(
      `${model.name}: ${formatSeconds(plain)} plain, ${
        formatSeconds(submission)
      } more for a submission, ${formatSeconds(added)} more for every state: ${
        (nodes / added / 1e6).toFixed(2)
      } M of ${nodes} nodes/s`,
    );
  }
  return measures;
}
