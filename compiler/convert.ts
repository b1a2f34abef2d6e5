/**
 * ONNX file to model: import, fold, calibrate, quantize, lower, report.
 *
 * Same bytes and options, same model, on every machine. Files, bundles and the self-check in the virtual
 * machine belong to others.
 */
import { ChainLearnError } from "../fpvm/mod.ts";
import {
  type Calibration,
  readCalibration,
} from "./quantize/calibration_data.ts";
import { compareGraphs, type ConversionReport } from "./conversion_report.ts";
import type { Graph, GraphNode } from "./graph/graph.ts";
import { importOnnx } from "./import/onnx/importer.ts";
import { elementCount } from "./ir.ts";
import { lowerFixed } from "./lower/fixed_model.ts";
import { lowerFloat } from "./lower/float_model.ts";
import type { AssembledModel } from "./lower/model_builder.ts";
import type { Input, Model, Output } from "./model/model.ts";
import { foldContractions } from "./passes/fold.ts";
import { fuseMaps } from "./passes/fuse.ts";
import { calibrate, type Sample } from "./quantize/calibrate.ts";
import { evaluateFixed } from "./quantize/fixed_reference.ts";
import type { FixedGraph } from "./quantize/fixed_graph.ts";
import { type FixedPrecision, quantizeGraph } from "./quantize/quantize.ts";

/** Samples on which the converted model is compared with the float model. */
const COMPARED_SAMPLES = 8;
/** Multiplications that calibration may take in all, and samples that it uses in any case. */
const CALIBRATION_WORK = 2 ** 27;
const LEAST_SAMPLES = 16;
/** Elements of all values together that calibration holds in memory, 8 bytes each. */
const MAX_VALUES = 2 ** 27;

export interface ConvertOptions {
  /** The model's name in the bundle. */
  readonly name: string;
  readonly calibration?: Calibration;
  /** `auto`: int16 with calibration data, float without. */
  readonly precision?: "auto" | "int8" | "int16" | "float";
  /** Sizes of symbolic dimensions by their names; a batch axis is 1 unless it is named here. */
  readonly dims?: Readonly<Record<string, number>>;
  /** Names of the classes, given to every output whose last axis has as many elements. */
  readonly labels?: readonly string[];
}

export interface Conversion {
  readonly model: Model;
  readonly report: ConversionReport;
}

/** Converts an ONNX file; throws a ChainLearnError with every problem found. */
export function convertOnnx(
  bytes: Uint8Array,
  options: ConvertOptions,
): Conversion {
  const { graph, problems } = importOnnx(
    bytes,
    options.dims ?? {},
    options.name,
  );
  if (!graph) {
    throw new ChainLearnError(
      `Cannot convert "${options.name}": ${
        problems.length === 1
          ? problems[0]
          : `${problems.length} problems:\n  ${problems.join("\n  ")}`
      }`,
      { problems: [...problems] },
    );
  }
  const folded = foldContractions(graph);
  const { calibration, precision = "auto" } = options;
  if (precision === "float" || (precision === "auto" && !calibration)) {
    return convertFloat(folded, options);
  }
  if (!calibration) {
    throw new ChainLearnError(
      `Cannot convert "${options.name}" to ${precision}: expected calibration data, found none`,
      { hint: "Put sample inputs into MODEL.calib.npz, or give --calibrate" },
    );
  }
  const fixed = precision === "int8" ? "int8" : "int16";
  return convertFixed(folded, options, calibration, fixed);
}

function convertFixed(
  folded: Graph,
  options: ConvertOptions,
  calibration: Calibration,
  precision: FixedPrecision,
): Conversion {
  const float = foldContractions(fuseMaps(folded, "unary"));
  const given = readCalibration(float, calibration);
  const samples = withinWork(float, given);
  const { observations, values } = calibrate(
    float,
    samples,
    precision === "int8",
    COMPARED_SAMPLES,
  );
  const fixed = quantizeGraph(float, observations, precision);
  const assembled = lowerFixed(fixed);
  const stored = samples.slice(0, COMPARED_SAMPLES).map((sample) =>
    evaluateFixed(fixed, storedInputs(float, fixed, sample))
  );
  const report: ConversionReport = {
    mode: "fixed",
    precision,
    given: given.length,
    samples: samples.length,
    compared: stored.length,
    ...compareGraphs(float, fixed, assembled, values, stored),
    accumulators: assembled.sources.flatMap((id, i) => {
      const bound = fixed.nodes[id].accumulator;
      return bound === undefined
        ? []
        : [{ node: assembled.nodes[i].name, bound }];
    }),
    lineage: lineageOf(assembled),
  };
  const scales = fixed.outputs.map((o) => fixed.nodes[o.node].scale);
  const inputScales = fixed.inputs.map((i) => fixed.nodes[i.node].scale);
  const ports = portsOf(float, assembled, options, scales, inputScales);
  return { model: { ...ports, mode: "fixed" }, report };
}

