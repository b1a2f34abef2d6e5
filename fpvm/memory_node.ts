/**
 * Nodes of the sparse memory tree: zero subtrees, inner nodes, pages of words, and unopened grafts.
 *
 * Nodes are shared between clones of a memory; only the memory whose token a node carries may write to
 * it. Opening a graft never changes a hash, so it is done in place. Typed arrays are read in host
 * order, which is little-endian wherever this runs.
 */

import {
  contentKey,
  type ContentStore,
  verifyContent,
  wrongContent,
} from "./content_store.ts";
import { hashPair, MerkleTree, tensorRoot, zeroHash } from "./tree.ts";

/** Height of a page's subtree: 128 leaves, 4 KiB. */
export const PAGE_HEIGHT = 7;

/** Words of a subtree of a height up to {@linkcode PAGE_HEIGHT}. */
const wordsOf = (height: number) => 8 << height;

/** A zero subtree, or one of the other three kinds. */
export type MemoryNode = null | Inner | Page | Graft;

/** Who may write to a node in place. */
export type Owner = object | null;

/** A node above others; `hash` is null while unknown. */
export class Inner {
  constructor(
    public left: MemoryNode,
    public right: MemoryNode,
    readonly owner: Owner,
    public hash: Uint8Array | null = null,
  ) {}
}

/** The words of a subtree of height 0..7; `hash` is null while unknown. */
export class Page {
  constructor(
    readonly words: Int32Array,
    readonly owner: Owner,
    public hash: Uint8Array | null = null,
  ) {}
}

/** A committed subtree of which only the root is known until it is read, or whose root is unknown until hashed. */
export class Content {
  #bytes: Uint8Array | undefined;
  #tree: MerkleTree | undefined;

  constructor(
    readonly height: number,
    readonly root: Uint8Array | null,
    readonly store: ContentStore | undefined,
    bytes?: Uint8Array,
  ) {
    this.#bytes = bytes;
  }

  /** Whether every byte from `offset` on is known to be zero. */
  endsBefore(offset: number): boolean {
    return this.#bytes !== undefined && offset >= this.#bytes.length;
  }

  /** @throws ChainLearnError naming the key where the store does not have it or has other bytes. */
  bytes(): Uint8Array {
    if (this.#bytes !== undefined) return this.#bytes;
    const root = this.root!;
    const found = this.store?.get(root, this.height);
    if (found === undefined) {
      throw wrongContent(contentKey(root, this.height), "none in the store");
    }
    verifyContent(found, root, this.height);
    return this.#bytes = found;
  }

  /** Hash of the subtree of that height and position inside the content. */
  node(height: number, index: number): Uint8Array {
    if (height === this.height && this.root !== null) return this.root;
    return this.#openTree().node(height, index);
  }

  #openTree(): MerkleTree {
    if (this.#tree !== undefined) return this.#tree;
    const tree = MerkleTree.ofBytes(this.bytes(), this.height);
    // Bytes that were written to after they had been hashed.
    if (this.root !== null && this.root.toHex() !== tree.root.toHex()) {
      throw wrongContent(
        contentKey(this.root, this.height),
        `bytes of root 0x${tree.root.toHex()}`,
      );
    }
    return this.#tree = tree;
  }
}

/** The `index`-th subtree of its height inside a content, not opened yet. */
export class Graft {
  constructor(
    readonly content: Content,
    readonly height: number,
    readonly index: number,
  ) {}

  get #offset(): number {
    return this.index * 32 * 2 ** this.height;
  }

  /** The graft of one half, or null where it is known to be zero. */
  half(side: 0 | 1): MemoryNode {
    const half = new Graft(
      this.content,
      this.height - 1,
      2 * this.index + side,
    );
    return this.content.endsBefore(half.#offset) ? null : half;
  }

  /** The same subtree, one level open (a page where it is small enough). */
  open(): MemoryNode {
    const bytes = this.content.bytes();
    if (this.content.endsBefore(this.#offset)) return null;
    if (this.height > PAGE_HEIGHT) {
      const root = this.height === this.content.height
        ? this.content.root
        : null;
      return new Inner(this.half(0), this.half(1), null, root);
    }
    const count = wordsOf(this.height);
    const at = bytes.byteOffset + this.#offset;
    if (at % 4 === 0 && this.#offset + 4 * count <= bytes.length) {
      return new Page(new Int32Array(bytes.buffer, at, count), null);
    }
    const words = new Int32Array(count);
    new Uint8Array(words.buffer).set(
      bytes.subarray(this.#offset, this.#offset + 4 * count),
    );
    return new Page(words, null);
  }
}

/** Both halves of a node of height at least 1; halves of a page are views on its words. */
export function halves(node: MemoryNode): [MemoryNode, MemoryNode] {
  if (node === null) return [null, null];
  if (node instanceof Inner) return [node.left, node.right];
  if (node instanceof Graft) return [node.half(0), node.half(1)];
  const middle = node.words.length / 2;
  return [
    new Page(node.words.subarray(0, middle), null),
    new Page(node.words.subarray(middle), null),
  ];
}

/** The words as bytes, without trailing zero words. */
function pageBytes(words: Int32Array): Uint8Array {
  let length = words.length;
  while (length > 0 && words[length - 1] === 0) length--;
  return new Uint8Array(words.buffer, words.byteOffset, 4 * length);
}

/** Root of a node's subtree; only what changed since the last time is hashed. */
export function nodeHash(node: MemoryNode, height: number): Uint8Array {
  if (node === null) return zeroHash(height);
  if (node instanceof Graft) return node.content.node(height, node.index);
  if (node instanceof Page) {
    return node.hash ??= tensorRoot(pageBytes(node.words), height);
  }
  return node.hash ??= hashPair(
    nodeHash(node.left, height - 1),
    nodeHash(node.right, height - 1),
  );
}

/** The path inside a page from `level` up to its root, bottom-up. */
export function pagePath(
  page: Page,
  height: number,
  index: number,
  level: number,
): Uint8Array[] {
  return MerkleTree.ofBytes(pageBytes(page.words), height).path(index, level);
}

/** One page in place of a node of height 7 that is split, or null while a graft below it is unopened. */
export function flatten(node: Inner, owner: Owner): Page | null {
  const words = new Int32Array(wordsOf(PAGE_HEIGHT));
  const fill = (part: MemoryNode, at: number, count: number): boolean => {
    if (part === null) return true;
    if (part instanceof Graft) return false;
    if (part instanceof Page) {
      words.set(part.words, at);
      return true;
    }
    return fill(part.left, at, count / 2) &&
      fill(part.right, at + count / 2, count / 2);
  };
  return fill(node, 0, words.length) ? new Page(words, owner, node.hash) : null;
}
