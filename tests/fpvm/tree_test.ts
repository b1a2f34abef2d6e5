import { assertEquals, assertThrows } from "@std/assert";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { ChainLearnError } from "../../fpvm/errors.ts";
import {
  hashPair,
  keccak256,
  leafCountHeight,
  MerkleTree,
  rootFromPath,
  tensorRoot,
  treeHeight,
  zeroHash,
} from "../../fpvm/tree.ts";
import { Random } from "../random.ts";

const hex = (bytes: Uint8Array) =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

/** The definition: every leaf of the padded tree hashed, by noble alone. */
function plainRoot(bytes: Uint8Array, height: number): Uint8Array {
  let level = new Uint8Array(32 << height);
  level.set(bytes);
  while (level.length > 32) {
    const above = new Uint8Array(level.length / 2);
    for (let i = 0; i < above.length; i += 32) {
      above.set(keccak_256(level.subarray(2 * i, 2 * i + 64)), i);
    }
    level = above;
  }
  return level;
}

Deno.test("keccak256 matches the known vectors", () => {
  assertEquals(
    hex(keccak256(new Uint8Array(0))),
    "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
  );
  assertEquals(
    hex(zeroHash(1)),
    "ad3228b676f7d3cd4284a5443f17f1962b36e491b30a40b2405849e597ba5fb5",
  );
});

Deno.test("treeHeight and leafCountHeight are ceilings of log2", () => {
  assertEquals(
    [0, 1, 32, 33, 64, 65, 128, 129].map(treeHeight),
    [0, 0, 0, 1, 1, 2, 2, 3],
  );
  assertEquals([1, 2, 3, 4, 5].map(leafCountHeight), [0, 1, 2, 2, 3]);
});

Deno.test("tensorRoot equals the padded tree hashed node by node", () => {
  const random = new Random(1);
  const lengths = [0, 1, 31, 32, 33, 63, 64, 65, 96, 97, 500, 1024];
  // Around one and two of the chunks that are hashed at once.
  lengths.push(32767, 32768, 32769, 65536, 65600, 98400);
  for (const length of lengths) {
    const bytes = random.bytes(length);
    for (const more of [0, 1, 3]) {
      const height = treeHeight(length) + more;
      assertEquals(tensorRoot(bytes, height), plainRoot(bytes, height));
      assertEquals(
        MerkleTree.ofBytes(bytes, height).root,
        plainRoot(bytes, height),
      );
    }
  }
});

Deno.test("tensorRoot refuses bytes beyond the height", () => {
  assertThrows(
    () => tensorRoot(new Uint8Array(65), 1),
    ChainLearnError,
    "expected at most 64 bytes, found 65",
  );
});

Deno.test("MerkleTree.path leads from every node to the root", () => {
  const random = new Random(2);
  const leaves = Array.from({ length: 5 }, () => random.bytes(32));
  const tree = MerkleTree.ofLeaves(leaves, 4);
  for (let level = 0; level <= 4; level++) {
    for (let index = 0; index < 1 << (4 - level); index++) {
      assertEquals(
        rootFromPath(tree.node(level, index), index, tree.path(index, level)),
        tree.root,
      );
    }
  }
  assertEquals(hashPair(tree.node(3, 0), tree.node(3, 1)), tree.root);
  assertThrows(() => tree.node(0, 16), ChainLearnError);
});
