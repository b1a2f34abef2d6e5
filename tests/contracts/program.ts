/**
 * A program for tests that touches all of the machine: grafts, loads, stores, calls, multiplication, save and exit.
 */
import {
  composeInitialState,
  encode,
  type Fields,
  type InstructionName,
  MemoryContentStore,
  type VmState,
} from "../../fpvm/mod.ts";
import { Random } from "../random.ts";

const ELEMENTS = 24;
const HEIGHT = 3;
const [ZERO, V0, A0, A1, A2, T0, T1, T2, T3, S0, S1, S2, S3, SP, RA] = [
  0,
  2,
  4,
  5,
  6,
  8,
  9,
  10,
  11,
  16,
  17,
  18,
  19,
  29,
  31,
];

/** Collects words; a label is the position of the word after it. */
class Assembler {
  readonly words: number[] = [];

  get position(): number {
    return this.words.length;
  }

  emit(name: InstructionName, fields: Fields = {}): void {
    this.words.push(encode(name, fields));
  }

  /** A load or store. */
  memory(name: InstructionName, rt: number, imm: number, rs: number): void {
    this.emit(name, { rt, imm, rs });
  }

  constant(rt: number, value: number): void {
    this.emit("lui", { rt, imm: value >>> 16 });
    this.emit("ori", { rt, rs: rt, imm: value & 0xffff });
  }

  /** A branch back to `label`. */
  back(name: InstructionName, label: number, fields: Fields): void {
    this.emit(name, { ...fields, offset: label - this.position - 1 });
  }

  oracle(number: number, address: number, key: number): void {
    this.constant(A0, address);
    this.emit("addiu", { rt: A1, imm: HEIGHT });
    this.constant(A2, key);
    this.emit("ori", { rt: V0, imm: number });
    this.emit("syscall");
  }
}

/** A routine: the square of $t2 into $v0; uses $t3. */
function square(a: Assembler): void {
  a.emit("mult", { rs: T2, rt: T2 });
  a.emit("mflo", { rd: V0 });
  a.emit("mfhi", { rd: T3 });
  a.emit("jr", { rs: RA });
  a.emit("addu", { rd: V0, rs: V0, rt: T3 });
}

/** One element: multiply-accumulate, a call, bytes to the stack and back, unaligned words. */
function element(a: Assembler, routine: number): void {
  a.memory("lb", T0, 0, S0);
  a.memory("lbu", T1, 0, S1);
  a.emit("madd", { rs: T0, rt: T1 });
  a.emit("ext", { rt: T2, rs: T1, lsb: 2, msb: 4 });
  a.emit("jal", { target: routine });
  a.memory("sh", T0, -4, SP);
  a.memory("lhu", T3, -4, SP);
  a.memory("swl", T3, -5, SP);
  a.memory("lwr", T3, -7, SP);
  a.emit("xor", { rd: S3, rs: S3, rt: V0 });
  a.emit("rotr", { rd: S3, rt: S3, sa: 5 });
  a.memory("sb", S3, 1, S0);
  a.emit("addiu", { rt: S2, rs: S2, imm: -1 });
  a.emit("addiu", { rt: S0, rs: S0, imm: 2 });
}

/** The initial state of the program on two random operands of 256 bytes. It exits with code 0 after some 500 steps. */
export function programState(seed: number): VmState {
  const random = new Random(seed);
  const store = new MemoryContentStore();
  const operandRoots = [0, 1].map(() => store.put(random.bytes(256)));
  const a = new Assembler();
  const routine = 2;
  const main = 8;
  a.emit("j", { target: main });
  a.emit("sll");
  square(a);
  a.emit("sll");
  a.oracle(0x4c01, 0x40000000, 0x10000020);
  a.oracle(0x4c01, 0x80000000, 0x10000040);
  a.constant(S0, 0x40000000);
  a.constant(S1, 0x80000000);
  a.emit("ori", { rt: S2, imm: ELEMENTS });
  const loop = a.position;
  element(a, routine);
  a.back("bgtz", loop, { rs: S2 });
  a.emit("addiu", { rt: S1, rs: S1, imm: 3 });
  a.oracle(0x4c02, 0x40000000, 0);
  a.oracle(0x4c01, 0x7ffffe00, 0x11000000);
  a.constant(T0, 0x7ffffe00);
  a.memory("lw", T1, 4, T0);
  a.constant(T0, 0x20000000);
  a.memory("sw", T1, 0, T0);
  a.emit("mflo", { rd: T1 });
  a.memory("ll", T2, 4, T0);
  a.memory("sc", T1, 4, T0);
  a.memory("sw", S3, 8, T0);
  a.emit("ori", { rt: V0, rs: ZERO, imm: 4001 });
  a.emit("or", { rd: A0, rs: ZERO, rt: ZERO });
  a.emit("syscall");
  return composeInitialState({
    program: new Uint8Array(Uint32Array.from(a.words).buffer),
    programHeight: 6,
    leafIndex: 5,
    iteration: 1,
    operandRoots,
    store,
  });
}
