/**
 * The quantized graph: every value an integer tensor with a scale, every node one future kernel.
 *
 * `quantize.ts` makes it from the float graph, `fixed_reference.ts` evaluates it, `lower/fixed*.ts` turns
 * each node into a kernel. A real value is element * scale; the zero point is 0 throughout.
 */
import type { Window } from "../graph/graph.ts";
import type { DType } from "../ir.ts";

export type FixedId = number;

/** A multiplier m in [2^30, 2^31) or 0 and a shift s in 1 .. 62: the factor m / 2^s. */
export interface Multiplier {
  readonly m: number;
  readonly s: number;
}

/** Bounds of the stored integers. */
export interface Bounds {
  readonly lo: number;
  readonly hi: number;
}

/** Per-channel parameters of an accumulator: bias, and what brings it to the result's scale. */
export interface ChannelParameters {
  readonly bias: Int32Array;
  readonly m: Int32Array;
  readonly s: Int32Array;
}

export type FixedOp =
  | { readonly kind: "input" }
  | { readonly kind: "constant"; readonly data: Float64Array }
  /** clamp(requantize(bias + sum of w * x)); without windows a product with rows. */
  | {
    readonly kind: "contract";
    readonly weight: Int8Array;
    readonly parameters: ChannelParameters;
    readonly windows: readonly Window[];
    readonly groups: number;
    readonly bounds: Bounds;
  }
  /** A product of two activations in i64, shifted right by `preShift` before the multiplier. */
  | {
    readonly kind: "matmul";
    readonly preShift: number;
    readonly multiplier: Multiplier;
    readonly bounds: Bounds;
  }
  /** clamp(requantize(x * factor + bias)) by channel, or one for all. */
  | {
    readonly kind: "affine";
    /** Elements from one channel to the next. */
    readonly inner: number;
    readonly factor: Int32Array;
    readonly parameters: ChannelParameters;
    readonly bounds: Bounds;
  }
  /** clamp((sum of x_i * m_i + offset + 2^(s-1)) >> s), broadcast. */
  | {
    readonly kind: "sum";
    readonly multipliers: readonly number[];
    readonly offset: bigint;
    readonly s: number;
    readonly bounds: Bounds;
  }
  /** clamp(requantize(a * b)), broadcast. */
  | {
    readonly kind: "product";
    readonly multiplier: Multiplier;
    readonly bounds: Bounds;
  }
  /** clamp(requantize((a << 16) / b)) with the multiplier applied before the division. */
  | {
    readonly kind: "quotient";
    readonly multiplier: Multiplier;
    readonly bounds: Bounds;
  }
  /** table[x - first], clamped to the table's ends. */
  | {
    readonly kind: "table";
    readonly table: Int16Array;
    readonly first: number;
  }
  | { readonly kind: "clamp"; readonly bounds: Bounds }
  | { readonly kind: "max_pool"; readonly windows: readonly Window[] }
  /** Exact sums, then a multiplier for every place [OH, OW], or one for all. */
  | {
    readonly kind: "average_pool";
    readonly windows: readonly Window[];
    readonly m: Int32Array;
    readonly s: Int32Array;
    readonly bounds: Bounds;
  }
  /** See softmax.ts for the tables. */
  | { readonly kind: "softmax"; readonly tables: ExpTables }
  | {
    readonly kind: "log_softmax";
    readonly tables: ExpTables;
    /** Factors of (max - x) and of the Q20 logarithm, with one shift. */
    readonly xFactor: number;
    readonly logFactor: number;
    readonly s: number;
    readonly bounds: Bounds;
  }
  | { readonly kind: "argmax"; readonly last: boolean }
  | { readonly kind: "view" }
  | { readonly kind: "transpose"; readonly perm: readonly number[] }
  | {
    readonly kind: "pad";
    readonly before: readonly number[];
    readonly value: number;
  }
  | { readonly kind: "concat"; readonly axis: number }
  | { readonly kind: "slice"; readonly starts: readonly number[] }
  /** The same integers in another storage type, clamped to its range. */
  | { readonly kind: "copy" };

/** e^(-d * scale) of d = 256 * h + l is high[h] * low[l], both with 30 fraction bits. */
export interface ExpTables {
  readonly high: Int32Array;
  readonly low: Int32Array;
  /** Fraction bits of one exponential, so that a row's sum stays below 2^31. */
  readonly bits: number;
}

export interface FixedNode {
  readonly name: string;
  readonly op: FixedOp;
  readonly inputs: readonly FixedId[];
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly scale: number;
  readonly lineage: readonly string[];
  /** The node of the float graph with the same meaning, for reports. */
  readonly source: number;
  /** A proven bound on the accumulator's magnitude. */
  readonly accumulator?: number;
}

export interface FixedGraph {
  readonly nodes: readonly FixedNode[];
  readonly inputs: readonly { readonly name: string; readonly node: FixedId }[];
  readonly outputs: readonly {
    readonly name: string;
    readonly node: FixedId;
  }[];
}
