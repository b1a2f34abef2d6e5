/**
 * Where the bytes behind a grafted root come from, keyed by (root, height).
 *
 * The store is synchronous: whatever a run needs is fetched from files or networks before it. A store
 * is trusted to return the bytes it was asked for; the memory checks them only where it hashes all of them.
 */

import { tensorRoot, treeHeight } from "./tree.ts";

/** Bytes of committed subtrees by key. */
export interface ContentStore {
  /**
   * Bytes of the subtree with that root and height, or undefined where they are unknown; may be
   * shorter than 32 << height: the rest is zero. The caller does not write to them.
   */
  get(root: Uint8Array, height: number): Uint8Array | undefined;
}

/** One string per (root, height), for maps and messages. */
export function contentKey(root: Uint8Array, height: number): string {
  return `0x${root.toHex()}/${height}`;
}

/** A content store in memory. */
export class MemoryContentStore implements ContentStore {
  readonly #bytesByKey = new Map<string, Uint8Array>();

  /** Keeps `bytes` (not copied) as the subtree of that height and returns its root. */
  put(bytes: Uint8Array, height = treeHeight(bytes.length)): Uint8Array {
    const root = tensorRoot(bytes, height);
    this.#bytesByKey.set(contentKey(root, height), bytes);
    return root;
  }

  get(root: Uint8Array, height: number): Uint8Array | undefined {
    return this.#bytesByKey.get(contentKey(root, height));
  }
}
