/**
 * Committed subtrees that are opened when touched, and dropped again when many are.
 *
 * All contents of a memory and its clones share one cache. It holds bytes, trees and pairs of roots up to a limit
 * and then forgets what was not used for longest; each is verified whenever it comes out of the store.
 */

import {
  contentKey,
  type ContentStore,
  PART_HEIGHT,
  verifiedContent,
  wrongContent,
} from "./content_store.ts";
import { hashPair, MerkleTree, zeroHash } from "./tree.ts";

/** Bytes that a cache may hold unless told otherwise. */
export const CONTENT_LIMIT = 2 ** 30;
/** Counted for an entry beside its bytes: its key, its roots and the objects. */
const ENTRY_BYTES = 512;

/** What is known of an opened content: its bytes, or its halves. */
interface Opened {
  readonly bytes?: Uint8Array;
  readonly halves?: readonly [Content | null, Content | null];
  tree?: MerkleTree;
  held: number;
}

/** Opened contents by key, least recently used first. */
export class ContentCache {
  readonly #opened = new Map<string, Opened>();
  #held = 0;

  /** `limit` in bytes; what is used last is held whatever its size. */
  constructor(
    public store: ContentStore | undefined,
    public limit = CONTENT_LIMIT,
  ) {}

  /** Another store, which has the same contents, and another limit from now on. */
  bound(store: ContentStore, limit: number): void {
    this.store = store;
    this.limit = limit;
    this.#shrink();
  }

  /** Bytes held now; those of arrays that the store holds as well are counted too. */
  get heldBytes(): number {
    return this.#held;
  }

  /** @throws ChainLearnError naming the key where the store does not have it or has other bytes. */
  open(key: string, root: Uint8Array, height: number): Opened {
    let opened = this.#opened.get(key);
    if (opened !== undefined) this.#opened.delete(key);
    else opened = this.#fetch(key, root, height);
    this.#opened.set(key, opened);
    this.#shrink();
    return opened;
  }

  /** Counts a tree that was made of what is opened. */
  addTree(opened: Opened, tree: MerkleTree): void {
    opened.tree = tree;
    this.#hold(opened, 2 * (opened.bytes?.length ?? 0));
    this.#shrink();
  }

  #hold(opened: Opened, bytes: number): void {
    opened.held += bytes;
    this.#held += bytes;
  }

  #fetch(key: string, root: Uint8Array, height: number): Opened {
    const children = height > PART_HEIGHT
      ? this.store?.children?.(root, height)
      : undefined;
    const opened = children === undefined
      ? this.#fetchBytes(key, root, height)
      : this.#split(key, root, height, children);
    this.#hold(opened, ENTRY_BYTES + (opened.bytes?.length ?? 0));
    return opened;
  }

  #fetchBytes(key: string, root: Uint8Array, height: number): Opened {
    const bytes = this.store?.get(root, height);
    if (bytes === undefined) throw wrongContent(key, "none in the store");
    return { bytes: verifiedContent(bytes, root, height), held: 0 };
  }

  #split(
    key: string,
    root: Uint8Array,
    height: number,
    [left, right]: readonly [Uint8Array, Uint8Array],
  ): Opened {
    const found = hashPair(left, right).toHex();
    if (found !== root.toHex()) {
      throw wrongContent(key, `halves of root 0x${found}`);
    }
    const half = (root: Uint8Array) => contentOf(root, height - 1, this);
    return { halves: [half(left), half(right)], held: 0 };
  }

  #shrink(): void {
    for (const [key, { held }] of this.#opened) {
      if (this.#held <= this.limit || this.#opened.size === 1) return;
      this.#opened.delete(key);
      this.#held -= held;
    }
  }
}

/** The content with that root, or null for the zero subtree. */
export function contentOf(
  root: Uint8Array,
  height: number,
  cache: ContentCache,
): Content | null {
  return root.toHex() === zeroHash(height).toHex()
    ? null
    : new Content(height, root.slice(), cache);
}

/** A committed subtree of which only the root is known until it is read, or given bytes whose root is unknown until hashed. */
export class Content {
  readonly #key: string;
  readonly #cache: ContentCache | null;
  /** Of bytes that were given: those are never dropped. */
  readonly #given: Opened | null;

  constructor(
    readonly height: number,
    readonly root: Uint8Array | null,
    from: ContentCache | Uint8Array,
  ) {
    this.#key = root === null ? "" : contentKey(root, height);
    const isGiven = from instanceof Uint8Array;
    this.#cache = isGiven ? null : from;
    this.#given = isGiven ? { bytes: from, held: 0 } : null;
  }

  #open(): Opened {
    return this.#given ??
      this.#cache!.open(this.#key, this.root!, this.height);
  }

  /** Whether the store has it by this root, so that nothing need be kept. */
  get isStored(): boolean {
    return this.root !== null && this.#cache !== null;
  }

  /** Whether every byte from `offset` on is known, without opening it, to be zero. */
  endsBefore(offset: number): boolean {
    return this.#given !== null && offset >= this.#given.bytes!.length;
  }

  /** Both halves, null for a zero one, where the store has it in parts. */
  halves(): readonly [Content | null, Content | null] | undefined {
    return this.height > PART_HEIGHT && this.#cache?.store?.children
      ? this.#open().halves
      : undefined;
  }

  /**
   * The words from byte `offset` on, not to be written to nor kept: where possible a view of bytes that may be
   * dropped otherwise. Undefined where all of them are zero.
   */
  words(offset: number, count: number): Int32Array | undefined {
    const { bytes, halves } = this.#open();
    if (halves !== undefined) {
      const middle = 16 * 2 ** this.height;
      return offset < middle
        ? halves[0]?.words(offset, count)
        : halves[1]?.words(offset - middle, count);
    }
    const { length, buffer, byteOffset } = bytes!;
    if (offset >= length) return undefined;
    const end = offset + 4 * count;
    if (end <= length && (byteOffset + offset) % 4 === 0) {
      return new Int32Array(buffer, byteOffset + offset, count);
    }
    const words = new Int32Array(count);
    new Uint8Array(words.buffer).set(bytes!.subarray(offset, end));
    return words;
  }

  /** Hash of the subtree of that height and position inside a content that is not in halves. */
  node(height: number, index: number): Uint8Array {
    if (height === this.height && this.root !== null) return this.root;
    return this.#openTree().node(height, index);
  }

  #openTree(): MerkleTree {
    const opened = this.#open();
    if (opened.tree !== undefined) return opened.tree;
    const tree = MerkleTree.ofBytes(opened.bytes!, this.height);
    // Bytes that were written to after they had been hashed.
    if (this.root !== null && this.root.toHex() !== tree.root.toHex()) {
      throw wrongContent(
        this.#key,
        `bytes of root 0x${tree.root.toHex()}`,
      );
    }
    if (this.#cache === null) opened.tree = tree;
    else this.#cache.addTree(opened, tree);
    return tree;
  }
}
