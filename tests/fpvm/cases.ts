/** Named states that cover every instruction and every trap cause: golden vectors and tests share them. */
import { Random } from "../random.ts";
import {
  decode,
  encode,
  ENCODINGS,
  type Fields,
  type InstructionName,
  MemoryContentStore,
  run,
  SYSCALL,
  type VmState,
} from "../../fpvm/mod.ts";
import {
  EDGES,
  machine,
  type MachineOptions,
  randomMachine,
  randomWord,
} from "./machines.ts";

/** A state with a sentence that says what its next step shows. */
export interface VmCase {
  name: string;
  state: VmState;
}

const syscall = encode("syscall");

/** One or two states per instruction, operands from the edges, addresses in the stack region. */
function instructionCases(): VmCase[] {
  const random = new Random(7);
  return ENCODINGS.flatMap((encoding) => {
    const isMemory = encoding.kind === "load" || encoding.kind === "store";
    return [0, 1].map((variant) => {
      let word = randomWord(random, encoding);
      while (decode(word) === null) word = randomWord(random, encoding);
      const { rs, imm } = decode(word)!;
      const registers: Record<number, number> = {};
      for (let i = 1; i < 32; i++) registers[i] = random.pick(EDGES);
      const align = /[lw][hw]u?$|^ll$|^sc$|^s[hw]$/.test(encoding.name);
      const address = 0x3000_0000 + (align ? 4 : random.below(8));
      if (isMemory && rs !== 0) registers[rs] = address - imm;
      return {
        name: `${encoding.name} ${variant}`,
        state: machine({
          code: [word],
          hi: random.pick(EDGES) | 0,
          lo: random.pick(EDGES) | 0,
          registers,
          words: { 0x3000_0000: random.u32(), 0x3000_0004: random.u32() },
        }),
      };
    });
  });
}

function one(
  name: string,
  instruction: InstructionName,
  fields: Fields,
  options: MachineOptions = {},
): VmCase {
  const state = machine({ code: [encode(instruction, fields)], ...options });
  return { name, state };
}

function semanticsCases(): VmCase[] {
  const ab = (a: number, b: number) => ({ registers: { 8: a, 9: b } });
  const shift = { rd: 10, rt: 9, rs: 8 };
  const add = { rd: 10, rs: 8, rt: 9 };
  const unaligned = ["lwl", "lwr", "swl", "swr"] as const;
  return [
    ...[0, 31, 32, 33, 0xffffffff].map((count) =>
      one(
        `V1 srav by ${count}`,
        "srav",
        shift,
        ab(count, 0x80000001),
      )
    ),
    ...unaligned.flatMap((name) =>
      [0, 1, 2, 3].map((offset) =>
        one(`V2 ${name} at offset ${offset}`, name, { rt: 9, rs: 8 }, {
          registers: { 8: 0x3000_0000 + offset, 9: 0x11223344 },
          words: { 0x3000_0000: 0x55667788 },
        })
      )
    ),
    one("V3 add overflows", "add", add, ab(0x7fffffff, 1)),
    one("V3 add to the maximum", "add", add, ab(0x7ffffffe, 1)),
    one(
      "V3 addi overflows",
      "addi",
      { rt: 10, rs: 8, imm: -1 },
      ab(1 << 31, 0),
    ),
    one("V3 sub overflows", "sub", add, ab(0, 1 << 31)),
    one("V3 div MIN by -1", "div", { rs: 8, rt: 9 }, ab(1 << 31, -1)),
    one("V3 div by zero", "div", { rs: 8, rt: 9 }, ab(-7, 0)),
    one("V3 divu by zero", "divu", { rs: 8, rt: 9 }, ab(-7, 0)),
    one("V3 mult of minima", "mult", { rs: 8, rt: 9 }, ab(1 << 31, 1 << 31)),
    one("V6 writes to $zero", "addiu", { rt: 0, rs: 8, imm: 5 }, ab(3, 0)),
    one("V10 sc without ll", "sc", { rt: 9, rs: 8 }, ab(0x3000_0000, 77)),
    one("jalr with rd = rs", "jalr", { rd: 8, rs: 8 }, ab(0x800, 0)),
    one("bltzal of $ra tests before linking", "bltzal", { rs: 31, offset: 4 }, {
      registers: { 31: -1 },
    }),
    one("likely branch not taken skips its slot", "beql", {
      rs: 8,
      rt: 9,
      offset: 4,
    }, ab(1, 2)),
    one("load from the instruction's own leaf", "lw", {
      rt: 9,
      rs: 8,
    }, ab(0x404, 0)),
    one("load from a never-written leaf", "lw", { rt: 9, rs: 8 }, {
      registers: { 8: 0xfffffffc, 9: 5 },
    }),
    one("P5 first write into a zero subtree", "sw", { rt: 9, rs: 8 }, {
      registers: { 8: 0xfffffffc, 9: 5 },
    }),
    one("store into the leaf after the code", "sb", { rt: 9, rs: 8 }, {
      registers: { 8: 0x0100_0000, 9: -1 },
    }),
    one("instruction in a delay slot", "addiu", { rt: 8, rs: 8, imm: 1 }, {
      nextPc: 0x800,
    }),
  ];
}

