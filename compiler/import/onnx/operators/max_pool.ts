/** ONNX MaxPool over one or two spatial axes; the optional indices output is unsupported. */
import type { OnnxOperator } from "../operator.ts";
import { channelsFirst, channelsLast, readWindows } from "../windows.ts";

export const maxPool: OnnxOperator = {
  name: "MaxPool",
  attributes: {
    auto_pad: "string",
    ceil_mode: "int",
    dilations: "ints",
    kernel_shape: "ints",
    pads: "ints",
    storage_order: "int",
    strides: "ints",
  },
  inputs: [1, 1],
  build(context) {
    const { graph } = context;
    const x = context.input(0);
    const kernel = context.ints("kernel_shape") ??
      context.fail("kernel_shape", "none");
    const windows = readWindows(
      context,
      graph.shape(x).slice(2),
      kernel,
      context.flag("ceil_mode", false),
    );
    for (const w of windows) {
      if (w.padBefore >= w.dilation * (w.size - 1) + 1) {
        context.fail("pads smaller than the window", String(w.padBefore));
      }
    }
    const y = graph.pool(channelsLast(graph, x), "max", windows, false);
    return channelsFirst(graph, y);
  },
};
