/**
 * exp, log, tanh, the sigmoid, erf, sin and cos over f32 operations: same IR, same bits everywhere.
 *
 * Each reduces its argument to a short range and evaluates a polynomial there: Taylor's where it is short enough, else
 * the minimax fit of tools/fit_polynomials.py. NaN goes through. Errors are at most, in units in the last place: exp
 * 1.3, log 1, tanh 1.5, sigmoid 2.5, erf 1.5, sin and cos 1.7 (tests/compiler/float_library_test.ts measures them). sin and cos
 * are in float_trigonometry.ts.
 */
import {
  add,
  and,
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
  or,
  scalarFunction,
  select,
  shl,
  shr,
  sub,
} from "../kernel/build.ts";
import type { Expr } from "../ir.ts";
import { bitsOf, NAN, ofBits, polynomial } from "./float_parts.ts";
import { cos, sin } from "./float_trigonometry.ts";

const isNaN32 = (x: Expr) => op("f32.ne", x, x);

// --- exp, log ----------------------------------------------------------------------------------------

/** 2^k for k in [-126, 127]. */
const powerOfTwo = (k: Expr) => ofBits(shl(add(k, 127), 23));

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

/**
 * log of a positive normal number: x = (1 + f) * 2^k with 1 + f in [sqrt(1/2), sqrt(2)).
 *
 * With s = f / (2 + f), log(1 + f) = 2 artanh(s) = f - (h - s * (h + R(s^2))) for h = f^2 / 2: f is exact, what is taken
 * from it is small.
 */
function logOfNormal(x: Expr, shift: Expr): Expr {
  return bind(
    "bits",
    bitsOf(x),
    (bits) =>
      bind("low", lt(and(bits, 0x007fffff), 0x003504f3), (low) => {
        const k = sub(sub(sub(shr(bits, 23), 126), low), shift);
        const base = select(low, 0x3f800000, 0x3f000000);
        const m = ofBits(or(and(bits, 0x007fffff), base));
        return bind("f", sub(m, 1), (f) =>
          bind("s", div(f, add(f, 2)), (s) =>
            bind("z", mul(s, s), (z) =>
              bind("h", mul(mul(f, 0.5), f), (h) => {
                const series = polynomial(z, [2 / 3, 2 / 5, 2 / 7, 2 / 9]);
                return bind("n", op("f32.from_i32", k), (n) => {
                  const gained = mul(s, add(h, mul(z, series)));
                  const low = sub(h, add(gained, mul(n, LN2_LOW)));
                  return sub(mul(n, LN2_HIGH), sub(low, f));
                });
              }))));
      }),
  );
}

/** Natural logarithm; -infinity of 0, NaN of a negative number. */
const log = scalarFunction(
  "log",
  { x: "f32" },
  (x) =>
    bind("tiny", lt(x, 1.1754943508222875e-38), (tiny) => {
      const scaled = select(tiny, mul(x, 8388608), x);
      const value = bind(
        "y",
        scaled,
        (y) => logOfNormal(y, select(tiny, 23, 0)),
      );
      const end = select(op("f32.eq", x, f32(0)), f32(-Infinity), value);
      const large = select(op("f32.eq", x, f32(Infinity)), x, end);
      return select(or(lt(x, 0), isNaN32(x)), NAN, large);
    }),
);

// --- tanh, sigmoid, erf ------------------------------------------------------------------------------

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

/** 1 / (1 + e^-x), as e^x / (1 + e^x) below 0, where e^-x may overflow. */
const sigmoid = scalarFunction(
  "sigmoid",
  { x: "f32" },
  (x) =>
    bind(
      "e",
      call(exp, neg(op("f32.abs", x))),
      (e) => div(select(lt(x, 0), e, f32(1)), add(e, 1)),
    ),
);

/** erf: odd polynomial below 1, else 1 - e^p(|x|) with the sign, where p fits log(erfc) on [1, 4]. */
const erf = scalarFunction(
  "erf",
  { x: "f32" },
  (x) =>
    bind("size", op("f32.abs", x), (size) => {
      // 2 / sqrt(pi) less 1, which x itself stands for.
      const series = polynomial(mul(x, x), [
        1.28379167e-1,
        -3.76126384e-1,
        1.12837820e-1,
        -2.68654000e-2,
        5.22094544e-3,
        -8.48282901e-4,
        1.12569491e-4,
        -9.64151961e-6,
      ]);
      const near = add(x, mul(x, series));
      const tail = bind("t", min(size, 4), (t) =>
        call(
          exp,
          polynomial(t, [
            1.88037048e-4,
            -1.12957841,
            -6.33219919e-1,
            -1.08418551e-1,
            2.52082408e-2,
            -4.20455626e-3,
            4.41335300e-4,
            -2.16867632e-5,
          ]),
        ));
      const far = sub(f32(1), tail);
      const signed = select(lt(x, 0), neg(far), far);
      return select(lt(size, 1), near, signed);
    }),
);

/** The functions of the kernel IR that float kernels call; each calls only those before it. */
export const floatLibrary = { exp, log, tanh, sigmoid, erf, sin, cos } as const;
