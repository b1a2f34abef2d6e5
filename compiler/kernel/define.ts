/**
 * Turns a built kernel into its canonical form: every variable renamed in order of appearance.
 *
 * The builders draw names from a counter, so that subtrees can be combined freely; here the counter's
 * trace goes away ("k#17" becomes "k", the second k "k_2"), and a subtree that stands in two places gets
 * names of its own in each.
 */
import type {
  Expr,
  Kernel,
  ScalarFunction,
  TensorType,
  UpdateRange,
} from "../ir.ts";

type Scope = ReadonlyMap<string, string>;

/** A kernel with canonical variable names; see `verifyKernel` for what is checked. */
export function defineKernel(
  kernel: Omit<Kernel, "functions"> & {
    readonly functions?: readonly ScalarFunction[];
  },
): Kernel {
  const namer = new Namer();
  const functions = (kernel.functions ?? []).map((fn) => namer.fn(fn));
  const plain = (e: Expr) => namer.rename(e, new Map());
  const body = plain(kernel.body);
  const { name, operands, result, extents, update } = kernel;
  return {
    name,
    operands,
    result,
    functions,
    ...(extents?.some((e) => e !== null)
      ? { extents: extents.map((e) => e && plain(e)) }
      : {}),
    ...(update
      ? {
        update: {
          operand: update.operand,
          ranges: update.ranges.map((r) => ({
            first: plain(r.first),
            count: plain(r.count),
          })),
        },
      }
      : {}),
    body,
  };
}

/** The range of an update that leaves an axis whole. */
export function wholeAxis(type: TensorType, axis: number): UpdateRange {
  return {
    first: { kind: "const", type: "i32", value: 0 },
    count: { kind: "const", type: "i32", value: type.shape[axis] },
  };
}

class Namer {
  readonly #uses = new Map<string, number>();

  fn(fn: ScalarFunction): ScalarFunction {
    const scope = new Map<string, string>();
    const params = fn.params.map(({ name, type }) => {
      const fresh = this.#next(name);
      scope.set(name, fresh);
      return { name: fresh, type };
    });
    return { ...fn, params, body: this.rename(fn.body, scope) };
  }

  #next(name: string): string {
    const hint = name.split("#")[0].replace(/_\d+$/, "");
    const uses = (this.#uses.get(hint) ?? 0) + 1;
    this.#uses.set(hint, uses);
    return uses === 1 ? hint : `${hint}_${uses}`;
  }

  /** `scope` maps the names bound around `expr` to their canonical ones. */
  rename(expr: Expr, scope: Scope): Expr {
    const all = (list: readonly Expr[]) =>
      list.map((e) => this.rename(e, scope));
    switch (expr.kind) {
      case "const":
      case "axis":
      case "iteration":
        return expr;
      case "var":
        return { ...expr, name: scope.get(expr.name) ?? expr.name };
      case "op":
      case "call":
        return { ...expr, args: all(expr.args) };
      case "load":
        return { ...expr, index: all(expr.index) };
      case "let": {
        const value = this.rename(expr.value, scope);
        const name = this.#next(expr.name);
        const inner = new Map(scope).set(expr.name, name);
        return {
          kind: "let",
          name,
          value,
          body: this.rename(expr.body, inner),
        };
      }
      case "sum": {
        const [first, count] = all([expr.first, expr.count]);
        const index = this.#next(expr.index);
        const inner = new Map(scope).set(expr.index, index);
        return {
          ...expr,
          first,
          count,
          index,
          term: this.rename(expr.term, inner),
        };
      }
      case "loop": {
        const [first, count, ...inits] = all([
          expr.first,
          expr.count,
          ...expr.carry.map((c) => c.init),
        ]);
        const index = this.#next(expr.index);
        const carried = new Map(scope);
        const names = expr.carry.map((c) => this.#next(c.name));
        expr.carry.forEach((c, i) => carried.set(c.name, names[i]));
        const inner = new Map(carried).set(expr.index, index);
        const carry = expr.carry.map((c, i) => ({
          name: names[i],
          type: c.type,
          init: inits[i],
          next: this.rename(c.next, inner),
        }));
        const result = this.rename(expr.result, carried);
        return { ...expr, first, count, index, carry, result };
      }
      default:
        return expr satisfies never;
    }
  }
}
