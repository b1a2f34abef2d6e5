/** ONNX AveragePool over one or two spatial axes. */
import { windowSpan } from "../../../graph/float_reference.ts";
import { windowCount } from "../../../graph/graph.ts";
import type { OnnxOperator } from "../operator.ts";
import { channelsFirst, channelsLast, readWindows } from "../windows.ts";

export const averagePool: OnnxOperator = {
  name: "AveragePool",
  attributes: {
    auto_pad: "string",
    ceil_mode: "int",
    count_include_pad: "int",
    dilations: "ints",
    kernel_shape: "ints",
    pads: "ints",
    strides: "ints",
  },
  inputs: [1, 1],
  build(context) {
    const { graph } = context;
    const x = context.float(0);
    const spatial = graph.shape(x).slice(2);
    const kernel = context.ints("kernel_shape") ??
      context.fail("kernel_shape", "none");
    const countPadding = context.flag("count_include_pad", false);
    const roundUp = context.flag("ceil_mode", false);
    if (roundUp && countPadding) {
      context.fail("ceil_mode or count_include_pad", "both");
    }
    const windows = readWindows(context, spatial, kernel, roundUp);
    windows.forEach((w, i) => {
      for (let at = 0; at < windowCount(spatial[i], w); at++) {
        if (windowSpan(at, spatial[i], w, countPadding) === 0) {
          context.fail("windows that meet the input", "one in the padding");
        }
      }
    });
    const last = channelsLast(graph, x);
    const y = graph.pool(last, "average", windows, countPadding);
    return channelsFirst(graph, y);
  },
};
