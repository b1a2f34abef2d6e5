/**
 * Elementary functions in doubles that give the same bits on every machine.
 *
 * The engines' own exp, log and tanh differ in their last bits, so nothing that reaches a bundle (ranges,
 * scales, tables) may use them. These use + - * / and exact bit moves only, in a fixed order: range
 * reduction and a Taylor series whose remainder is below 2^-56. Error: a few units in the last place.
 */

const LN2_HIGH = 0.693147180369123816490; // 33 bits, so that k * LN2_HIGH is exact for |k| < 2^20
const LN2_LOW = 1.90821492927058770002e-10;
const LOG2_E = 1.4426950408889634;
const SQRT_HALF = 0.7071067811865476;

const view = new DataView(new ArrayBuffer(8));

/** 2^k for a whole k in [-1022, 1023]. */
export function powerOfTwo(k: number): number {
  view.setUint32(0, (k + 1023) << 20);
  view.setUint32(4, 0);
  return view.getFloat64(0);
}

/** sum of r^n / n! over n = 1 .. 17, for |r| < 0.36. */
function expm1Series(r: number): number {
  let sum = 1;
  for (let n = 17; n >= 2; n--) sum = 1 + r * sum / n;
  return r * sum;
}

/** e^x. */
export function exp(x: number): number {
  if (x !== x) return NaN;
  if (x > 709.8) return Infinity;
  if (x < -745.2) return 0;
  const k = Math.round(x * LOG2_E);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  const y = 1 + expm1Series(r);
  // In two steps, since 2^k itself may be out of range.
  const half = Math.trunc(k / 2);
  return y * powerOfTwo(half) * powerOfTwo(k - half);
}

/** Natural logarithm; -Infinity of 0, NaN of a negative number. */
export function log(x: number): number {
  if (x !== x || x < 0) return NaN;
  if (x === 0) return -Infinity;
  if (x === Infinity) return Infinity;
  let k = 0;
  if (x < 2.2250738585072014e-308) {
    x *= powerOfTwo(54);
    k = -54;
  }
  view.setFloat64(0, x);
  const high = view.getUint32(0);
  k += (high >>> 20) - 1022;
  view.setUint32(0, (high & 0x000fffff) | 0x3fe00000); // x in [0.5, 1)
  let m = view.getFloat64(0);
  if (m < SQRT_HALF) {
    m *= 2;
    k--;
  }
  const s = (m - 1) / (m + 1);
  const square = s * s;
  let sum = 0;
  for (let n = 25; n >= 3; n -= 2) sum = square * (1 / n + sum);
  return k * LN2_HIGH + (2 * s * (1 + sum) + k * LN2_LOW);
}

/** Hyperbolic tangent. */
export function tanh(x: number): number {
  if (x !== x) return NaN;
  if (x > 22) return 1;
  if (x < -22) return -1;
  const t = Math.abs(x) < 0.17 ? expm1Series(2 * x) : exp(2 * x) - 1;
  return t / (t + 2);
}

/** 1 / (1 + e^-x). */
export function sigmoid(x: number): number {
  return 1 / (1 + exp(-x));
}

const TWO_OVER_ROOT_PI = 1.1283791670955126;

/** Gauss error function: its series up to 2.5, beyond that Laplace's continued fraction of erfc. */
export function erf(x: number): number {
  const size = Math.abs(x);
  if (size > 6) return x > 0 ? 1 : -1;
  if (!(size > 2.5)) {
    let [term, sum] = [x, x];
    for (let n = 1; n < 60; n++) {
      term *= -x * x / n;
      sum += term / (2 * n + 1);
    }
    return sum * TWO_OVER_ROOT_PI;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (size + fraction);
  const tail = exp(-size * size) * TWO_OVER_ROOT_PI / 2 / (size + fraction);
  return x > 0 ? 1 - tail : tail - 1;
}

const HALF_PI_HIGH = 1.5707963267341256; // 33 bits
const HALF_PI_LOW = 6.077100506506192e-11;

/** sin(x + quadrant * pi / 2) for |x| < 2^20, beyond which a double says little about its place in a turn. */
function sine(x: number, quadrant: number): number {
  if (!(Math.abs(x) < 2 ** 20)) return NaN;
  const k = Math.round(x / (HALF_PI_HIGH + HALF_PI_LOW));
  const r = x - k * HALF_PI_HIGH - k * HALF_PI_LOW;
  const turn = ((k + quadrant) % 4 + 4) % 4;
  let [term, sum] = turn % 2 === 0 ? [r, r] : [1, 1];
  for (let n = turn % 2 === 0 ? 3 : 2; n < 22; n += 2) {
    term *= -r * r / (n * (n - 1));
    sum += term;
  }
  return turn < 2 ? sum : -sum;
}

/** Sine of radians in (-2^20, 2^20), else NaN. */
export const sin = (x: number): number => sine(x, 0);
/** Cosine of radians in (-2^20, 2^20), else NaN. */
export const cos = (x: number): number => sine(x, 1);

/** Decibels of a ratio of powers. */
export function decibels(ratio: number): number {
  return 10 * log(ratio) / 2.302585092994046;
}
