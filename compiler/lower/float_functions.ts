/**
 * What element-wise maps of the float graph are in a kernel; their functions are in float_library.ts.
 */
import {
  add,
  call,
  div,
  f32,
  max,
  min,
  mul,
  op,
  sub,
} from "../kernel/build.ts";
import type { ScalarExpr, ScalarFn } from "../graph/graph.ts";
import { withCallees } from "../kernel/callees.ts";
import type { Expr, ScalarFunction } from "../ir.ts";
import { floatLibrary } from "./float_library.ts";

/** What each element-wise function is in a kernel. */
const meanings: Record<ScalarFn, (a: Expr, b: Expr) => Expr> = {
  add: (a, b) => add(a, b),
  sub: (a, b) => sub(a, b),
  mul: (a, b) => mul(a, b),
  div: (a, b) => div(a, b),
  min: (a, b) => min(a, b),
  max: (a, b) => max(a, b),
  exp: (a) => call(floatLibrary.exp, a),
  log: (a) => call(floatLibrary.log, a),
  sigmoid: (a) => call(floatLibrary.sigmoid, a),
  tanh: (a) => call(floatLibrary.tanh, a),
  erf: (a) => call(floatLibrary.erf, a),
  sin: (a) => call(floatLibrary.sin, a),
  cos: (a) => call(floatLibrary.cos, a),
  trunc: (a) => op("f32.trunc", a),
};

/** A map's expression over f32 arguments. */
export function lowerScalar(expr: ScalarExpr, args: readonly Expr[]): Expr {
  switch (expr.kind) {
    case "arg":
      return args[expr.index];
    case "const":
      return f32(expr.value);
    case "apply": {
      const [a, b] = expr.args.map((arg) => lowerScalar(arg, args));
      return meanings[expr.fn](a, b);
    }
    default:
      return expr satisfies never;
  }
}

/** Functions that an expression calls, callees first. */
export function floatFunctions(expr: ScalarExpr): ScalarFunction[] {
  const names = new Set<string>();
  const visit = (expr: ScalarExpr) => {
    if (expr.kind !== "apply") return;
    expr.args.forEach(visit);
    names.add(expr.fn);
  };
  visit(expr);
  return withCallees(Object.values(floatLibrary), names);
}
