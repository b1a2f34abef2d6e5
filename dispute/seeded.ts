/** Seeded choices for campaigns and the demonstration: the same seed, the same faults, on every machine. */

/** Draws whole numbers below a bound (1 .. 2^32). */
export type Draw = (bound: number) => number;

/** A generator after Marsaglia's multiply-with-carry, two lags; good enough to scatter faults, for nothing else. */
export function drawsFrom(seed: number): Draw {
  let high = (seed ^ 0x3c6ef372) >>> 0 || 1;
  let low = (Math.imul(seed, 0x9e3779b1) ^ 0x1f123bb5) >>> 0 || 1;
  const next = (): number => {
    high = (Math.imul(36969, high & 0xffff) + (high >>> 16)) >>> 0;
    low = (Math.imul(18000, low & 0xffff) + (low >>> 16)) >>> 0;
    return ((high << 16) + low) >>> 0;
  };
  for (let i = 0; i < 16; i++) next();
  return (bound) => Math.floor(next() / 2 ** 32 * bound);
}
