/**
 * What a kernel costs: operations and loads, loops at their bounds, hoisted parts once per value of
 * their axes. An estimate for limits and for `estimate`; steps of the machine are counted by its target.
 */
import { type Dependences, isHoisted } from "./hoisting.ts";
import { elementCount, type Expr, type Kernel } from "../ir.ts";

/** Work in operations. */
export interface Work {
  /** One element alone, with all that it needs: what a leaf program repeats. */
  readonly element: number;
  /** The whole result, hoisted parts once per value of their axes. */
  readonly total: number;
}

/** Adds up the work of a verified kernel. */
export function workOf(
  kernel: Pick<Kernel, "result" | "functions" | "body">,
  dependences: Dependences,
): Work {
  const calls = new Map<string, number>();
  for (const fn of kernel.functions) {
    calls.set(fn.name, costOf(fn.body, calls, () => false));
  }
  const { shape } = kernel.result;
  const work = { element: 0, total: 0 };
  const keep = (cost: number, prefix: number) => {
    work.element += cost;
    work.total += cost * elementCount(shape.slice(0, prefix));
  };
  const body = costOf(kernel.body, calls, (part, parent, cost) => {
    if (!isHoisted(part, parent, dependences)) return false;
    keep(cost(), dependences.get(part)!.prefix);
    return true;
  });
  keep(body, shape.length);
  return work;
}

/** Takes a part out of its parent's cost when it returns true. */
type TakeOut = (part: Expr, parent: Expr, cost: () => number) => boolean;

/** Cost of evaluating `expr` once, without the parts that `takeOut` takes. */
function costOf(
  expr: Expr,
  calls: ReadonlyMap<string, number>,
  takeOut: TakeOut,
): number {
  const part = (e: Expr): number => {
    const cost = () => costOf(e, calls, takeOut);
    return takeOut(e, expr, cost) ? 0 : cost();
  };
  const all = (list: readonly Expr[]) =>
    list.reduce((total, e) => total + part(e), 0);
  switch (expr.kind) {
    case "const":
    case "axis":
    case "iteration":
    case "var":
      return 0;
    case "op":
      return 1 + all(expr.args);
    case "load":
      return 1 + all(expr.index);
    case "call":
      return 1 + all(expr.args) + calls.get(expr.fn)!;
    case "let":
      return all([expr.value, expr.body]);
    case "sum":
      return all([expr.first, expr.count]) + expr.bound * (1 + part(expr.term));
    case "loop":
      return all([expr.first, expr.count, ...expr.carry.map((c) => c.init)]) +
        expr.bound * (1 + all(expr.carry.map((c) => c.next))) +
        part(expr.result);
    default:
      return expr satisfies never;
  }
}
