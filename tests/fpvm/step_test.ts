import { assert, assertEquals } from "@std/assert";
import { Random } from "../random.ts";
import {
  cloneState,
  encode,
  ENCODINGS,
  type Fields,
  type InstructionName,
  packState,
  REGIONS,
  run,
  stateHash,
  step,
  SYSCALL,
  tensorRoot,
  type VmState,
} from "../../fpvm/mod.ts";
import { machine, type MachineOptions, randomMachine } from "./machines.ts";
import { vmCases } from "./cases.ts";

/** The state after one instruction on $8 = s, $9 = t, $10 = d. */
function after(
  name: InstructionName,
  fields: Fields,
  [s = 0, t = 0, d = 0]: number[],
  options: MachineOptions = {},
): VmState {
  const registers = { 8: s, 9: t, 10: d };
  const state = machine({
    code: [encode(name, fields)],
    ...options,
    registers: { ...registers, ...options.registers },
  });
  step(state);
  return state;
}

const three = { rd: 10, rs: 8, rt: 9 };
const two = { rs: 8, rt: 9 };
const shift = { rd: 10, rt: 9, sa: 4 };
const half = { rd: 10, rt: 9 };
const bits = { rs: 8, rt: 10 };
const MIN = -0x80000000;

/** What every arithmetic instruction leaves in $10: [name, fields, operands, result]. */
const results: [InstructionName, Fields, number[], number][] = [
  ["sll", shift, [0, 0x90000001], 0x10],
  ["srl", shift, [0, 0x90000001], 0x09000000],
  ["sra", shift, [0, 0x90000001], 0xf9000000 | 0],
  ["rotr", shift, [0, 0x90000001], 0x19000000],
  ["rotr", { ...shift, sa: 0 }, [0, 7], 7],
  ["sllv", three, [33, 3], 6],
  ["srlv", three, [32, -1], -1],
  ["rotrv", three, [33, 1], MIN],
  ["rotrv", three, [0, 5], 5],
  ["movz", three, [5, 0, 1], 5],
  ["movz", three, [5, 2, 1], 1],
  ["movn", three, [5, 0, 1], 1],
  ["movn", three, [5, 2, 1], 5],
  ["add", three, [2, -3], -1],
  ["addu", three, [0x7fffffff, 1], MIN],
  ["sub", three, [2, 5], -3],
  ["subu", three, [MIN, 1], 0x7fffffff],
  ["and", three, [12, 10], 8],
  ["or", three, [12, 10], 14],
  ["xor", three, [12, 10], 6],
  ["nor", three, [12, 10], ~14],
  ["slt", three, [-1, 0], 1],
  ["sltu", three, [-1, 0], 0],
  ["addi", { ...bits, imm: -1 }, [0], -1],
  ["addiu", { ...bits, imm: -1 }, [MIN], 0x7fffffff],
  ["slti", { ...bits, imm: -1 }, [-2], 1],
  ["sltiu", { ...bits, imm: -1 }, [5], 1],
  ["andi", { ...bits, imm: 0xff00 }, [-1], 0xff00],
  ["ori", { ...bits, imm: 0xff00 }, [1], 0xff01],
  ["xori", { ...bits, imm: 0xffff }, [-1], 0xffff0000 | 0],
  ["lui", { rt: 10, imm: 0x8000 }, [], MIN],
  ["mul", three, [0x12345678, 0x9abcdef], Math.imul(0x12345678, 0x9abcdef)],
  ["clz", { rd: 10, rt: 10, rs: 8 }, [1], 31],
  ["clz", { rd: 10, rt: 10, rs: 8 }, [0], 32],
  ["clo", { rd: 10, rt: 10, rs: 8 }, [-2], 31],
  ["ext", { ...bits, lsb: 8, msb: 7 }, [0x12345678], 0x56],
  ["ext", { ...bits, lsb: 0, msb: 31 }, [-5], -5],
  ["ins", { ...bits, lsb: 8, msb: 15 }, [0xab, 0, 0x11111111], 0x1111ab11],
  ["ins", { ...bits, lsb: 0, msb: 31 }, [-5, 0, 1], -5],
  ["wsbh", half, [0, 0x11223344], 0x22114433],
  ["seb", half, [0, 0x80], -128],
  ["seh", half, [0, 0x8000], -32768],
];

Deno.test("step: arithmetic instructions leave these results and nothing else", () => {
  for (const [name, fields, operands, result] of results) {
    const state = after(name, fields, operands);
    const what = `${name} ${operands}`;
    assertEquals(state.registers[10], result, what);
    assertEquals([state.status, state.pc, state.nextPc], [0, 0x404, 0x408]);
    assertEquals(state.registers[8], (operands[0] ?? 0) | 0, what);
    assertEquals([state.hi, state.lo], [0, 0], what);
  }
});

