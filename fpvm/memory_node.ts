/**
 * Nodes of the sparse memory tree: zero subtrees, inner nodes, pages of words, and unopened grafts.
 *
 * Nodes are shared between clones of a memory; only the memory whose token a node carries may write to
 * it. Opening a graft never changes a hash, so it is done in place. Typed arrays are read in host
 * order, which is little-endian wherever this runs.
 */

import type { Content } from "./content.ts";
import { type KeepingStore, PART_HEIGHT } from "./content_store.ts";
import { ChainLearnError } from "./errors.ts";
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

  /** Whether it is all of its content. */
  get isWhole(): boolean {
    return this.height === this.content.height;
  }

  /** The graft of one half, or null where it is known to be zero. */
  half(side: 0 | 1): MemoryNode {
    const height = this.height - 1;
    const halves = this.isWhole ? this.content.halves() : undefined;
    if (halves !== undefined) {
      const content = halves[side];
      return content === null ? null : new Graft(content, height, 0);
    }
    const half = new Graft(this.content, height, 2 * this.index + side);
    return this.content.endsBefore(half.#offset) ? null : half;
  }

  /** The words of a page, not to be written to nor kept, given its index in this subtree; undefined where they are zero. */
  page(index: number): Int32Array | undefined {
    return this.content.words(
      this.#offset + 4 * wordsOf(PAGE_HEIGHT) * index,
      wordsOf(PAGE_HEIGHT),
    );
  }

  /** The same subtree, one level open (a page where it is small enough) and for `owner` to write to. */
  open(owner: Owner): MemoryNode {
    if (this.height > PAGE_HEIGHT) {
      const root = this.isWhole ? this.content.root : null;
      return new Inner(this.half(0), this.half(1), owner, root);
    }
    const words = this.content.words(this.#offset, wordsOf(this.height));
    return words === undefined ? null : new Page(words.slice(), owner);
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

/** The bytes of a subtree of at most a part. */
function nodeBytes(node: MemoryNode, height: number): Uint8Array {
  const words = new Int32Array(wordsOf(height));
  const fill = (part: MemoryNode, height: number, at: number): void => {
    if (part instanceof Page) words.set(part.words, at);
    else if (part instanceof Graft && height <= PAGE_HEIGHT) {
      fill(part.open(null), height, at);
    } else if (part !== null) {
      const [left, right] = halves(part);
      fill(left, height - 1, at);
      fill(right, height - 1, at + wordsOf(height - 1));
    }
  };
  fill(node, height, 0);
  return pageBytes(words);
}

/** Gives a subtree to a store that keeps such, in parts, other than what the store has already. */
export function keepNode(
  node: MemoryNode,
  height: number,
  store: KeepingStore,
): void {
  if (node === null) return;
  if (node instanceof Graft && node.isWhole && node.content.isStored) return;
  const root = nodeHash(node, height);
  if (height <= PART_HEIGHT) {
    return store.keep(root, height, nodeBytes(node, height));
  }
  const [left, right] = halves(node);
  keepNode(left, height - 1, store);
  keepNode(right, height - 1, store);
  store.keepChildren(
    root,
    height,
    nodeHash(left, height - 1),
    nodeHash(right, height - 1),
  );
}

/**
 * Gives the parts below a node that are not contents to a store, and puts what `graft` makes of their roots in
 * their place; a part around a graft whose content is missing stays. Done in place, also for clones: no hash changes.
 */
export function spillNode(
  node: MemoryNode,
  height: number,
  store: KeepingStore,
  graft: (root: Uint8Array, height: number) => MemoryNode,
): MemoryNode {
  if (node === null || node instanceof Graft) return node;
  if (height > PART_HEIGHT && node instanceof Inner) {
    node.left = spillNode(node.left, height - 1, store, graft);
    node.right = spillNode(node.right, height - 1, store, graft);
    return node;
  }
  let root, bytes;
  try {
    root = nodeHash(node, height);
    bytes = nodeBytes(node, height);
  } catch (error) {
    if (error instanceof ChainLearnError) return node;
    throw error;
  }
  store.keep(root, height, bytes);
  return graft(root, height);
}

/** Bytes that these subtrees hold outside of contents, each node once; an inner node counts as 128. */
export function heldBytes(roots: Iterable<MemoryNode>): number {
  const seen = new Set<MemoryNode>();
  let held = 0;
  const visit = (node: MemoryNode): void => {
    if (node === null || node instanceof Graft || seen.has(node)) return;
    seen.add(node);
    if (node instanceof Page) {
      held += node.words.byteLength;
    } else {
      held += 128;
      visit(node.left);
      visit(node.right);
    }
  };
  for (const root of roots) visit(root);
  return held;
}
