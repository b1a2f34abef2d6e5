/**
 * exp, log, tanh, the sigmoid, erf, sin and cos over f32 operations: same IR, same bits everywhere.
 *
 * Each reduces its argument to a short range and evaluates a polynomial there: Taylor's where it is short enough, else
 * the minimax fit of tools/fit_polynomials.py. NaN goes through. Errors are at most, in units in the last place: exp
 * 1.3, log 1, tanh 1.5, sigmoid 2.5, erf 1.5, sin and cos 1.7 (tests/compiler/float_library_test.ts measures them).
 */
import {
  add,
  and,
  bind,
  call,
  div,
  eq,
  f32,
  f32Bits,
  ge,
  gt,
  i32,
  i64,
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
  shrU,
  sub,
  wrap,
  xor,
} from "../kernel/build.ts";
import type { Expr, ScalarFunction } from "../ir.ts";

/** c[0] + x * (c[1] + x * (...)). */
function polynomial(x: Expr, coefficients: readonly number[]): Expr {
  const [last, ...rest] = [...coefficients].reverse();
  return rest.reduce<Expr>((sum, c) => add(mul(sum, x), c), f32(last));
}

const bitsOf = (x: Expr) => op("i32.bits_of_f32", x);
const ofBits = (bits: Expr) => op("f32.of_bits", bits);
const isNaN32 = (x: Expr) => op("f32.ne", x, x);
const NAN = f32Bits(0x7fc00000);

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

// --- sin, cos ----------------------------------------------------------------------------------------

/** 2 / pi in binary after 64 zero bits, 32 bits a word: enough for every binary32 (Payne and Hanek 1983). */
const TWO_OVER_PI = [
  0,
  0,
  0xa2f9836e,
  0x4e441529,
  0xfc2757d1,
  0xf534ddc0,
  0xdb629599,
  0x3c439041,
  0xfe5163ab,
];

/** 96 bits of 2 / pi from bit `at` of the table on, as three words. */
function windowOfTwoOverPi(at: Expr, body: (words: Expr[]) => Expr): Expr {
  const [first, bit] = [shrU(at, 5), and(at, 31)];
  const word = (i: number) => {
    const choices = TWO_OVER_PI.slice(i, i + 6);
    return choices.slice(1).reduce<Expr>(
      (chosen, value, j) => select(eq(first, j + 1), i32(value), chosen),
      i32(choices[0]),
    );
  };
  const joined = (high: Expr, low: Expr) =>
    or(shl(high, bit), shrU(shrU(low, 1), xor(bit, 31)));
  return bind(
    "w0",
    word(0),
    (w0) =>
      bind(
        "w1",
        word(1),
        (w1) =>
          bind("w2", word(2), (w2) =>
            body([joined(w0, w1), joined(w1, w2), joined(w2, word(3))])),
      ),
  );
}

/** |x| in quarter turns modulo 4, times 2^62, as i64; `size` are the bits of |x|, finite. */
function quarterTurns(size: Expr, body: (turns: Expr) => Expr): Expr {
  const exponent = max(shrU(size, 23), 1);
  const m = or(and(size, 0x7fffff), shl(ge(size, 1 << 23), 23));
  // |x| = m * 2^(exponent - 150); numbers below 2^-38 count as such of the same significand there.
  const at = max(sub(exponent, 150 - 62), 0);
  return bind(
    "m",
    m,
    (m) =>
      bind("at", at, (at) =>
        windowOfTwoOverPi(at, ([high, middle, low]) => {
          const top = op(
            "i64.or",
            shl(op("i64.extend_u", high), 32),
            op("i64.extend_u", middle),
          );
          const rest = shrU(op("i32.mul_wide_u", low, m), 32);
          return body(add(mul(top, op("i64.extend_u", m)), rest));
        })),
  );
}

/** Quarter turns times 2^62, at most half a one, as radians times 2^62: in integers, so that only one rounding follows. */
function radians(turns: Expr): Expr {
  const halfPi = i64(1686629713n); // pi / 2 * 2^30
  return bind("t", turns, (t) => {
    const low = mul(and(t, i64((1n << 30n) - 1n)), halfPi);
    return add(mul(shr(t, 30), halfPi), shr(low, 30));
  });
}

/** sin(x + quadrant * pi / 2): the nearest quadrant is taken off exactly, a polynomial gives the rest. */
const sine = (name: string, quadrant: 0 | 1) =>
  scalarFunction(
    name,
    { x: "f32" },
    (x) =>
      bind("size", and(bitsOf(x), 0x7fffffff), (size) => {
        const value = quarterTurns(size, (turns) =>
          bind("p", add(turns, i64(1n << 61n)), (p) => {
            const rest = sub(and(p, i64((1n << 62n) - 1n)), i64(1n << 61n));
            const r = mul(
              op("f32.from_i64", radians(rest)),
              f32Bits((127 - 62) << 23),
            );
            const n = add(wrap(shrU(p, 62)), quadrant);
            return bind("r", r, (r) =>
              bind("z", mul(r, r), (z) => {
                const odd = add(
                  r,
                  mul(
                    mul(r, z),
                    polynomial(z, [
                      -0.166666546,
                      0.00833215505,
                      -0.000195140848,
                    ]),
                  ),
                );
                const even = add(
                  sub(f32(1), mul(z, 0.5)),
                  mul(
                    mul(z, z),
                    polynomial(z, [
                      0.0416666463,
                      -0.00138873371,
                      0.0000244348459,
                    ]),
                  ),
                );
                return bind("n", n, (n) => {
                  const flipped = quadrant === 0
                    ? xor(shl(n, 30), bitsOf(x))
                    : shl(n, 30);
                  const side = select(and(n, 1), even, odd);
                  return ofBits(xor(bitsOf(side), and(flipped, 1 << 31)));
                });
              }));
          }));
        // Below 2^-12 the cube is less than half a unit in the last place.
        const small = quadrant === 0
          ? select(lt(size, (127 - 12) << 23), x, value)
          : value;
        return select(gt(size, 0x7f7fffff), NAN, small);
      }),
  );

const sin = sine("sin", 0);
const cos = sine("cos", 1);

/** The functions of the kernel IR that float kernels call; each calls only those before it. */
export const floatLibrary = { exp, log, tanh, sigmoid, erf, sin, cos } as const;

/** The functions of those names that the library has, with what they call, in the library's order. */
export function calleesFirst(names: Iterable<string>): ScalarFunction[] {
  const used = new Set(names);
  if (["tanh", "sigmoid", "erf"].some((name) => used.has(name))) {
    used.add("exp");
  }
  return Object.values(floatLibrary).filter((fn) => used.has(fn.name));
}