Deno.test("step: V1 variable shifts mask the count", () => {
  for (const count of [0, 31, 32, 33, 0xffffffff]) {
    const value = 0x80000001 | 0;
    const found = (name: InstructionName) =>
      after(name, three, [count, value]).registers[10];
    assertEquals(found("srav"), value >> (count & 31));
    assertEquals(found("srlv"), (value >>> (count & 31)) | 0);
    assertEquals(found("sllv"), value << (count & 31));
  }
});

Deno.test("step: V2 aligned loads and stores trap on unaligned addresses", () => {
  for (const name of ["lw", "ll", "sw", "sc", "lh", "lhu", "sh"] as const) {
    const mask = /h/.test(name) ? 1 : 3;
    for (const offset of [0, 1, 2, 3]) {
      const state = after(name, two, [0x30000000 + offset]);
      const expected = (offset & mask) === 0 ? [0, 0] : [2, 6];
      assertEquals([state.status, state.exitCode], expected, name);
    }
  }
});

Deno.test("step: V2 lwl lwr swl swr at all four offsets", () => {
  const loaded = (name: InstructionName, offset: number) =>
    after(name, two, [0x30000000 + offset, 0x11223344], {
      words: { 0x30000000: 0x55667788 },
    }).registers[9];
  const stored = (name: InstructionName, offset: number) =>
    after(name, two, [0x30000000 + offset, 0x11223344], {
      words: { 0x30000000: 0x55667788 },
    }).memory.load32(0x30000000);
  const all = (of: (offset: number) => number) => [0, 1, 2, 3].map(of);
  assertEquals(all((i) => loaded("lwl", i)), [
    0x88223344 | 0,
    0x77883344,
    0x66778844,
    0x55667788,
  ]);
  assertEquals(all((i) => loaded("lwr", i)), [
    0x55667788,
    0x11556677,
    0x11225566,
    0x11223355,
  ]);
  assertEquals(all((i) => stored("swl", i)), [
    0x55667711,
    0x55661122,
    0x55112233,
    0x11223344,
  ]);
  assertEquals(all((i) => stored("swr", i)), [
    0x11223344,
    0x22334488,
    0x33447788,
    0x44667788,
  ]);
});

Deno.test("step: loads extend and stores keep the other bytes", () => {
  const words = { 0x30000000: 0x8182fff0 };
  const load = (name: InstructionName, offset: number) =>
    after(name, two, [0x30000000 + offset], { words }).registers[9];
  assertEquals([load("lb", 3), load("lbu", 3)], [-127, 0x81]);
  assertEquals([load("lh", 2), load("lhu", 2)], [-0x7e7e, 0x8182]);
  assertEquals([load("lb", 0), load("lhu", 0)], [-16, 0xfff0]);
  const store = (name: InstructionName, offset: number) =>
    after(name, two, [0x30000000 + offset, 0x12345678], { words }).memory
      .load32(0x30000000);
  assertEquals(store("sb", 1), 0x818278f0 | 0);
  assertEquals(store("sh", 2), 0x5678fff0);
});

Deno.test("step: V3 overflow traps with code 5 and changes nothing else", () => {
  const overflowing: [InstructionName, Fields, number[]][] = [
    ["add", three, [0x7fffffff, 1]],
    ["add", three, [MIN, -1]],
    ["sub", three, [0, MIN]],
    ["sub", three, [MIN, 1]],
    ["addi", { ...bits, imm: 1 }, [0x7fffffff]],
  ];
  for (const [name, fields, operands] of overflowing) {
    const state = after(name, fields, operands);
    assertEquals([state.status, state.exitCode, state.pc], [2, 5, 0x400], name);
    assertEquals(state.registers[10], 0);
  }
});

Deno.test("step: V3 products and quotients in hi and lo", () => {
  const table: [InstructionName, number[], number, number][] = [
    ["mult", [MIN, MIN], 0x40000000, 0],
    ["mult", [-1, 7], -1, -7],
    ["multu", [-1, -1], -2, 1],
    ["div", [MIN, -1], 0, MIN],
    ["div", [-7, 2], -1, -3],
    ["div", [-7, 0], 0, -7],
    ["divu", [-7, 0], 0, -7],
    ["divu", [-7, 2], 1, 0x7ffffffc],
  ];
  for (const [name, operands, hi, lo] of table) {
    const state = after(name, two, operands);
    assertEquals([state.hi, state.lo], [hi, lo], `${name} ${operands}`);
  }
});

