/**
 * The one traversal of expressions: what a pass is written over that rewrites all of a kernel or looks for something.
 *
 * A pass in which most kinds of expressions mean something has a switch of its own.
 */
import type { Expr } from "../ir.ts";

/** An expression with its parts replaced by `part` of them. */
export function mapParts(expr: Expr, part: (e: Expr) => Expr): Expr {
  switch (expr.kind) {
    case "const":
    case "axis":
    case "iteration":
    case "var":
      return expr;
    case "op":
    case "call":
      return { ...expr, args: expr.args.map(part) };
    case "load":
      return { ...expr, index: expr.index.map(part) };
    case "let":
      return { ...expr, value: part(expr.value), body: part(expr.body) };
    case "sum":
      return {
        ...expr,
        first: part(expr.first),
        count: part(expr.count),
        term: part(expr.term),
      };
    case "loop":
      return {
        ...expr,
        first: part(expr.first),
        count: part(expr.count),
        carry: expr.carry.map((c) => ({
          ...c,
          init: part(c.init),
          next: part(c.next),
        })),
        result: part(expr.result),
      };
    default:
      return expr satisfies never;
  }
}

/** The parts of an expression in the order of its fields, as {@linkcode mapParts} visits them. */
export function partsOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case "const":
    case "axis":
    case "iteration":
    case "var":
      return [];
    case "op":
    case "call":
      return expr.args;
    case "load":
      return expr.index;
    case "let":
      return [expr.value, expr.body];
    case "sum":
      return [expr.first, expr.count, expr.term];
    case "loop":
      return [
        expr.first,
        expr.count,
        ...expr.carry.flatMap((c) => [c.init, c.next]),
        expr.result,
      ];
    default:
      return expr satisfies never;
  }
}

/** Whether an expression or anything inside it passes the test. */
export function someExpr(expr: Expr, test: (e: Expr) => boolean): boolean {
  return test(expr) || partsOf(expr).some((part) => someExpr(part, test));
}
