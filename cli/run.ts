/** `chainlearn run`: executes a model and prints its answer with a receipt. */
import type { Command } from "commander";
import {
  type Commitment,
  dtypes,
  f32FromBits,
  graphOf,
  type Model,
  type Output,
  readers,
} from "../compiler/mod.ts";
import { ChainLearnError, tensorRoot } from "../fpvm/mod.ts";
import {
  createVmExecutor,
  type Executor,
  finishedState,
  iterationsOf,
  type Run,
} from "../runtime/mod.ts";
import {
  defaultThreads,
  openBundle,
  openExecutor,
  requireBundleName,
} from "./bundles.ts";
import { openChecked } from "./checked_bundles.ts";
import { parseDims } from "./convert.ts";
import { readFile, stem, writeFile } from "./files.ts";
import { readInputs } from "./inputs.ts";
import type { RunProfile } from "./profile.ts";
import { collect, parseChoice, parseCount } from "./options.ts";
import { formatSeconds, formatTable, note, printJson } from "./terminal.ts";

export const runDevices = ["cpu", "interpreter", "vm"] as const;

interface RunCommandOptions {
  input: string[];
  device: (typeof runDevices)[number];
  threads?: number;
  iterations?: number;
  receipt?: string;
  dump?: string;
  output?: string;
  profile?: boolean;
  report?: string;
  dim: string[];
  json?: boolean;
}

/** What a run can be checked against later; docs/formats.md, "Receipt file". */
export interface Receipt {
  readonly format: "chainlearn receipt 1";
  readonly modelRoot: string;
  readonly inputRoots: readonly string[];
  readonly iterations: number;
  /** Bytes of each output, hex. */
  readonly outputs: readonly string[];
  /** State root after the finish step, hex. */
  readonly finalState: string;
  readonly device: string;
  readonly version: string;
}

/** A model ready to run: from a bundle, or a float model from ONNX, which has no root. */
export interface Runnable {
  readonly model: Model;
  readonly modelRoot?: Uint8Array;
  /** What runs in the machine; absent where it was checked before and is not needed. */
  readonly commitment?: Commitment;
}

/** Opens a bundle, or converts an ONNX file to float mode in memory. */
async function openRunnable(
  path: string,
  { dim: dims, device }: RunCommandOptions,
): Promise<Runnable> {
  if (!path.endsWith(".onnx")) {
    requireBundleName(path);
    if (device !== "vm") return await openChecked(path);
    const commitment = await openBundle(path);
    const { model, modelRoot } = commitment;
    return { model, modelRoot, commitment };
  }
  const { convertOnnx, validateModel } = await import("../compiler/mod.ts");
  const bytes = await readFile(path, "model");
  const { model } = convertOnnx(bytes, {
    name: stem(path),
    precision: "float",
    dims: parseDims(dims),
  });
  validateModel(model);
  return { model };
}

/** The executor of a device; an ONNX file that was not converted has no programs for the machine. */
export async function executorFor(
  { model, commitment }: Runnable,
  device: RunCommandOptions["device"],
  threads?: number,
): Promise<Executor> {
  if (device !== "vm") return await openExecutor(model, device, threads);
  if (!commitment) {
    throw new ChainLearnError(
      `Cannot run "${model.name}" in the machine: expected a bundle, found an ONNX file`,
      {
        hint: "Convert it first",
      },
    );
  }
  return createVmExecutor(commitment);
}

/** Values of an output in the model's units. */
export function outputValues(
  model: Model,
  output: Output,
  bytes: Uint8Array,
): number[] {
  const { dtype } = model.slots[output.slot].type;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { bytes: width, scalar } = dtypes[dtype];
  return Array.from({ length: bytes.length / width }, (_, i) => {
    const value = readers[dtype](view, i * width);
    return (scalar === "f32" ? f32FromBits(Number(value)) : Number(value)) *
      output.scale;
  });
}