Deno.test("step: products and sums of 64 bits agree with bigint", () => {
  const random = new Random(3);
  const value = () => random.pick([random.u32(), 0, -1, MIN, 0xffff]) | 0;
  for (let i = 0; i < 2000; i++) {
    const [s, t, hi, lo] = [value(), value(), value(), value()];
    for (const name of ["madd", "maddu", "msub", "msubu"] as const) {
      const width = name.endsWith("u") ? BigInt.asUintN : BigInt.asIntN;
      const product = width(32, BigInt(s)) * width(32, BigInt(t));
      const sum = (BigInt(hi) << 32n) | BigInt.asUintN(32, BigInt(lo));
      const exact = name.startsWith("madd") ? sum + product : sum - product;
      const state = after(name, two, [s, t], { hi, lo });
      const found = (BigInt(state.hi) << 32n) |
        BigInt.asUintN(32, BigInt(state.lo));
      assertEquals(found, BigInt.asIntN(64, exact), `seed 3: ${name}`);
    }
  }
});

Deno.test("step: V4 jumps take the region of the delay slot's pc", () => {
  const state = after("j", { target: 0x3ffffff }, [], { pc: 0x00fffffc });
  assertEquals([state.pc, state.nextPc], [0x01000000, 0x0ffffffc]);
  step(state);
  assertEquals([state.status, state.exitCode], [2, 2]);
});

Deno.test("step: V5 a branch or jump in a delay slot traps, whatever its target", () => {
  for (const { kind, name, fields } of ENCODINGS) {
    if (!["branch", "likely", "jump"].includes(kind)) continue;
    for (const nextPc of [0x800, 0x400, 0x408, 0x403, 0]) {
      const some = fields.includes("offset") ? { offset: 1 } : {};
      const state = after(name, some, [], { nextPc });
      assertEquals([state.status, state.exitCode], [2, 4], name);
      assertEquals([state.pc, state.nextPc], [0x400, nextPc]);
    }
  }
});

Deno.test("step: branches go, link and skip as they should", () => {
  const go = [0x404, 0x414], stay = [0x404, 0x408], skip = [0x408, 0x40c];
  const table: [InstructionName, number[], number[], number][] = [
    ["beq", [1, 1], go, 0],
    ["beq", [1, 2], stay, 0],
    ["bne", [1, 2], go, 0],
    ["blez", [0], go, 0],
    ["bgtz", [0], stay, 0],
    ["bltz", [-1], go, 0],
    ["bgez", [-1], stay, 0],
    ["bltzal", [0], stay, 0x408],
    ["bgezal", [0], go, 0x408],
    ["beql", [1, 2], skip, 0],
    ["bnel", [1, 2], go, 0],
    ["blezl", [1], skip, 0],
    ["bgtzl", [1], go, 0],
    ["bltzl", [0], skip, 0],
    ["bgezl", [0], go, 0],
    ["bltzall", [0], skip, 0x408],
    ["bgezall", [-1], skip, 0x408],
  ];
  for (const [name, operands, to, link] of table) {
    const fields = /^b(eq|ne)/.test(name) ? two : { rs: 8 };
    const state = after(name, { ...fields, offset: 4 }, operands);
    assertEquals([state.pc, state.nextPc], to, `${name} ${operands}`);
    assertEquals(state.registers[31], link, name);
  }
  const self = after("jalr", { rs: 8, rd: 8 }, [0x800]);
  assertEquals([self.nextPc, self.registers[8]], [0x800, 0x408]);
  const back = after("bltzal", { rs: 31, offset: -1 }, [], {
    registers: { 31: -1 },
  });
  assertEquals([back.nextPc, back.registers[31]], [0x400, 0x408]);
  assertEquals(after("jal", { target: 0x200 }, []).registers[31], 0x408);
  assertEquals(after("jr", { rs: 8 }, [3]).nextPc, 3);
});

Deno.test("step: conditional traps trap when their condition holds", () => {
  const table: [InstructionName, Fields, number[], boolean][] = [
    ["tge", two, [-1, 0], false],
    ["tgeu", two, [-1, 0], true],
    ["tlt", two, [-1, 0], true],
    ["tltu", two, [-1, 0], false],
    ["teq", two, [4, 4], true],
    ["tne", two, [4, 4], false],
    ["tgei", { rs: 8, imm: -1 }, [-1], true],
    ["tgeiu", { rs: 8, imm: -1 }, [5], false],
    ["tlti", { rs: 8, imm: -1 }, [-2], true],
    ["tltiu", { rs: 8, imm: -1 }, [5], true],
    ["teqi", { rs: 8, imm: -1 }, [-1], true],
    ["tnei", { rs: 8, imm: -1 }, [-1], false],
  ];
  for (const [name, fields, operands, traps] of table) {
    const state = after(name, fields, operands);
    const expected = traps ? [2, 5] : [0, 0];
    assertEquals([state.status, state.exitCode], expected, name);
  }
});

