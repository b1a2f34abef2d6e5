/**
 * What `second_architecture.ts` runs on both architectures: computes every case and writes its bytes.
 *
 * Arguments: the folder of models, the file to write, then parts. The file holds one JSON object a line, each a case
 * with its bytes in hex; a line without a case ends a part and says how long it took. Nothing is compared here.
 */
import { join } from "node:path";
import { readCalibrationFile } from "../cli/convert.ts";
import { readInputs } from "../cli/inputs.ts";
import { receiptOf } from "../cli/run.ts";
import {
  conformanceKernels,
  Random,
  randomKernel,
  runWasm,
} from "../compiler/conformance/mod.ts";
import {
  type Commitment,
  commitModel,
  convertOnnx,
  validateModel,
  writeBundle,
} from "../compiler/mod.ts";
import { tensorRoot } from "../fpvm/mod.ts";
import {
  createCpuExecutor,
  createInterpreterExecutor,
  createVmExecutor,
  type Executor,
} from "../runtime/mod.ts";

/** One result: what it is and its bytes. */
type Case = readonly [name: string, bytes: Uint8Array];

const RANDOM_KERNELS = 200;
const models = ["fashion_mlp", "fashion_cnn"] as const;
const precisions = ["int16", "int8", "float"] as const;

/** The conformance suite and random kernels, every second with floats, through WebAssembly. */
function* kernels(): Generator<Case> {
  for (const one of conformanceKernels()) {
    const { kernel, operands, iteration } = one;
    yield [kernel.name, runWasm(kernel, operands, iteration)];
  }
  for (let seed = 1; seed <= RANDOM_KERNELS; seed++) {
    const random = new Random(seed);
    const { kernel, operands, iteration } = randomKernel(random, {
      float: seed % 2 === 1,
    });
    const cuts = [random.below(40), random.below(40)];
    const bytes = runWasm(kernel, operands, iteration, cuts);
    yield [`random kernel of seed ${seed}`, bytes];
  }
}

/** Roots of random tensors around every power of two up to 256 KiB. */
function* roots(): Generator<Case> {
  const random = new Random(1);
  for (let size = 1; size <= 2 ** 18; size *= 2) {
    for (const length of [size - 1, size, size + 1]) {
      if (length < 1) continue;
      yield [`root of ${length} bytes`, tensorRoot(random.bytes(length))];
    }
  }
}

/** A shipped model as `convert` makes it, in one precision, with its first picture. */
async function convertShipped(
  folder: string,
  name: string,
  precision: (typeof precisions)[number],
): Promise<{ commitment: Commitment; inputs: Uint8Array[] }> {
  const file = (ending: string) => join(folder, name, `${name}.${ending}`);
  const calibration = precision === "float"
    ? undefined
    : await readCalibrationFile(file("calib.npz"));
  const { model } = convertOnnx(await Deno.readFile(file("onnx")), {
    name,
    precision: precision === "int16" ? "auto" : precision,
    calibration,
  });
  validateModel(model);
  const picture = join(folder, name, "pictures", "0-ankle-boot.png");
  const inputs = await readInputs([picture], model);
  return { commitment: commitModel(model), inputs };
}

/** The result of every node, then the receipt. */
async function* runOn(
  device: string,
  { commitment, inputs }: { commitment: Commitment; inputs: Uint8Array[] },
  executor: Executor,
): AsyncGenerator<Case> {
  const { model } = commitment;
  const results: Case[] = [];
  const run = await executor.run(inputs, {
    onNode(_, node, slots) {
      const { name, result } = model.nodes[node];
      results.push([`node "${name}" on ${device}`, slots[result].slice()]);
    },
  }).finally(() => executor.close());
  yield* results;
  const receipt = receiptOf(commitment, inputs, 1, run, "any");
  const text = JSON.stringify(receipt);
  yield [`receipt of ${device}`, new TextEncoder().encode(text)];
}

/** A model's bundle and root, its run on the CPU; with `everywhere` also in the interpreter and the machine. */
async function* model(
  folder: string,
  name: string,
  precision: (typeof precisions)[number],
  everywhere: boolean,
): AsyncGenerator<Case> {
  const converted = await convertShipped(folder, name, precision);
  const { commitment } = converted;
  yield ["bundle", writeBundle(commitment)];
  yield ["model root", commitment.modelRoot];
  for (const threads of [1, 2]) {
    const cpu = await createCpuExecutor(commitment.model, { threads });
    yield* runOn(`the CPU, threads: ${threads}`, converted, cpu);
  }
  if (!everywhere) return;
  const interpreter = createInterpreterExecutor(commitment.model);
  yield* runOn("the interpreter", converted, interpreter);
  yield* runOn("the machine", converted, createVmExecutor(commitment));
}

/** The cases of a part; a model's is called `fashion_mlp int8`. */
function partOf(
  folder: string,
  part: string,
): Iterable<Case> | AsyncIterable<Case> {
  if (part === "kernels") return kernels();
  if (part === "roots") return roots();
  const [name, precision] = part.split(" ");
  const known = precisions.find((one) => one === precision);
  if (!known || !models.some((one) => one === name)) {
    throw new Error(`Cannot compute part "${part}": expected a known part`);
  }
  // Interpreting a model in an emulated processor takes long: once is enough.
  return model(folder, name, known, part === "fashion_mlp int16");
}

async function main(): Promise<void> {
  const [folder, output, ...parts] = Deno.args;
  const lines: string[] = [];
  for (const part of parts) {
    const started = performance.now();
    for await (const [name, bytes] of partOf(folder, part)) {
      lines.push(JSON.stringify({ part, name, bytes: bytes.toHex() }));
    }
    const seconds = (performance.now() - started) / 1000;
    lines.push(JSON.stringify({ part, seconds, arch: Deno.build.arch }));
    console.error(`${Deno.build.arch}: ${part}, ${seconds.toFixed(1)} s`);
  }
  await Deno.writeTextFile(output, lines.join("\n") + "\n");
}

await main();
