/**
 * What each instruction computes: one small pure function per row of the encodings table.
 *
 * `s`, `t` and `old` are the values of rs, rt and the destination as i32; results are taken modulo
 * 2^32 where they are stored; those that always fit are i32 already, which the engine keeps in a register. Order of checks, memory, control and traps belong to step.ts.
 */

import {
  decode,
  type Instruction,
  type InstructionName,
  type NameOfKind,
} from "./encodings.ts";
import type { Processor } from "./state.ts";

/** What an operation takes from the instruction itself. */
type Operands = Pick<Instruction, "sa" | "imm" | "rd">;
/** Value for the destination, which holds `old`. */
type Alu = (s: number, t: number, i: Operands, old: number) => number;
/** The exact sum or difference; out of i32 it traps. */
type Checked = (s: number, t: number, i: Operands) => number;
type Multiply = (p: Processor, s: number, t: number, i: Operands) => void;
type Condition = (s: number, t: number, i: Operands) => boolean;
type Jump = (s: number, pc: number, i: Pick<Instruction, "target">) => number;
/** Value for rt, given the word that holds the byte `address`. */
type Load = (word: number, address: number, old: number) => number;
/** What the word becomes. */
type Store = (word: number, address: number, t: number) => number;

/** High word of the unsigned 64-bit product, as i32; no sum below passes 2^32. */
function mulHighU(s: number, t: number): number {
  const s0 = s & 0xffff, s1 = s >>> 16, t0 = t & 0xffff, t1 = t >>> 16;
  const middle = (Math.imul(s1, t0) + (Math.imul(s0, t0) >>> 16)) | 0;
  const other = (Math.imul(s0, t1) + (middle & 0xffff)) | 0;
  return (Math.imul(s1, t1) + (middle >>> 16) + (other >>> 16)) | 0;
}

/** High word of the signed 64-bit product, as i32. */
function mulHighS(s: number, t: number): number {
  return (mulHighU(s, t) - ((s >> 31) & t) - ((t >> 31) & s)) | 0;
}

function addTo(p: Processor, hi: number, lo: number): void {
  const sum = (p.lo + lo) | 0;
  p.hi = (p.hi + hi + (sum >>> 0 < lo >>> 0 ? 1 : 0)) | 0;
  p.lo = sum;
}

function subtractFrom(p: Processor, hi: number, lo: number): void {
  p.hi = (p.hi - hi - (p.lo >>> 0 < lo >>> 0 ? 1 : 0)) | 0;
  p.lo = (p.lo - lo) | 0;
}

const extend16 = (value: number) => (value << 16) >> 16;
const extend8 = (value: number) => (value << 24) >> 24;
const lowBits = (count: number) => count === 32 ? -1 : (1 << count) - 1;
/** Bit position, in its word, of the byte that an address names. */
const shiftOf = (address: number) => (address & 3) * 8;
/** Bits of the word above that byte. */
const bitsAbove = (address: number) => 24 - shiftOf(address);
/** The word with `value` in the bits of `mask`, both shifted to the byte that an address names. */
const insertAt = (word: number, address: number, value: number, mask: number) =>
  (word & ~(mask << shiftOf(address))) | ((value & mask) << shiftOf(address));

