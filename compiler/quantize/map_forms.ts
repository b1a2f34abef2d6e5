/**
 * The forms of element-wise maps that integer kernels know: sums, products and quotients of inputs.
 *
 * Recognition only: what has none of these forms and one input becomes a table (quantize_map.ts).
 */
import type { ScalarExpr } from "../graph/graph.ts";

/** sum of coefficients[i] * input i, plus an offset. */
export interface LinearForm {
  readonly coefficients: readonly number[];
  readonly offset: number;
}

/** factor * (a op b) for inputs a and b. */
export interface PairForm {
  readonly kind: "product" | "quotient";
  readonly a: number;
  readonly b: number;
  readonly factor: number;
}

/** The expression as a linear combination of `count` inputs, if it is one. */
export function linearForm(
  expr: ScalarExpr,
  count: number,
): LinearForm | undefined {
  const none = new Array<number>(count).fill(0);
  switch (expr.kind) {
    case "const":
      return { coefficients: none, offset: expr.value };
    case "arg":
      return { coefficients: none.with(expr.index, 1), offset: 0 };
    case "apply": {
      const [a, b] = expr.args.map((arg) => linearForm(arg, count));
      return a && b ? combine(expr.fn, a, b) : undefined;
    }
    default:
      return expr satisfies never;
  }
}

const isConstant = (form: LinearForm) =>
  form.coefficients.every((c) => c === 0);

function combine(
  fn: string,
  a: LinearForm,
  b: LinearForm,
): LinearForm | undefined {
  const scaled = (form: LinearForm, factor: number): LinearForm => ({
    coefficients: form.coefficients.map((c) => c * factor),
    offset: form.offset * factor,
  });
  switch (fn) {
    case "add":
    case "sub": {
      const sign = fn === "add" ? 1 : -1;
      return {
        coefficients: a.coefficients.map((c, i) =>
          c + sign * b.coefficients[i]
        ),
        offset: a.offset + sign * b.offset,
      };
    }
    case "mul":
      if (isConstant(a)) return scaled(b, a.offset);
      return isConstant(b) ? scaled(a, b.offset) : undefined;
    case "div":
      return isConstant(b) && b.offset !== 0
        ? scaled(a, 1 / b.offset)
        : undefined;
    default:
      return undefined;
  }
}

/** The expression as a scaled product or quotient of two inputs, if it is one. */
export function pairForm(
  expr: ScalarExpr,
  count: number,
): PairForm | undefined {
  if (expr.kind !== "apply") return undefined;
  const [left, right] = expr.args;
  if (expr.fn === "mul" || expr.fn === "div") {
    const a = singleTerm(left, count);
    const b = right && singleTerm(right, count);
    if (a && b) {
      return expr.fn === "mul"
        ? { kind: "product", a: a.i, b: b.i, factor: a.c * b.c }
        : { kind: "quotient", a: a.i, b: b.i, factor: a.c / b.c };
    }
    const inner = pairForm(left, count);
    if (inner && right.kind === "const" && right.value !== 0) {
      const factor = expr.fn === "mul" ? right.value : 1 / right.value;
      return { ...inner, factor: inner.factor * factor };
    }
  }
  return undefined;
}

/** c * input i. */
function singleTerm(
  expr: ScalarExpr,
  count: number,
): { c: number; i: number } | undefined {
  const form = linearForm(expr, count);
  if (!form || form.offset !== 0) return undefined;
  const used = form.coefficients.flatMap((c, i) => c === 0 ? [] : [{ c, i }]);
  return used.length === 1 ? used[0] : undefined;
}
