/**
 * Finds selections of zero that can be made by the address of a load, where it costs nothing for each product.
 *
 * Padding is `select(inside, sum of products, 0)`. A product is zero where a factor is, so the factor's load reads
 * zeros wherever `inside` is not, and sums stay chains of multiply-accumulates. Only the shape is judged here.
 */
import type { Expr } from "../ir.ts";
import type { Dependences } from "../kernel/hoisting.ts";

/** A selection between a value and zero. */
export type Guarded = Expr & { readonly kind: "op" };

const PRODUCTS: ReadonlySet<string> = new Set([
  "i32.mul",
  "i64.mul",
  "i32.mul_wide_s",
  "i32.mul_wide_u",
]);
const SUMS: ReadonlySet<string> = new Set(["i32.add", "i64.add"]);
const EXTENSIONS: ReadonlySet<string> = new Set([
  "i64.extend_s",
  "i64.extend_u",
]);

/** Judges the expressions of one kernel. */
export class Guards {
  readonly #dependences: Dependences;
  readonly #found = new Map<Expr, boolean>();

  constructor(dependences: Dependences) {
    this.#dependences = dependences;
  }

  /**
   * Whether the expression is a selection between zero and a value that loads can make zero. The test varies no
   * faster than any sum of the value, so that nothing is computed more often for it.
   */
  has(expr: Expr): expr is Guarded {
    let found = this.#found.get(expr);
    if (found === undefined) {
      this.#found.set(expr, found = this.#selects(expr, []));
    }
    return found;
  }

  /** Those factors of a product that loads can make zero without touching a sum. */
  factors(product: Guarded): readonly Expr[] {
    return product.args.filter((a) =>
      this.#dependences.get(a)?.heavy === false && this.#zeroes(a, [])
    );
  }

  #selects(expr: Expr, tests: readonly Expr[]): boolean {
    if (expr.kind !== "op" || !/^i(32|64)\.select$/.test(expr.op)) return false;
    const [test, value, other] = expr.args;
    return other.kind === "const" && Number(other.value) === 0 &&
      this.#isSlower(test, value) && this.#zeroes(value, [...tests, test]);
  }

  /** Whether the test varies no faster than the value. */
  #isSlower(test: Expr, value: Expr): boolean {
    const [own, around] = [test, value].map((e) => this.#dependences.get(e));
    return own !== undefined && around !== undefined &&
      own.prefix <= around.prefix &&
      [...own.free].every((name) => around.free.has(name));
  }

  /** Whether the expression is zero where some of its loads give zero, and may depend on the tests. */
  #zeroes(expr: Expr, tests: readonly Expr[]): boolean {
    switch (expr.kind) {
      case "load":
        return true;
      case "let":
        return this.#zeroes(expr.body, tests);
      case "sum":
        return expr.type !== "f32" && this.#zeroes(expr.term, tests) &&
          tests.every((test) => this.#isSlower(test, expr));
      case "op":
        if (PRODUCTS.has(expr.op)) return this.factors(expr).length > 0;
        if (SUMS.has(expr.op)) {
          return expr.args.every((a) => this.#zeroes(a, tests));
        }
        return EXTENSIONS.has(expr.op)
          ? this.#zeroes(expr.args[0], tests)
          : this.#selects(expr, tests);
      default:
        return false;
    }
  }
}
