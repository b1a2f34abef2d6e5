/**
 * How the channels of a contraction become axes of its kernel, in either graph.
 *
 * Groups of several channels get an axis of their own, so that no index needs a division.
 */
import { axis } from "../kernel/build.ts";
import type { Expr } from "../ir.ts";

/** See the head of this file. */
export interface ChannelAxes {
  /** Axes of the input's channels, after the spatial ones. */
  readonly input: readonly number[];
  /** Axes of the result's channels, after the spatial ones. */
  readonly output: readonly number[];
  /** The result's channel as indices. */
  readonly channel: readonly Expr[];
  /** Input channels that one output channel sums over. */
  readonly perGroup: number;
  /** Indices of the input's c-th channel in the group of the result's channel. */
  readonly from: (c: Expr) => readonly Expr[];
}

/** Axes of `inputs` and `outputs` channels in `groups`, the result's first one being axis `first`. */
export function channelAxes(
  inputs: number,
  outputs: number,
  groups: number,
  first: number,
): ChannelAxes {
  const [perGroup, outputsPerGroup] = [inputs / groups, outputs / groups];
  const isSplit = groups > 1 && !(perGroup === 1 && outputsPerGroup === 1);
  const output = isSplit ? [groups, outputsPerGroup] : [outputs];
  const channel = output.map((_, i) => axis(first + i));
  return {
    input: isSplit ? [groups, perGroup] : [inputs],
    output,
    channel,
    perGroup,
    from: (c) => groups === 1 ? [c] : isSplit ? [channel[0], c] : channel,
  };
}
