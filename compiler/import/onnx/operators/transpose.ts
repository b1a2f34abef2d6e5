/** ONNX Transpose; without `perm` the axes are reversed. */
import type { OnnxOperator } from "../operator.ts";

export const transpose: OnnxOperator = {
  name: "Transpose",
  attributes: { perm: "ints" },
  inputs: [1, 1],
  build(context) {
    const rank = context.shape(0).length;
    const axes = Array.from({ length: rank }, (_, d) => d);
    const perm = context.ints("perm") ?? axes.toReversed();
    if (`${[...perm].sort((a, b) => a - b)}` !== `${axes}`) {
      context.fail(`a permutation of ${rank} axes`, `[${perm}]`);
    }
    return context.graph.transpose(context.input(0), perm);
  },
};
