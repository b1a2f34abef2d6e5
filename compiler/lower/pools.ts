/**
 * Maximum pooling for integers and floats.
 *
 * A loop nest carries the best value; a window element outside the input leaves it as it is.
 */
import { axis, load, loop, max, op, select } from "../kernel/build.ts";
import type { Window } from "../graph/graph.ts";
import type { Expr, TensorType } from "../ir.ts";
import type { Lowering, OperandSource } from "./lowering.ts";
import { atWindow } from "./windows.ts";

/** The kernel of a maximum over windows; `lowest` stands for elements outside. */
export function lowerMaxPool(
  operand: OperandSource,
  result: TensorType,
  windows: readonly Window[],
  lowest: Expr,
): Lowering {
  const sizes = operand.type.shape.slice(1, -1);
  const places = result.shape.slice(1, -1);
  const last = result.shape.length - 1;
  return {
    title: "max_pool",
    operands: [operand],
    result,
    body: ([x]) => {
      const nest = (i: number, indices: Expr[], best: Expr): Expr => {
        if (i === windows.length) {
          return max(best, load(x, axis(0), ...indices, axis(last)));
        }
        const w = windows[i];
        const step = (k: Expr, best: Expr) =>
          atWindow(w, i, k, sizes[i], places[i], ({ index, inside }) => {
            const inner = nest(i + 1, [...indices, index], best);
            return inside ? select(inside, inner, best) : inner;
          });
        if (w.size === 1) return step(op("i32.add", 0, 0), best);
        return loop(w.size, { best }, (k, [best]) => [step(k, best)]);
      };
      return nest(0, [], lowest);
    },
  };
}
