/**
 * How a round of a dispute cuts an interval of steps. The same arithmetic in Solidity: contracts/src/Segments.sol.
 *
 * Steps are bigints: a machine's program may have up to 2^64 of them.
 */

/** Segments of one round over [lo, hi]: s = min(k, hi - lo). */
export function segmentCount(lo: bigint, hi: bigint, k: number): number {
  const width = hi - lo;
  return width < BigInt(k) ? Number(width) : k;
}

/** End of segment j of s, j in 0..s: lo + floor(j * (hi - lo) / s); j = 0 gives lo. */
export function segmentEnd(
  lo: bigint,
  hi: bigint,
  s: number,
  j: number,
): bigint {
  return lo + (BigInt(j) * (hi - lo)) / BigInt(s);
}

/** The s - 1 steps whose hashes a round posts: the inner segment ends; none at width 1. */
export function innerEnds(lo: bigint, hi: bigint, k: number): bigint[] {
  const s = segmentCount(lo, hi, k);
  return Array.from(
    { length: s - 1 },
    (_, i) => segmentEnd(lo, hi, s, i + 1),
  );
}

/** Nodes of one round of the phase tensor: 2^min(q, level). */
export function nodesPerRound(q: number, level: number): number {
  return 2 ** Math.min(q, level);
}
