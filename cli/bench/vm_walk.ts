/**
 * A program that walks through more content than memory may hold: what `--memory` bounds, measured and tested.
 *
 * It loads one window of 1 MiB after the other and reads every page. In every eighth window it also writes every page,
 * writes as many pages of scratch, saves the window, loads it again by the key that save gave, and reads it again; at the
 * end it reads the scratch. Every window has other bytes, made when they are asked for.
 */
import {
  contentKey,
  type ContentStore,
  encode,
  type Fields,
  type InstructionName,
  Memory,
  MerkleTree,
  newProcessor,
  REGIONS,
  SYSCALL,
  tensorRoot,
  type VmState,
} from "../../fpvm/mod.ts";

const WINDOW_HEIGHT = 15;
const PART_HEIGHT = 12;
const PART_BYTES = 32 << PART_HEIGHT;
const PARTS = 2 ** (WINDOW_HEIGHT - PART_HEIGHT);
const PAGE_BYTES = 4096;

/** Part `number` of all windows: words of a linear congruential sequence that starts from the number. */
function partBytes(number: number): Uint8Array {
  const words = new Uint32Array(PART_BYTES / 4);
  let word = Math.imul(number + 1, 0x9e3779b1);
  for (let i = 0; i < words.length; i++) {
    words[i] = word = (Math.imul(word, 1664525) + 1013904223) | 0;
  }
  return new Uint8Array(words.buffer);
}

/** Windows whose parts are made when asked for; only their roots are held. */
class GeneratedStore implements ContentStore {
  /** Roots of the windows. */
  readonly roots: Uint8Array[] = [];
  readonly #parts = new Map<string, number>();
  readonly #halves = new Map<string, readonly [Uint8Array, Uint8Array]>();

  constructor(windows: number) {
    for (let window = 0; window < windows; window++) {
      const leaves = Array.from({ length: PARTS }, (_, i) => {
        const number = window * PARTS + i;
        const root = tensorRoot(partBytes(number), PART_HEIGHT);
        this.#parts.set(contentKey(root, PART_HEIGHT), number);
        return root;
      });
      const tree = MerkleTree.ofLeaves(leaves, WINDOW_HEIGHT - PART_HEIGHT);
      for (let level = 1; level <= WINDOW_HEIGHT - PART_HEIGHT; level++) {
        for (let i = 0; i < PARTS >> level; i++) {
          this.#halves.set(
            contentKey(tree.node(level, i), PART_HEIGHT + level),
            [tree.node(level - 1, 2 * i), tree.node(level - 1, 2 * i + 1)],
          );
        }
      }
      this.roots.push(tree.root);
    }
  }

  get(root: Uint8Array, height: number): Uint8Array | undefined {
    const number = this.#parts.get(contentKey(root, height));
    return number === undefined ? undefined : partBytes(number);
  }

  children(root: Uint8Array, height: number) {
    return this.#halves.get(contentKey(root, height));
  }
}

// Registers by what they hold.
const NUMBER = 2, ADDRESS = 4, HEIGHT = 5, KEY = 6;
const AT = 8, WORD = 9, EIGHTH = 10;
const COUNT = 16, TABLE = 17, SCRATCH = 18, SUM = 19, WINDOW = 20, END = 21;
const SAVED = 22, INDEX = 23, SCRATCH_START = 24;

type Row = [InstructionName, Fields?];

const copy = (rd: number, rs: number): Row => ["addu", { rd, rs }];
const add = (register: number, imm: number): Row => [
  "addiu",
  { rt: register, rs: register, imm },
];
const call = (number: number, key: number): Row[] => [
  ["ori", { rt: NUMBER, imm: number }],
  copy(ADDRESS, WINDOW),
  ["addiu", { rt: HEIGHT, imm: WINDOW_HEIGHT }],
  copy(KEY, key),
  ["syscall"],
];

/** Repeats rows while a register is not `end`; the last row is in the delay slot. */
const loop = (rows: Row[], register: number, end: number): Row[] => [
  ...rows.slice(0, -1),
  ["bne", { rs: register, rt: end, offset: -rows.length }],
  rows[rows.length - 1],
];

/** Adds up a word of every page from one address to another. */
const read = (from: number, to: number, imm: number): Row[] => [
  copy(AT, from),
  ...loop(
    [
      ["lw", { rt: WORD, rs: AT, imm }],
      add(AT, PAGE_BYTES),
      ["addu", { rd: SUM, rs: SUM, rt: WORD }],
    ],
    AT,
    to,
  ),
  ["rotr", { rd: SUM, rt: SUM, sa: 1 }],
];

function program(): number[] {
  const write: Row[] = [
    copy(AT, WINDOW),
    ...loop(
      [
        ["lw", { rt: WORD, rs: AT, imm: 8 }],
        ["addu", { rd: WORD, rs: WORD, rt: SUM }],
        ["sw", { rt: WORD, rs: AT, imm: 12 }],
        ["sw", { rt: WORD, rs: SCRATCH }],
        add(AT, PAGE_BYTES),
        add(SCRATCH, PAGE_BYTES),
      ],
      AT,
      END,
    ),
    ...call(SYSCALL.save, KEY),
    ...call(SYSCALL.load, SAVED),
    ...read(WINDOW, END, 12),
  ];
  const rows: Row[] = [
    ...loop(
      [
        ...call(SYSCALL.load, TABLE),
        ...read(WINDOW, END, 20),
        ["andi", { rt: EIGHTH, rs: INDEX, imm: 7 }],
        ["bne", { rs: EIGHTH, offset: write.length + 1 }],
        ["sll"],
        ...write,
        add(INDEX, 1),
        add(TABLE, 32),
      ],
      INDEX,
      COUNT,
    ),
    ...read(SCRATCH_START, SCRATCH, 0),
    ["ori", { rt: NUMBER, imm: SYSCALL.exit }],
    copy(ADDRESS, 0),
    ["syscall"],
  ];
  return rows.map(([name, fields]) => encode(name, fields));
}

/** The program before its first step, to walk through so many windows of 1 MiB, at most 8192. */
export function walkState(windows: number): VmState {
  const store = new GeneratedStore(windows);
  const memory = new Memory(store);
  program().forEach((word, i) => memory.store32(4 * i, word));
  const table = REGIONS.stack.base;
  store.roots.forEach((root, i) => memory.storeLeaf(table + 32 * i, root));
  const processor = newProcessor();
  processor.nextPc = 4;
  const registers = {
    [COUNT]: windows,
    [TABLE]: table,
    [SCRATCH]: REGIONS.value.base,
    [SCRATCH_START]: REGIONS.value.base,
    [WINDOW]: REGIONS.model.base,
    [END]: REGIONS.model.base + (32 << WINDOW_HEIGHT),
    [SAVED]: REGIONS.key.base,
  };
  for (const [register, value] of Object.entries(registers)) {
    processor.registers[Number(register)] = value;
  }
  return { ...processor, memory };
}
