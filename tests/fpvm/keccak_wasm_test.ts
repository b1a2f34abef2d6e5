import { assertEquals } from "@std/assert";
import { keccak_256 } from "@noble/hashes/sha3.js";
import {
  hashedNodes,
  hashMessage,
  hashNodes,
  hashSiblings,
} from "../../fpvm/keccak_wasm.ts";
import { Random } from "../random.ts";

function plain(nodes: Uint8Array): Uint8Array {
  const hashes = new Uint8Array(nodes.length / 2);
  for (let at = 0; at < nodes.length; at += 64) {
    hashes.set(keccak_256(nodes.subarray(at, at + 64)), at / 2);
  }
  return hashes;
}

Deno.test("hashNodes equals noble on any number of nodes, also across chunks", () => {
  const random = new Random(3);
  for (const count of [0, 1, 2, 3, 7, 64, 511, 512, 513, 2500]) {
    const nodes = random.bytes(64 * count);
    assertEquals(hashNodes(nodes), plain(nodes), `seed 3, ${count} nodes`);
  }
  const ones = new Uint8Array(128).fill(255);
  assertEquals(hashNodes(ones), plain(ones));
});

Deno.test("hashNodes reads shared memory and unaligned views", () => {
  const shared = new Uint8Array(new SharedArrayBuffer(200), 3, 128);
  shared.set(new Random(4).bytes(128));
  assertEquals(hashNodes(shared), plain(shared.slice()));
});

Deno.test("hashSiblings equals noble", () => {
  const random = new Random(5);
  for (let i = 0; i < 50; i++) {
    const nodes = random.bytes(64);
    assertEquals(
      hashSiblings(nodes.subarray(0, 32), nodes.subarray(32)),
      plain(nodes),
    );
  }
});

Deno.test("hashMessage equals noble at every length up to three blocks", () => {
  const random = new Random(6);
  for (let length = 0; length <= 3 * 136 + 1; length++) {
    const message = random.bytes(length);
    assertEquals(
      hashMessage(message),
      keccak_256(message),
      `seed 6, ${length} bytes`,
    );
  }
});

Deno.test("hashedNodes counts each node once, the unused lane not", () => {
  const before = hashedNodes();
  hashNodes(new Uint8Array(64 * 777));
  hashSiblings(new Uint8Array(32), new Uint8Array(32));
  hashMessage(new Uint8Array(64));
  assertEquals(hashedNodes() - before, 778);
});
