/** ONNX Clip: bounds as attributes before operator set 11, as constant inputs since. */
import { arg } from "../../../graph/graph.ts";
import { clampExpr } from "../../../graph/graph_builder.ts";
import type { NodeContext, OnnxOperator } from "../operator.ts";

export const clip: OnnxOperator = {
  name: "Clip",
  attributes: { min: "float", max: "float" },
  inputs: [1, 3],
  build(context) {
    const lo = bound(context, 1, "min", -Infinity);
    const hi = bound(context, 2, "max", Infinity);
    if (lo > hi) context.fail("min at most max", `${lo} and ${hi}`);
    const expr = clampExpr(arg(0), { lo, hi });
    return context.graph.map(expr, [context.float(0)], "f32");
  },
};

function bound(
  context: NodeContext,
  i: number,
  name: string,
  none: number,
): number {
  if (context.opset < 11) {
    const x = context.real(name, none);
    // The default bounds are the extremes of binary32, which bound nothing.
    return Math.abs(x) >= 3.4e38 ? none : x;
  }
  const data = context.constantOr(i, name);
  if (data && data.length !== 1) {
    context.fail(`a scalar as ${name}`, `${data.length} values`);
  }
  return data ? data[0] : none;
}
