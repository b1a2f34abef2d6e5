/** `chainlearn inspect`: what a model or a bundle holds; for a model, everything that stands in the way at once. */
import type { Command } from "commander";
import {
  type Commitment,
  graphOf,
  type InputKind,
  inspectOnnx,
  phasesOf,
  printKernel,
  printTensorType,
  resultLeaves,
  tensorHeight,
} from "../compiler/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import { planSlots } from "../runtime/mod.ts";
import { openBundle } from "./bundles.ts";
import { parseDims } from "./convert.ts";
import { readFile, stem } from "./files.ts";
import { collect } from "./options.ts";
import {
  formatBytes,
  formatCount,
  formatCounted,
  formatTable,
  paint,
  printJson,
  toHex,
} from "./terminal.ts";

interface InspectOptions {
  lineage?: boolean;
  kernels?: boolean;
  dim: string[];
  json?: boolean;
}

async function inspect(path: string, options: InspectOptions): Promise<void> {
  if (path.endsWith(".clm")) {
    return inspectBundle(await openBundle(path), options);
  }
  if (!path.endsWith(".onnx")) {
    throw new ChainLearnError(
      `Cannot inspect ${path}: expected a .onnx or .clm file, found another ending`,
    );
  }
  const inspection = inspectOnnx(
    await readFile(path, "model"),
    parseDims(options.dim),
    stem(path),
  );
  if (inspection.problems.length > 0) Deno.exitCode = 1;
  if (options.json) return printJson(inspection);
  const values = [
    ...inspection.inputs.map((v) => ["input", v] as const),
    ...inspection.outputs.map((v) => ["output", v] as const),
  ];
  console.log(
    `ONNX, opset ${inspection.opset}, ${
      formatCount(inspection.parameters)
    } parameters`,
  );
  console.log(
    formatTable(
      values.map(([kind, v]) => [
        kind,
        v.name,
        v.dtype,
        `[${v.shape.map((d) => d === "" ? "?" : d).join(", ")}]`,
      ]),
    ),
  );
  console.log(
    formatTable(
      inspection.operators.map(({ op, count }) => [op, String(count)]),
      ["operator", "nodes"],
    ),
  );
  if (inspection.dimensions.length > 0) {
    console.log(
      `Dimensions to bind with --dim: ${inspection.dimensions.join(", ")}`,
    );
  }
  for (const problem of inspection.problems) {
    console.log(paint.red(`- ${problem}`));
  }
  if (inspection.problems.length === 0) {
    console.log(paint.green("Everything in it is supported."));
  }
}

/** What an input file must hold, in words. */
function acceptsText(accepts: InputKind): string {
  if (accepts.kind === "image") {
    const { height, width, channels } = accepts;
    return `picture, ${height} x ${width} x ${channels}`;
  }
  return accepts.scale === undefined
    ? "numbers"
    : `numbers, scale ${accepts.scale}`;
}

function inspectBundle(commitment: Commitment, options: InspectOptions): void {
  const { model, programs, nodePrograms, descriptors } = commitment;
  const nodes = model.nodes.map((node, i) => ({
    index: i,
    name: node.name,
    kernel: model.kernels[node.kernel]?.name ?? "the whole model",
    result: printTensorType(model.slots[node.result].type),
    slot: node.result,
    leaves: resultLeaves(model, i),
    height: tensorHeight(model.slots[node.result].type),
    worstSteps: programs[nodePrograms[i]].worstSteps,
    maxSteps: descriptors[i].maxSteps,
    sources: node.lineage,
  }));
  const weightBytes = model.constants.reduce(
    (sum, c) => sum + c.bytes.length,
    0,
  );
  const activations = planSlots(graphOf(model));
  if (options.json) {
    const { name, mode, inputs, outputs, kept, schedule, stopSlot } = model;
    return printJson({
      name,
      mode,
      modelRoot: commitment.modelRoot,
      inputs,
      outputs,
      kept,
      schedule,
      stopSlot,
      phases: phasesOf(model),
      weightBytes,
      activationBytes: activations.bytes,
      liveBytes: activations.least,
      constants: model.constants.length,
      slots: model.slots.length,
      nodes,
    });
  }
  const phases = phasesOf(model);
  console.log(
    `${model.name}: ${model.mode} mode, ${formatCounted(phases, "phase")}, ${
      formatCounted(nodes.length, "node")
    }, ${formatCounted(programs.length, "program")}, ${
      formatBytes(weightBytes)
    } of constants`,
  );
  console.log(
    `activations  ${formatBytes(activations.bytes)} at most on the CPU, ${
      formatBytes(activations.least)
    } of them live at one node`,
  );
  console.log(`model root  ${toHex(commitment.modelRoot)}`);
  console.log(formatTable([
    ...model.inputs.map((
      i,
    ) => [
      "input",
      i.name,
      printTensorType(model.slots[i.slot].type),
      acceptsText(i.accepts),
    ]),
    ...model.outputs.map((
      o,
    ) => [
      "output",
      o.name,
      printTensorType(model.slots[o.slot].type),
      [
        ...(model.mode === "float" ? [] : [`scale ${o.scale}`]),
        ...(o.labels ? [formatCounted(o.labels.length, "label")] : []),
      ].join(", "),
    ]),
  ]));
  console.log(formatTable(
    nodes.map((
      n,
    ) => [
      String(n.index),
      n.name,
      n.result,
      formatCount(n.leaves),
      formatCount(n.worstSteps),
    ]),
    [
      "node",
      "name",
      "result",
      "leaves",
      phases === 3 ? "steps a leaf" : "steps",
    ],
  ));
  if (options.lineage) {
    for (const n of nodes) {
      console.log(`${n.index} ${n.kernel} <- ${n.sources.join(", ")}`);
    }
  }
  if (options.kernels) {
    for (const kernel of graphOf(model).kernels) {
      console.log(`\n${printKernel(kernel)}`);
    }
  }
}

/** Adds the command's arguments and options. */
export function define(command: Command): void {
  command
    .argument("<file>", "an .onnx model or a .clm bundle")
    .option("--lineage", "which nodes of the source became which kernels")
    .option("--kernels", "print every kernel's IR")
    .option("--dim <name=size>", "size of a symbolic dimension", collect, [])
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExit code 1 if the model cannot be converted.\n\nExamples:\n  chainlearn inspect model.onnx\n  chainlearn inspect m.clm --lineage",
    )
    .action(inspect);
}
