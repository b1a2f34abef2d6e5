/**
 * Where the bytes behind a grafted root come from, keyed by (root, height).
 *
 * The store is synchronous: whatever a run needs is fetched from files or networks before it. Memory takes
 * no store's word for its bytes: it hashes them before the first of them is used, and what a store may change, it copies.
 */

import { ChainLearnError } from "./errors.ts";
import { LEAF_BYTES, tensorRoot, treeHeight } from "./tree.ts";

/** Bytes of committed subtrees by key. */
export interface ContentStore {
  /**
   * Bytes of the subtree with that root and height, or undefined where they are unknown; may be
   * shorter than 32 << height: the rest is zero. The caller does not write to them.
   */
  get(root: Uint8Array, height: number): Uint8Array | undefined;
  /**
   * Roots of both halves of a subtree that the store has in parts, or undefined; asked for above
   * {@linkcode PART_HEIGHT} only. Whoever has it is never asked for more than a part, nor for all of a large subtree.
   */
  children?(
    root: Uint8Array,
    height: number,
  ): readonly [Uint8Array, Uint8Array] | undefined;
  /** Takes what a program saved, at most a part; without it memory keeps that itself. */
  keep?(root: Uint8Array, height: number, bytes: Uint8Array): void;
  /** Takes the halves' roots of what a program saved, above {@linkcode PART_HEIGHT}; goes with `keep`. */
  keepChildren?(
    root: Uint8Array,
    height: number,
    left: Uint8Array,
    right: Uint8Array,
  ): void;
}

/** A store that takes what a program saves and gives it again. */
export type KeepingStore = Required<ContentStore>;

/** Whether a store does so; one that lacks a part of it does not. */
export function keepsAll(
  store: ContentStore | undefined,
): store is KeepingStore {
  return store?.children !== undefined && store.keep !== undefined &&
    store.keepChildren !== undefined;
}

/** Height of the parts, 128 KiB, that a store with `children` is asked for. */
export const PART_HEIGHT = 12;

/** One string per (root, height), for maps and messages. */
export function contentKey(root: Uint8Array, height: number): string {
  return `0x${root.toHex()}/${height}`;
}

/** Keys under which the arrays of stores in memory were hashed. */
const hashedKeys = new WeakMap<Uint8Array, Set<string>>();

function rememberHashed(bytes: Uint8Array, key: string): void {
  const keys = hashedKeys.get(bytes);
  if (keys === undefined) hashedKeys.set(bytes, new Set([key]));
  else keys.add(key);
}

/** Error for content whose bytes are not what its key says. */
export function wrongContent(key: string, found: string): ChainLearnError {
  return new ChainLearnError(
    `Cannot open grafted memory: expected content of root and height ${key}, found ${found}`,
  );
}

/**
 * The bytes that a key says: those of a {@linkcode MemoryContentStore} themselves, which hashed them, and a copy of any
 * others, since a store may read what it is asked for next into the same array.
 *
 * @throws ChainLearnError naming the key and what the bytes are.
 */
export function verifiedContent(
  bytes: Uint8Array,
  root: Uint8Array,
  height: number,
): Uint8Array {
  const key = contentKey(root, height);
  if (hashedKeys.get(bytes)?.has(key)) return bytes;
  if (bytes.length > LEAF_BYTES * 2 ** height) {
    throw wrongContent(key, `${bytes.length} bytes`);
  }
  const own = bytes.slice();
  const found = tensorRoot(own, height);
  if (found.toHex() !== root.toHex()) {
    throw wrongContent(key, `bytes of root 0x${found.toHex()}`);
  }
  return own;
}

/** A content store in memory. */
export class MemoryContentStore implements ContentStore {
  readonly #bytesByKey = new Map<string, Uint8Array>();

  /** Keeps `bytes` (not copied; do not write to them) as the subtree of that height and returns its root. */
  put(bytes: Uint8Array, height = treeHeight(bytes.length)): Uint8Array {
    const root = tensorRoot(bytes, height);
    const key = contentKey(root, height);
    this.#bytesByKey.set(key, bytes);
    rememberHashed(bytes, key);
    return root;
  }

  get(root: Uint8Array, height: number): Uint8Array | undefined {
    return this.#bytesByKey.get(contentKey(root, height));
  }
}
