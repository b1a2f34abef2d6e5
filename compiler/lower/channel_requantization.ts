/**
 * Requantization by channel: bias, multiplier and shift as rows of one constant, and the kernel's end that reads them.
 *
 * The rule is `requantize` of kernel/build.ts. Its form is chosen from the parameters: where a kernel proves its shift
 * above 32, the low word of the product needs no attention, which is half the steps of a requantization on a machine
 * of 32 bits.
 */
import {
  add,
  and,
  load,
  type Operand,
  requantize,
  shl,
} from "../kernel/build.ts";
import { storedIntervals } from "../kernel/intervals.ts";
import type { DType, Expr } from "../ir.ts";
import type { Bounds, ChannelParameters } from "../quantize/fixed_graph.ts";
import { constantOperand, type OperandSource } from "./lowering.ts";

/** Shifts lie in one of these ranges as a rule: 16 numbers from each of these on. Few of them keep kernels shared. */
const SHIFTS = 16;
const LEAST_SHIFTS = [33, 40, 47];

/** Accumulators may be raised by so many bits first, and their shifts with them. */
const RAISES = [0, 4, 8];

/** How a kernel finds its shift: `least` plus the stored rest, for an accumulator times 2^raise. */
interface ShiftForm {
  readonly raise: number;
  readonly least: number;
}

/** The largest magnitude of a channel's sum of products with stored values of the type; weights lie by channel. */
export function largestSum(
  weights: ArrayLike<number>,
  channels: number,
  dtype: DType,
): number {
  const { lo, hi } = storedIntervals[dtype];
  const largest = Math.max(Number(-lo), Number(hi));
  const perChannel = weights.length / channels;
  let most = 0;
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    for (let i = 0; i < perChannel; i++) {
      sum += Math.abs(weights[c * perChannel + i]);
    }
    most = Math.max(most, sum);
  }
  return most * largest;
}

/** One node's parameters and their form. */
export class ChannelRequantization {
  readonly #parameters: ChannelParameters;
  readonly #bounds: Bounds;
  readonly #form: ShiftForm | undefined;

  /** `largest`: bound of the accumulators' magnitude before the bias. */
  constructor(
    { parameters, bounds }: {
      readonly parameters: ChannelParameters;
      readonly bounds: Bounds;
    },
    largest: number,
  ) {
    this.#parameters = parameters;
    this.#bounds = bounds;
    this.#form = shiftForm(parameters, largest);
  }

  /** Biases, multipliers and shifts as one tensor [3, channels], before optional further rows. */
  operand(
    shape: readonly number[],
    more: readonly Int32Array[] = [],
  ): OperandSource {
    const { bias, m, s } = this.#parameters;
    const form = this.#form;
    const shifts = form
      ? s.map((x, i) => m[i] === 0 ? 0 : x + form.raise - form.least)
      : s;
    const rows = [bias, m, shifts, ...more];
    const values = Int32Array.from(rows.flatMap((row) => [...row]));
    return constantOperand("parameters", values, "i32", [
      rows.length,
      ...shape,
    ]);
  }

  /** The result of an accumulator: bias, requantization and bounds. */
  apply(acc: Expr, q: Operand, channel: readonly Expr[]): Expr {
    const row = (r: number) => load(q, r, ...channel);
    const { lo, hi } = this.#bounds;
    const sum = add(acc, row(0));
    if (!this.#form) return requantize(sum, row(1), row(2), 0, lo, hi);
    const { raise, least } = this.#form;
    const shift = add(and(row(2), SHIFTS - 1), least);
    return requantize(shl(sum, raise), row(1), shift, 0, lo, hi);
  }
}

/** A form that holds all shifts, raised without loss; undefined if there is none. Where m is 0 any shift gives 0. */
function shiftForm(
  { bias, m, s }: ChannelParameters,
  largest: number,
): ShiftForm | undefined {
  const most = largest + bias.reduce((b, x) => Math.max(b, Math.abs(x)), 0);
  for (const raise of RAISES) {
    if (raise > 0 && most * (1 << raise) >= 2 ** 31) return undefined;
    const least = LEAST_SHIFTS.find((least) =>
      s.every((x, i) =>
        m[i] === 0 || (x + raise >= least && x + raise < least + SHIFTS)
      )
    );
    if (least !== undefined) return { raise, least };
  }
  return undefined;
}
