/** ONNX Pad with a constant value; amounts as attribute before operator set 11, as input since. */
import { elementCount } from "../../../ir.ts";
import type { OnnxOperator } from "../operator.ts";

export const pad: OnnxOperator = {
  name: "Pad",
  attributes: { mode: "string", pads: "ints", value: "float" },
  inputs: [1, 4],
  build(context) {
    const mode = context.string("mode", "constant");
    if (mode !== "constant") context.fail("mode constant", mode);
    const rank = context.shape(0).length;
    const old = context.opset < 11;
    const amounts = old
      ? context.ints("pads") ?? []
      : [...context.constant(1, "pads")];
    const chosen = context.constantOr(3, "axes");
    const axes = chosen
      ? [...chosen].map((a) => context.axis(a, rank))
      : Array.from({ length: rank }, (_, d) => d);
    const limit = (n: number) => Math.abs(n) <= 2 ** 24;
    if (amounts.length !== 2 * axes.length || !amounts.every(limit)) {
      context.fail(`${2 * axes.length} amounts`, `[${amounts}]`);
    }
    const value = old
      ? context.real("value", 0)
      : context.constantOr(2, "value")?.[0] ?? 0;
    const before = new Array<number>(rank).fill(0);
    const after = new Array<number>(rank).fill(0);
    axes.forEach((d, i) => {
      before[d] = amounts[i];
      after[d] = amounts[i + axes.length];
    });
    const count = elementCount(context.shape(0));
    const grown = elementCount(
      context.shape(0).map((n, d) => n + before[d] + after[d]),
    );
    if (grown > 64 * count + 65536) {
      context.fail(
        `a result in proportion to the input of ${count} elements`,
        `${grown}`,
      );
    }
    return context.graph.pad(context.input(0), before, after, value);
  },
};
