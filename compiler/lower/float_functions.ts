/**
 * exp, log, tanh and the sigmoid as fixed polynomials over f32 operations: same IR, same bits everywhere.
 *
 * Minimax polynomials of the usual single-precision libraries' degree on reduced ranges; the error is a
 * few units in the last place. NaN goes through.
 */
import {
  add,
  bind,
  call,
  div,
  f32,
  lt,
  max,
  min,
  mul,
  neg,
  op,
  scalarFunction,
  select,
  shl,
  shr,
  sub,
} from "../kernel/build.ts";
import type { ScalarExpr, ScalarFn } from "../graph/graph.ts";
import type { Expr, ScalarFunction } from "../ir.ts";

/** c[0] + x * (c[1] + x * (...)). */
function polynomial(x: Expr, coefficients: readonly number[]): Expr {
  return coefficients.reduceRight<Expr>(
    (sum, c) => add(mul(sum, x), c),
    f32(0),
  );
}

/** 2^k for k in [-126, 127]. */
const powerOfTwo = (k: Expr) => op("f32.of_bits", shl(add(k, 127), 23));

const LN2_HIGH = 0.693359375; // 9 bits: k * LN2_HIGH is exact
const LN2_LOW = -2.12194440e-4;

/** e^x: k = nearest(x / ln 2), Taylor to degree 7 on |r| <= ln 2 / 2, times 2^k in two steps. */
const exp = scalarFunction(
  "exp",
  { x: "f32" },
  (x) =>
    bind(
      "x",
      min(max(x, -104), 89),
      (x) =>
        bind("n", op("f32.nearest", mul(x, 1.44269504088896341)), (n) =>
          bind("r", sub(sub(x, mul(n, LN2_HIGH)), mul(n, LN2_LOW)), (r) => {
            const series = polynomial(r, [
              1,
              1,
              1 / 2,
              1 / 6,
              1 / 24,
              1 / 120,
              1 / 720,
              1 / 5040,
            ]);
            return bind("k", op("i32.from_f32", n), (k) =>
              bind("half", shr(k, 1), (half) =>
                mul(
                  mul(series, powerOfTwo(half)),
                  powerOfTwo(sub(k, half)),
                )));
          })),
    ),
);

/** Natural logarithm of a positive normal number; the sums of softmax are at least 1. */
const log = scalarFunction(
  "log",
  { x: "f32" },
  (x) =>
    bind(
      "bits",
      op("i32.bits_of_f32", x),
      (bits) =>
        bind("up", lt(op("i32.and", bits, 0x007fffff), 0x003504f3), (low) => {
          // m in [sqrt(1/2), sqrt(2)), x = m * 2^k.
          const k = sub(sub(shr(bits, 23), 126), low);
          const base = select(low, 0x3f800000, 0x3f000000);
          const m = op(
            "f32.of_bits",
            op("i32.or", op("i32.and", bits, 0x007fffff), base),
          );
          return bind("s", div(sub(m, 1), add(m, 1)), (s) =>
            bind("z", mul(s, s), (z) => {
              const series = polynomial(z, [2, 2 / 3, 2 / 5, 2 / 7, 2 / 9]);
              const n = op("f32.from_i32", k);
              const near = add(mul(s, series), mul(n, LN2_LOW));
              const value = add(near, mul(n, LN2_HIGH));
              return op("f32.select", op("f32.ne", x, x), x, value);
            }));
        }),
    ),
);

/** tanh: odd polynomial below 0.625, else 1 - 2 / (e^2|x| + 1) with the sign. */
const tanh = scalarFunction(
  "tanh",
  { x: "f32" },
  (x) =>
    bind("z", mul(x, x), (z) => {
      const series = polynomial(z, [
        -3.33332819422e-1,
        1.33314422036e-1,
        -5.37397155531e-2,
        2.06390887954e-2,
        -5.70498872745e-3,
      ]);
      const near = add(x, mul(mul(x, z), series));
      return bind("size", op("f32.abs", x), (size) => {
        const far = sub(f32(1), div(f32(2), add(call(exp, mul(size, 2)), 1)));
        const signed = select(lt(x, 0), neg(far), far);
        return select(lt(size, 0.625), near, signed);
      });
    }),
);

const sigmoid = scalarFunction(
  "sigmoid",
  { x: "f32" },
  (x) => div(f32(1), add(call(exp, neg(x)), 1)),
);

/** The functions of the kernel IR that float kernels call. */
export const floatLibrary = { exp, log, tanh, sigmoid } as const;

/** What each element-wise function is in a kernel. */
const meanings: Record<ScalarFn, (a: Expr, b: Expr) => Expr> = {
  add: (a, b) => add(a, b),
  sub: (a, b) => sub(a, b),
  mul: (a, b) => mul(a, b),
  div: (a, b) => div(a, b),
  min: (a, b) => min(a, b),
  max: (a, b) => max(a, b),
  exp: (a) => call(exp, a),
  log: (a) => call(log, a),
  sigmoid: (a) => call(sigmoid, a),
  tanh: (a) => call(tanh, a),
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
  const used = new Set<ScalarFunction>();
  const visit = (expr: ScalarExpr) => {
    if (expr.kind !== "apply") return;
    expr.args.forEach(visit);
    if (expr.fn === "tanh" || expr.fn === "sigmoid") used.add(exp);
    if (Object.hasOwn(floatLibrary, expr.fn)) {
      used.add(floatLibrary[expr.fn as keyof typeof floatLibrary]);
    }
  };
  visit(expr);
  return [exp, log, tanh, sigmoid].filter((fn) => used.has(fn));
}
