/**
 * Ranges of every value of a float graph over sample inputs.
 *
 * The histogram's bins have power-of-two widths and merge in pairs when the range grows, so it is the
 * same as if the final width had been known from the start. Means depend on the order of the samples in
 * their last bits: the order of the calibration data is part of the input.
 */
import { evaluateGraph } from "../graph/float_reference.ts";
import type { Graph, NodeId } from "../graph/graph.ts";

const BINS = 4096;

/** Values of the graph's input nodes for one sample. */
export type Sample = ReadonlyMap<NodeId, Float64Array>;

/** Magnitudes seen at one node. */
export class Observation {
  min = Infinity;
  max = -Infinity;
  #width = 1 / 2 ** 40;
  readonly #bins = new Float64Array(BINS);
  #count = 0;
  #sums = new Float64Array();
  #rows = 0;

  /** Takes note of values; `histogram` also counts them. */
  add(values: Float64Array, histogram: boolean): void {
    let { min, max } = this;
    for (let i = 0; i < values.length; i++) {
      const x = values[i];
      if (x < min) min = x;
      if (x > max) max = x;
    }
    this.min = min;
    this.max = max;
    if (histogram) this.#countAll(values);
  }

  #countAll(values: Float64Array): void {
    const top = Math.max(Math.abs(this.min), Math.abs(this.max));
    while (top >= this.#width * BINS) this.#merge();
    const inverse = 1 / this.#width;
    for (let i = 0; i < values.length; i++) {
      this.#bins[Math.floor(Math.abs(values[i]) * inverse)]++;
    }
    this.#count += values.length;
  }

  #merge(): void {
    for (let i = 0; i < BINS; i++) {
      this.#bins[i] = i < BINS / 2
        ? this.#bins[2 * i] + this.#bins[2 * i + 1]
        : 0;
    }
    this.#width *= 2;
  }

  /** Adds up values by channel, the last axis; sums depend on the order of samples. */
  addMeans(values: Float64Array, channels: number): void {
    if (this.#rows === 0) this.#sums = new Float64Array(channels);
    const sums = this.#sums;
    for (let i = 0, c = 0; i < values.length; i++) {
      sums[c] += values[i];
      if (++c === channels) c = 0;
    }
    this.#rows += values.length / channels;
  }

  /** Mean of each channel, if they were added up. */
  means(): Float64Array | undefined {
    if (this.#rows === 0) return undefined;
    return this.#sums.map((sum) => sum / this.#rows);
  }

  /** Largest magnitude. */
  magnitude(): number {
    return Math.max(Math.abs(this.min), Math.abs(this.max), 0);
  }

  /** A magnitude that all but the fraction 1 - p of the values do not exceed. */
  percentile(p: number): number {
    let seen = 0;
    for (let i = 0; i < BINS; i++) {
      seen += this.#bins[i];
      if (seen >= p * this.#count) {
        return Math.min((i + 1) * this.#width, this.magnitude());
      }
    }
    return this.magnitude();
  }
}

/** Observes every node of the graph over all samples; gives the values of the first `kept` samples too. */
export function calibrate(
  graph: Graph,
  samples: readonly Sample[],
  histogram: boolean,
  kept: number,
): { observations: Observation[]; values: Float64Array[][] } {
  const observations = graph.nodes.map(() => new Observation());
  const values: Float64Array[][] = [];
  const contracted = new Set(
    graph.nodes.flatMap((n) => n.primitive.kind === "contract" ? n.inputs : []),
  );
  samples.forEach((sample, i) => {
    const result = evaluateGraph(graph, sample);
    graph.nodes.forEach((node, id) => {
      if (node.primitive.kind !== "constant") {
        observations[id].add(result[id], histogram);
      }
      if (contracted.has(id)) {
        observations[id].addMeans(
          result[id],
          node.shape[node.shape.length - 1],
        );
      }
    });
    if (i < kept) values.push(result);
  });
  return { observations, values };
}