const alu = {
  sll: (_, t, i) => t << i.sa,
  srl: (_, t, i) => (t >>> i.sa) | 0,
  rotr: (_, t, i) => (t >>> i.sa) | (t << (32 - i.sa)),
  sra: (_, t, i) => t >> i.sa,
  // JavaScript masks shift counts to 5 bits, as the machine does.
  sllv: (s, t) => t << s,
  srlv: (s, t) => (t >>> s) | 0,
  rotrv: (s, t) => (t >>> s) | (t << -s),
  srav: (s, t) => t >> s,
  movz: (s, t, _, old) => t === 0 ? s : old,
  movn: (s, t, _, old) => t !== 0 ? s : old,
  addu: (s, t) => (s + t) | 0,
  subu: (s, t) => (s - t) | 0,
  and: (s, t) => s & t,
  or: (s, t) => s | t,
  xor: (s, t) => s ^ t,
  nor: (s, t) => ~(s | t),
  slt: (s, t) => s < t ? 1 : 0,
  sltu: (s, t) => s >>> 0 < t >>> 0 ? 1 : 0,
  addiu: (s, _, i) => (s + i.imm) | 0,
  slti: (s, _, i) => s < i.imm ? 1 : 0,
  sltiu: (s, _, i) => s >>> 0 < i.imm >>> 0 ? 1 : 0,
  andi: (s, _, i) => s & (i.imm & 0xffff),
  ori: (s, _, i) => s | (i.imm & 0xffff),
  xori: (s, _, i) => s ^ (i.imm & 0xffff),
  lui: (_, __, i) => i.imm << 16,
  mul: (s, t) => Math.imul(s, t),
  clz: (s) => Math.clz32(s),
  clo: (s) => Math.clz32(~s),
  ext: (s, _, i) => (s >>> i.sa) & lowBits(i.rd + 1),
  ins: (s, _, i, old) => {
    const mask = lowBits(i.rd - i.sa + 1) << i.sa;
    return (old & ~mask) | ((s << i.sa) & mask);
  },
  wsbh: (_, t) => ((t & 0x00ff00ff) << 8) | ((t >>> 8) & 0x00ff00ff),
  seb: (_, t) => extend8(t),
  seh: (_, t) => extend16(t),
} satisfies Record<NameOfKind<"alu">, Alu>;

const checked = {
  add: (s, t) => s + t,
  addi: (s, _, i) => s + i.imm,
  sub: (s, t) => s - t,
} satisfies Record<NameOfKind<"checked">, Checked>;

const multiply = {
  mfhi: (p, _, __, i) => p.registers[i.rd] = p.hi,
  mthi: (p, s) => p.hi = s,
  mflo: (p, _, __, i) => p.registers[i.rd] = p.lo,
  mtlo: (p, s) => p.lo = s,
  mult: (p, s, t) => {
    p.hi = mulHighS(s, t);
    p.lo = Math.imul(s, t);
  },
  multu: (p, s, t) => {
    p.hi = mulHighU(s, t);
    p.lo = Math.imul(s, t);
  },
  // By zero: lo = rs, hi = 0. MIN / -1 wraps to MIN with remainder 0 by itself.
  div: (p, s, t) => {
    p.lo = t === 0 ? s : (s / t) | 0;
    p.hi = t === 0 ? 0 : (s % t) | 0;
  },
  divu: (p, s, t) => {
    p.lo = t === 0 ? s : ((s >>> 0) / (t >>> 0)) | 0;
    p.hi = t === 0 ? 0 : ((s >>> 0) % (t >>> 0)) | 0;
  },
  madd: (p, s, t) => addTo(p, mulHighS(s, t), Math.imul(s, t)),
  maddu: (p, s, t) => addTo(p, mulHighU(s, t), Math.imul(s, t)),
  msub: (p, s, t) => subtractFrom(p, mulHighS(s, t), Math.imul(s, t)),
  msubu: (p, s, t) => subtractFrom(p, mulHighU(s, t), Math.imul(s, t)),
} satisfies Record<NameOfKind<"multiply">, Multiply>;

const trap = {
  tge: (s, t) => s >= t,
  tgeu: (s, t) => s >>> 0 >= t >>> 0,
  tlt: (s, t) => s < t,
  tltu: (s, t) => s >>> 0 < t >>> 0,
  teq: (s, t) => s === t,
  tne: (s, t) => s !== t,
  tgei: (s, _, i) => s >= i.imm,
  tgeiu: (s, _, i) => s >>> 0 >= i.imm >>> 0,
  tlti: (s, _, i) => s < i.imm,
  tltiu: (s, _, i) => s >>> 0 < i.imm >>> 0,
  teqi: (s, _, i) => s === i.imm,
  tnei: (s, _, i) => s !== i.imm,
} satisfies Record<NameOfKind<"trap">, Condition>;

const branch = {
  bltz: (s) => s < 0,
  bgez: (s) => s >= 0,
  bltzal: (s) => s < 0,
  bgezal: (s) => s >= 0,
  beq: (s, t) => s === t,
  bne: (s, t) => s !== t,
  blez: (s) => s <= 0,
  bgtz: (s) => s > 0,
} satisfies Record<NameOfKind<"branch">, Condition>;

