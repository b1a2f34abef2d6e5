/**
 * The one requantization rule in plain numbers: multipliers from real factors, and its exact value.
 *
 * Powers of two come from repeated doubling, which is exact; `build.ts` has the same rule as a kernel
 * expression.
 */
import type { Bounds, Multiplier } from "./fixed_graph.ts";

/** m in [2^30, 2^31) and s in 1 .. 62 with m / 2^s nearest to `factor`; m is 0 below 2^-32. */
export function quantizeMultiplier(factor: number): Multiplier {
  if (!(factor > 0)) return { m: 0, s: 1 };
  let m = factor;
  let s = 0;
  while (m < 2 ** 30) {
    m *= 2;
    s++;
  }
  while (m >= 2 ** 31) {
    m /= 2;
    s--;
  }
  m = Math.round(m);
  if (m === 2 ** 31) {
    m = 2 ** 30;
    s--;
  }
  if (s > 62) return { m: 0, s: 1 };
  return s < 1 ? { m: 2 ** 31 - 1, s: 1 } : { m, s };
}

/** Several factors with one shift; the largest of them gets m in [2^30, 2^31). */
export function quantizeTogether(
  factors: readonly number[],
): { multipliers: number[]; s: number } {
  const largest = Math.max(...factors.map(Math.abs));
  const { s, m } = quantizeMultiplier(largest);
  if (m === 0) return { multipliers: factors.map(() => 0), s: 1 };
  let unit = 1;
  for (let i = 0; i < s; i++) unit *= 2;
  const limit = 2 ** 31 - 1;
  return {
    multipliers: factors.map((f) =>
      Math.max(Math.min(Math.round(f * unit), limit), -limit)
    ),
    s,
  };
}

/** clamp((acc * m + 2^(s-1)) >> s) exactly, for |acc| < 2^31, in doubles where they suffice. */
export function requantizeNumber(
  acc: number,
  m: number,
  s: number,
  { lo, hi }: Bounds,
): number {
  let y: number;
  if (s >= 17) {
    // acc = high * 2^16 + low; the low 16 bits of the product only carry into the rest.
    const high = Math.floor(acc / 65536);
    const low = acc - high * 65536;
    const rest = high * m + Math.floor(low * m / 65536);
    y = Math.floor((rest + powers[s - 17]) / powers[s - 16]);
  } else {
    const product = BigInt(acc) * BigInt(m) + (1n << BigInt(s - 1));
    y = Number(product >> BigInt(s));
  }
  return y < lo ? lo : y > hi ? hi : y;
}

/** 2^k by exact doubling. */
const powers: readonly number[] = Array.from({ length: 63 }, (_, k) => {
  let power = 1;
  for (let i = 0; i < k; i++) power *= 2;
  return power;
});