function convertFloat(folded: Graph, options: ConvertOptions): Conversion {
  const float = foldContractions(fuseMaps(folded, "all"));
  const assembled = lowerFloat(float);
  const ones = float.outputs.map(() => 1);
  const model = portsOf(float, assembled, options, ones, []);
  return {
    model: { ...model, mode: "float" },
    report: {
      mode: "float",
      precision: "float",
      given: 0,
      samples: 0,
      compared: 0,
      outputs: [],
      layers: [],
      worst: [],
      accumulators: [],
      lineage: lineageOf(assembled),
    },
  };
}

/** As many samples, evenly spaced, as calibration can take in reasonable time. */
function withinWork(graph: Graph, samples: readonly Sample[]): Sample[] {
  const size = graph.nodes.reduce((n, node) => n + elementCount(node.shape), 0);
  if (size > MAX_VALUES) {
    throw new ChainLearnError(
      `Cannot calibrate: expected at most ${MAX_VALUES} values in one run, found ${size}`,
      { hint: "Convert with --precision float, or with smaller inputs" },
    );
  }
  const work = graph.nodes.reduce((sum, node) => sum + workOf(node), 0);
  const most = Math.max(LEAST_SAMPLES, Math.floor(CALIBRATION_WORK / work));
  if (samples.length <= most) return [...samples];
  const step = samples.length / most;
  return Array.from({ length: most }, (_, i) => samples[Math.floor(i * step)]);
}

/** Multiplications of a node, roughly. */
function workOf(node: GraphNode): number {
  const { primitive, shape } = node;
  const count = elementCount(shape);
  if (primitive.kind !== "contract") return count;
  const { weights } = primitive;
  return count * weights.weight.length / weights.outputs;
}

/** A sample as the integers that the quantized graph eats. */
function storedInputs(
  float: Graph,
  fixed: FixedGraph,
  sample: Sample,
): Float64Array[] {
  return fixed.inputs.map(({ node }, i) => {
    const values = sample.get(float.inputs[i].node)!;
    const { scale, dtype } = fixed.nodes[node];
    if (float.nodes[float.inputs[i].node].dtype !== "f32") return values;
    const limit = dtype === "i8" ? 127 : 32767;
    return values.map((x) =>
      Math.max(Math.min(Math.round(x / scale), limit), -limit)
    );
  });
}

function lineageOf(assembled: AssembledModel): ConversionReport["lineage"] {
  return assembled.nodes.map(({ name, lineage }) => ({
    node: name,
    sources: lineage,
  }));
}

/** The model's inputs and outputs around assembled nodes; no input scales means float. */
function portsOf(
  graph: Graph,
  assembled: AssembledModel,
  options: ConvertOptions,
  scales: readonly number[],
  inputScales: readonly number[],
): Omit<Model, "mode"> {
  const { labels } = options;
  const inputs = graph.inputs.map((input, i): Input => {
    const { dtype } = graph.nodes[input.node];
    const scale = dtype === "f32" ? inputScales[i] : undefined;
    return {
      name: input.name,
      slot: assembled.inputSlots[i],
      role: "data",
      accepts: input.image
        ? { kind: "image", ...input.image }
        : { kind: "tensor", ...(scale === undefined ? {} : { scale }) },
    };
  });
  const outputs = graph.outputs.map(({ name, node }, i): Output => {
    const { shape, dtype } = graph.nodes[node];
    const fits = labels && (dtype !== "f32" || shape.at(-1) === labels.length);
    return { name, slot: i, scale: scales[i], ...(fits ? { labels } : {}) };
  });
  const { kernels, nodes, constants, slots, kept } = assembled;
  return {
    name: options.name,
    kernels,
    nodes,
    constants,
    slots,
    inputs,
    outputs,
    schedule: { kind: "fixed", iterations: 1 },
    kept,
  };
}
