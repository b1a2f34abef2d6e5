/** ONNX MatMul: with a constant matrix on the right a contraction, else a product of activations. */
import { transpose } from "../../../graph/float_reference.ts";
import type { OnnxOperator } from "../operator.ts";

export const matmul: OnnxOperator = {
  name: "MatMul",
  attributes: {},
  inputs: [2, 2],
  build(context) {
    const { graph } = context;
    const [a, b] = [context.float(0), context.float(1)];
    const [left, right] = [graph.shape(a), graph.shape(b)];
    if (left.length < 1 || right.length < 1) {
      context.fail("operands with axes", "a scalar");
    }
    const inner = left[left.length - 1];
    const rows = right.length === 1 ? right[0] : right[right.length - 2];
    if (inner !== rows) {
      context.fail(
        "inner dimensions that agree",
        `[${left}] and [${right}]`,
      );
    }
    const outputs = right.length === 1 ? 1 : right[right.length - 1];
    const lead = left.slice(0, -1);
    const weight = graph.data(b);
    const batches = right.slice(0, -2).reduce((x, y) => x * y, 1);
    const shape = right.length === 1 ? lead : [...lead, outputs];
    if (weight && batches === 1) {
      const m = lead.reduce((x, y) => x * y, 1);
      const product = graph.contract(
        graph.view(a, [m, inner]),
        {
          weight: transpose(weight, [inner, outputs], [1, 0]),
          bias: new Float64Array(outputs),
          outputs,
          inputs: inner,
        },
        [],
        1,
      );
      const extra = new Array(Math.max(right.length - left.length, 0)).fill(1);
      return graph.view(product, [...extra, ...shape]);
    }
    if (left.length < 2 || right.length < 2) {
      context.fail("matrices", `[${left}] and [${right}]`);
    }
    const [m] = left.slice(-2);
    const count = left.slice(0, -2).reduce((x, y) => x * y, 1);
    const sameBatch = left.length === right.length &&
      left.slice(0, -2).every((n, d) => n === right[d]);
    if (!sameBatch && batches !== 1) {
      context.fail(
        "equal leading axes, or none on the right",
        `[${left}] and [${right}]`,
      );
    }
    const product = graph.matmul(
      graph.view(a, [count, m, inner]),
      graph.view(b, [batches, inner, outputs]),
    );
    return graph.view(product, [...left.slice(0, -1), outputs]);
  },
};
