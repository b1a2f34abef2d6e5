/** ONNX Gemm: alpha * A' * B' + beta * C, with constant B and C. */
import { apply, arg, value } from "../../../graph/graph.ts";
import { transpose } from "../../../graph/float_reference.ts";
import type { OnnxOperator } from "../operator.ts";

export const gemm: OnnxOperator = {
  name: "Gemm",
  attributes: { alpha: "float", beta: "float", transA: "int", transB: "int" },
  inputs: [2, 3],
  build(context) {
    const { graph } = context;
    let a = context.float(0);
    if (graph.shape(a).length !== 2) {
      context.fail("a matrix as input 0", `[${graph.shape(a)}]`);
    }
    if (context.flag("transA", false)) a = graph.transpose(a, [1, 0]);
    context.float(1);
    const b = context.constant(1, "weights");
    const shape = context.shape(1);
    if (shape.length !== 2) {
      context.fail("a matrix as input 1", `[${shape}]`);
    }
    const given = context.flag("transB", false)
      ? b
      : transpose(b, shape, [1, 0]);
    const [outputs, inputs] = context.flag("transB", false)
      ? shape
      : [shape[1], shape[0]];
    if (graph.shape(a)[1] !== inputs) {
      context.fail(`${graph.shape(a)[1]} rows of weights`, `${inputs}`);
    }
    const alpha = context.real("alpha", 1);
    const beta = context.real("beta", 1);
    const weight = alpha === 1 ? given : given.map((w) => w * alpha);
    const c = context.optional(2);
    const isBias = c === undefined || graph.data(c) !== undefined &&
        graph.shape(c).slice(0, -1).every((n) => n === 1) &&
        [1, outputs].includes(graph.shape(c).at(-1) ?? 1);
    const data = c === undefined ? undefined : graph.data(c);
    const bias = new Float64Array(outputs);
    if (isBias && data) {
      bias.forEach((_, i) => bias[i] = beta * data[data.length === 1 ? 0 : i]);
    }
    const weights = { weight, bias, outputs, inputs };
    const product = graph.contract(a, weights, [], 1);
    if (isBias || c === undefined) return product;
    const scaled = apply("mul", arg(1), value(beta));
    return graph.map(
      apply("add", arg(0), scaled),
      [product, context.float(2)],
      "f32",
    );
  },
};
