/** Which functions of a library a kernel needs: those that it calls, and what they call. */
import type { Expr, ScalarFunction } from "../ir.ts";
import { partsOf } from "./parts.ts";

/** The functions of those names and all that they call, in the order of the library, where callees stand before callers. */
export function withCallees(
  library: readonly ScalarFunction[],
  names: Iterable<string>,
): ScalarFunction[] {
  const used = new Set(names);
  const visit = (expr: Expr): void => {
    if (expr.kind === "call") used.add(expr.fn);
    partsOf(expr).forEach(visit);
  };
  for (const fn of library.toReversed()) if (used.has(fn.name)) visit(fn.body);
  return library.filter((fn) => used.has(fn.name));
}
