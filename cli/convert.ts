/** `chainlearn convert`: a model becomes a bundle, checked in the machine before it is written. */
import type { Command } from "commander";
import { dirname, join } from "node:path";
import {
  type Calibration,
  type CalibrationDType,
  type Commitment,
  commitModel,
  type CommittedProgram,
  type ConversionReport,
  convertOnnx,
  graphOf,
  inPhases,
  type Phases,
  phasesOf,
  printKernel,
  printLeafProgram,
  validateModel,
  writeBundle,
} from "../compiler/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import { probeInput, selfCheck } from "../runtime/mod.ts";
import { withExecutor } from "./bundles.ts";
import { exists, readFile, readText, stem, writeFile } from "./files.ts";
import { readNpz } from "./inputs.ts";
import { collect, parseChoice } from "./options.ts";
import {
  formatBytes,
  formatCount,
  formatCounted,
  formatSeconds,
  formatTable,
  note,
  paint,
  printJson,
  progressBar,
  toHex,
} from "./terminal.ts";

const precisions = ["auto", "int8", "int16", "float"] as const;

const phaseChoices = ["1", "2", "3"] as const;

interface ConvertCommandOptions {
  output?: string;
  phases: (typeof phaseChoices)[number];
  precision: (typeof precisions)[number];
  calibrate?: string;
  labels?: string;
  dim: string[];
  maxDrop?: number;
  emit?: string;
  json?: boolean;
}

const calibrationTypes: Record<string, CalibrationDType> = {
  u1: "u8",
  i1: "i8",
  u2: "u16",
  i2: "i16",
  i4: "i32",
  f4: "f32",
};
const arrayTypes = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  i32: Int32Array,
  f32: Float32Array,
};

/** Calibration arrays by input name. */
export async function readCalibrationFile(path: string): Promise<Calibration> {
  const calibration: Record<string, Calibration[string]> = {};
  for (const [name, array] of await readNpz(path)) {
    const dtype = calibrationTypes[array.dtype];
    if (!dtype) {
      throw new ChainLearnError(
        `Cannot calibrate with ${path}: array "${name}": expected one of ${
          Object.keys(calibrationTypes).join(", ")
        }, found ${array.dtype}`,
      );
    }
    const values = new arrayTypes[dtype](array.values as ArrayLike<number>);
    calibration[name] = {
      dtype,
      shape: array.shape,
      bytes: new Uint8Array(values.buffer),
    };
  }
  return calibration;
}

/** Sizes of symbolic dimensions from `name=size`. */
export function parseDims(specs: readonly string[]): Record<string, number> {
  return Object.fromEntries(specs.map((spec) => {
    const [name, size] = spec.split("=");
    if (!name || !/^[1-9]\d*$/.test(size ?? "")) {
      throw new ChainLearnError(
        `Cannot read --dim ${spec}: expected name=size with a size of at least 1`,
      );
    }
    return [name, Number(size)];
  }));
}

/** Class names: of the given file, else of labels.txt beside the model, else none. */
export async function labelsFor(
  model: string,
  given?: string,
): Promise<string[] | undefined> {
  const beside = join(dirname(model), "labels.txt");
  const path = given ?? (await exists(beside) ? beside : undefined);
  if (path === undefined) return undefined;
  return (await readText(path, "labels")).split(/\r?\n/).filter((line) =>
    line !== ""
  );
}

async function convert(
  path: string,
  options: ConvertCommandOptions,
): Promise<void> {
  const started = performance.now();
  if (!path.endsWith(".onnx")) {
    throw new ChainLearnError(
      `Cannot convert ${path}: expected a .onnx file, found another ending`,
    );
  }
  const bytes = await readFile(path, "model");
  const beside = path.replace(/\.[^.]+$/, ".calib.npz");
  const calibrationFile = options.calibrate ??
    (await exists(beside) ? beside : undefined);
  const isFloat = options.precision === "float" ||
    (calibrationFile === undefined && options.precision === "auto");
  const { model: converted, report } = convertOnnx(bytes, {
    name: stem(path),
    ...(isFloat || calibrationFile === undefined
      ? {}
      : { calibration: await readCalibrationFile(calibrationFile) }),
    precision: options.precision,
    dims: parseDims(options.dim),
    labels: await labelsFor(path, options.labels),
  });
  validateModel(converted);
  const model = inPhases(converted, Number(options.phases) as Phases);
  validateModel(model);
  const commitment = commitModel(model);
  const progress = progressBar("Self-check");
  const check = await withExecutor(model, "cpu", (executor) => {
    const inputs = model.inputs.map((input) =>
      probeInput(model.slots[input.slot].type)
    );
    return selfCheck(commitment, executor, inputs, progress.update);
  }).finally(progress.stop);
  requireAccuracy(report, options.maxDrop);
  const output = options.output ?? `${stem(path)}.clm`;
  const bundle = writeBundle(commitment);
  await writeFile(output, bundle, "bundle");
  if (options.emit !== undefined) await emitKernels(commitment, options.emit);
  const seconds = (performance.now() - started) / 1000;
  if (options.json) {
    return printJson({
      bundle: output,
      bytes: bundle.length,
      modelRoot: commitment.modelRoot,
      nodes: model.nodes.length,
      phases: phasesOf(model),
      seconds,
      selfCheck: check,
      report,
    });
  }
  if (!isFloat) printReport(report);
  console.log(`model root  ${toHex(commitment.modelRoot)}`);
  note(
    `Self-check: ${
      check.leaves === 1 ? "1 leaf" : `${formatCount(check.leaves)} leaves`
    } in the machine (${formatCount(check.steps)} steps), ${
      check.whole ? "the whole model" : "a sample"
    }, equal to the CPU`,
  );
  note(
    paint.green(
      `Wrote ${output}: ${formatBytes(bundle.length)}, ${
        formatCounted(model.nodes.length, "node")
      }, ${modeOf(report)}, ${formatSeconds(seconds)}`,
    ),
  );
  if (isFloat && options.precision === "auto") {
    note(
      `Float mode, because there is no ${beside}: exact, but slower everywhere, most of all in a dispute. Sample inputs in that file give a fixed-point model`,
    );
  }
}