/** What an output says in one line: its label where it has labels, else its largest or only elements. */
export function describeOutput(
  model: Model,
  output: Output,
  bytes: Uint8Array,
): { label?: string; top: { index: number; value: number; label?: string }[] } {
  const values = outputValues(model, output, bytes);
  const { labels } = output;
  if (labels && values.length === 1) {
    const label = labels[values[0]];
    return { label, top: [{ index: values[0], value: values[0], label }] };
  }
  const top = values.map((value, index) => ({
    index,
    value,
    label: labels?.[index],
  }))
    .sort((a, b) => b.value - a.value || a.index - b.index).slice(0, 3);
  return { label: labels && top[0]?.label, top };
}

/** The receipt of a finished run. */
export function receiptOf(
  { model, modelRoot }: Pick<Commitment, "model" | "modelRoot">,
  inputs: readonly Uint8Array[],
  iterations: number,
  run: Run,
  device: string,
): Receipt {
  return {
    format: "chainlearn receipt 1",
    modelRoot: modelRoot.toHex(),
    inputRoots: inputs.map((input) => tensorRoot(input).toHex()),
    iterations,
    outputs: run.outputs.map((output) => output.toHex()),
    finalState: finishedState(model, run.slots).root.toHex(),
    device,
    version: "0.1.0",
  };
}

async function execute(
  path: string,
  options: RunCommandOptions,
): Promise<void> {
  const runnable = await openRunnable(path, options);
  const { model, modelRoot } = runnable;
  const inputs = await readInputs(options.input, model);
  const threads = options.threads ?? defaultThreads(model, options.iterations);
  const executor = await executorFor(runnable, options.device, threads);
  const started = performance.now();
  let dumped: Uint8Array | undefined;
  const dumpNode = options.dump === undefined
    ? -1
    : dumpIndex(options.dump, model);
  const run = await executor.run(inputs, {
    iterations: options.iterations,
    ...(dumpNode < 0 ? {} : {
      onNode(_, node, slots) {
        if (node === dumpNode) dumped = slots[model.nodes[node].result].slice();
      },
    }),
  }).finally(() => executor.close());
  const seconds = (performance.now() - started) / 1000;
  if (dumped) {
    await writeFile(
      options.output ?? "tensor.npy",
      npyBytes(model, dumpNode, dumped),
      "tensor",
    );
    note(`Wrote ${options.output ?? "tensor.npy"}`);
  }
  const receipt = modelRoot &&
    receiptOf(
      { model, modelRoot },
      inputs,
      iterationsOf(model, options.iterations),
      run,
      executor.device,
    );
  if (receipt && options.receipt) {
    await writeFile(
      options.receipt,
      JSON.stringify(receipt, null, 2) + "\n",
      "receipt",
    );
    note(`Wrote ${options.receipt}`);
  }
  const answers = model.outputs.map((output, i) => ({
    name: output.name,
    ...describeOutput(model, output, run.outputs[i]),
  }));
  const profile = options.profile || options.report !== undefined
    ? await profileOf(runnable, inputs, { ...options, threads })
    : undefined;
  if (profile && options.report !== undefined) {
    const { profilePage } = await import("./profile_page.ts");
    const facts = reportFacts(answers, profile, receipt);
    await writeFile(
      options.report,
      profilePage(model.name, facts, profile),
      "report",
    );
    note(`Wrote ${options.report}`);
  }
  if (options.json) {
    return printJson({
      outputs: model.outputs.map((output, i) => ({
        name: output.name,
        label: answers[i].label,
        values: outputValues(model, output, run.outputs[i]),
        bytes: run.outputs[i],
      })),
      device: executor.device,
      seconds,
      receipt,
      profile,
    });
  }
  for (const { name, label, top } of answers) {
    console.log(label === undefined ? name : `${name}: ${label}`);
    console.log(
      formatTable(
        top.map((
          t,
        ) => [`  ${t.label ?? `[${t.index}]`}`, t.value.toPrecision(5)]),
      ),
    );
  }
  if (receipt) console.log(`final state  0x${receipt.finalState}`);
  note(
    `${executor.device}, ${formatSeconds(seconds)}${
      model.mode === "float" ? ", float mode" : ""
    }`,
  );
  if (profile && options.profile) {
    const { profileTable } = await import("./profile.ts");
    console.log(profileTable(profile));
  }
}

