/** ONNX Conv over one or two spatial axes, with groups, strides, pads, auto_pad and dilations. */
import { transpose } from "../../../graph/float_reference.ts";
import type { OnnxOperator } from "../operator.ts";
import { channelsFirst, channelsLast, readWindows } from "../windows.ts";

export const conv: OnnxOperator = {
  name: "Conv",
  attributes: {
    auto_pad: "string",
    dilations: "ints",
    group: "int",
    kernel_shape: "ints",
    pads: "ints",
    strides: "ints",
  },
  inputs: [2, 3],
  build(context) {
    const { graph } = context;
    const x = context.float(0);
    context.float(1);
    const weight = context.constant(1, "weights");
    const [outputs, inputs, ...kernel] = context.shape(1);
    const [, channels, ...spatial] = context.shape(0);
    if (kernel.length !== spatial.length || spatial.length < 1) {
      context.fail(
        `weights with ${spatial.length} spatial axes`,
        `${kernel.length}`,
      );
    }
    const declared = context.ints("kernel_shape") ?? kernel;
    if (`${declared}` !== `${kernel}`) {
      context.fail(`kernel_shape [${kernel}]`, `[${declared}]`);
    }
    const groups = context.int("group", 1);
    if (groups < 1 || inputs * groups !== channels || outputs % groups !== 0) {
      context.fail(
        `${groups} groups over ${channels} channels`,
        `weights [${context.shape(1)}]`,
      );
    }
    const windows = readWindows(context, spatial, kernel);
    const bias = context.constantOr(2, "bias") ?? new Float64Array(outputs);
    if (bias.length !== outputs) {
      context.fail(`a bias of ${outputs} values`, `${bias.length}`);
    }
    const spatialAxes = kernel.map((_, i) => i + 2);
    const reordered = transpose(
      weight,
      context.shape(1),
      [0, ...spatialAxes, 1],
    );
    const weights = { weight: reordered, bias, outputs, inputs };
    const y = graph.contract(channelsLast(graph, x), weights, windows, groups);
    return channelsFirst(graph, y);
  },
};
