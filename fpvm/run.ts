/**
 * `run`: what repeated `step` does, in a loop that decodes nothing twice and looks pages up in constant arrays.
 *
 * The loop knows no meaning of its own: what an instruction computes are the rows of instructions.ts, and
 * whatever is not plain (a trap, a system call, a page or an instruction met for the first time, a rare
 * instruction) it hands over to `step`, before anything has changed. Arrays and the processor are constants of
 * this module, so that the engine knows their addresses: with arrays out of the state's own objects the loop took
 * twice as long. A loop over `step` alone takes 5 times as long.
 */

import type { InstructionName } from "./encodings.ts";
import { OPERATIONS, type PreparedInstruction } from "./instructions.ts";
import {
  copyProcessor,
  type MachineState,
  newProcessor,
  STATUS,
  type VmState,
} from "./state.ts";
import { step } from "./step.ts";
import { slotOf, WorkingMemory } from "./working_memory.ts";

const { alu, multiply, branch, jump, load, store } = OPERATIONS;

/** Instructions that the loop knows; a constant enumeration, since a jump table needs literals. */
// deno-fmt-ignore
const enum Op {
  other,
  sll, srl, rotr, sra, sllv, srlv, rotrv, srav, movz, movn, addu, subu, and, or, xor, nor, slt,
  sltu, mul, clz, clo, wsbh, seb, seh, addiu, slti, sltiu, andi, ori, xori, lui, ext, ins, mfhi,
  mthi, mflo, mtlo, mult, multu, div, divu, madd, maddu, msub, msubu, lb, lbu, lh, lhu, lw, ll, sb,
  sh, sw, bltz, bgez, beq, bne, blez, bgtz, jr, jalr, j, jal,
}

// deno-fmt-ignore
const NUMBERS: Partial<Record<InstructionName, Op>> = {
  sll: Op.sll, srl: Op.srl, rotr: Op.rotr, sra: Op.sra, sllv: Op.sllv, srlv: Op.srlv,
  rotrv: Op.rotrv, srav: Op.srav, movz: Op.movz, movn: Op.movn, addu: Op.addu, subu: Op.subu,
  and: Op.and, or: Op.or, xor: Op.xor, nor: Op.nor, slt: Op.slt, sltu: Op.sltu, mul: Op.mul,
  clz: Op.clz, clo: Op.clo, wsbh: Op.wsbh, seb: Op.seb, seh: Op.seh, addiu: Op.addiu,
  slti: Op.slti, sltiu: Op.sltiu, andi: Op.andi, ori: Op.ori, xori: Op.xori, lui: Op.lui,
  ext: Op.ext, ins: Op.ins, mfhi: Op.mfhi, mthi: Op.mthi, mflo: Op.mflo, mtlo: Op.mtlo,
  mult: Op.mult, multu: Op.multu, div: Op.div, divu: Op.divu, madd: Op.madd, maddu: Op.maddu,
  msub: Op.msub, msubu: Op.msubu, lb: Op.lb, lbu: Op.lbu, lh: Op.lh, lhu: Op.lhu, lw: Op.lw,
  ll: Op.ll, sb: Op.sb, sh: Op.sh, sw: Op.sw, bltz: Op.bltz, bgez: Op.bgez, beq: Op.beq,
  bne: Op.bne, blez: Op.blez, bgtz: Op.bgtz, jr: Op.jr, jalr: Op.jalr, j: Op.j, jal: Op.jal,
};

/** Calls of fewer steps are not worth the copies of the processor and of the pages it writes. */
const LEAST_STEPS = 64;

/**
 * An instruction in two words: number | rs << 8 | rt << 13 | rd << 18 | sa << 23, and the immediate; number 0 where
 * the loop does not know it.
 */
function pack(i: PreparedInstruction): [number, number] {
  const { rs, rt, rd, sa, imm, target } = i;
  const number = NUMBERS[i.name] ?? Op.other;
  const isRegion = number === Op.j || number === Op.jal;
  return [
    number | (rs << 8) | (rt << 13) | (rd << 18) | (sa << 23),
    isRegion ? target : imm,
  ];
}

const memory = new WorkingMemory(pack);
const p: MachineState<WorkingMemory> = { ...newProcessor(), memory };
const r = p.registers;
const { code, codeTags, tags, writable, frames } = memory;

