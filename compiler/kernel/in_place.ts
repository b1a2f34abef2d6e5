/**
 * Whether an update kernel may overwrite the tensor that it updates.
 *
 * A kernel is pure: its body sees the old tensor. A runtime that stores into the same bytes gives the
 * same result only if no element reads another one; else it keeps a copy.
 */
import type { Expr, Kernel } from "../ir.ts";

/**
 * True when every load of the updated operand is at the element's own index. The caller sees to it that
 * no other operand of the node is the same tensor.
 */
export function updatesInPlace(kernel: Kernel): boolean {
  const { update, operands, result } = kernel;
  if (!update) return false;
  const { shape } = operands[update.operand];
  const isSame = shape.length === result.shape.length &&
    shape.every((size, axis) => size === result.shape[axis]);
  const isOwn = (expr: Expr): boolean => {
    switch (expr.kind) {
      case "const":
      case "axis":
      case "iteration":
      case "var":
        return true;
      case "op":
      case "call":
        return expr.args.every(isOwn);
      case "load":
        return expr.index.every(isOwn) &&
          (expr.operand !== update.operand ||
            (isSame &&
              expr.index.every((e, d) => e.kind === "axis" && e.axis === d)));
      case "let":
        return isOwn(expr.value) && isOwn(expr.body);
      case "sum":
        return [expr.first, expr.count, expr.term].every(isOwn);
      case "loop":
        return [expr.first, expr.count, expr.result].every(isOwn) &&
          expr.carry.every((c) => isOwn(c.init) && isOwn(c.next));
      default:
        return expr satisfies never;
    }
  };
  return isOwn(kernel.body);
}