function trapCases(): VmCase[] {
  const raw = (name: string, word: number, options: MachineOptions = {}) => ({
    name,
    state: machine({ code: [word], ...options }),
  });
  const nop = encode("sll");
  const jump = encode("j", { target: 0x102 });
  const sw = encode("sw", { rt: 9, rs: 8 });
  return [
    raw("trap 1 pc not aligned", nop, { pc: 0x402 }),
    raw("trap 1 before 2", nop, { pc: 0x0100_0001 }),
    raw("trap 2 pc at the end of code", nop, { pc: 0x0100_0000 }),
    raw("trap 2 pc at the end of memory", nop, { pc: 0xfffffffc }),
    raw("trap 3 reserved opcode", 0xfc000000),
    raw("trap 3 reserved function", 0x00000005),
    raw("trap 3 reserved REGIMM", 0x04040000),
    raw("trap 3 break", 0x0000000d),
    raw("trap 3 rdhwr", 0x7c03e83b),
    raw("trap 3 movf", 0x00000001),
    raw("trap 3 cop1", 0x44000000),
    raw("trap 3 cache", 0xbc000000),
    raw("trap 3 sdbbp", 0x7000003f),
    raw("trap 3 mult with rd", encode("mult") | (1 << 11)),
    raw("trap 3 addu with sa", encode("addu") | (1 << 6)),
    raw("trap 3 jr with hint", encode("jr", { rs: 31 }) | (16 << 6)),
    raw("trap 3 clz with rt other than rd", encode("clz") | (1 << 16)),
    raw("trap 3 ext beyond bit 31", encode("ext") | (31 << 11) | (1 << 6)),
    raw("trap 3 ins with msb below lsb", encode("ins") | (1 << 6)),
    raw("trap 3 before 4", 0x0000000d, { nextPc: 0x800 }),
    raw("trap 3 unlisted syscall", syscall, { registers: { 2: 4004 } }),
    raw("trap 4 jump in a delay slot", jump, { nextPc: 0x800 }),
    raw("trap 4 jump in the slot of one to pc + 8", jump, { nextPc: 0x408 }),
    one("trap 4 branch not taken in a delay slot", "bne", {}, {
      nextPc: 0x800,
    }),
    one("trap 5 teq", "teq", { rs: 8, rt: 9 }),
    one("trap 6 lw at 2", "lw", { rt: 9, rs: 8, imm: 2 }),
    one("trap 6 lh at 1", "lh", { rt: 9, rs: 8, imm: 1 }),
    one("trap 6 ll at 1", "ll", { rt: 9, rs: 8, imm: 1 }),
    one("trap 6 sc at 2", "sc", { rt: 9, rs: 8, imm: 2 }),
    raw("trap 6 before 7", sw, { registers: { 8: 0x403 } }),
    raw("trap 7 store into code", sw, { registers: { 8: 0x400 } }),
    one(
      "trap 7 V8 wrap-around into code",
      "sb",
      { rt: 9, rs: 8, imm: 0x7fff },
      {
        registers: { 8: 0xffffffff },
      },
    ),
    one("trap 7 swr below 16 MiB", "swr", { rs: 8 }, {
      registers: { 8: 0x00ffffff },
    }),
    ...[1, 2, 3, 255].map((status) =>
      raw(`V9 status ${status} is a fixed point`, nop, {
        status,
        exitCode: 9,
      })
    ),
  ];
}

