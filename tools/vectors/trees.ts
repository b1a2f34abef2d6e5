/** Golden vectors of docs/formats.md, "Trees" and "Slots proof": roots of tensors, states and other lists of leaves. */
import { slotsSiblings } from "../../contracts/mod.ts";
import {
  hashPair,
  leafCountHeight,
  MAX_HEIGHT,
  MerkleTree,
  tensorRoot,
  zeroHash,
} from "../../fpvm/mod.ts";

/** Bytes as the vectors' file has them. */
export const hex = (bytes: Uint8Array): string => `0x${bytes.toHex()}`;
/** Several nodes, one behind the other. */
export const packed = (nodes: readonly Uint8Array[]): string =>
  `0x${nodes.map((node) => node.toHex()).join("")}`;

/** 1, 2, 3 ... modulo 251, from `start`: every byte tells its place. */
export const counting = (length: number, start = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (start + i) % 251);

/** Z_0 .. Z_27, one behind the other. */
export function zeroHashes(): string[] {
  return Array.from({ length: MAX_HEIGHT + 1 }, (_, h) => hex(zeroHash(h)));
}

/** Tensors of every edge length, with the path of one leaf. */
export function tensorVectors() {
  return [0, 1, 31, 32, 33, 64, 65, 96, 127, 257, 1024, 1025].map((length) => {
    const bytes = counting(length);
    const tree = MerkleTree.ofBytes(bytes);
    const index = Math.max(0, Math.ceil(length / 32) - 1);
    return {
      bytes: hex(bytes),
      height: tree.height,
      root: hex(tensorRoot(bytes)),
      leaf: hex(tree.node(0, index)),
      index,
      path: packed(tree.path(index)),
    };
  });
}

/**
 * Roots over lists of 32-byte leaves: the slots of a state, which the finish step cuts to the first `kept`, and in the
 * same shape the constants' roots under a weights root and the descriptors' hashes under a program root.
 */
export function stateVectors() {
  return [[1, 1], [2, 1], [2, 2], [3, 2], [5, 1], [5, 4], [5, 8], [9, 2]].map(
    ([count, kept]) => {
      const leaves = Array.from(
        { length: count },
        (_, i) => counting(32, 7 * i),
      );
      const depth = leafCountHeight(count);
      const inner = leafCountHeight(kept);
      let finished = MerkleTree.ofLeaves(leaves.slice(0, kept), inner).root;
      for (let level = inner; level < depth; level++) {
        finished = hashPair(finished, zeroHash(level));
      }
      return {
        leaves: packed(leaves),
        depth,
        root: hex(MerkleTree.ofLeaves(leaves).root),
        kept,
        finished: hex(finished),
      };
    },
  );
}

/** Slots under a root with the siblings that the rest of the tree needs; the slots are in no order. */
export function slotsProofVectors() {
  const cases: [number, number[]][] = [
    [1, [0]],
    [2, [1]],
    [2, [1, 0]],
    [5, [4]],
    [5, [2, 3, 4]],
    [5, [3, 0]],
    [8, [6, 1, 7, 2]],
    [13, [12, 3, 5]],
  ];
  return cases.map(([count, slots]) => {
    const leaves = Array.from({ length: count }, (_, i) => counting(32, 9 * i));
    return {
      slots,
      values: packed(slots.map((slot) => leaves[slot])),
      depth: leafCountHeight(count),
      siblings: packed(slotsSiblings(leaves, slots)),
      root: hex(MerkleTree.ofLeaves(leaves).root),
    };
  });
}