const likely = {
  bltzl: branch.bltz,
  bgezl: branch.bgez,
  bltzall: branch.bltzal,
  bgezall: branch.bgezal,
  beql: branch.beq,
  bnel: branch.bne,
  blezl: branch.blez,
  bgtzl: branch.bgtz,
} satisfies Record<NameOfKind<"likely">, Condition>;

/** A jump stays in the 256 MiB of its delay slot. */
const inRegion: Jump = (_, pc, i) =>
  (((pc + 4) & 0xf0000000) | (i.target << 2)) >>> 0;

const jump = {
  jr: (s) => s >>> 0,
  jalr: (s) => s >>> 0,
  j: inRegion,
  jal: inRegion,
} satisfies Record<NameOfKind<"jump">, Jump>;

const load = {
  lb: (word, address) => extend8(word >>> shiftOf(address)),
  lbu: (word, address) => (word >>> shiftOf(address)) & 0xff,
  lh: (word, address) => extend16(word >>> shiftOf(address)),
  lhu: (word, address) => (word >>> shiftOf(address)) & 0xffff,
  lw: (word) => word,
  ll: (word) => word,
  lwl: (word, address, old) =>
    (word << bitsAbove(address)) | (old & lowBits(bitsAbove(address))),
  lwr: (word, address, old) =>
    (word >>> shiftOf(address)) | (old & ~(-1 >>> shiftOf(address))),
} satisfies Record<NameOfKind<"load">, Load>;

const store = {
  sb: (word, address, t) => insertAt(word, address, t, 0xff),
  sh: (word, address, t) => insertAt(word, address, t, 0xffff),
  sw: (_, __, t) => t,
  sc: (_, __, t) => t,
  swl: (word, address, t) =>
    (word & ~(-1 >>> bitsAbove(address))) | (t >>> bitsAbove(address)),
  swr: (word, address, t) =>
    (word & lowBits(shiftOf(address))) | (t << shiftOf(address)),
} satisfies Record<NameOfKind<"store">, Store>;

/** Every instruction that computes, by kind and name; syscalls and no-ops are all in step.ts. */
export const OPERATIONS = {
  alu,
  checked,
  multiply,
  trap,
  branch,
  likely,
  jump,
  load,
  store,
};

/** A decoded instruction with its operation, kept per code address. */
export type PreparedInstruction =
  & Instruction
  & {
    /** Register that an alu or checked instruction writes. */
    destination: number;
    /** Register that a branch or jump puts pc + 8 into; 0 for none. */
    link: number;
    /** Address bits that must be zero. */
    alignMask: number;
  }
  & {
    [Kind in keyof OperationOf]: { kind: Kind; operation: OperationOf[Kind] };
  }[keyof OperationOf];

interface OperationOf {
  alu: Alu;
  checked: Checked;
  multiply: Multiply;
  trap: Condition;
  branch: Condition;
  likely: Condition;
  jump: Jump;
  load: Load;
  store: Store;
  syscall: undefined;
  nop: undefined;
}

const alignMasks: Partial<Record<InstructionName, number>> = {
  lh: 1,
  lhu: 1,
  sh: 1,
  lw: 3,
  ll: 3,
  sw: 3,
  sc: 3,
};

/** Register that takes the return address: rd of jalr, $ra of the others with `al` in their name. */
function linkOf({ name, rd }: Instruction): number {
  if (name === "jalr") return rd;
  return name === "jal" || /^b.*all?$/.test(name) ? 31 : 0;
}

/** Decodes a word and looks its operation up; null where it is no instruction. */
export function prepare(word: number): PreparedInstruction | null {
  const instruction = decode(word);
  if (instruction === null) return null;
  const { name, rd, rt, encoding: { kind, fields } } = instruction;
  const ofKind: Record<string, unknown> = kind === "syscall" || kind === "nop"
    ? {}
    : OPERATIONS[kind];
  return {
    encoding: instruction.encoding,
    name,
    word: instruction.word,
    rs: instruction.rs,
    rt,
    rd,
    sa: instruction.sa,
    imm: instruction.imm,
    target: instruction.target,
    destination: fields.includes("rd") ? rd : rt,
    link: linkOf(instruction),
    alignMask: alignMasks[name] ?? 0,
    kind,
    operation: ofKind[name],
  } as PreparedInstruction;
}
