/** ONNX ArgMax: index of the largest element along an axis. */
import type { OnnxOperator } from "../operator.ts";
import { alongLast } from "../softmax.ts";

export const argmax: OnnxOperator = {
  name: "ArgMax",
  attributes: { axis: "int", keepdims: "int", select_last_index: "int" },
  inputs: [1, 1],
  build(context) {
    const { graph } = context;
    const x = context.input(0);
    const rank = graph.shape(x).length;
    const axis = context.axis(context.int("axis", 0), rank);
    const last = context.flag("select_last_index", false);
    const y = alongLast(context, x, axis, (t) => graph.argmax(t, last));
    if (context.flag("keepdims", true)) return y;
    return graph.view(y, graph.shape(y).filter((_, d) => d !== axis));
  },
};
