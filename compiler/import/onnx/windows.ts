/**
 * What Conv and the pools share: windows from attributes, and the move to channels-last and back.
 */
import type { NodeId, Window } from "../../graph/graph.ts";
import type { GraphBuilder } from "../../graph/graph_builder.ts";
import type { NodeContext } from "./operator.ts";

/** Most elements in one window. */
const MAX_WINDOW = 2 ** 20;

/** Windows of a node over spatial sizes, from kernel_shape, strides, pads, dilations and auto_pad. */
export function readWindows(
  context: NodeContext,
  spatial: readonly number[],
  kernel: readonly number[],
  roundUp = false,
): Window[] {
  const rank = spatial.length;
  if (rank < 1 || rank > 2) {
    context.fail("1 or 2 spatial axes", String(rank));
  }
  const list = (name: string, otherwise: number, length = rank) => {
    const values = context.ints(name) ?? new Array(length).fill(otherwise);
    if (values.length !== length) {
      context.fail(`${length} values in "${name}"`, `[${values}]`);
    }
    return values;
  };
  const strides = list("strides", 1);
  const dilations = list("dilations", 1);
  const pads = list("pads", 0, 2 * rank);
  const positive = [...kernel, ...strides, ...dilations];
  if (kernel.length !== rank || positive.some((n) => n < 1 || n > 2 ** 24)) {
    context.fail(
      "kernel shape, strides and dilations of positive numbers",
      `[${kernel}], [${strides}], [${dilations}]`,
    );
  }
  if (kernel.reduce((a, b) => a * b, 1) > MAX_WINDOW) {
    context.fail(`windows of at most ${MAX_WINDOW} elements`, `[${kernel}]`);
  }
  if (pads.some((n) => n < 0 || n > 2 ** 24)) {
    context.fail("pads of 0 or more", `[${pads}]`);
  }
  return spatial.map((size, i) => {
    const dilation = dilations[i];
    const axis = {
      size,
      span: dilation * (kernel[i] - 1) + 1,
      stride: strides[i],
    };
    const given: [number, number] = [pads[i], pads[i + rank]];
    const [before, auto] = autoPads(context, axis, given);
    const after = roundUp ? coverLast(axis, before, auto) : auto;
    checkPlaces(context, axis, before + after);
    return {
      size: kernel[i],
      stride: axis.stride,
      dilation,
      padBefore: before,
      padAfter: after,
    };
  });
}

/** One spatial axis: its size, what a window spans of it, and how far windows are apart. */
interface Axis {
  readonly size: number;
  readonly span: number;
  readonly stride: number;
}

/** The padding that auto_pad asks for, else what is given. */
function autoPads(
  context: NodeContext,
  { size, span, stride }: Axis,
  given: [number, number],
): [number, number] {
  const mode = context.string("auto_pad", "NOTSET") || "NOTSET";
  const covered = (Math.ceil(size / stride) - 1) * stride + span;
  const total = Math.max(covered - size, 0);
  const small = Math.floor(total / 2);
  switch (mode) {
    case "NOTSET":
      return given;
    case "VALID":
      return [0, 0];
    case "SAME_UPPER":
      return [small, total - small];
    case "SAME_LOWER":
      return [total - small, small];
    default:
      return context.fail(
        "auto_pad NOTSET, SAME_UPPER, SAME_LOWER or VALID",
        mode,
      );
  }
}

/** Padding behind for ceil_mode: one more window where it starts inside the input or before it. */
function coverLast(
  { size, span, stride }: Axis,
  before: number,
  after: number,
): number {
  const most = Math.ceil((size + before + after - span) / stride) + 1;
  const starts = (most - 1) * stride < size + before;
  const last = starts ? most : most - 1;
  return Math.max(after, (last - 1) * stride + span - size - before);
}

/** Refuses windows that do not fit, and padding by which a small file could ask for any amount of work. */
function checkPlaces(
  context: NodeContext,
  { size, span, stride }: Axis,
  padding: number,
): void {
  if (span > size + padding) {
    context.fail(
      `a window within the padded input of ${size + padding}`,
      `${span} elements`,
    );
  }
  const places = Math.floor((size + padding - span) / stride) + 1;
  if (places > 4 * size + 64) {
    context.fail(
      `pads in proportion to the input of ${size}`,
      `${places} windows`,
    );
  }
}

/** [N, C, ...spatial] to [N, ...spatial, C]. */
export function channelsLast(graph: GraphBuilder, x: NodeId): NodeId {
  const axes = graph.shape(x).map((_, d) => d);
  return graph.transpose(x, [0, ...axes.slice(2), 1]);
}

/** [N, ...spatial, C] to [N, C, ...spatial]. */
export function channelsFirst(graph: GraphBuilder, x: NodeId): NodeId {
  const rank = graph.shape(x).length;
  const spatial = Array.from({ length: rank - 2 }, (_, i) => i + 1);
  return graph.transpose(x, [0, rank - 1, ...spatial]);
}
