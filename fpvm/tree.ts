/**
 * Merkle trees over raw 32-byte leaves: the one shape of every commitment (docs/formats.md, "Trees").
 *
 * A leaf is 32 raw bytes, a node is keccak(left | right). Trees are zero-padded on the right, so only the
 * part that holds bytes is stored or hashed; everything beyond it is a zero subtree of known root.
 * Nothing here knows tensors, states or VM memory: those decide heights and what the leaves are.
 */
import { ChainLearnError } from "./errors.ts";
import {
  CHUNK_HEIGHT,
  hashMessage,
  hashNodes,
  hashSiblings,
  hashSubtree,
} from "./keccak_wasm.ts";

/** Bytes of a leaf and of every node. */
export const LEAF_BYTES = 32;

/** Height of the tallest tree: the VM's 2^32 bytes. */
export const MAX_HEIGHT = 27;

/** Keccak-256 of any bytes. */
export function keccak256(data: Uint8Array): Uint8Array {
  return hashMessage(data);
}

/** The node above two siblings, 32 bytes each. */
export function hashPair(left: Uint8Array, right: Uint8Array): Uint8Array {
  return hashSiblings(left, right);
}

const zeros: Uint8Array[] = [new Uint8Array(LEAF_BYTES)];

/** Root Z_h of the all-zero subtree of a height: Z_0 is 32 zero bytes. Do not write to it. */
export function zeroHash(height: number): Uint8Array {
  while (zeros.length <= height) {
    const below = zeros[zeros.length - 1];
    zeros.push(hashPair(below, below));
  }
  return zeros[height];
}

/** Height of the tree over `count` leaves: ceil(log2(count)); count >= 1. */
export function leafCountHeight(count: number): number {
  let height = 0;
  while (2 ** height < count) height++;
  return height;
}

/** Height of the tree of a tensor of so many bytes; 0 for an empty tensor. */
export function treeHeight(byteLength: number): number {
  return leafCountHeight(Math.max(1, Math.ceil(byteLength / LEAF_BYTES)));
}

function requireFit(bytes: Uint8Array, height: number): void {
  if (bytes.length > LEAF_BYTES * 2 ** height) {
    throw new ChainLearnError(
      `Cannot hash a tree of height ${height}: expected at most ${
        LEAF_BYTES * 2 ** height
      } bytes, found ${bytes.length}`,
    );
  }
}

/** The bytes in whole pairs of leaves (one leaf at height 0), the rest zero. */
function paddedLeaves(bytes: Uint8Array, height: number): Uint8Array {
  requireFit(bytes, height);
  const unit = height === 0 ? LEAF_BYTES : 2 * LEAF_BYTES;
  const length = Math.max(1, Math.ceil(bytes.length / unit)) * unit;
  if (bytes.length === length) return bytes;
  const padded = new Uint8Array(length);
  padded.set(bytes);
  return padded;
}

/** Extends a level by one zero subtree if it holds an odd number of nodes. */
function evenLevel(level: Uint8Array, height: number): Uint8Array {
  if (level.length % (2 * LEAF_BYTES) === 0) return level;
  const even = new Uint8Array(level.length + LEAF_BYTES);
  even.set(level);
  even.set(zeroHash(height), level.length);
  return even;
}

/** Roots of the subtrees of {@linkcode CHUNK_HEIGHT} that hold bytes, end to end. */
function chunkRoots(bytes: Uint8Array): Uint8Array {
  const size = LEAF_BYTES << CHUNK_HEIGHT;
  const roots = new Uint8Array(Math.ceil(bytes.length / size) * LEAF_BYTES);
  for (let at = 0, to = 0; at < bytes.length; at += size, to += LEAF_BYTES) {
    const chunk = bytes.subarray(at, at + size);
    roots.set(hashSubtree(chunk, CHUNK_HEIGHT, zeros), to);
  }
  return roots;
}

/** Root of the tree of `height` over the bytes, zero-padded; throws if they do not fit. */
export function tensorRoot(
  bytes: Uint8Array,
  height: number = treeHeight(bytes.length),
): Uint8Array {
  requireFit(bytes, height);
  const zero = zeroHash(height);
  if (bytes.length === 0) return zero.slice();
  if (height === 0) return paddedLeaves(bytes, 0).slice();
  if (height <= CHUNK_HEIGHT) return hashSubtree(bytes, height, zeros);
  let level = chunkRoots(bytes);
  for (let h = CHUNK_HEIGHT; h < height; h++) {
    level = hashNodes(evenLevel(level, h));
  }
  return level;
}

/** A tree with all its nodes, for proofs; zero subtrees on the right are not stored. */
export class MerkleTree {
  readonly height: number;
  /** Per level from the leaves up: the nodes that are not wholly beyond the bytes. */
  readonly #levels: Uint8Array[];

  private constructor(leaves: Uint8Array, height: number) {
    this.height = height;
    this.#levels = [paddedLeaves(leaves, height)];
    for (let h = 0; h < height; h++) {
      this.#levels.push(hashNodes(evenLevel(this.#levels[h], h)));
    }
  }

  /** Tree of a tensor's bytes, zero-padded to the height. */
  static ofBytes(
    bytes: Uint8Array,
    height: number = treeHeight(bytes.length),
  ): MerkleTree {
    return new MerkleTree(bytes.slice(), height);
  }

  /** Tree over ready 32-byte leaves, zero-padded to the height. */
  static ofLeaves(
    leaves: readonly Uint8Array[],
    height: number = leafCountHeight(Math.max(1, leaves.length)),
  ): MerkleTree {
    const bytes = new Uint8Array(leaves.length * LEAF_BYTES);
    leaves.forEach((leaf, i) => bytes.set(leaf, i * LEAF_BYTES));
    return new MerkleTree(bytes, height);
  }

  /** The root, 32 bytes. */
  get root(): Uint8Array {
    return this.node(this.height, 0);
  }

  /** The node at a level (0 is the leaves) and index from the left. */
  node(level: number, index: number): Uint8Array {
    if (
      !(level >= 0 && level <= this.height && index >= 0 &&
        index < 2 ** (this.height - level))
    ) {
      throw new ChainLearnError(
        `Cannot read node ${index} of level ${level}: expected one of a tree of height ${this.height}`,
      );
    }
    const at = index * LEAF_BYTES;
    const nodes = this.#levels[level];
    return at < nodes.length
      ? nodes.slice(at, at + LEAF_BYTES)
      : zeroHash(level);
  }

  /** Siblings of a node, bottom-up to the root. */
  path(index: number, level = 0): Uint8Array[] {
    const siblings: Uint8Array[] = [];
    for (let h = level; h < this.height; h++) {
      const at = Math.floor(index / 2 ** (h - level));
      siblings.push(this.node(h, at % 2 === 0 ? at + 1 : at - 1));
    }
    return siblings;
  }
}

/** Root that a node at `index` of its level and its path lead to. */
export function rootFromPath(
  node: Uint8Array,
  index: number,
  path: readonly Uint8Array[],
): Uint8Array {
  let at = index;
  for (const sibling of path) {
    node = at % 2 === 0 ? hashPair(node, sibling) : hashPair(sibling, node);
    at = Math.floor(at / 2);
  }
  return node;
}
