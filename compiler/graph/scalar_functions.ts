/**
 * The element-wise functions of the float graph on doubles; `graph.ts` names them.
 *
 * Used where values are computed at conversion: constants, calibration, tables. Float kernels have their
 * own polynomials (lower/float_functions.ts).
 */
import {
  cos,
  erf,
  exp,
  log,
  sigmoid,
  sin,
  tanh,
} from "./deterministic_math.ts";
import type { ScalarExpr, ScalarFn } from "./graph.ts";

/** Meaning of every element-wise function. */
const scalarFunctions: Record<
  ScalarFn,
  (a: number, b: number) => number
> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
  exp: (a) => exp(a),
  log: (a) => log(a),
  sigmoid: (a) => sigmoid(a),
  tanh: (a) => tanh(a),
  erf: (a) => erf(a),
  sin: (a) => sin(a),
  cos: (a) => cos(a),
  trunc: (a) => Math.trunc(a),
};

/** An expression as a function of its arguments. */
export function compileScalar(
  expr: ScalarExpr,
): (args: readonly number[]) => number {
  switch (expr.kind) {
    case "arg": {
      const { index } = expr;
      return (args) => args[index];
    }
    case "const": {
      const { value } = expr;
      return () => value;
    }
    case "apply": {
      const fn = scalarFunctions[expr.fn];
      const [a, b] = expr.args.map(compileScalar);
      return b ? (args) => fn(a(args), b(args)) : (args) => fn(a(args), 0);
    }
    default:
      return expr satisfies never;
  }
}