/** Per instruction one word that differs in a single fixed bit and is no instruction. */
function encodingCases(): VmCase[] {
  const random = new Random(8);
  return ENCODINGS.flatMap((encoding) => {
    const bits = Array.from({ length: 26 }, (_, bit) => bit).filter((bit) =>
      (encoding.mask >>> bit) & 1 &&
      decode((encoding.match ^ (1 << bit)) >>> 0) === null
    );
    if (bits.length === 0) return [];
    const bit = random.pick(bits);
    return [{
      name: `trap 3 V6 ${encoding.name} with bit ${bit} flipped`,
      state: machine({ code: [(encoding.match ^ (1 << bit)) >>> 0] }),
    }];
  });
}

/** Load and save with the fields ($a0, $a1, $a2), and data around them. */
function oracle(
  name: string,
  number: number,
  [a0, a1, a2]: [number, number, number],
  options: MachineOptions = {},
): VmCase {
  return {
    name,
    state: machine({
      code: [syscall],
      ...options,
      registers: { 2: number, 4: a0, 5: a1, 6: a2 },
      words: {
        0x1100_0000: 0x01020304,
        0x1000_0020: 0x0a0b0c0d,
        0x4000_0000: 0x99887766,
        0x4000_0040: 3,
        0x8000_0000: 4,
        ...options.words,
      },
    }),
  };
}

function syscallCases(): VmCase[] {
  const { exit, exitGroup, load, save } = SYSCALL;
  const store = new MemoryContentStore();
  const grafted = machine({
    store,
    code: [syscall, encode("lw", { rt: 9, rs: 4 })],
  });
  const key = store.put(new Uint8Array(3000).fill(5));
  grafted.memory.storeLeaf(0x1000_0020, key);
  grafted.registers.set([0x4c01, 0, 0x8000_0000, 7, 0x1000_0020], 2);
  run(grafted, 1);
  const value = 0x4000_0000, model = 0x8000_0000, input = 0x1000_0020;
  return [
    oracle("exit", exit, [0x1ff, 0, 0]),
    oracle("exit_group in a delay slot", exitGroup, [3, 0, 0], { nextPc: 16 }),
    oracle("load height 0", load, [value, 0, input]),
    oracle("load height 1 by the oracle key", load, [
      value + 64,
      1,
      0x1100_0000,
    ]),
    oracle("load the whole value region", load, [value, 25, input]),
    oracle("D18 load height 26", load, [model, 26, input]),
    oracle("D18 load height 27", load, [model, 27, input]),
    oracle("D18 key leaf inside the replaced subtree", load, [
      value,
      5,
      value + 64,
    ]),
    oracle("load with the key in the instruction's leaf", load, [
      value,
      3,
      0x400,
    ]),
    oracle("load in a delay slot", load, [value, 3, input], { nextPc: 0x800 }),
    oracle("load of an unknown key", load, [model + 0x1000, 7, input]),
    oracle("load at the end of memory", load, [0xffffffe0, 0, input]),
    oracle("save height 0", save, [value, 0, 1]),
    oracle("save height 2", save, [value, 2, 0]),
    oracle("save of zeros", save, [model + 0x4000, 9, 0]),
    oracle("D18 save height 26 with an odd $a2", save, [model, 26, 3]),
    oracle("D18 save height 27", save, [model, 27, 0]),
    oracle("D18 two causes: height 27 and alignment", save, [1, 27, 0]),
    oracle("trap 5 height of all ones", load, [value, -1, input]),
    oracle("trap 6 load key not aligned", load, [value, 0, input + 1]),
    oracle("trap 6 load address not aligned", load, [value + 32, 1, input]),
    oracle("trap 6 before 7", save, [0x11, 0, 0]),
    oracle("trap 7 D5 save over the key leaf", save, [0x1100_0000, 0, 0]),
    oracle("trap 7 D5 save over the code", save, [0, 5, 0]),
    oracle("trap 7 load into the stack", load, [0x3000_0000, 0, input]),
    oracle("trap 7 load of 2 GiB below the model", load, [0, 26, input]),
    { name: "load32 from a lazy graft", state: grafted },
  ];
}

/** Every case, in the order of the golden vectors. */
export function vmCases(): VmCase[] {
  const random = new Random(2026);
  return [
    ...instructionCases(),
    ...semanticsCases(),
    ...trapCases(),
    ...encodingCases(),
    ...syscallCases(),
    ...Array.from({ length: 60 }, (_, i) => ({
      name: `random ${i}`,
      state: randomMachine(random),
    })),
  ];
}
