/**
 * A path under a memory root as the contracts read it: a 4-byte map of the levels whose sibling is sent,
 * then these siblings, bottom-up; the others are zero subtrees (docs/formats.md, "Step witness").
 */
import { concatBytes, equalBytes } from "./bytes.ts";
import { zeroHash } from "./tree.ts";

/** Packs `siblings`, bottom-up, the first of which stands at level `from`; levels are below 32. */
export function mappedPath(
  siblings: readonly Uint8Array[],
  from: number,
): Uint8Array {
  let map = 0;
  const sent = siblings.filter((sibling, i) => {
    const level = from + i;
    if (equalBytes(sibling, zeroHash(level))) return false;
    map |= 1 << level;
    return true;
  });
  const header = new Uint8Array(4);
  new DataView(header.buffer).setUint32(0, map);
  return concatBytes([header, ...sent]);
}
