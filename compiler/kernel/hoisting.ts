/**
 * Which subexpressions are evaluated once per row, not once per element.
 *
 * The rule is part of what a kernel costs, and every target follows it: a subexpression that contains a
 * sum, a loop or a call and depends on axes only (not on a loop's variables) is evaluated once per value
 * of the shortest axis prefix 0 .. p - 1 that contains those axes. Function bodies are not hoisted from.
 * Values never depend on it, since expressions are pure.
 */
import type { Expr, Kernel } from "../ir.ts";
import { partsOf } from "./parts.ts";

/** What a subexpression depends on. */
export interface Dependence {
  /** Number of leading axes that contain every axis it uses. */
  readonly prefix: number;
  /** Loop variables (indices and carries) that it uses and does not bind. */
  readonly free: ReadonlySet<string>;
  /** It contains a sum, a loop or a call. */
  readonly heavy: boolean;
}

/** Dependence of every subexpression of the kernel's body. */
export type Dependences = ReadonlyMap<Expr, Dependence>;

const NONE: ReadonlySet<string> = new Set();

/** Analyses the kernel's body; names must be unique (see `verify.ts`). */
export function dependences(kernel: Pick<Kernel, "body">): Dependences {
  const found = new Map<Expr, Dependence>();
  visit(kernel.body, new Map(), found);
  return found;
}

/** True when `expr` is to be kept per value of its prefix; `parent` is what it is an argument of, if any. */
export function isHoisted(
  expr: Expr,
  parent: Expr | undefined,
  all: Dependences,
): boolean {
  const own = all.get(expr)!;
  if (!own.heavy || own.free.size > 0) return false;
  const outer = parent && all.get(parent)!;
  return !parent || !outer || outer.free.size > 0 || bindsLoop(parent) ||
    outer.prefix > own.prefix;
}

function bindsLoop(expr: Expr): boolean {
  return expr.kind === "sum" || expr.kind === "loop";
}

type Scope = Map<string, Dependence>;

function visit(
  expr: Expr,
  scope: Scope,
  found: Map<Expr, Dependence>,
): Dependence {
  const own = dependenceOf(expr, scope, found);
  found.set(expr, own);
  return own;
}

function dependenceOf(
  expr: Expr,
  scope: Scope,
  found: Map<Expr, Dependence>,
): Dependence {
  const parts = () => partsOf(expr).map((e) => visit(e, scope, found));
  switch (expr.kind) {
    case "const":
    case "iteration":
      return { prefix: 0, free: NONE, heavy: false };
    case "axis":
      return { prefix: expr.axis + 1, free: NONE, heavy: false };
    case "var": {
      const bound = scope.get(expr.name);
      return {
        prefix: bound?.prefix ?? 0,
        free: bound?.free ?? new Set([expr.name]),
        heavy: false,
      };
    }
    case "op":
    case "load":
      return join(parts());
    case "call":
      return join(parts(), [], true);
    case "let": {
      const value = visit(expr.value, scope, found);
      scope.set(expr.name, value);
      return join([value, visit(expr.body, scope, found)]);
    }
    case "sum":
      return join(parts(), [expr.index], true);
    case "loop": {
      const carries = expr.carry.map((c) => c.name);
      return join(parts(), [expr.index, ...carries], true);
    }
    default:
      return expr satisfies never;
  }
}

/** The union of several dependences, less the variables that the expression binds itself. */
function join(
  parts: readonly Dependence[],
  bound: readonly string[] = [],
  heavy = false,
): Dependence {
  const free = new Set<string>();
  for (const part of parts) for (const name of part.free) free.add(name);
  for (const name of bound) free.delete(name);
  return {
    prefix: parts.reduce((p, part) => part.prefix > p ? part.prefix : p, 0),
    free: free.size === 0 ? NONE : free,
    heavy: heavy || parts.some((part) => part.heavy),
  };
}
