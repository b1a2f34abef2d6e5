/** ONNX GlobalAveragePool: the mean over all spatial axes. */
import type { OnnxOperator } from "../operator.ts";
import { channelsFirst, channelsLast } from "../windows.ts";

export const globalAveragePool: OnnxOperator = {
  name: "GlobalAveragePool",
  attributes: {},
  inputs: [1, 1],
  build(context) {
    const { graph } = context;
    const x = context.float(0);
    const spatial = graph.shape(x).slice(2);
    if (spatial.length < 1 || spatial.length > 2) {
      context.fail("1 or 2 spatial axes", String(spatial.length));
    }
    const windows = spatial.map((size) => ({
      size,
      stride: 1,
      dilation: 1,
      padBefore: 0,
      padAfter: 0,
    }));
    const last = channelsLast(graph, x);
    return channelsFirst(graph, graph.pool(last, "average", windows, false));
  },
};