Deno.test("step: V6 a word that no row of the table matches traps with code 3", () => {
  const random = new Random(11);
  for (const { name, match, mask, kind } of ENCODINGS) {
    if (kind === "syscall") continue;
    for (let bit = 0; bit < 26; bit++) {
      if (((mask >>> bit) & 1) === 0) continue;
      const word = (match ^ (1 << bit)) >>> 0;
      const known = ENCODINGS.some((row) =>
        ((word & row.mask) >>> 0) === row.match
      );
      const state = machine({ code: [word] });
      step(state);
      if (!known) assertEquals([state.status, state.exitCode], [2, 3], name);
    }
  }
  for (const opcode of [16, 17, 18, 19, 24, 47, 49, 53, 57, 61, 63]) {
    const word = opcode * 2 ** 26 + random.below(2 ** 26);
    const state = machine({ code: [word] });
    step(state);
    assertEquals([state.status, state.exitCode], [2, 3], `opcode ${opcode}`);
  }
});

Deno.test("step: V6 nothing writes register 0", () => {
  const random = new Random(13);
  for (let i = 0; i < 3000; i++) {
    const state = randomMachine(random);
    step(state);
    assertEquals(state.registers[0], 0, `seed 13 state ${i}`);
  }
});

Deno.test("step: V7 unlisted system calls trap", () => {
  for (const number of [0, 1, 4000, 4002, 4004, 4045, 0x4c00, 0x4c03, -1]) {
    const state = after("syscall", {}, [], { registers: { 2: number } });
    assertEquals([state.status, state.exitCode], [2, 3], `${number}`);
  }
});

Deno.test("step: V8 no store reaches code, also by wrapping around", () => {
  for (const name of ["sb", "sh", "sw", "swl", "swr", "sc"] as const) {
    for (const [base, imm] of [[0, 0x400], [-4, 0x404], [0xfffffc, 0]]) {
      const state = after(name, { ...two, imm }, [base, 5]);
      assertEquals([state.status, state.exitCode], [2, 7], name);
    }
    assertEquals(after(name, two, [0x01000000, 5]).status, 0, name);
  }
});

Deno.test("step: V9 a stopped state is a fixed point, whatever its status byte", () => {
  for (const status of [1, 2, 3, 128, 255]) {
    const state = machine({ code: [0], status, exitCode: 77 });
    const before = stateHash(state).toHex();
    step(state);
    assertEquals(stateHash(state).toHex(), before);
    assertEquals(run(state, 10), 0);
  }
});

Deno.test("step: V9 a trap changes status and exit code alone", () => {
  let traps = 0;
  const random = new Random(17);
  for (let i = 0; i < 1500; i++) {
    const state = randomMachine(random);
    const before = packState(state);
    step(state);
    if (before[48] !== 0 || state.status !== 2) continue;
    traps++;
    assert(state.exitCode >= 1 && state.exitCode <= 7);
    before[48] = 2;
    before[49] = state.exitCode;
    assertEquals(packState(state), before, `seed 17 state ${i}`);
  }
  assert(traps > 100, `${traps} traps`);
});

Deno.test("step: V9 named cases trap with the code in their name", () => {
  const codes = new Set<number>();
  for (const { name, state } of vmCases()) {
    const code = /^trap (\d)/.exec(name)?.[1];
    if (code === undefined) continue;
    step(state);
    assertEquals([state.status, state.exitCode], [2, Number(code)], name);
    codes.add(Number(code));
  }
  assertEquals([...codes].sort(), [1, 2, 3, 4, 5, 6, 7]);
});

Deno.test("step: V9 exit keeps pc and gives the low byte of $a0", () => {
  for (const number of [SYSCALL.exit, SYSCALL.exitGroup]) {
    for (const code of [0, 1, 255, 256, -1]) {
      const registers = { 2: number, 4: code };
      const state = after("syscall", {}, [], { registers, nextPc: 0x800 });
      assertEquals([state.status, state.exitCode], [1, code & 255]);
      assertEquals([state.pc, state.nextPc], [0x400, 0x800]);
    }
  }
});