/** Runs at most `maxSteps` < 2^30 instructions that the loop knows; returns how many. */
function runKnown(maxSteps: number): number {
  let { pc, nextPc } = p;
  let steps = 0;
  /** The page of code that `pc` is in, and where its instructions lie in `code`. */
  let codePage = -1;
  let codeAt = 0;
  known: for (; steps < maxSteps; steps++) {
    if (pc >>> 12 !== codePage) {
      codePage = pc >>> 12;
      const slot = codePage & (codeTags.length - 1);
      if (codeTags[slot] !== codePage || (pc & 3) !== 0) break;
      codeAt = slot << 11;
    }
    const at = codeAt | ((pc >>> 1) & 2046);
    const word = code[at];
    const imm = code[at + 1];
    const rt = (word >>> 13) & 31;
    const rd = (word >>> 18) & 31;
    const sa = (word >>> 23) & 31;
    const s = r[(word >>> 8) & 31];
    const t = r[rt];
    // deno-fmt-ignore
    switch (word & 0xff) {
      case Op.sll: r[rd] = alu.sll(s, t, { sa, imm, rd }); break;
      case Op.srl: r[rd] = alu.srl(s, t, { sa, imm, rd }); break;
      case Op.rotr: r[rd] = alu.rotr(s, t, { sa, imm, rd }); break;
      case Op.sra: r[rd] = alu.sra(s, t, { sa, imm, rd }); break;
      case Op.sllv: r[rd] = alu.sllv(s, t); break;
      case Op.srlv: r[rd] = alu.srlv(s, t); break;
      case Op.rotrv: r[rd] = alu.rotrv(s, t); break;
      case Op.srav: r[rd] = alu.srav(s, t); break;
      case Op.movz: r[rd] = alu.movz(s, t, { sa, imm, rd }, r[rd]); break;
      case Op.movn: r[rd] = alu.movn(s, t, { sa, imm, rd }, r[rd]); break;
      case Op.addu: r[rd] = alu.addu(s, t); break;
      case Op.subu: r[rd] = alu.subu(s, t); break;
      case Op.and: r[rd] = alu.and(s, t); break;
      case Op.or: r[rd] = alu.or(s, t); break;
      case Op.xor: r[rd] = alu.xor(s, t); break;
      case Op.nor: r[rd] = alu.nor(s, t); break;
      case Op.slt: r[rd] = alu.slt(s, t); break;
      case Op.sltu: r[rd] = alu.sltu(s, t); break;
      case Op.mul: r[rd] = alu.mul(s, t); break;
      case Op.clz: r[rd] = alu.clz(s); break;
      case Op.clo: r[rd] = alu.clo(s); break;
      case Op.wsbh: r[rd] = alu.wsbh(s, t); break;
      case Op.seb: r[rd] = alu.seb(s, t); break;
      case Op.seh: r[rd] = alu.seh(s, t); break;
      case Op.addiu: r[rt] = alu.addiu(s, t, { sa, imm, rd }); break;
      case Op.slti: r[rt] = alu.slti(s, t, { sa, imm, rd }); break;
      case Op.sltiu: r[rt] = alu.sltiu(s, t, { sa, imm, rd }); break;
      case Op.andi: r[rt] = alu.andi(s, t, { sa, imm, rd }); break;
      case Op.ori: r[rt] = alu.ori(s, t, { sa, imm, rd }); break;
      case Op.xori: r[rt] = alu.xori(s, t, { sa, imm, rd }); break;
      case Op.lui: r[rt] = alu.lui(s, t, { sa, imm, rd }); break;
      case Op.ext: r[rt] = alu.ext(s, t, { sa, imm, rd }); break;
      case Op.ins: r[rt] = alu.ins(s, t, { sa, imm, rd }, r[rt]); break;
      case Op.mfhi: multiply.mfhi(p, s, t, { sa, imm, rd }); break;
      case Op.mthi: multiply.mthi(p, s); break;
      case Op.mflo: multiply.mflo(p, s, t, { sa, imm, rd }); break;
      case Op.mtlo: multiply.mtlo(p, s); break;
      case Op.mult: multiply.mult(p, s, t); break;
      case Op.multu: multiply.multu(p, s, t); break;
      case Op.div: multiply.div(p, s, t); break;
      case Op.divu: multiply.divu(p, s, t); break;
      case Op.madd: multiply.madd(p, s, t); break;
      case Op.maddu: multiply.maddu(p, s, t); break;
      case Op.msub: multiply.msub(p, s, t); break;
      case Op.msubu: multiply.msubu(p, s, t); break;
      case Op.lw: case Op.ll: {
        const address = (s + imm) | 0;
        const slot = slotOf(address);
        if ((address & 3) !== 0 || tags[slot] !== address >>> 12) break known;
        r[rt] = frames[(slot << 10) | ((address >>> 2) & 1023)];
        break;
      }
      case Op.lb: case Op.lbu: {
        const address = (s + imm) | 0;
        const slot = slotOf(address);
        if (tags[slot] !== address >>> 12) break known;
        const data = frames[(slot << 10) | ((address >>> 2) & 1023)];
        r[rt] = (word & 0xff) === Op.lb ? load.lb(data, address) : load.lbu(data, address);
        break;
      }
      case Op.lh: case Op.lhu: {
        const address = (s + imm) | 0;
        const slot = slotOf(address);
        if ((address & 1) !== 0 || tags[slot] !== address >>> 12) break known;
        const data = frames[(slot << 10) | ((address >>> 2) & 1023)];
        r[rt] = (word & 0xff) === Op.lh ? load.lh(data, address) : load.lhu(data, address);
        break;
      }
      // Only pages of data are in `writable`.
      case Op.sw: {
        const address = (s + imm) | 0;
        const slot = slotOf(address);
        if ((address & 3) !== 0 || writable[slot] !== address >>> 12) break known;
        frames[(slot << 10) | ((address >>> 2) & 1023)] = t;
        break;
      }
      case Op.sb: case Op.sh: {
        const address = (s + imm) | 0;
        const slot = slotOf(address);
        const isByte = (word & 0xff) === Op.sb;
        if ((!isByte && (address & 1) !== 0) || writable[slot] !== address >>> 12) break known;
        const data = (slot << 10) | ((address >>> 2) & 1023);
        frames[data] = isByte ? store.sb(frames[data], address, t) : store.sh(frames[data], address, t);
        break;
      }
      case Op.bltz: {
        if (((nextPc - pc) | 0) !== 4) break known;
        pc = nextPc;
        nextPc = (branch.bltz(s) ? nextPc + imm * 4 : nextPc + 4) >>> 0;
        continue;
      }
      case Op.bgez: {
        if (((nextPc - pc) | 0) !== 4) break known;
        pc = nextPc;
        nextPc = (branch.bgez(s) ? nextPc + imm * 4 : nextPc + 4) >>> 0;
        continue;
      }
      case Op.beq: {
        if (((nextPc - pc) | 0) !== 4) break known;
        pc = nextPc;
        nextPc = (branch.beq(s, t) ? nextPc + imm * 4 : nextPc + 4) >>> 0;
        continue;
      }
      case Op.bne: {
        if (((nextPc - pc) | 0) !== 4) break known;
        pc = nextPc;
        nextPc = (branch.bne(s, t) ? nextPc + imm * 4 : nextPc + 4) >>> 0;
        continue;
      }
      case Op.blez: {
        if (((nextPc - pc) | 0) !== 4) break known;
        pc = nextPc;
        nextPc = (branch.blez(s) ? nextPc + imm * 4 : nextPc + 4) >>> 0;
        continue;
      }
      case Op.bgtz: {
        if (((nextPc - pc) | 0) !== 4) break known;
        pc = nextPc;
        nextPc = (branch.bgtz(s) ? nextPc + imm * 4 : nextPc + 4) >>> 0;
        continue;
      }
      case Op.jr: case Op.jalr: case Op.j: case Op.jal: {
        if (((nextPc - pc) | 0) !== 4) break known;
        const number = word & 0xff;
        const isRegister = number === Op.jr || number === Op.jalr;
        const target = isRegister ? s >>> 0 : jump.j(s, pc, { target: imm });
        if (number === Op.jalr) r[rd] = pc + 8;
        else if (number === Op.jal) r[31] = pc + 8;
        r[0] = 0;
        pc = nextPc;
        nextPc = target;
        continue;
      }
      default:
        break known;
    }
    r[0] = 0;
    pc = nextPc;
    nextPc = (nextPc + 4) >>> 0;
  }
  p.pc = pc;
  p.nextPc = nextPc;
  return steps;
}

/** Runs on a state's memory, which `p` has; returns how many steps. */
function runHere(maxSteps: number): number {
  let steps = 0;
  while (steps < maxSteps && p.status === STATUS.running) {
    steps += runKnown(Math.min(maxSteps - steps, 2 ** 29) | 0);
    if (steps < maxSteps) {
      step(p);
      steps++;
    }
  }
  return steps;
}

/** Steps until the state stops, at most `maxSteps` times; returns how many steps it took. */
export function run(state: VmState, maxSteps: number): number {
  // A content store that runs the machine to make its content finds the arrays taken.
  if (maxSteps < LEAST_STEPS || memory.isAttached) {
    let steps = 0;
    for (; steps < maxSteps && state.status === STATUS.running; steps++) {
      step(state);
    }
    return steps;
  }
  memory.attach(state.memory);
  const { registers, ...processor } = copyProcessor(state);
  Object.assign(p, processor);
  r.set(registers);
  try {
    return runHere(maxSteps);
  } finally {
    memory.detach();
    const { registers: after, ...rest } = copyProcessor(p);
    Object.assign(state, rest);
    state.registers.set(after);
  }
}
