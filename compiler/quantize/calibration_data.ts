/**
 * Calibration arrays as given, a stack of samples for each input, to values of the graph's input nodes.
 *
 * Pictures may come in the source model's own order or as [H, W, C]; the shape tells. Reading files is
 * the command line's work.
 */
import { ChainLearnError } from "../../fpvm/mod.ts";
import { transpose } from "../graph/float_reference.ts";
import type { Graph, GraphInput } from "../graph/graph.ts";
import { dtypes, elementCount, f32FromBits } from "../ir.ts";
import type { Sample } from "./calibrate.ts";
import { readers } from "../kernel/storage.ts";

/** Element types that calibration arrays may have. */
export type CalibrationDType = "u8" | "i8" | "u16" | "i16" | "i32" | "f32";

/** Samples of one input, stacked along the first axis; little-endian bytes. */
export interface CalibrationTensor {
  readonly dtype: CalibrationDType;
  /** [samples, ...the input's shape without its batch axis], axes of length 1 left out or not. */
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Arrays by the names of the model's inputs. */
export type Calibration = Readonly<Record<string, CalibrationTensor>>;

const withoutOnes = (shape: readonly number[]) =>
  shape.filter((n) => n !== 1).join("x");

/**
 * One map of values for each sample, in the order given, which the last bits of quantized biases may
 * depend on; throws naming the input that does not fit.
 */
export function readCalibration(
  graph: Graph,
  calibration: Calibration,
): Sample[] {
  const columns = graph.inputs.map((input) =>
    readInput(graph, input, calibration)
  );
  const counts = columns.map((c) => c.length);
  if (counts.some((n) => n !== counts[0])) {
    throw new ChainLearnError(
      `Cannot calibrate: expected the same number of samples for every input, found ${counts}`,
    );
  }
  return Array.from(
    { length: counts[0] ?? 0 },
    (_, i) => new Map(graph.inputs.map(({ node }, j) => [node, columns[j][i]])),
  );
}

function readInput(
  graph: Graph,
  input: GraphInput,
  calibration: Calibration,
): Float64Array[] {
  const fail = (expected: string, found: string): never => {
    throw new ChainLearnError(
      `Cannot calibrate input "${input.name}": expected ${expected}, found ${found}`,
    );
  };
  const given = Object.hasOwn(calibration, input.name)
    ? calibration[input.name]
    : fail(
      `an array "${input.name}"`,
      Object.keys(calibration).map((n) => `"${n}"`).join(", ") || "none",
    );
  const { shape: own, dtype } = graph.nodes[input.node];
  const size = elementCount(own);
  const total = elementCount(given.shape);
  const wanted = `samples of ${input.declared.join("x")}`;
  if (given.bytes.length !== total * dtypes[given.dtype].bytes) {
    fail(`${total * dtypes[given.dtype].bytes} bytes`, `${given.bytes.length}`);
  }
  if (dtype !== "f32" && given.dtype !== dtype) fail(dtype, given.dtype);
  if (total === 0 || total % size !== 0) {
    fail(wanted, `${given.shape.join("x")}`);
  }
  // The first axis counts samples, or batches of them where the model has a batch of its own.
  const rest = given.shape.slice(given.shape.length > own.length ? 1 : 0);
  const fits = (layout: readonly number[]) => {
    const one = withoutOnes(layout);
    return [given.shape.slice(1), rest, given.shape].some((s) =>
      withoutOnes(s) === one
    ) || withoutOnes(given.shape.slice(1)) === withoutOnes(layout.slice(1));
  };
  const asDeclared = fits(input.declared);
  if (!asDeclared && !fits(own)) fail(wanted, given.shape.join("x"));
  const { image } = input;
  const channelsFirst = image && image.channels > 1 && asDeclared &&
    input.declared[1] === image.channels;
  return Array.from({ length: total / size }, (_, i) => {
    const values = decode(given, i * size, size);
    if (!values.every(Number.isFinite)) {
      fail("finite values", `NaN or infinity in sample ${i}`);
    }
    return channelsFirst
      ? transpose(values, input.declared, [0, 2, 3, 1])
      : values;
  });
}

function decode(
  { dtype, bytes }: CalibrationTensor,
  from: number,
  count: number,
): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const size = dtypes[dtype].bytes;
  const read = readers[dtype];
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const value = Number(read(view, (from + i) * size));
    values[i] = dtype === "f32" ? f32FromBits(value) : value;
  }
  return values;
}
