/**
 * The machine's speed in steps per second: a C mix and leaf programs of matrix products, stepped and translated.
 *
 * Each run starts at a program's first step, in a memory of its own whose pages are not in frames and whose grafts
 * are not loaded, and ends at its exit: all of that counts. What does not count is what is kept for a program from
 * run to run: translating it, compiling it, opening a tensor's tree. The speed is that of the fastest of many runs.
 */
import {
  axis,
  defineKernel,
  emitLeafProgram,
  load,
  mul,
  operandsOf,
  requantize,
  sum,
  type TensorType,
} from "../../compiler/mod.ts";
import {
  ChainLearnError,
  composeInitialState,
  MemoryContentStore,
  run,
  runTranslated,
  treeHeight,
  type VmState,
} from "../../fpvm/mod.ts";
import { probeBytes } from "../../runtime/mod.ts";
import { compileMix, MIX_PARTS } from "./c_mix.ts";
import {
  type BenchContext,
  type Measures,
  type Runner,
  timeProgram,
} from "./group.ts";

/** Millions of steps of a C program: long enough for the engine's optimizing compiler to be done. */
const MIX_ROUNDS = 40;
/** Inner dimension of the large matrix product. */
const LARGE_K = 4096;

/** Least whole runs of a measurement: the first of them are in the engine's slower tiers. */
const LEAST_RUNS = 5;

/**
 * Steps per second of a program from start to exit: the best of the whole runs in some seconds, at least five, after
 * others for a fifth of the time to warm up.
 */
export function speedOf(
  start: VmState,
  runner: Runner,
  seconds: number,
): number {
  let best = 0;
  const all = performance.now();
  const elapsedSeconds = () => (performance.now() - all) / 1000;
  for (let runs = 0; runs < LEAST_RUNS || elapsedSeconds() < 1.2 * seconds;) {
    const run = timeProgram(start, runner);
    if (elapsedSeconds() < 0.2 * seconds) continue;
    best = Math.max(best, run.steps / run.seconds);
    runs++;
  }
  return Math.round(best);
}

/** A leaf in the middle of x[16, k] times w[64, k] transposed, int8. */
function largeLeaf(): VmState {
  const operands: TensorType[] = [
    { dtype: "i8", shape: [16, LARGE_K] },
    { dtype: "i8", shape: [64, LARGE_K] },
  ];
  const [x, w] = operandsOf(operands);
  const total = sum(
    LARGE_K,
    (k) => mul(load(x, axis(0), k), load(w, axis(1), k)),
  );
  const kernel = defineKernel({
    name: "product",
    operands,
    result: { dtype: "i8", shape: [16, 64] },
    body: requantize(total, 1_500_000_000, 44, 0, -128, 127),
  });
  const store = new MemoryContentStore();
  const tensors = operands.map(({ shape }, i) =>
    probeBytes(shape[0] * shape[1], i + 1)
  );
  const { code } = emitLeafProgram(
    kernel,
    tensors.map(({ length }) => ({
      height: treeHeight(length),
      constant: false,
    })),
  );
  return composeInitialState({
    program: code,
    programHeight: treeHeight(code.length),
    leafIndex: 17,
    iteration: 0,
    operandRoots: tensors.map((bytes) => store.put(bytes)),
    store,
  });
}

/** Both ways, and a line about them. */
function measureBoth(
  { say }: BenchContext,
  name: string,
  state: VmState,
): { stepped: number; translated: number } {
  const stepped = speedOf(state, run, 2);
  const translated = speedOf(state, runTranslated, 2);
  const millions = (speed: number) => (speed / 1e6).toFixed(0);
  say(
    `${name}: ${millions(stepped)} M steps/s, translated ${
      millions(translated)
    } M`,
  );
  return { stepped, translated };
}

/** The keys of the machine's speed; `layer` is a leaf of the largest matrix product of a shipped model. */
export async function measureSpeed(
  context: BenchContext,
  layer: VmState,
): Promise<Measures> {
  const leaves = [
    measureBoth(context, "Leaf of fashion_mlp's largest layer", layer),
    measureBoth(context, `Leaf of a product with K = ${LARGE_K}`, largeLeaf()),
  ];
  try {
    for (const part of MIX_PARTS) {
      const state = await compileMix(MIX_ROUNDS, part);
      measureBoth(context, `C mix, ${part} alone`, state);
    }
    const mix = measureBoth(context, "C mix", await compileMix(MIX_ROUNDS));
    return {
      "vm.interpreted": mix.stepped,
      "vm.interpreted.leaf": Math.min(...leaves.map(({ stepped }) => stepped)),
      "vm.translated": Math.min(
        mix.translated,
        ...leaves.map(({ translated }) => translated),
      ),
    };
  } catch (error) {
    if (!(error instanceof ChainLearnError) || error.exitCode !== 3) {
      throw error;
    }
    context.say(error.message);
    return {};
  }
}
