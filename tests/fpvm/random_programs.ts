/** Random programs that run for a while: mostly sane addresses and targets, sometimes anything. */
import type { Random } from "../random.ts";
import {
  decode,
  type Encoding,
  ENCODINGS,
  MemoryContentStore,
  SYSCALL,
  type VmState,
} from "../../fpvm/mod.ts";
import { ADDRESSES, EDGES, machine, randomWord } from "./machines.ts";

/** Registers that hold data, addresses of data, and addresses of code. */
const DATA = [0, 1, 8, 9, 10, 11, 12, 31];
const POINTERS = [16, 17, 18, 19];
const CODE = [20, 21, 22];

/** Where programs lie: at the start, across a page's edge, at the end of all code. */
const BASES = [0, 0x400, 0xfe0, 0x1ff4];
const CODE_END = 0x0100_0000;

const withField = (word: number, shift: number, bits: number, value: number) =>
  ((word & ~((2 ** bits - 1) << shift)) |
    ((value & (2 ** bits - 1)) << shift)) >>> 0;

/** How often each kind is drawn. */
const WEIGHTS: Partial<Record<Encoding["kind"], number>> = {
  alu: 8,
  multiply: 3,
  load: 4,
  store: 4,
  branch: 4,
  likely: 2,
  jump: 1,
};

const drawn = ENCODINGS.flatMap((encoding) =>
  new Array<Encoding>(WEIGHTS[encoding.kind] ?? 1).fill(encoding)
);

function randomInstruction(
  random: Random,
  index: number,
  count: number,
  base: number,
): number {
  const encoding = random.pick(drawn);
  let word = randomWord(random, encoding);
  const { kind, fields } = encoding;
  if (random.below(60) === 0) return word;
  for (const [field, shift] of [["rt", 16], ["rd", 11], ["rs", 21]] as const) {
    if (fields.includes(field)) {
      word = withField(word, shift, 5, random.pick(DATA));
    }
  }
  if (kind === "load" || kind === "store") {
    word = withField(word, 21, 5, random.pick(POINTERS));
    const offset = random.below(20) === 0 ? random.u32() : random.below(32) * 4;
    word = withField(word, 0, 16, offset - 64);
  } else if (kind === "checked" || kind === "trap") {
    // Small values do not overflow: $1 and $31 mostly hold such.
    if (random.below(3) > 0) word = withField(word, 16, 5, 31);
  }
  if (fields.includes("offset")) {
    word = withField(word, 0, 16, random.below(count) - index - 1);
  }
  if (fields.includes("target")) {
    word = withField(word, 0, 26, base / 4 + random.below(count));
  }
  if (kind === "jump" && fields.includes("rs")) {
    word = withField(word, 21, 5, random.pick(CODE));
  }
  // A constraint that fails mostly costs the program; try a word without one.
  return decode(word) === null && random.below(8) > 0 ? 0 : word;
}

/** A program of 4 to 90 words in memory, with its registers and a graft in the value region. */
export function randomProgram(random: Random): VmState {
  const count = 4 + random.below(87);
  const base = random.below(8) === 0
    ? CODE_END - 4 * count
    : random.pick(BASES);
  const code = Array.from(
    { length: count },
    (_, i) => randomInstruction(random, i, count, base),
  );
  const registers: Record<number, number> = {
    2: random.pick([SYSCALL.exit, SYSCALL.load, SYSCALL.save, SYSCALL.save]),
    4: 0x4000_0000 + 0x1000 * random.below(3),
    5: random.below(9),
    6: 0x1000_0020,
  };
  for (const register of DATA) {
    registers[register] = random.bool() ? random.pick(EDGES) : random.below(9);
  }
  registers[0] = 0;
  for (const register of POINTERS) {
    registers[register] = random.pick([
      0x3000_0040 + 4 * random.below(9),
      0x3000_0ff0,
      0x4000_0040,
      0x4000_1000,
      random.below(8) === 0 ? random.pick(ADDRESSES) : 0x3fff_ffc0,
      random.below(8) === 0 ? base : 0x8000_0100,
    ]);
  }
  for (const register of CODE) {
    registers[register] = base + 4 * random.below(count);
  }
  const store = new MemoryContentStore();
  const state = machine({
    code,
    pc: base,
    registers,
    store,
    hi: random.pick(EDGES) | 0,
    lo: random.pick(EDGES) | 0,
    nextPc: random.below(10) === 0 ? base + 4 * random.below(count) : base + 4,
    words: { 0x3000_0040: random.u32(), 0x3000_1000: random.u32() },
  });
  const height = random.below(9);
  const root = store.put(random.bytes(32 * 2 ** height), height);
  state.memory.storeLeaf(0x1000_0020, root);
  state.memory.graft(0x4000_0000, height, root);
  return state;
}
