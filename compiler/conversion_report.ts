/**
 * What a conversion says about itself: accuracy against the float model, layer by layer, bounds, lineage.
 *
 * Nothing here reaches the bundle.
 */
import { decibels } from "./graph/deterministic_math.ts";
import type { Graph } from "./graph/graph.ts";
import type { AssembledModel } from "./lower/model_builder.ts";
import type { NumericsMode } from "./model/model.ts";
import type { FixedGraph } from "./quantize/fixed_graph.ts";

/** How near one output of the converted model is to the float model, over the samples compared. */
export interface OutputAccuracy {
  readonly name: string;
  /** Cosine of the angle between the two results, the least over the samples. */
  readonly cosine: number;
  /** Largest absolute difference, in the output's real units. */
  readonly maxError: number;
  /** Samples in which the largest element is at the same place. */
  readonly sameArgmax: number;
}

/** Noise of one converted node against the float model. */
export interface LayerReport {
  readonly node: string;
  readonly kind: string;
  /** 10 log10 (signal power / noise power); Infinity where they are equal. */
  readonly signalToNoise: number;
  readonly dtype: string;
  readonly scale: number;
}

export interface ConversionReport {
  readonly mode: NumericsMode;
  readonly precision: "int8" | "int16" | "float";
  /** Samples that were given, that calibrated, and that were compared. */
  readonly given: number;
  readonly samples: number;
  readonly compared: number;
  readonly outputs: readonly OutputAccuracy[];
  readonly layers: readonly LayerReport[];
  /** The three layers of the lowest signal-to-noise ratio. */
  readonly worst: readonly LayerReport[];
  /** Proven bounds on accumulators' magnitudes. */
  readonly accumulators: readonly {
    readonly node: string;
    readonly bound: number;
  }[];
  readonly lineage: readonly {
    readonly node: string;
    readonly sources: readonly string[];
  }[];
}

/** Running comparison of two tensors. */
class Comparison {
  signal = 0;
  noise = 0;
  maxError = 0;
  cosine = 1;
  same = 0;

  add(expected: Float64Array, stored: Float64Array, scale: number): void {
    let [ab, aa, bb] = [0, 0, 0];
    let [topA, topB] = [0, 0];
    for (let i = 0; i < expected.length; i++) {
      const [a, b] = [expected[i], stored[i] * scale];
      ab += a * b;
      aa += a * a;
      bb += b * b;
      this.noise += (a - b) * (a - b);
      this.maxError = Math.max(this.maxError, Math.abs(a - b));
      if (a > expected[topA]) topA = i;
      if (b > stored[topB] * scale) topB = i;
    }
    this.signal += aa;
    const cosine = aa === 0 && bb === 0 ? 1 : ab / Math.sqrt(aa * bb);
    this.cosine = Math.min(this.cosine, cosine === cosine ? cosine : 0);
    if (topA === topB) this.same++;
  }

  ratio(): number {
    if (this.noise === 0) return Infinity;
    return this.signal === 0 ? -Infinity : decibels(this.signal / this.noise);
  }
}

/** Accuracy of outputs and layers from the values of both graphs over the same samples. */
export function compareGraphs(
  float: Graph,
  fixed: FixedGraph,
  assembled: AssembledModel,
  floatValues: readonly (readonly Float64Array[])[],
  fixedValues: readonly (readonly Float64Array[])[],
): Pick<ConversionReport, "outputs" | "layers" | "worst"> {
  const compare = (floatId: number, fixedId: number) => {
    const comparison = new Comparison();
    const { scale } = fixed.nodes[fixedId];
    floatValues.forEach((values, i) =>
      comparison.add(values[floatId], fixedValues[i][fixedId], scale)
    );
    return comparison;
  };
  const outputs = fixed.outputs.map(({ name, node }, i) => {
    const found = compare(float.outputs[i].node, node);
    const { cosine, maxError, same } = found;
    return { name, cosine, maxError, sameArgmax: same };
  });
  const layers = assembled.sources.map((id, i) => {
    const { op, source, dtype, scale } = fixed.nodes[id];
    return {
      node: assembled.nodes[i].name,
      kind: op.kind,
      signalToNoise: compare(source, id).ratio(),
      dtype,
      scale,
    };
  });
  const worst = layers.toSorted((a, b) => a.signalToNoise - b.signalToNoise)
    .slice(0, 3);
  return { outputs, layers, worst };
}
