import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  ChainLearnError,
  contentKey,
  type ContentStore,
  hashPair,
  Memory,
  PART_HEIGHT,
  tensorRoot,
} from "../../fpvm/mod.ts";
import { hashedNodes } from "../../fpvm/keccak_wasm.ts";
import { Random } from "../random.ts";

const PART_BYTES = 32 << PART_HEIGHT;

/** Parts made from a seed whenever they are asked for, the roots above them, and what programs saved. */
class PartStore implements ContentStore {
  readonly #seeds = new Map<string, number>();
  readonly #halves = new Map<string, [Uint8Array, Uint8Array]>();
  readonly #kept = new Map<string, Uint8Array>();
  /** Bytes given so far. */
  given = 0;
  /** Changes what is given from now on. */
  lie = (bytes: Uint8Array) => bytes;

  #part(seed: number): Uint8Array {
    const words = new Int32Array(PART_BYTES / 4);
    for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + 1, seed);
    return new Uint8Array(words.buffer);
  }

  /** The root of a subtree of content that differs everywhere. */
  make(height: number, seed: number): Uint8Array {
    if (height === PART_HEIGHT) {
      const root = tensorRoot(this.#part(seed), height);
      this.#seeds.set(contentKey(root, height), seed);
      return root;
    }
    const left = this.make(height - 1, 2 * seed);
    const right = this.make(height - 1, 2 * seed + 1);
    const root = hashPair(left, right);
    this.#halves.set(contentKey(root, height), [left, right]);
    return root;
  }

  get(root: Uint8Array, height: number): Uint8Array | undefined {
    const key = contentKey(root, height);
    const seed = this.#seeds.get(key);
    const bytes = seed === undefined ? this.#kept.get(key) : this.#part(seed);
    this.given += bytes?.length ?? 0;
    return bytes && this.lie(bytes);
  }

  children(root: Uint8Array, height: number) {
    return this.#halves.get(contentKey(root, height));
  }

  keep(root: Uint8Array, height: number, bytes: Uint8Array): void {
    assert(height <= PART_HEIGHT);
    this.#kept.set(contentKey(root, height), bytes);
  }

  keepChildren(
    root: Uint8Array,
    height: number,
    left: Uint8Array,
    right: Uint8Array,
  ): void {
    this.#halves.set(contentKey(root, height), [left, right]);
  }
}

/** Word at a byte of content made from `seed` at `height`. */
function wordOf(seed: number, height: number, offset: number): number {
  const part = Math.floor(offset / PART_BYTES);
  const index = (offset % PART_BYTES) / 4;
  return Math.imul(index + 1, seed * 2 ** (height - PART_HEIGHT) + part);
}

Deno.test("Memory: content of far more bytes than the limit is read and written within it", () => {
  const height = 18;
  const size = 32 * 2 ** height;
  const contentLimit = 2 ** 20;
  const store = new PartStore();
  const roots = [3, 5, 7].map((seed) => [seed, store.make(height, seed)]);
  const memory = new Memory(store, { contentLimit });
  let most = 0;
  for (const [seed, root] of roots as [number, Uint8Array][]) {
    memory.graft(0x8000_0000, height, root);
    for (let offset = 0; offset < size; offset += 4096) {
      const expected = wordOf(seed, height, offset);
      assertEquals(memory.load32(0x8000_0000 + offset), expected);
      most = Math.max(most, offset % 2 ** 18 === 0 ? memory.heldBytes : 0);
    }
    // Again, from the end: dropped parts are fetched again.
    for (let offset = size - 4; offset > 0; offset -= 2 ** 17) {
      const expected = wordOf(seed, height, offset);
      assertEquals(memory.load32(0x8000_0000 + offset), expected);
    }
    assertEquals(memory.subtreeRoot(0x8000_0000, height), root);
  }
  assert(store.given > 5 * size, `${store.given} bytes given`);
  assert(most <= contentLimit + 2 ** 18, `${most} bytes held`);
});

