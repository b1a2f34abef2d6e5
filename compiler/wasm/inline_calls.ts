/**
 * Puts the bodies of scalar functions in place of their calls, for lanes: they have no calls of their own.
 *
 * Arguments become lets, names become new ones, so that every name stays unique. Values never change, since
 * expressions are pure.
 */
import type { Expr, Kernel } from "../ir.ts";
import { mapParts } from "../kernel/parts.ts";

/** Most expressions of the result: calls of calls may double with each function. */
const MOST = 2000;

/** The kernel without calls; undefined where it would become too long. */
export function inlineCalls(kernel: Kernel): Kernel | undefined {
  if (kernel.functions.length === 0) return kernel;
  const inliner = new Inliner(kernel);
  const body = inliner.copy(kernel.body, new Map());
  return inliner.isTooLong ? undefined : { ...kernel, functions: [], body };
}

/** The new names of those in scope. */
type Scope = ReadonlyMap<string, string>;

class Inliner {
  #count = 0;
  #names = 0;

  constructor(readonly kernel: Kernel) {}

  get isTooLong(): boolean {
    return this.#count > MOST;
  }

  copy(expr: Expr, scope: Scope): Expr {
    this.#count++;
    if (this.isTooLong) return expr;
    const inside = new Map(scope);
    const bind = (name: string): string => {
      const fresh = `${name}#${this.#names++}`;
      inside.set(name, fresh);
      return fresh;
    };
    const outer = (e: Expr) => this.copy(e, scope);
    const inner = (e: Expr) => this.copy(e, inside);
    switch (expr.kind) {
      case "var":
        return { ...expr, name: scope.get(expr.name) ?? expr.name };
      case "let": {
        const value = outer(expr.value);
        const name = bind(expr.name);
        return { ...expr, name, value, body: inner(expr.body) };
      }
      case "sum": {
        const [first, count] = [expr.first, expr.count].map(outer);
        const index = bind(expr.index);
        return { ...expr, index, first, count, term: inner(expr.term) };
      }
      case "loop": {
        const [first, count] = [expr.first, expr.count].map(outer);
        const inits = expr.carry.map((c) => outer(c.init));
        const index = bind(expr.index);
        const names = expr.carry.map((c) => bind(c.name));
        const carry = expr.carry.map((c, i) => ({
          ...c,
          name: names[i],
          init: inits[i],
          next: inner(c.next),
        }));
        const result = inner(expr.result);
        return { ...expr, index, first, count, carry, result };
      }
      case "call":
        return this.#call(expr, scope);
      default:
        return mapParts(expr, outer);
    }
  }

  #call(expr: Expr & { kind: "call" }, scope: Scope): Expr {
    const fn = this.kernel.functions.find((f) => f.name === expr.fn)!;
    const args = expr.args.map((arg) => this.copy(arg, scope));
    const names = fn.params.map(({ name }) => `${name}#${this.#names++}`);
    const inside = new Map(fn.params.map(({ name }, i) => [name, names[i]]));
    return args.reduceRight<Expr>(
      (body, value, i) => ({ kind: "let", name: names[i], value, body }),
      this.copy(fn.body, inside),
    );
  }
}
