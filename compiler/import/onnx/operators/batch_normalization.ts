/** ONNX BatchNormalization in inference form: a factor and an offset for each channel. */
import { apply, arg } from "../../../graph/graph.ts";
import type { OnnxOperator } from "../operator.ts";
import { channelsFirst, channelsLast } from "../windows.ts";

export const batchNormalization: OnnxOperator = {
  name: "BatchNormalization",
  attributes: {
    epsilon: "float",
    momentum: "float",
    spatial: "int",
    training_mode: "int",
  },
  inputs: [5, 5],
  build(context) {
    const { graph } = context;
    if (context.flag("training_mode", false)) {
      context.fail("inference (training_mode 0)", "training_mode 1");
    }
    if (!context.flag("spatial", true)) {
      context.fail("one mean per channel (spatial 1)", "spatial 0");
    }
    const x = context.float(0);
    const shape = graph.shape(x);
    const channels = shape[1] ?? 1;
    const [scale, offset, mean, variance] = [
      context.constant(1, "scale"),
      context.constant(2, "offset"),
      context.constant(3, "mean"),
      context.constant(4, "variance"),
    ];
    for (const list of [scale, offset, mean, variance]) {
      if (list.length !== channels) {
        context.fail(`${channels} values for each channel`, `${list.length}`);
      }
    }
    const epsilon = context.real("epsilon", 1e-5);
    const factor = scale.map((s, c) => s / Math.sqrt(variance[c] + epsilon));
    const shift = offset.map((o, c) => o - mean[c] * factor[c]);
    if (![...factor, ...shift].every(Number.isFinite)) {
      context.fail("a positive variance", "one that gives no finite factor");
    }
    const expr = apply("add", apply("mul", arg(0), arg(1)), arg(2));
    const constants = [factor, shift].map((list) =>
      graph.constant(list, [channels])
    );
    if (shape.length < 3) return graph.map(expr, [x, ...constants], "f32");
    const last = channelsLast(graph, x);
    return channelsFirst(graph, graph.map(expr, [last, ...constants], "f32"));
  },
};
