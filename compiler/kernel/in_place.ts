/**
 * Whether an update kernel may overwrite the tensor that it updates.
 *
 * A kernel is pure: its body sees the old tensor. A runtime that stores into the same bytes gives the
 * same result only if no element reads another one; else it keeps a copy.
 */
import type { Expr, Kernel } from "../ir.ts";
import { someExpr } from "./parts.ts";

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
  const isOwn = (index: readonly Expr[]) =>
    isSame && index.every((e, d) => e.kind === "axis" && e.axis === d);
  return !someExpr(
    kernel.body,
    (e) => e.kind === "load" && e.operand === update.operand && !isOwn(e.index),
  );
}
