/**
 * Weights of a contraction as int8 with one scale for each output channel, and the proof that its 32-bit
 * accumulator cannot wrap: sum|w| * max|x| + |bias| < 2^31 for every row, from the actual weights.
 */
import { ChainLearnError } from "../../fpvm/mod.ts";
import type { ContractWeights } from "../graph/graph.ts";
import type { ChannelParameters } from "./fixed_graph.ts";
import { quantizeMultiplier } from "./multiplier.ts";
import { type Group, limitOf, scaleOf } from "./scales.ts";

const ACCUMULATOR_LIMIT = 2 ** 31 - 1;
/** Most that a bias may take of the accumulator. */
const BIAS_LIMIT = 2 ** 29;

export interface QuantizedWeights {
  readonly weight: Int8Array;
  /** Real value of one step, by row; 0 for a row of zeros without bias. */
  readonly scales: Float64Array;
  /** sum |w| by row. */
  readonly magnitudes: Float64Array;
  readonly bias: Float64Array;
}

/**
 * Rows scaled so that the largest weight is 127 and the bias fits beside the sum.
 *
 * `means` are those of the input's channels: what rounding the weights does to the mean of a row's sum
 * goes back into its bias (Nagel et al. 2019, section 4.2).
 */
export function quantizeWeights(
  { weight, bias: exact, outputs, inputs }: ContractWeights,
  input: Group,
  means: Float64Array | undefined,
  groups: number,
): QuantizedWeights {
  const bias = exact.slice();
  const row = weight.length / outputs;
  const quantized = new Int8Array(weight.length);
  const scales = new Float64Array(outputs);
  const magnitudes = new Float64Array(outputs);
  const step = scaleOf(input);
  for (let o = 0; o < outputs; o++) {
    let largest = 0;
    for (let k = o * row; k < (o + 1) * row; k++) {
      largest = Math.max(largest, Math.abs(weight[k]));
    }
    const scale = Math.max(
      largest / 127,
      Math.abs(bias[o]) / (step * BIAS_LIMIT),
    );
    scales[o] = scale;
    if (scale === 0) continue;
    const channel = Math.floor(o / (outputs / groups)) * inputs;
    for (let k = o * row; k < (o + 1) * row; k++) {
      quantized[k] = Math.round(weight[k] / scale);
      magnitudes[o] += Math.abs(quantized[k]);
      const mean = means ? means[channel + k % inputs] : 0;
      bias[o] += (weight[k] - quantized[k] * scale) * mean;
    }
  }
  return { weight: quantized, scales, magnitudes, bias };
}

/** Lowers the input's bits until no row's accumulator can wrap. */
export function limitBits(
  name: string,
  weights: QuantizedWeights,
  input: Group,
): void {
  while (accumulatorBound(weights, input) > ACCUMULATOR_LIMIT) {
    if (input.forced || input.bits <= 8) {
      throw new ChainLearnError(
        `Cannot quantize "${name}": expected an accumulator below 2^31, found up to ${
          accumulatorBound(weights, input)
        }`,
        { hint: "Split the contraction, or convert with --precision float" },
      );
    }
    input.bits--;
  }
}

/** The largest magnitude that any row's accumulator can reach. */
export function accumulatorBound(
  { scales, magnitudes, bias }: QuantizedWeights,
  input: Group,
): number {
  const [limit, step] = [limitOf(input), scaleOf(input)];
  let bound = 0;
  for (let o = 0; o < scales.length; o++) {
    if (scales[o] === 0) continue;
    const offset = Math.abs(Math.round(bias[o] / (step * scales[o])));
    bound = Math.max(bound, magnitudes[o] * limit + offset);
  }
  return bound;
}

/** Biases in the accumulator's scale, and the factors that lead to the result's. */
export function channelParameters(
  { scales, bias }: QuantizedWeights,
  input: Group,
  resultScale: number,
): ChannelParameters {
  const count = scales.length;
  const step = scaleOf(input);
  const parameters = {
    bias: new Int32Array(count),
    m: new Int32Array(count),
    s: new Int32Array(count).fill(1),
  };
  for (let o = 0; o < count; o++) {
    if (scales[o] === 0) continue;
    parameters.bias[o] = Math.round(bias[o] / (step * scales[o]));
    const { m, s } = quantizeMultiplier(step * scales[o] / resultScale);
    parameters.m[o] = m;
    parameters.s[o] = s;
  }
  return parameters;
}
