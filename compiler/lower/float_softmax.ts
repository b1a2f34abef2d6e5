/**
 * Float softmax and log-softmax: kernels over rows [rows, width].
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
  load,
  loop,
  max,
  sub,
  sum,
} from "../kernel/build.ts";
import type { Expr } from "../ir.ts";
import { floatLibrary } from "./float_library.ts";
import type { FloatPlace, Lowering } from "./lowering.ts";
import { rowsOf } from "./rows.ts";

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
