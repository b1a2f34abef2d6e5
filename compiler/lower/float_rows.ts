/**
 * Float softmax, log-softmax and argmax: kernels over rows [rows, width].
 *
 * A row's maximum and sum depend on the first axis alone, so every target computes them once for each
 * row. Sums run in index order.
 */
import {
  axis,
  bind,
  call,
  div,
  f32,
  ge,
  gt,
  i32,
  load,
  loop,
  max,
  select,
  sub,
  sum,
} from "../build.ts";
import { elementCount, type Expr } from "../ir.ts";
import { floatLibrary } from "./float_functions.ts";
import type { FloatPlace } from "./float_model.ts";
import type { Lowering } from "./lowering.ts";

const rowsOf = (shape: readonly number[]) => {
  const width = shape[shape.length - 1];
  return [elementCount(shape) / width, width];
};

/** softmax or its logarithm along the last axis. */
export function lowerFloatSoftmax(place: FloatPlace, asLog: boolean): Lowering {
  const shape = rowsOf(place.node.shape);
  const [, width] = shape;
  const { exp, log } = floatLibrary;
  return {
    title: asLog ? "log_softmax" : "softmax",
    operands: [place.operand(0, shape)],
    result: place.result(shape),
    functions: asLog ? [exp, log] : [exp],
    body: ([x]) => {
      const at = (k: Expr) => load(x, axis(0), k);
      const largest = loop(
        width,
        { largest: f32(-Infinity) },
        (k, [best]) => [max(best, at(k))],
      );
      return bind("largest", largest, (largest) => {
        const shifted = (k: Expr) => sub(at(k), largest);
        const term = (k: Expr) => call(exp, shifted(k));
        return bind(
          "total",
          sum(width, term),
          (total) =>
            asLog
              ? bind("ln", call(log, total), (ln) => sub(shifted(axis(1)), ln))
              : div(term(axis(1)), total),
        );
      });
    },
  };
}

/** Index of the largest element of each row; a NaN is never larger. */
export function lowerFloatArgmax(place: FloatPlace, last: boolean): Lowering {
  const source = place.graph.nodes[place.node.inputs[0]];
  const shape = rowsOf(source.shape);
  return {
    title: last ? "argmax_last" : "argmax",
    operands: [place.operand(0, shape)],
    result: place.result([shape[0]]),
    body: ([x]) =>
      loop(
        shape[1] - 1,
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
