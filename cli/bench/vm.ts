/**
 * `vm`: speed of the machine off chain, length of its programs, speed of tree hashing, and alpha.
 *
 * Speed is measured in vm_speed.ts. Lengths are steps for each int8 multiply-accumulate over a whole leaf of the
 * shipped models' layers in int8. alpha is the time of fashion_cnn's largest node in the translated machine over its
 * time on two CPU threads.
 */
import { keccak_256 } from "@noble/hashes/sha3.js";
import { commitModel, resultLeaves, verifyKernel } from "../../compiler/mod.ts";
import { LeafTrace } from "../../dispute/mod.ts";
import {
  ChainLearnError,
  LEAF_BYTES,
  run,
  runTranslated,
  tensorRoot,
} from "../../fpvm/mod.ts";
import { executeOnce } from "./arena.ts";
import {
  type BenchContext,
  fastest,
  largest,
  type Measures,
  nativeSeconds,
  type Runner,
  timeProgram,
} from "./group.ts";
import {
  fixedModel,
  modelOfPrecision,
  shippedInputs,
  type ShippedModel,
} from "./shipped_models.ts";
import { measurePhases } from "./vm_phases.ts";
import { measureSpeed } from "./vm_speed.ts";

/** A leaf of 32 int8 from the middle of the first layer with such shapes: its trace, and its multiply-accumulates. */
async function layerLeaf(
  { models }: BenchContext,
  name: ShippedModel,
  isLayer: (weights: readonly number[], input: readonly number[]) => boolean,
): Promise<{ trace: LeafTrace; macs: number }> {
  const model = await modelOfPrecision(models, name, "int8");
  const shapesOf = (node: number) =>
    model.kernels[model.nodes[node].kernel].operands.map((o) => o.shape);
  const node = model.nodes.findIndex((_, i) => {
    const [input, weights] = shapesOf(i);
    return weights !== undefined && isLayer(weights, input);
  });
  if (node < 0) {
    throw new ChainLearnError(
      `Cannot measure ${name}: expected a layer of that kind, found none`,
      { exitCode: 1 },
    );
  }
  const commitment = commitModel(model);
  const [inputs] = await shippedInputs(models, commitment, 1);
  const execution = await executeOnce(commitment, inputs);
  const trace = new LeafTrace(
    execution,
    node,
    resultLeaves(commitment.model, node) >> 1,
  );
  const [, ...taps] = shapesOf(node)[1];
  return { trace, macs: LEAF_BYTES * taps.reduce((a, b) => a * b) };
}

/** Steps per multiply-accumulate of the layers, and the speed of one of them. */
async function measurePrograms(context: BenchContext): Promise<Measures> {
  const leaves = {
    matmul: await layerLeaf(
      context,
      "fashion_mlp",
      (w) => w.length === 2 && w[1] >= 512,
    ),
    conv: await layerLeaf(
      context,
      "fashion_cnn",
      (w) => w.length === 4 && w[1] === 3 && w[3] >= 16,
    ),
    depthwise: await layerLeaf(
      context,
      "fashion_cnn",
      (w, x) => w.length === 4 && w[1] === 3 && w[3] === 1 && w[0] === x[3],
    ),
  };
  const lengths = Object.entries(leaves).map(([kind, { trace, macs }]) => [
    `vm.stepsPerMac.${kind}`,
    Math.round(trace.length / macs * 1000) / 1000,
  ]);
  return {
    ...await measureSpeed(context, leaves.matmul.trace.stateAt(0)),
    ...Object.fromEntries(lengths),
  };
}

function measureKeccak(): Measures {
  const leaves = 2 ** 14;
  const bytes = new Uint8Array(32 * leaves).map((_, i) => i * 31);
  const nodes = (leaves - 1) / fastest(() => tensorRoot(bytes));
  const pair = bytes.subarray(0, 64);
  const noble = 1000 / fastest(() => {
    for (let i = 0; i < 1000; i++) keccak_256(pair);
  });
  return {
    "keccak.nodesPerSecond": Math.round(nodes),
    "keccak.overNoble": Math.round(100 * nodes / noble) / 100,
  };
}

async function measureAlpha(
  { models, say }: BenchContext,
): Promise<number> {
  const commitment = await fixedModel(models, "fashion_cnn");
  const { model } = commitment;
  const work = model.nodes.map(({ kernel }) =>
    verifyKernel(model.kernels[kernel]).work.total
  );
  const node = work.indexOf(largest(work));
  const [inputs] = await shippedInputs(models, commitment, 1);
  const execution = await executeOnce(commitment, inputs);
  const native = await nativeSeconds(model, inputs, node);
  const leaves = resultLeaves(model, node);
  const states = Array.from(
    { length: leaves },
    (_, leaf) => new LeafTrace(execution, node, leaf).stateAt(0),
  );
  const secondsBy = (runner: Runner) =>
    states.reduce((sum, s) => sum + timeProgram(s, runner).seconds, 0);
  const interpreted = secondsBy(run);
  secondsBy(runTranslated);
  const translated = secondsBy(runTranslated);
  const times = (seconds: number) => (seconds / native).toFixed(0);
  say(
    `Node "${model.nodes[node].name}": ${
      (native * 1e6).toFixed(0)
    } us on two threads; interpreted ${
      times(interpreted)
    } times that, translated ${times(translated)} times`,
  );
  return Math.round(10 * translated / native) / 10;
}

export async function measure(context: BenchContext): Promise<Measures> {
  return {
    ...await measurePrograms(context),
    ...measureKeccak(),
    alpha: await measureAlpha(context),
    ...await measurePhases(context),
  };
}
