/**
 * A path under a memory root in the encoding of step witnesses: a 4-byte map, then the siblings that are not zero
 * subtrees (docs/formats.md, "Step witness").
 */
import { zeroHash } from "../fpvm/mod.ts";

/** Packs `siblings`, bottom-up, the first of which stands at level `from`. */
export function mappedPath(
  siblings: readonly Uint8Array[],
  from: number,
): Uint8Array {
  let map = 0;
  const sent: Uint8Array[] = [];
  siblings.forEach((sibling, i) => {
    const zero = zeroHash(from + i);
    if (sibling.every((b, j) => b === zero[j])) return;
    map |= 1 << (from + i);
    sent.push(sibling);
  });
  const bytes = new Uint8Array(4 + 32 * sent.length);
  new DataView(bytes.buffer).setUint32(0, map);
  sent.forEach((sibling, i) => bytes.set(sibling, 4 + 32 * i));
  return bytes;
}