const modeOf = ({ mode, precision }: ConversionReport) =>
  mode === "float" ? "float mode" : `fixed mode (${precision})`;

/** Fails with exit code 1 where the answer changed in more than the allowed share of samples. */
function requireAccuracy(report: ConversionReport, maxDrop?: number): void {
  if (maxDrop === undefined) return;
  for (const output of report.outputs) {
    const drop = 100 * (1 - output.sameArgmax / Math.max(1, report.compared));
    if (drop > maxDrop) {
      throw new ChainLearnError(
        `Cannot accept output "${output.name}": expected at most ${maxDrop} % of samples to change, found ${
          drop.toFixed(1)
        } %`,
        {
          exitCode: 1,
          hint: "Give more calibration samples, or --precision int16",
        },
      );
    }
  }
}

function printReport(report: ConversionReport): void {
  console.log(formatTable(
    report.outputs.map((
      o,
    ) => [
      o.name,
      o.cosine.toFixed(6),
      o.maxError.toPrecision(3),
      `${o.sameArgmax}/${report.compared}`,
    ]),
    ["output", "cosine to float", "largest error", "same top-1"],
  ));
  console.log(formatTable(
    report.worst.map((
      l,
    ) => [l.node, l.kind, l.signalToNoise.toFixed(1), l.dtype]),
    ["noisiest layers", "kind", "dB", "type"],
  ));
}

/** Writes the IR and the machine code of every kernel as text; of a single-phase model one program of all. */
async function emitKernels(
  commitment: Commitment,
  folder: string,
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const { model, programs, nodePrograms } = commitment;
  const emitCode = (name: string, program: CommittedProgram) =>
    writeFile(
      join(folder, `${name}.mips`),
      printLeafProgram(program),
      "program",
    );
  if (model.body) await emitCode(stem(model.name), programs[0]);
  for (const [i, kernel] of graphOf(model).kernels.entries()) {
    const name = `${i}_${kernel.name}`;
    const text = printKernel(kernel) + "\n";
    await writeFile(join(folder, `${name}.ir`), text, "kernel");
    if (model.body) continue;
    const node = model.nodes.findIndex((n) => n.kernel === i);
    await emitCode(name, programs[nodePrograms[node]]);
  }
}

/** Adds the command's arguments and options. */
export function define(command: Command): void {
  command
    .argument("<model>", "an ONNX file")
    .option(
      "-o, --output <file>",
      "the bundle (default: the model's name with .clm, here)",
    )
    .option(
      "-p, --precision <kind>",
      "auto, int8, int16 or float",
      parseChoice(precisions),
      "auto",
    )
    .option(
      "-c, --calibrate <file>",
      "sample inputs, .npz (default: MODEL.calib.npz beside the model)",
    )
    .option(
      "-l, --labels <file>",
      "one class name a line (default: labels.txt beside the model)",
    )
    .option("--dim <name=size>", "size of a symbolic dimension", collect, [])
    .option(
      "--phases <count>",
      "of a dispute: 3, 2 (a program per node) or 1 (one program in all)",
      parseChoice(phaseChoices),
      "3",
    )
    .option(
      "--max-drop <percent>",
      "fail if more answers than this change",
      Number,
    )
    .option(
      "--emit <folder>",
      "write the IR and the machine code of every kernel",
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExamples:\n  chainlearn convert model.onnx\n  chainlearn convert model.onnx -o m.clm --calibrate samples.npz --dim batch=1",
    )
    .action(convert);
}
