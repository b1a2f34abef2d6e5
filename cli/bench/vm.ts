/**
 * `vm`: speed of the machine off chain, length of its programs, speed of tree hashing, and alpha.
 *
 * Speed is that of a C mix, interpreted and translated, and of a leaf program, translated. Lengths are steps for each
 * int8 multiply-accumulate over a whole leaf of the shipped models' layers in int8. alpha is the time of fashion_cnn's
 * largest node in the translated machine over its time on two CPU threads.
 */
import { keccak_256 } from "@noble/hashes/sha3.js";
import {
  type Commitment,
  commitModel,
  verifyKernel,
} from "../../compiler/mod.ts";
import { Execution, LeafTrace } from "../../dispute/mod.ts";
import {
  ChainLearnError,
  cloneState,
  LEAF_BYTES,
  run,
  runTranslated,
  STATUS,
  tensorRoot,
  type VmState,
} from "../../fpvm/mod.ts";
import { createCpuExecutor } from "../../runtime/mod.ts";
import { compileMix } from "./c_mix.ts";
import {
  type BenchContext,
  fastest,
  largest,
  type Measures,
  median,
} from "./group.ts";
import {
  fixedModel,
  modelOfPrecision,
  shippedInputs,
  type ShippedModel,
} from "./shipped_models.ts";
import { leavesOf } from "./small.ts";

type Runner = (state: VmState, steps: number) => number;

/** Steps per second of a program from start to exit, the best of some runs. */
function speedOf(start: VmState, runner: Runner, repetitions: number): number {
  let best = 0;
  for (let i = 0; i < repetitions; i++) {
    const state = cloneState(start);
    const started = performance.now();
    const steps = runner(state, 2 ** 40);
    const seconds = (performance.now() - started) / 1000;
    if (state.status !== STATUS.exited || state.exitCode !== 0) {
      throw new ChainLearnError(
        `Cannot measure the machine: expected exit code 0, found status ${state.status}, exit code ${state.exitCode}`,
        { exitCode: 1 },
      );
    }
    best = Math.max(best, steps / seconds);
  }
  return Math.round(best);
}

async function execute(commitment: Commitment, inputs: Uint8Array[]) {
  const executor = await createCpuExecutor(commitment.model, { threads: 1 });
  const terms = { inputs, iterations: 1, finish: true };
  return await Execution.run(commitment, terms, executor)
    .finally(() => executor.close());
}

/** Steps per multiply-accumulate in a whole leaf (32 int8) from the middle of the first layer with such shapes. */
async function stepsPerMac(
  { models }: BenchContext,
  name: ShippedModel,
  isLayer: (weights: readonly number[], input: readonly number[]) => boolean,
): Promise<number> {
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
  const execution = await execute(commitment, inputs);
  const trace = new LeafTrace(execution, node, leavesOf(commitment, node) >> 1);
  const [, ...taps] = shapesOf(node)[1];
  return trace.length / (LEAF_BYTES * taps.reduce((a, b) => a * b));
}

async function measurePrograms(context: BenchContext): Promise<Measures> {
  const measured = {
    matmul: await stepsPerMac(
      context,
      "fashion_mlp",
      (w) => w.length === 2 && w[1] >= 512,
    ),
    conv: await stepsPerMac(
      context,
      "fashion_cnn",
      (w) => w.length === 4 && w[1] === 3 && w[3] >= 16,
    ),
    depthwise: await stepsPerMac(
      context,
      "fashion_cnn",
      (w, x) => w.length === 4 && w[1] === 3 && w[3] === 1 && w[0] === x[3],
    ),
  };
  return Object.fromEntries(
    Object.entries(measured).map(([kind, steps]) => [
      `vm.stepsPerMac.${kind}`,
      Math.round(steps * 1000) / 1000,
    ]),
  );
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

/** Seconds of one node on two CPU threads, the median of many runs of the model. */
async function nativeSeconds(
  { model }: Commitment,
  inputs: Uint8Array[],
  node: number,
): Promise<number> {
  const executor = await createCpuExecutor(model, { threads: 2 });
  const times: number[] = [];
  try {
    for (let i = 0; i < 200; i++) {
      let last = performance.now();
      await executor.run(inputs, {
        onNode(_, index) {
          const now = performance.now();
          if (index === node) times.push((now - last) / 1000);
          last = now;
        },
      });
    }
  } finally {
    executor.close();
  }
  return median(times);
}

async function measureAlpha(
  { models, say }: BenchContext,
): Promise<{ alpha: number; leaf: number }> {
  const commitment = await fixedModel(models, "fashion_cnn");
  const { model } = commitment;
  const work = model.nodes.map(({ kernel }) =>
    verifyKernel(model.kernels[kernel]).work.total
  );
  const node = work.indexOf(largest(work));
  const [inputs] = await shippedInputs(models, commitment, 1);
  const execution = await execute(commitment, inputs);
  const native = await nativeSeconds(commitment, inputs, node);
  const leaves = leavesOf(commitment, node);
  const states = Array.from(
    { length: leaves },
    (_, leaf) => new LeafTrace(execution, node, leaf).stateAt(0),
  );
  const secondsBy = (runner: Runner) => {
    const fresh = states.map(cloneState);
    const started = performance.now();
    for (const state of fresh) runner(state, 2 ** 40);
    return (performance.now() - started) / 1000;
  };
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
  const leaf = speedOf(states[leaves >> 1], runTranslated, 20);
  return { alpha: Math.round(10 * translated / native) / 10, leaf };
}

export async function measure(context: BenchContext): Promise<Measures> {
  const programs = await measurePrograms(context);
  const { alpha, leaf } = await measureAlpha(context);
  let speeds: Measures = {};
  try {
    const mix = await compileMix(50);
    const translated = speedOf(mix, runTranslated, 4);
    context.say(`Translated: C mix ${translated}, leaf ${leaf} steps/s`);
    speeds = {
      "vm.interpreted": speedOf(mix, run, 1),
      "vm.translated": Math.min(leaf, translated),
    };
  } catch (error) {
    if (!(error instanceof ChainLearnError) || error.exitCode !== 3) {
      throw error;
    }
    context.say(error.message);
  }
  return { ...speeds, ...programs, ...measureKeccak(), alpha };
}