/** Profiles the model's graph on an executor of its own. */
async function profileOf(
  { model, commitment }: Runnable,
  inputs: readonly Uint8Array[],
  { device, threads, iterations }: RunCommandOptions & { threads: number },
): Promise<RunProfile> {
  const { profileRun } = await import("./profile.ts");
  if (model.body && device === "vm") {
    throw new ChainLearnError(
      `Cannot profile "${model.name}" in the machine: expected nodes, found one program of the whole model`,
      { hint: "Profile it with --device cpu" },
    );
  }
  const graph = { model: graphOf(model), commitment };
  const executor = await executorFor(graph, device, threads);
  try {
    return await profileRun(model, executor, inputs, threads, iterations);
  } finally {
    executor.close();
  }
}

/** What a report says above its picture. */
function reportFacts(
  answers: readonly { name: string; label?: string }[],
  { device, threads }: RunProfile,
  receipt?: Receipt,
): [string, string][] {
  const on = threads === 1 ? device : `${device}, ${threads} threads`;
  return [
    ...answers.flatMap(({ name, label }): [string, string][] =>
      label === undefined ? [] : [[name, label]]
    ),
    ["device", on],
    ...(receipt
      ? [
        ["model root", `0x${receipt.modelRoot}`],
        ["final state", `0x${receipt.finalState}`],
      ] as [string, string][]
      : []),
  ];
}

function dumpIndex(text: string, model: Model): number {
  const index = /^node=(\d+)$/.exec(text)?.[1];
  if (index === undefined || Number(index) >= model.nodes.length) {
    throw new ChainLearnError(
      `Cannot dump "${text}": expected node=N with N below ${model.nodes.length}`,
    );
  }
  return Number(index);
}

const npyTypes: Record<string, string> = {
  bool: "|b1",
  i8: "|i1",
  u8: "|u1",
  i16: "<i2",
  u16: "<u2",
  i32: "<i4",
  i64: "<i8",
  f32: "<f4",
  f16: "<f2",
  bf16: "<u2",
};

/** A node's result as a NumPy file, version 1.0. */
function npyBytes(model: Model, node: number, data: Uint8Array): Uint8Array {
  const { dtype, shape } = model.slots[model.nodes[node].result].type;
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const text = `{'descr': '${
    npyTypes[dtype]
  }', 'fortran_order': False, 'shape': ${tuple}, }`;
  const header = text.padEnd(Math.ceil((10 + text.length + 1) / 64) * 64 - 11) +
    "\n";
  const bytes = new Uint8Array(10 + header.length + data.length);
  bytes.set([
    0x93,
    ...new TextEncoder().encode("NUMPY"),
    1,
    0,
    header.length & 255,
    header.length >> 8,
  ]);
  bytes.set(new TextEncoder().encode(header), 10);
  bytes.set(data, 10 + header.length);
  return bytes;
}

/** Adds the command's arguments and options. */
export function define(command: Command): void {
  command
    .argument("<model>", "a .clm file, or an .onnx file in float mode")
    .requiredOption(
      "-i, --input <file>",
      "an input, once for each (name=file): .png .npy .npz .json",
      collect,
      [],
    )
    .option(
      "-d, --device <name>",
      runDevices.join(", "),
      parseChoice(runDevices),
      "cpu",
    )
    .option(
      "-t, --threads <n>",
      "CPU threads (default: as many as there are; 1 for a small model)",
      parseCount,
    )
    .option(
      "--iterations <n>",
      "passes over the nodes, where the request chooses them",
      parseCount,
    )
    .option("--receipt <file>", "write a receipt (.receipt.json)")
    .option(
      "--profile",
      "time every node beside what this machine can do at most",
    )
    .option(
      "--report <file>",
      "write the answer and the profile as one HTML page",
    )
    .option("--dump <node=N>", "write that node's result as a NumPy file")
    .option("-o, --output <file>", "where --dump writes (default: tensor.npy)")
    .option(
      "--dim <name=size>",
      "size of a symbolic dimension of an ONNX file",
      collect,
      [],
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExamples:\n  chainlearn run m.clm --input picture.png\n  chainlearn run m.clm --input x.npy --device vm --receipt x.receipt.json",
    )
    .action(execute);
}
