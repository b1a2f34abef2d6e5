/** Stores that lose content between two times that they are asked for it. */
import { assert, assertEquals } from "@std/assert";
import {
  contentKey,
  type ContentStore,
  hashPair,
  Memory,
  PART_HEIGHT,
  run,
  runTranslated,
  setFrameLimit,
  stateHash,
  STATUS,
  SYSCALL,
  tensorRoot,
  type VmState,
} from "../../fpvm/mod.ts";
import { Random } from "../random.ts";
import { machine } from "./machines.ts";
import { outcome, words } from "./translated.ts";

const WINDOW = 0x8000_0000, COUNTER = 0x3000_0000;
/** More than the least number of frames. */
const TENSORS = 20;
const DEFAULT_FRAME_BYTES = 2 ** 25;

/** Counts in memory and adds to a word of one tensor after the other; 2^height * 32 bytes lie between them. */
function counting(height: number): VmState {
  return machine({
    code: words(
      ["lw", { rt: 8, rs: 17 }],
      ["addiu", { rt: 8, rs: 8, imm: 1 }],
      ["sw", { rt: 8, rs: 17 }],
      ["lw", { rt: 9, rs: 16 }],
      ["addiu", { rt: 9, rs: 9, imm: 7 }],
      ["sw", { rt: 9, rs: 16 }],
      ["addu", { rd: 16, rs: 16, rt: 18 }],
      ["addiu", { rt: 19, rs: 19, imm: -1 }],
      ["bne", { rs: 19, rt: 0, offset: -9 }],
      ["addu", { rd: 20, rs: 20, rt: 9 }],
      ["addiu", { rt: 2, imm: SYSCALL.exit }],
      ["syscall"],
    ),
    registers: { 16: WINDOW, 17: COUNTER, 18: 32 << height, 19: TENSORS },
  });
}

/** What a store may know: parts, and the halves of what is above them. */
class Contents {
  readonly parts = new Map<string, Uint8Array>();
  readonly halves = new Map<string, [Uint8Array, Uint8Array]>();
  readonly roots: Uint8Array[];

  constructor(readonly height: number) {
    const random = new Random(1);
    this.roots = Array.from({ length: TENSORS }, () => this.#make(random));
  }

  #make(random: Random, height = this.height): Uint8Array {
    if (height > PART_HEIGHT) {
      const left = this.#make(random, height - 1);
      const right = this.#make(random, height - 1);
      const root = hashPair(left, right);
      this.halves.set(contentKey(root, height), [left, right]);
      return root;
    }
    const bytes = random.bytes(64);
    const root = tensorRoot(bytes, height);
    this.parts.set(contentKey(root, height), bytes);
    return root;
  }
}

/** Gives nothing from one question on, for so many of them. */
class LosingStore implements ContentStore {
  asked = 0;

  constructor(
    readonly contents: Contents,
    readonly from = Infinity,
    readonly times = 0,
  ) {}

  get #isLost(): boolean {
    const question = this.asked++;
    return question >= this.from && question < this.from + this.times;
  }

  get(root: Uint8Array, height: number): Uint8Array | undefined {
    const part = this.contents.parts.get(contentKey(root, height));
    return this.#isLost ? undefined : part;
  }

  children(root: Uint8Array, height: number) {
    const halves = this.contents.halves.get(contentKey(root, height));
    return this.#isLost ? undefined : halves;
  }
}

/** The program over tensors of a store, of which the memory holds as few as it can. */
function start(store: LosingStore): VmState {
  const { height, roots } = store.contents;
  const { memory: code, ...processor } = counting(height);
  const memory = new Memory(store, { contentLimit: 1 });
  for (let at = 0x400; at < 0x430; at += 4) {
    memory.store32(at, code.load32(at));
  }
  roots.forEach((root, i) => {
    memory.graft(WINDOW + (32 << height) * i, height, root);
  });
  return { ...processor, memory };
}

const ENGINES = [["run", run], ["runTranslated", runTranslated]] as const;

for (const [name, go] of ENGINES) {
  Deno.test(`${name}: goes on to the same state after errors of a store that loses content at any time`, () => {
    for (const height of [9, PART_HEIGHT + 2]) {
      const contents = new Contents(height);
      try {
        setFrameLimit(2 ** 16);
        const expected = start(new LosingStore(contents));
        const steps = go(expected, 10_000);
        assertEquals(expected.status, STATUS.exited);
        const { asked } = expected.memory.store as LosingStore;
        const hash = stateHash(expected).toHex();
        let errors = 0;
        for (let from = 0; from < asked; from++) {
          const state = start(new LosingStore(contents, from, 3));
          for (let i = 0; i < 5; i++) {
            const taken = outcome(() => go(state, steps));
            if (typeof taken === "string") errors++;
          }
          assertEquals(stateHash(state).toHex(), hash, `lost from ${from} on`);
        }
        assert(errors > asked, `${errors} errors`);
      } finally {
        setFrameLimit(DEFAULT_FRAME_BYTES);
      }
    }
  });
}
