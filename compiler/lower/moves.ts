/**
 * Kernels that move elements: transpose, pad, concat, slice; the same for every element type.
 *
 * Both lowerings use them. An index that may lie outside is clamped and the value selected, because the
 * verifier wants every load proven in range.
 */
import {
  add,
  axis,
  clamp,
  load,
  lt,
  op,
  select,
  sub,
} from "../kernel/build.ts";
import type { Expr, TensorType } from "../ir.ts";
import type { Lowering, OperandSource } from "./lowering.ts";

/** The moves of both graphs. */
export type Move =
  | { readonly kind: "transpose"; readonly perm: readonly number[] }
  | { readonly kind: "pad"; readonly before: readonly number[] }
  | { readonly kind: "concat"; readonly axis: number }
  | { readonly kind: "slice"; readonly starts: readonly number[] };

/** Index of an operand that broadcasts to the result. */
export function broadcastIndex(
  shape: readonly number[],
  result: readonly number[],
): Expr[] {
  return shape.map((n, d) =>
    n === 1 && result[d] !== 1 ? op("i32.add", 0, 0) : axis(d)
  );
}

/** The kernel of a move; `fill` is what a pad puts around. */
export function lowerMove(
  move: Move,
  operands: readonly OperandSource[],
  result: TensorType,
  fill: Expr,
): Lowering {
  const shapes = operands.map((o) => o.type.shape);
  const all = result.shape.map((_, d) => axis(d));
  const base = { title: move.kind, operands, result };
  switch (move.kind) {
    case "transpose":
      return {
        ...base,
        body: ([x]) =>
          load(x, ...move.perm.map((_, d) => axis(move.perm.indexOf(d)))),
      };
    case "slice":
      return {
        ...base,
        body: ([x]) => load(x, ...all.map((a, d) => add(a, move.starts[d]))),
      };
    case "pad":
      return {
        ...base,
        body: ([x]) => {
          const moved = all.map((a, d) => sub(a, move.before[d]));
          const index = moved.map((a, d) => clamp(a, 0, shapes[0][d] - 1));
          return moved.reduce<Expr>(
            (value, a, d) =>
              shapes[0][d] === result.shape[d]
                ? value
                : select(op("i32.lt_u", a, shapes[0][d]), value, fill),
            load(
              x,
              ...index,
            ),
          );
        },
      };
    case "concat":
      return {
        ...base,
        body: (parts) => {
          let end = result.shape[move.axis];
          let value: Expr | undefined;
          for (let i = parts.length - 1; i >= 0; i--) {
            const size = shapes[i][move.axis];
            const start = end - size;
            const at = clamp(sub(axis(move.axis), start), 0, size - 1);
            const own = load(parts[i], ...all.with(move.axis, at));
            value = value ? select(lt(axis(move.axis), end), own, value) : own;
            end = start;
          }
          return value!;
        },
      };
    default:
      return move satisfies never;
  }
}
