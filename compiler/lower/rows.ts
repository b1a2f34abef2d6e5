/**
 * What kernels over rows [rows, width] share, integers and floats alike: the shape, and argmax.
 *
 * Softmax has its own arithmetic in either graph: `fixed_softmax.ts`, `float_softmax.ts`.
 */
import { axis, ge, gt, i32, load, loop, select } from "../kernel/build.ts";
import { elementCount } from "../ir.ts";
import type { Lowering, Place } from "./lowering.ts";

/** The shape as rows along the last axis. */
export function rowsOf(shape: readonly number[]): [number, number] {
  const width = shape[shape.length - 1];
  return [elementCount(shape) / width, width];
}

/** Index of the largest element of each row, the first of equals or the last; a NaN is never larger. */
export function lowerArgmax(
  place: Place<
    { readonly nodes: readonly { readonly shape: readonly number[] }[] },
    { readonly inputs: readonly number[] }
  >,
  last: boolean,
): Lowering {
  const source = place.graph.nodes[place.node.inputs[0]];
  const [rows, width] = rowsOf(source.shape);
  return {
    title: last ? "argmax_last" : "argmax",
    operands: [place.operand(0, [rows, width])],
    result: place.result([rows]),
    body: ([x]) =>
      loop(
        width - 1,
        { best: load(x, axis(0), 0), index: i32(0) },
        (k, [best, index]) => {
          const value = load(x, axis(0), k);
          const better = last ? ge(value, best) : gt(value, best);
          return [select(better, value, best), select(better, k, index)];
        },
        ([, index]) => index,
        { first: 1 },
      ),
  };
}