Deno.test("step: V10 sc stores and succeeds without ll", () => {
  const state = after("sc", two, [0x30000000, 99]);
  assertEquals(state.memory.load32(0x30000000), 99);
  assertEquals(state.registers[9], 1);
  const zero = after("sc", { rs: 8, rt: 0 }, [0x30000000]);
  assertEquals(zero.registers[0], 0);
});

function oracle(
  number: number,
  [a0, a1, a2]: number[],
  words: Record<number, number> = {},
): VmState {
  const registers = { 2: number, 4: a0, 5: a1, 6: a2, 7: 5 };
  const code = [encode("syscall")];
  const state = machine({ code, registers, words });
  step(state);
  return state;
}

Deno.test("step: D18 heights 26 and 27 of load and save", () => {
  for (const number of [SYSCALL.load, SYSCALL.save]) {
    const words = { 0x10000020: 77, 0x80000000: 3 };
    const whole = oracle(number, [0x80000000, 26, 0x10000020], words);
    assertEquals([whole.status, whole.pc], [0, 0x404]);
    const larger = oracle(number, [0x80000000, 27, 0x10000020], words);
    assertEquals([larger.status, larger.exitCode], [2, 5]);
    assertEquals(oracle(number, [0x40000000, 26, 0], words).exitCode, 6);
  }
});

Deno.test("step: D18 the key is read before its leaf is replaced", () => {
  const state = oracle(SYSCALL.load, [0x40000000, 2, 0x40000020], {
    0x40000020: 0x1234,
  });
  assertEquals(state.status, 0);
  const key = new Uint8Array(32);
  key.set([0x34, 0x12]);
  assertEquals(state.memory.subtreeRoot(0x40000000, 2), key);
});

Deno.test("step: D18 of two causes the lowest exit code wins", () => {
  const causes: [number[], number][] = [
    [[1, 27, 0], 5],
    [[0x11, 0, 1], 6],
    [[0x30000000, 0, 1], 6],
    [[0x30000000, 0, 0], 7],
  ];
  for (const [args, code] of causes) {
    assertEquals(oracle(SYSCALL.load, args).exitCode, code, `${args}`);
  }
  assertEquals(oracle(SYSCALL.save, [0x40000000, 0, 1]).status, 0);
});

Deno.test("step: D5 load and save keep to the value and model regions", () => {
  const ranges: [number, number, boolean][] = [
    [0, 5, false],
    [0x11000000, 0, false],
    [0x3fffffe0, 0, false],
    [0x40000000, 25, true],
    [0x7fffffe0, 0, true],
    [0x80000000, 26, true],
    [0xffffffe0, 0, true],
    [0, 26, false],
  ];
  for (const [address, height, isLegal] of ranges) {
    for (const number of [SYSCALL.load, SYSCALL.save]) {
      const state = oracle(number, [address, height, 0x10000020]);
      assertEquals([state.status, state.exitCode], isLegal ? [0, 0] : [2, 7]);
    }
  }
});

Deno.test("step: D5 a forged key loads, and only touching it fails", () => {
  const words = { 0x11000000: 0xbad };
  for (const height of [1, 7, 20]) {
    const state = oracle(SYSCALL.load, [0x40000000, height, 0x11000000], words);
    assertEquals(state.status, 0);
    stateHash(state);
    let message = "";
    try {
      state.memory.load32(0x40000000);
    } catch (error) {
      message = (error as Error).message;
    }
    assert(message.includes("ad0b0000"), message);
  }
});

Deno.test("step: save returns the key, zeroes the subtree, and load brings it back", () => {
  const state = oracle(SYSCALL.save, [0x40000000, 8, 0], {
    0x40000000: 11,
    0x40001004: 12,
  });
  const bytes = new Uint8Array(8192);
  bytes[0] = 11;
  bytes[4100] = 12;
  const key = state.memory.leaf(REGIONS.key.base);
  assertEquals(key, tensorRoot(bytes, 8));
  assertEquals(state.memory.load32(0x40001004), 0);
  assertEquals([state.registers[2], state.registers[7]], [SYSCALL.save, 5]);
  const again = cloneState(state);
  again.pc = 0x400;
  again.nextPc = 0x404;
  again.registers.set([SYSCALL.load, 0, 0x80002000 | 0, 8, 0x11000000], 2);
  step(again);
  assertEquals(again.memory.load32(0x80003004), 12);
  again.memory.store32(0x80003004, 13);
  assertEquals(again.memory.load32(0x40001004), 0);
  assertEquals(again.memory.leaf(REGIONS.key.base), key);
});