Deno.test("Memory: what is saved goes to a store that keeps it, and comes back", () => {
  const height = 15;
  const store = new PartStore();
  const root = store.make(height, 9);
  const memory = new Memory(store, { contentLimit: 2 ** 19 });
  const random = new Random(1);
  const keys: [Uint8Array, Map<number, number>][] = [];
  for (let window = 0; window < 20; window++) {
    memory.graft(0x4000_0000, height, root);
    const written = new Map<number, number>();
    for (let i = 0; i < 20; i++) {
      const offset = 4 * random.below(2 ** 18);
      written.set(offset, window);
      memory.store32(0x4000_0000 + offset, window);
    }
    keys.push([memory.save(0x4000_0000, height), written]);
    const { heldBytes } = memory;
    assert(heldBytes <= 2 ** 19 + 2 ** 18, `${heldBytes} bytes held`);
  }
  for (const [key, written] of keys) {
    memory.graft(0x8000_0000, height, key);
    for (const [offset, value] of written) {
      assertEquals(memory.load32(0x8000_0000 + offset), value, "seed 1");
    }
    const untouched = [0, 2 ** 17 + 4, 2 ** 20 - 4].filter((offset) =>
      !written.has(offset)
    );
    for (const offset of untouched) {
      const expected = wordOf(9, height, offset);
      assertEquals(memory.load32(0x8000_0000 + offset), expected);
    }
  }
});

Deno.test("Memory: content is verified each time it is fetched, in parts too", () => {
  const height = 16;
  const store = new PartStore();
  const root = store.make(height, 11);
  const memory = new Memory(store, { contentLimit: 2 ** 18 });
  memory.graft(0x8000_0000, height, root);
  const words = memory.load32(0x8000_0000);
  for (let offset = 0; offset < 2 ** 20; offset += 2 ** 17) {
    memory.load32(0x8000_0000 + offset);
  }
  store.lie = (bytes) => bytes.with(5, bytes[5] ^ 1);
  // The page itself is still known, its neighbour has to be fetched.
  assertEquals(memory.load32(0x8000_0000), words);
  assertThrows(
    () => memory.load32(0x8000_1000),
    ChainLearnError,
    "found bytes of root",
  );
  const wrongHalves: ContentStore = {
    get: () => undefined,
    children: (_, h) => [new Uint8Array(32), new Uint8Array(32).fill(h)],
  };
  const other = new Memory(wrongHalves);
  other.graft(0x8000_0000, height, root);
  assertThrows(
    () => other.load32(0x8000_0000),
    ChainLearnError,
    "found halves of root",
  );
});

Deno.test("Memory: clones and witnesses' paths work on content in parts", () => {
  const height = 14;
  const store = new PartStore();
  const memory = new Memory(store, { contentLimit: 2 ** 17 });
  const root = store.make(height, 13);
  memory.graft(0x8000_0000, height, root);
  const clone = memory.clone();
  clone.store32(0x8004_0000, 1);
  assertEquals(memory.load32(0x8004_0000), wordOf(13, height, 0x4_0000));
  const bytes = new Uint8Array(32 << height);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 4) {
    view.setInt32(at, wordOf(13, height, at), true);
  }
  assertEquals(tensorRoot(bytes), root);
  const whole = new Memory();
  whole.graftBytes(0x8000_0000, height, bytes);
  whole.store32(0x8004_0000, 1);
  assertEquals(clone.root(), whole.root());
  for (const address of [0x8000_0000, 0x8004_0000, 0x8007_ffe0]) {
    assertEquals(clone.path(address), whole.path(address));
    assertEquals(memory.path(address, 9).length, 18);
  }
});

Deno.test("Memory.root: after k writes hashes k pages and their ways up, whatever else it holds", () => {
  const random = new Random(2);
  const memory = new Memory();
  memory.graftBytes(0x8000_0000, 16, random.bytes(2 ** 21));
  for (let i = 0; i < 3000; i++) {
    memory.store32(0x3000_0000 + 4096 * i, random.u32());
  }
  memory.root();
  for (const writes of [0, 1, 7, 50]) {
    for (let i = 0; i < writes; i++) {
      const region = random.pick([0x3000_0000, 0x8000_0000]);
      memory.store32(region + 4 * random.below(2 ** 19), random.u32());
    }
    const before = hashedNodes();
    memory.root();
    const hashed = hashedNodes() - before;
    assert(hashed <= writes * (127 + 20), `${hashed} nodes, ${writes} writes`);
    assert(hashed >= writes * 20 / 2, `${hashed} nodes, ${writes} writes`);
  }
});
