import { assert, assertEquals, assertThrows } from "@std/assert";
import { hashedNodes } from "../../fpvm/keccak_wasm.ts";
import { Random } from "../random.ts";
import {
  ChainLearnError,
  type ContentStore,
  Memory,
  MEMORY_HEIGHT,
  MemoryContentStore,
  REGIONS,
  rootFromPath,
  tensorRoot,
  zeroHash,
} from "../../fpvm/mod.ts";

const wordAt = (bytes: Uint8Array, at: number) =>
  new DataView(bytes.buffer).getInt32(at, true);

Deno.test("Memory: P5 empty memory has the zero root, also where zeros were written", () => {
  const memory = new Memory();
  assertEquals(memory.root(), zeroHash(MEMORY_HEIGHT));
  memory.store32(0xfffffffc, 0);
  memory.store32(0x20000000, 5);
  memory.store32(0x20000000, 0);
  assertEquals(memory.root(), zeroHash(MEMORY_HEIGHT));
});

Deno.test("Memory: a region's root is the tensor root of its bytes", () => {
  const memory = new Memory();
  const bytes = new Random(1).bytes(10_000);
  const words = new Int32Array(bytes.buffer);
  words.forEach((word, i) => memory.store32(0x20000000 + 4 * i, word));
  assertEquals(memory.fieldRoot("output"), tensorRoot(bytes, 19));
  assertEquals(
    memory.subtreeRoot(0x20001000, 7),
    tensorRoot(bytes.slice(4096, 8192), 7),
  );
  for (const [name, { height }] of Object.entries(REGIONS)) {
    if (name === "output") continue;
    assertEquals(
      memory.fieldRoot(name as keyof typeof REGIONS),
      zeroHash(height),
    );
  }
});

Deno.test("Memory: incremental roots equal the root of a fresh memory", () => {
  const random = new Random(2);
  const memory = new Memory();
  const written = new Map<number, number>();
  for (let round = 0; round < 12; round++) {
    for (let i = 0; i < 30; i++) {
      const region = random.pick([0, 0x10000000, 0x3ffff000, 0x80000000]);
      const address = region + 4 * random.below(3000);
      const value = random.u32() | 0;
      written.set(address, value);
      memory.store32(address, value);
    }
    const fresh = new Memory();
    for (const [address, value] of written) fresh.store32(address, value);
    assertEquals(memory.root(), fresh.root(), `seed 2 round ${round}`);
  }
  for (const [address, value] of written) {
    assertEquals(memory.load32(address), value);
  }
});

Deno.test("Memory: P4 paths lead from every level to the root", () => {
  const random = new Random(3);
  const store = new MemoryContentStore();
  const memory = new Memory(store);
  const root = store.put(random.bytes(20_000), 12);
  memory.graft(0x40000000, 12, root);
  memory.graft(0x40100000, 3, store.put(random.bytes(200)));
  for (let i = 0; i < 50; i++) memory.store32(random.u32() & ~3, random.u32());
  for (const address of [0, 0x40000000, 0x40004e20, 0x40100020, 0xffffffe0]) {
    for (const level of [0, 1, 6, 7, 8, 12, 20, 26]) {
      const aligned = Math.floor(address / (32 * 2 ** level));
      const path = memory.path(address, level);
      assertEquals(path.length, MEMORY_HEIGHT - level);
      const node = memory.subtreeRoot(address, level);
      assertEquals(rootFromPath(node, aligned, path), memory.root());
    }
  }
});

Deno.test("Memory: a clone and its origin do not see each other's writes", () => {
  const memory = new Memory();
  memory.store32(0x20000000, 1);
  memory.store32(0x20000004, 2);
  const before = memory.root();
  const clone = memory.clone();
  clone.store32(0x20000000, 3);
  memory.store32(0x20000004, 4);
  assertEquals([memory.load32(0x20000000), memory.load32(0x20000004)], [1, 4]);
  assertEquals([clone.load32(0x20000000), clone.load32(0x20000004)], [3, 2]);
  clone.store32(0x20000000, 1);
  assertEquals(clone.root(), before);
  assert(memory.root().toHex() !== before.toHex());
});

Deno.test("Memory: a clone does not see writes to a page that was in parts when they parted", () => {
  const store = new MemoryContentStore();
  const memory = new Memory(store);
  memory.store32(0x40000080, 9);
  memory.graft(0x40000000, 2, store.put(new Random(12).bytes(128)));
  const before = memory.root();
  const clone = memory.clone();
  assertEquals(memory.load32(0x40000080), 9);
  memory.load32(0x40000000);
  memory.store32(0x40000080, 10);
  assertEquals(clone.load32(0x40000080), 9);
  assertEquals(clone.root(), before);
});

/** A store that counts what it is asked for. */
class CountingStore implements ContentStore {
  readonly inner = new MemoryContentStore();
  asked = 0;

  get(root: Uint8Array, height: number): Uint8Array | undefined {
    this.asked++;
    return this.inner.get(root, height);
  }
}

Deno.test("Memory: a graft is opened when touched, once, at every height", () => {
  for (const height of [1, 3, 6, 7, 8, 13]) {
    const store = new CountingStore();
    const bytes = new Random(height).bytes(32 * 2 ** height - 3);
    const root = store.inner.put(bytes, height);
    const memory = new Memory(store);
    memory.graft(0x80000000, height, root);
    assertEquals(memory.subtreeRoot(0x80000000, height), root);
    memory.root();
    assertEquals(store.asked, 0);
    const padded = new Uint8Array(32 * 2 ** height);
    padded.set(bytes);
    const words = new Int32Array(padded.buffer);
    words.forEach((word, i) =>
      assertEquals(memory.load32(0x80000000 + 4 * i), word)
    );
    assertEquals(store.asked, 1);
    memory.store32(0x80000000 + padded.length - 4, 7);
    words[words.length - 1] = 7;
    assertEquals(
      memory.subtreeRoot(0x80000000, height),
      tensorRoot(padded, height),
    );
    assertEquals(store.inner.get(root, height), bytes);
    assertEquals(tensorRoot(bytes, height), root);
  }
});

