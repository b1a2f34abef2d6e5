/**
 * `exactness`: bytes that differ between targets. A case is one kernel on one input on one target.
 *
 * The conformance suite and random kernels run on interpreter, WebAssembly and the machine; every kernel of the shipped
 * models on the CPU with one and two threads and in the machine, against the interpreter.
 */
import { printKernel } from "../../compiler/mod.ts";
import {
  type ConformanceCase,
  conformanceKernels,
  Random,
  randomKernel,
  runLeaves,
  runWasm,
} from "../../compiler/conformance/mod.ts";
import { type Commitment, interpret } from "../../compiler/mod.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import {
  createCpuExecutor,
  createInterpreterExecutor,
  createVmExecutor,
  type Executor,
} from "../../runtime/mod.ts";
import type { BenchContext, Measures } from "./group.ts";
import { fixedModel, shippedInputs, shippedModels } from "./shipped_models.ts";

const RANDOM_KERNELS = 400;
const PICTURES = 3;

/** Counts cases and mismatches, and tells of the latter. */
class Tally {
  cases = 0;
  mismatches = 0;
  #told = 0;
  constructor(readonly say: (text: string) => void) {}

  /** One case; a target that fails differs in every byte. */
  compare(what: string, expected: Uint8Array, run: () => Uint8Array): void {
    let differing = expected.length;
    let why = "";
    try {
      const found = run();
      differing = Math.abs(found.length - expected.length);
      expected.forEach((byte, i) => differing += +(byte !== found[i]));
    } catch (error) {
      if (!(error instanceof ChainLearnError)) throw error;
      why = `: ${error.message}`;
    }
    this.cases++;
    this.mismatches += differing;
    if (differing > 0 && this.#told++ < 10) {
      this.say(`${what}: ${differing} bytes differ${why}`);
    }
  }
}

function compareKernel(tally: Tally, one: Omit<ConformanceCase, "float">) {
  const { kernel, operands, iteration, expected } = one;
  const targets = {
    interpreter: () => interpret(kernel, operands, iteration),
    WebAssembly: () => runWasm(kernel, operands, iteration),
    machine: () => runLeaves(kernel, operands, iteration).result,
  };
  for (const [target, run] of Object.entries(targets)) {
    tally.compare(`${kernel.name} on ${target}`, expected, run);
  }
}

function compareRandomKernels(tally: Tally, seed: number): void {
  for (let i = 0; i < RANDOM_KERNELS; i++) {
    // Every second one uses floats, which the machine computes in integers.
    const random = new Random(seed + i);
    const { kernel, operands, iteration } = randomKernel(random, {
      float: i % 2 === 1,
    });
    const expected = interpret(kernel, operands, iteration);
    const cuts = [random.below(40), random.below(40)];
    const name = `random kernel of seed ${seed + i}`;
    const before = tally.mismatches;
    tally.compare(
      `${name} on WebAssembly`,
      expected,
      () => runWasm(kernel, operands, iteration, cuts),
    );
    tally.compare(
      `${name} on the machine`,
      expected,
      () => runLeaves(kernel, operands, iteration).result,
    );
    if (tally.mismatches > before) tally.say(printKernel(kernel));
  }
}

/** Results of all nodes of a run, in order. */
async function nodeResults(
  { model }: Commitment,
  inputs: Uint8Array[],
  executor: Executor,
): Promise<Uint8Array[]> {
  const results: Uint8Array[] = [];
  await executor.run(inputs, {
    onNode(_, node, slots) {
      results.push(slots[model.nodes[node].result].slice());
    },
  }).finally(() => executor.close());
  return results;
}

async function compareModel(
  tally: Tally,
  commitment: Commitment,
  inputs: Uint8Array[],
): Promise<void> {
  const { model } = commitment;
  const expected = await nodeResults(
    commitment,
    inputs,
    createInterpreterExecutor(model),
  );
  const executors = {
    "the CPU": await createCpuExecutor(model, { threads: 1 }),
    "the CPU with 2 threads": await createCpuExecutor(model, { threads: 2 }),
    "the machine": createVmExecutor(commitment),
  };
  for (const [device, executor] of Object.entries(executors)) {
    const found = await nodeResults(commitment, inputs, executor);
    model.nodes.forEach((node, i) => {
      const what = `node "${node.name}" of ${model.name} on ${device}`;
      tally.compare(what, expected[i], () => found[i]);
    });
  }
}

export async function measure(context: BenchContext): Promise<Measures> {
  const tally = new Tally(context.say);
  for (const one of conformanceKernels()) compareKernel(tally, one);
  context.say(`Conformance suite: ${tally.cases} cases`);
  compareRandomKernels(tally, context.seed);
  context.say(`With random kernels: ${tally.cases} cases`);
  for (const name of shippedModels) {
    const commitment = await fixedModel(context.models, name);
    const cases = await shippedInputs(context.models, commitment, PICTURES);
    for (const inputs of cases) await compareModel(tally, commitment, inputs);
  }
  context.say(`With the nodes of both models: ${tally.cases} cases`);
  return {
    "exactness.mismatches": tally.mismatches,
    "exactness.cases": tally.cases,
  };
}
