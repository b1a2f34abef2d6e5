import { assert, assertEquals, assertThrows } from "@std/assert";
import { walkState } from "../../cli/bench/vm_walk.ts";
import { SpillStore } from "../../cli/spill_store.ts";
import {
  ChainLearnError,
  contentKey,
  Memory,
  packState,
  run,
  runTranslated,
  setFrameLimit,
  STATUS,
  tensorRoot,
} from "../../fpvm/mod.ts";
import { Random } from "../random.ts";

Deno.test("SpillStore: gives what it kept, and what is under it", () => {
  const random = new Random(5);
  const under = new Map<string, Uint8Array>();
  using store = new SpillStore({
    get: (root, height) => under.get(contentKey(root, height)),
  });
  const parts = Array.from({ length: 20 }, (_, i) => random.bytes(1 + 99 * i));
  const roots = parts.map((bytes) => tensorRoot(bytes, 7));
  parts.forEach((bytes, i) => {
    if (i % 2 === 0) store.keep(roots[i], 7, bytes);
    else under.set(contentKey(roots[i], 7), bytes);
  });
  const kept = store.keptBytes;
  store.keep(roots[0], 7, parts[0]);
  assertEquals(store.keptBytes, kept);
  roots.forEach((root, i) => assertEquals(store.get(root, 7), parts[i]));
  assertEquals(store.get(roots[0], 8), undefined);
  assertEquals(store.children(roots[0], 13), undefined);
  store.keepChildren(roots[0], 13, roots[1], roots[2]);
  assertEquals(store.children(roots[0], 13), [roots[1], roots[2]]);
});

Deno.test("Memory.bound: any writes, loads and saves leave the same root, in clones too, whatever is spilled", () => {
  for (let seed = 0; seed < 2; seed++) {
    const random = new Random(seed);
    using store = new SpillStore();
    const bounded = [new Memory()];
    const reference = [new Memory()];
    const limit = 2 ** (13 + random.below(4));
    bounded[0].bound({ store, contentLimit: limit, pageLimit: limit });
    const keys: [Uint8Array, number][] = [];
    for (let i = 0; i < 700; i++) {
      const at = random.below(bounded.length);
      const both = [bounded[at], reference[at]];
      const address = 0x8000_0000 + 4096 * random.below(200);
      const height = random.pick([0, 3, 6, 7, 9, 12, 14]);
      const aligned = address - address % (32 << height);
      const action = random.below(40);
      if (action === 0 && bounded.length < 3) {
        bounded.push(bounded[at].clone());
        reference.push(reference[at].clone());
      } else if (action === 1) {
        const [key, other] = both.map((memory) => memory.save(aligned, height));
        assertEquals(key, other, `seed ${seed}`);
        // Clones of the reference know what each of them saved.
        keys.push([key, height]);
      } else if (action === 2 && keys.length > 0) {
        const [key, height] = random.pick(keys);
        const place = address - address % (32 << height);
        both.forEach((memory) => memory.graft(place, height, key));
      } else if (action < 10) {
        const [value, other] = both.map((memory) => memory.load32(address));
        assertEquals(value, other, `seed ${seed}`);
      } else {
        const value = random.u32() | 0;
        const word = address + 4 * random.below(1024);
        both.forEach((memory) => memory.store32(word, value));
      }
    }
    assert(store.keptBytes > 0, `seed ${seed}`);
    bounded.forEach((memory, i) =>
      assertEquals(memory.root(), reference[i].root(), `seed ${seed}`)
    );
  }
});

Deno.test("Memory.bound: 16 MiB hold while a program walks 256 MiB, saves and writes", () => {
  const bound = 2 ** 24;
  const reference = walkState(256);
  const steps = run(reference, 2 ** 40);
  assertEquals([reference.status, reference.exitCode], [STATUS.exited, 0]);
  assert(reference.memory.heldBytes > 4 * bound);
  setFrameLimit(bound / 4);
  try {
    for (const runner of [run, runTranslated]) {
      const state = walkState(256);
      using store = new SpillStore(state.memory.store);
      state.memory.bound({
        store,
        contentLimit: bound / 4,
        pageLimit: bound / 4,
      });
      let taken = 0;
      while (state.status === STATUS.running) {
        taken += runner(state, 20_011);
        const held = state.memory.heldBytes;
        assert(held <= bound, `${held} bytes after ${taken} steps`);
      }
      assertEquals(taken, steps);
      assertEquals(packState(state), packState(reference));
    }
  } finally {
    setFrameLimit(2 ** 25);
  }
});

Deno.test("Memory.bound: what is damaged in the store is an error, never another hash", () => {
  using store = new SpillStore();
  const memory = new Memory();
  memory.store32(0x8000_0000, 7);
  memory.bound({
    store: {
      get: (root, height) => store.get(root, height)?.map((byte) => byte ^ 1),
      children: store.children.bind(store),
      keep: store.keep.bind(store),
      keepChildren: store.keepChildren.bind(store),
    },
    contentLimit: 0,
    pageLimit: 4096,
  });
  assertThrows(() => memory.load32(0x8000_0000), ChainLearnError, "bytes of");
});