Deno.test("Memory: neighbours of a small unopened graft can be read and written", () => {
  const memory = new Memory();
  const unknown = new Random(4).bytes(32);
  memory.store32(0x40000080, 9);
  memory.graft(0x40000000, 2, unknown);
  assertEquals(memory.load32(0x40000080), 9);
  assertEquals(memory.load32(0x40000ffc), 0);
  memory.store32(0x40000084, 10);
  assertEquals(memory.load32(0x40000084), 10);
  const fresh = new Memory();
  fresh.store32(0x40000080, 9);
  fresh.store32(0x40000084, 10);
  assertEquals(
    rootFromPath(unknown, 0x40000000 / 128, fresh.path(0x40000000, 2)),
    memory.root(),
  );
  const error = assertThrows(() => memory.load32(0x4000007c), ChainLearnError);
  assert(error.message.includes(unknown.toHex()), error.message);
});

Deno.test("Memory: content that is not what its key says is refused at the first touch", () => {
  const bytes = new Random(5).bytes(5000);
  const root = tensorRoot(bytes, 8);
  const changed = bytes.slice();
  changed[4999] ^= 1;
  const wrong: [Uint8Array, string][] = [
    [bytes.slice(0, 4999), "found bytes of root"],
    [changed, "found bytes of root"],
    [new Uint8Array(8193), "found 8193 bytes"],
  ];
  for (const [content, message] of wrong) {
    const memory = new Memory({ get: () => content });
    memory.graft(0x80000000, 8, root);
    assertEquals(memory.subtreeRoot(0x80000000, 8), root);
    for (const touch of ["load32", "leaf", "path"] as const) {
      const error = assertThrows(
        () => memory[touch](0x80000000),
        ChainLearnError,
        message,
      );
      assert(error.message.includes(`0x${root.toHex()}/8`), error.message);
    }
    assertThrows(() => memory.store32(0x80000000, 1), ChainLearnError, message);
    assertEquals(memory.subtreeRoot(0x80000000, 8), root);
  }
});

Deno.test("Memory: bytes of a store in memory are hashed when they are put, however many memories read them", () => {
  const bytes = new Random(6).bytes(2 ** 20);
  const store = new MemoryContentStore();
  const root = store.put(bytes);
  const before = hashedNodes();
  for (let i = 0; i < 5; i++) {
    const memory = new Memory(store);
    memory.graft(0x80000000, 15, root);
    assertEquals(memory.load32(0x80000004), wordAt(bytes, 4));
  }
  assertEquals(hashedNodes() - before, 0);
});

Deno.test("Memory: a store that reads into the same array again changes nothing of what it gave", () => {
  const random = new Random(7);
  const contents = new Map<string, Uint8Array>();
  const roots = Array.from({ length: 4 }, () => {
    const bytes = random.bytes(4096);
    const root = tensorRoot(bytes);
    contents.set(root.toHex(), bytes);
    return root;
  });
  const array = new Uint8Array(4096);
  for (const view of [() => array, () => array.subarray(0)]) {
    const memory = new Memory({
      get(root) {
        array.set(contents.get(root.toHex())!);
        return view();
      },
    });
    roots.forEach((root, i) => memory.graft(0x80000000 + 4096 * i, 7, root));
    roots.forEach((_, i) => memory.load32(0x80000000 + 4096 * i));
    const clone = memory.clone();
    roots.forEach((root, i) => {
      const bytes = contents.get(root.toHex())!.slice();
      assertEquals(clone.load32(0x80000004 + 4096 * i), wordAt(bytes, 4));
      new DataView(bytes.buffer).setInt32(8, i, true);
      clone.store32(0x80000008 + 4096 * i, i);
      assertEquals(
        clone.subtreeRoot(0x80000000 + 4096 * i, 7),
        tensorRoot(bytes),
      );
    });
  }
});

Deno.test("Memory: what is saved can be grafted again, several times, unchanged", () => {
  const store = new MemoryContentStore();
  const memory = new Memory(store);
  const bytes = new Random(6).bytes(9000);
  memory.graft(0x40000000, 9, store.put(bytes, 9));
  memory.store32(0x40001000, 42);
  const key = memory.save(0x40000000, 9);
  assertEquals(memory.root(), zeroHash(MEMORY_HEIGHT));
  memory.graft(0x80000000, 9, key);
  memory.store32(0x80001000, 43);
  memory.graft(0x80010000, 9, key);
  assertEquals(memory.load32(0x80011000), 42);
  assertEquals(memory.load32(0x80001000), 43);
  assertEquals(memory.subtreeRoot(0x80010000, 9), key);
  const part = memory.save(0x80010020, 0);
  assertEquals(part, bytes.slice(32, 64));
  assertEquals(memory.load32(0x80010020), 0);
  assertEquals(memory.load32(0x80011000), 42);
});

Deno.test("Memory: V8 new code is executed after code is written", () => {
  const memory = new Memory();
  memory.store32(0, 0);
  assertEquals(memory.instruction(0)?.name, "sll");
  memory.store32(0, 0x0000000c);
  assertEquals(memory.instruction(0)?.name, "syscall");
  memory.store32(0, 0x0000000d);
  assertEquals(memory.instruction(0), null);
});
