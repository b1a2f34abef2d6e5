/**
 * What Conv and the pools share: windows from attributes, and the move to channels-last and back.
 */
import type { NodeId, Window } from "../../graph.ts";
import type { GraphBuilder } from "../../graph_builder.ts";
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
  const autoPad = context.string("auto_pad", "NOTSET") || "NOTSET";
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
    const [stride, dilation] = [strides[i], dilations[i]];
    const span = dilation * (kernel[i] - 1) + 1;
    let [before, after] = [pads[i], pads[i + rank]];
    if (autoPad === "SAME_UPPER" || autoPad === "SAME_LOWER") {
      const covered = (Math.ceil(size / stride) - 1) * stride + span;
      const total = Math.max(covered - size, 0);
      const small = Math.floor(total / 2);
      before = autoPad === "SAME_UPPER" ? small : total - small;
      after = total - before;
    } else if (autoPad === "VALID") {
      before = after = 0;
    } else if (autoPad !== "NOTSET") {
      context.fail("auto_pad NOTSET, SAME_UPPER, SAME_LOWER or VALID", autoPad);
    }
    if (roundUp) {
      // One more place where it starts inside the input or the padding before it.
      const rest = size + before + after - span;
      const most = Math.ceil(rest / stride) + 1;
      const starts = (most - 1) * stride < size + before;
      const last = starts ? most : most - 1;
      after = Math.max(after, (last - 1) * stride + span - size - before);
    }
    if (span > size + before + after) {
      context.fail(
        `a window within the padded input of ${size + before + after}`,
        `${span} elements`,
      );
    }
    // Padding of more than a window would let a small file ask for any amount of work.
    const places = Math.floor((size + before + after - span) / stride) + 1;
    if (places > 4 * size + 64) {
      context.fail(
        `pads in proportion to the input of ${size}`,
        `${places} windows`,
      );
    }
    return {
      size: kernel[i],
      stride,
      dilation,
      padBefore: before,
      padAfter: after,
    };
  });
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
