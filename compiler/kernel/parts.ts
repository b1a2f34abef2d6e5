/**
 * The one traversal of expressions: what a pass that rewrites or looks at all of a kernel is written over.
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
