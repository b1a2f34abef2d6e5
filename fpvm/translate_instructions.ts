/**
 * What each instruction becomes in WebAssembly: one row per instruction, the counterpart of instructions.ts.
 *
 * Rows work on a block's registers in local variables. What would trap, or misses its page, leaves
 * through `leaveIf` before it changes anything; `step` then executes it. Control flow and
 * the order of a branch and its delay slot belong to translate_function.ts.
 */

import type { InstructionName, NameOfKind } from "./encodings.ts";
import type {
  ControlInstruction,
  StraightInstruction,
} from "./translate_blocks.ts";
import { READ_TABLE, WRITE_TABLE } from "./translate_layout.ts";
import type { PlaceGroup } from "./translate_places.ts";
import type { Code, Local } from "./wasm_module.ts";
import type { MemoryOp, PlainOp } from "./wasm_opcodes.ts";

/** The code of one block under construction. */
export interface BlockCode {
  readonly code: Code;
  /** Pushes a register. */
  push(register: number): void;
  /** Pops into a register; register 0 stays 0. */
  pop(register: number): void;
  /** hi and lo as one i64. */
  readonly hiLo: Local;
  /** i32 variables of this instruction alone. */
  readonly address: Local;
  readonly entry: Local;
  readonly value: Local;
  /** Where the present access goes if that is checked already: a place in the frames plus a constant. */
  readonly place?: { readonly base: Local; readonly offset: number };
  /** Pops a condition; where it holds, leaves before the present instruction. */
  leaveIf(): void;
}

type Fields = Pick<
  StraightInstruction | ControlInstruction,
  "rs" | "rt" | "rd" | "sa" | "imm"
>;
type Emit = (b: BlockCode, i: Fields) => void;

/** Pushes rs and rt and applies the operations. */
const st = (...ops: PlainOp[]): Emit => (b, { rs, rt }) => {
  b.push(rs);
  b.push(rt);
  b.code.op(...ops);
};

/** The same the other way round, for shifts by rs. */
const ts = (...ops: PlainOp[]): Emit => (b, { rs, rt }) =>
  st(...ops)(b, { rs: rt, rt: rs } as Fields);

const shift = (op: PlainOp): Emit => (b, { rt, sa }) => {
  b.push(rt);
  b.code.i32(sa).op(op);
};

const signed = (op: PlainOp): Emit => (b, { rs, imm }) => {
  b.push(rs);
  b.code.i32(imm).op(op);
};

const unsigned = (op: PlainOp): Emit => (b, { rs, imm }) => {
  b.push(rs);
  b.code.i32(imm & 0xffff).op(op);
};

const moveIf = (...condition: PlainOp[]): Emit => (b, { rs, rt, rd }) => {
  b.push(rs);
  b.push(rd);
  b.push(rt);
  b.code.op(...condition, "select");
};

const extend = (op: PlainOp): Emit => (b, { rt }) => {
  b.push(rt);
  b.code.op(op);
};

const lowBits = (count: number) => count === 32 ? -1 : (1 << count) - 1;

/** Pushes the value of the destination. */
const alu = {
  sll: shift("i32.shl"),
  srl: shift("i32.shr_u"),
  rotr: shift("i32.rotr"),
  sra: shift("i32.shr_s"),
  // WebAssembly masks shift counts to 5 bits, as the machine does.
  sllv: ts("i32.shl"),
  srlv: ts("i32.shr_u"),
  rotrv: ts("i32.rotr"),
  srav: ts("i32.shr_s"),
  movz: moveIf("i32.eqz"),
  movn: moveIf(),
  addu: st("i32.add"),
  subu: st("i32.sub"),
  and: st("i32.and"),
  or: st("i32.or"),
  xor: st("i32.xor"),
  nor: (b, i) => {
    st("i32.or")(b, i);
    b.code.i32(-1).op("i32.xor");
  },
  slt: st("i32.lt_s"),
  sltu: st("i32.lt_u"),
  addiu: signed("i32.add"),
  slti: signed("i32.lt_s"),
  sltiu: signed("i32.lt_u"),
  andi: unsigned("i32.and"),
  ori: unsigned("i32.or"),
  xori: unsigned("i32.xor"),
  lui: (b, { imm }) => void b.code.i32(imm << 16),
  mul: st("i32.mul"),
  clz: (b, { rs }) => {
    b.push(rs);
    b.code.op("i32.clz");
  },
  clo: (b, { rs }) => {
    b.push(rs);
    b.code.i32(-1).op("i32.xor", "i32.clz");
  },
  ext: (b, { rs, rd, sa }) => {
    b.push(rs);
    b.code.i32(sa).op("i32.shr_u").i32(lowBits(rd + 1)).op("i32.and");
  },
  ins: (b, { rs, rt, rd, sa }) => {
    const mask = lowBits(rd - sa + 1) << sa;
    b.push(rt);
    b.code.i32(~mask).op("i32.and");
    b.push(rs);
    b.code.i32(sa).op("i32.shl").i32(mask).op("i32.and", "i32.or");
  },
  wsbh: (b, { rt }) => {
    b.push(rt);
    b.code.i32(0x00ff00ff).op("i32.and").i32(8).op("i32.shl");
    b.push(rt);
    b.code.i32(8).op("i32.shr_u").i32(0x00ff00ff).op("i32.and", "i32.or");
  },
  seb: extend("i32.extend8_s"),
  seh: extend("i32.extend16_s"),
} satisfies Record<NameOfKind<"alu">, Emit>;

/** Leaves where two pushed words both have their sign bit set: where `value` overflowed; else pushes it. */
function leaveOnOverflow(b: BlockCode): void {
  b.code.op("i32.and").i32(0).op("i32.lt_s");
  b.leaveIf();
  b.code.get(b.value);
}

const checkedAdd = (
  b: BlockCode,
  pushSecond: () => void,
  rs: number,
): void => {
  b.push(rs);
  pushSecond();
  b.code.op("i32.add").set(b.value);
  b.push(rs);
  b.code.get(b.value).op("i32.xor");
  pushSecond();
  b.code.get(b.value).op("i32.xor");
  leaveOnOverflow(b);
};

/** Pushes the value of the destination, or leaves. */
const checked = {
  add: (b, { rs, rt }) => checkedAdd(b, () => b.push(rt), rs),
  addi: (b, { rs, imm }) => checkedAdd(b, () => b.code.i32(imm), rs),
  sub: (b, { rs, rt }) => {
    b.push(rs);
    b.push(rt);
    b.code.op("i32.sub").set(b.value);
    b.push(rs);
    b.push(rt);
    b.code.op("i32.xor");
    b.push(rs);
    b.code.get(b.value).op("i32.xor");
    leaveOnOverflow(b);
  },
} satisfies Record<NameOfKind<"checked">, Emit>;

type Extension = "i64.extend_i32_s" | "i64.extend_i32_u";

const pushProduct = (b: BlockCode, i: Fields, extension: Extension) => {
  b.push(i.rs);
  b.code.op(extension);
  b.push(i.rt);
  b.code.op(extension, "i64.mul");
};

const product = (extension: Extension): Emit => (b, i) => {
  pushProduct(b, i, extension);
  b.code.set(b.hiLo);
};

const accumulate =
  (extension: Extension, op: "i64.add" | "i64.sub"): Emit => (b, i) => {
    b.code.get(b.hiLo);
    pushProduct(b, i, extension);
    b.code.op(op).set(b.hiLo);
  };

/** 64-bit operations, in which MIN / -1 does not trap. By zero: lo = rs, hi = 0. */
const divide = (
  extension: Extension,
  quotient: PlainOp,
  remainder: PlainOp,
): Emit =>
(b, { rs, rt }) => {
  const both = (op: PlainOp) => {
    b.push(rs);
    b.code.op(extension);
    b.push(rt);
    b.code.op(extension, op);
  };
  b.push(rt);
  b.code.if(() => {
    both(remainder);
    b.code.i64(32).op("i64.shl");
    both(quotient);
    b.code.i64(0xffffffff).op("i64.and", "i64.or");
  }, () => {
    b.push(rs);
    b.code.op("i64.extend_i32_u");
  }, "i64");
  b.code.set(b.hiLo);
};

const multiply = {
  mfhi: (b, { rd }) => {
    b.code.get(b.hiLo).i64(32).op("i64.shr_u", "i32.wrap_i64");
    b.pop(rd);
  },
  mflo: (b, { rd }) => {
    b.code.get(b.hiLo).op("i32.wrap_i64");
    b.pop(rd);
  },
  mthi: (b, { rs }) => {
    b.code.get(b.hiLo).i64(0xffffffff).op("i64.and");
    b.push(rs);
    b.code.op("i64.extend_i32_u").i64(32).op("i64.shl", "i64.or").set(b.hiLo);
  },
  mtlo: (b, { rs }) => {
    b.code.get(b.hiLo).i64(-0x1_0000_0000).op("i64.and");
    b.push(rs);
    b.code.op("i64.extend_i32_u", "i64.or").set(b.hiLo);
  },
  mult: product("i64.extend_i32_s"),
  multu: product("i64.extend_i32_u"),
  div: divide("i64.extend_i32_s", "i64.div_s", "i64.rem_s"),
  divu: divide("i64.extend_i32_u", "i64.div_u", "i64.rem_u"),
  madd: accumulate("i64.extend_i32_s", "i64.add"),
  maddu: accumulate("i64.extend_i32_u", "i64.add"),
  msub: accumulate("i64.extend_i32_s", "i64.sub"),
  msubu: accumulate("i64.extend_i32_u", "i64.sub"),
} satisfies Record<NameOfKind<"multiply">, Emit>;

/** Pushes whether it traps. */
const trap = {
  tge: st("i32.ge_s"),
  tgeu: st("i32.ge_u"),
  tlt: st("i32.lt_s"),
  tltu: st("i32.lt_u"),
  teq: st("i32.eq"),
  tne: st("i32.ne"),
  tgei: signed("i32.ge_s"),
  tgeiu: signed("i32.ge_u"),
  tlti: signed("i32.lt_s"),
  tltiu: signed("i32.lt_u"),
  teqi: signed("i32.eq"),
  tnei: signed("i32.ne"),
} satisfies Record<NameOfKind<"trap">, Emit>;

const withZero = (op: PlainOp): Emit => (b, { rs }) => {
  b.push(rs);
  b.code.i32(0).op(op);
};

/** Pushes whether it is taken; likely branches decide as the others do. */
const branch = {
  bltz: withZero("i32.lt_s"),
  bgez: withZero("i32.ge_s"),
  bltzal: withZero("i32.lt_s"),
  bgezal: withZero("i32.ge_s"),
  beq: st("i32.eq"),
  bne: st("i32.ne"),
  blez: withZero("i32.le_s"),
  bgtz: withZero("i32.gt_s"),
} satisfies Record<NameOfKind<"branch">, Emit>;

const likely = {
  bltzl: branch.bltz,
  bgezl: branch.bgez,
  bltzall: branch.bltzal,
  bgezall: branch.bgezal,
  beql: branch.beq,
  bnel: branch.bne,
  blezl: branch.blez,
  bgtzl: branch.bgtz,
} satisfies Record<NameOfKind<"likely">, Emit>;

/**
 * Pushes the place of rs + imm in its frame; leaves where the page is not in the table or one of the
 * address's bits in `alignMask` is set. Entries are multiples of 4 or odd, so one test does for both.
 */
function locate(
  b: BlockCode,
  { rs, imm }: Fields,
  table: number,
  alignMask: number,
): void {
  const { code, address, entry } = b;
  b.push(rs);
  if (imm !== 0) code.i32(imm).op("i32.add");
  code.tee(address).i32(10).op("i32.shr_u").i32(-4).op("i32.and");
  code.memory("i32.load", table).tee(entry);
  if (alignMask !== 0) code.get(address).op("i32.or");
  code.i32(alignMask | 1).op("i32.and");
  b.leaveIf();
  code.get(address).get(entry).op("i32.add");
}

const load = (op: MemoryOp, alignMask: number): Emit => (b, i) => {
  if (b.place) b.code.get(b.place.base);
  else locate(b, i, READ_TABLE, alignMask);
  b.code.memory(op, b.place?.offset);
  b.pop(i.rt);
};

const store = (op: MemoryOp, alignMask: number): Emit => (b, i) => {
  if (b.place) b.code.get(b.place.base);
  else locate(b, i, WRITE_TABLE, alignMask);
  b.push(i.rt);
  b.code.memory(op, b.place?.offset);
};

/**
 * Finds the place of a group's lowest address for `base` before the group's first access, and pushes whether one
 * of its accesses must be checked by itself; see translate_places.ts.
 */
export function emitGroupCheck(
  b: BlockCode,
  first: Fields,
  group: PlaceGroup,
  base: Local,
): void {
  const { code, address, entry } = b;
  b.push(first.rs);
  code.i32(first.imm - group.firstOffset).op("i32.add").tee(address);
  code.i32(10).op("i32.shr_u").i32(-4).op("i32.and");
  code.memory("i32.load", group.hasStore ? WRITE_TABLE : READ_TABLE);
  code.tee(entry).i32(1).op("i32.and");
  if (group.alignMask !== 0) {
    code.get(address).i32(group.alignOffset).op("i32.add");
    code.i32(group.alignMask).op("i32.and", "i32.or");
  }
  if (group.span > 0) {
    code.get(address).i32(group.span).op("i32.add").get(address);
    code.op("i32.xor").i32(-4096).op("i32.and", "i32.or");
  }
  code.get(address).get(entry).op("i32.add").set(base);
}

/** Puts the bit position of the addressed byte in its word, or of the bits above it, into `value`. */
function setShift(b: BlockCode, isAbove: boolean): void {
  b.code.get(b.address).i32(3).op("i32.and").i32(3).op("i32.shl");
  if (isAbove) b.code.i32(24).op("i32.xor");
  b.code.set(b.value);
}

/** The word of an unaligned access: finds it, keeps its place in `address`, and pushes what it holds. */
function pushWord(b: BlockCode, i: Fields, table: number, isAbove: boolean) {
  locate(b, i, table, 0);
  setShift(b, isAbove);
  b.code.i32(-4).op("i32.and").tee(b.address).memory("i32.load");
}

/** lwl and swr shift left, lwr and swl right, by the same amount as the mask of what is kept. */
const unaligned = {
  lwl: (b, i) => {
    pushWord(b, i, READ_TABLE, true);
    b.code.get(b.value).op("i32.shl");
    b.push(i.rt);
    b.code.i32(1).get(b.value).op("i32.shl").i32(1).op("i32.sub");
    b.code.op("i32.and", "i32.or");
    b.pop(i.rt);
  },
  lwr: (b, i) => {
    pushWord(b, i, READ_TABLE, false);
    b.code.get(b.value).op("i32.shr_u");
    b.push(i.rt);
    b.code.i32(-1).get(b.value).op("i32.shr_u").i32(-1).op("i32.xor");
    b.code.op("i32.and", "i32.or");
    b.pop(i.rt);
  },
  swl: (b, i) => {
    pushWord(b, i, WRITE_TABLE, true);
    b.code.i32(-1).get(b.value).op("i32.shr_u").i32(-1).op("i32.xor");
    b.code.op("i32.and");
    b.push(i.rt);
    b.code.get(b.value).op("i32.shr_u", "i32.or");
    storeWord(b);
  },
  swr: (b, i) => {
    pushWord(b, i, WRITE_TABLE, false);
    b.code.i32(1).get(b.value).op("i32.shl").i32(1).op("i32.sub");
    b.code.op("i32.and");
    b.push(i.rt);
    b.code.get(b.value).op("i32.shl", "i32.or");
    storeWord(b);
  },
} satisfies Record<"lwl" | "lwr" | "swl" | "swr", Emit>;

/** Pops a word into the place that {@linkcode pushWord} found. */
function storeWord(b: BlockCode): void {
  b.code.set(b.value).get(b.address).get(b.value).memory("i32.store");
}

type AccessName = NameOfKind<"load"> | NameOfKind<"store">;

const memory = {
  lb: load("i32.load8_s", 0),
  lbu: load("i32.load8_u", 0),
  lh: load("i32.load16_s", 1),
  lhu: load("i32.load16_u", 1),
  lw: load("i32.load", 3),
  ll: load("i32.load", 3),
  sb: store("i32.store8", 0),
  sh: store("i32.store16", 1),
  sw: store("i32.store", 3),
  sc: (b, i) => {
    store("i32.store", 3)(b, i);
    b.code.i32(1);
    b.pop(i.rt);
  },
  ...unaligned,
} satisfies Record<AccessName, Emit>;

/** Emits an instruction without control flow. */
export function emitStraight(b: BlockCode, i: StraightInstruction): void {
  switch (i.kind) {
    case "alu":
      if (i.destination === 0) return;
      alu[i.name as NameOfKind<"alu">](b, i);
      return b.pop(i.destination);
    case "checked":
      checked[i.name as NameOfKind<"checked">](b, i);
      return b.pop(i.destination);
    case "multiply":
      return multiply[i.name as NameOfKind<"multiply">](b, i);
    case "trap":
      trap[i.name as NameOfKind<"trap">](b, i);
      return b.leaveIf();
    case "load":
    case "store":
      return memory[i.name as AccessName](b, i);
    case "nop":
      return;
    default:
      i satisfies never;
  }
}

/** Pushes whether a branch is taken. */
export function emitCondition(b: BlockCode, i: ControlInstruction): void {
  const rows: Partial<Record<InstructionName, Emit>> = { ...branch, ...likely };
  rows[i.name]!(b, i);
}

/** Whether an instruction may leave its block. */
export function mayLeave({ kind }: StraightInstruction): boolean {
  return kind !== "alu" && kind !== "multiply" && kind !== "nop";
}

/** Registers that an instruction reads or writes, 0 included. */
export function registersOf(
  i: StraightInstruction | ControlInstruction,
): { all: number[]; written: number[] } {
  const { fields } = i.encoding;
  const written = i.kind === "alu" || i.kind === "checked"
    ? [i.destination]
    : i.kind === "load" || i.name === "sc"
    ? [i.rt]
    : i.name === "mfhi" || i.name === "mflo"
    ? [i.rd]
    : [i.link];
  const read = (["rs", "rt"] as const).filter((name) => fields.includes(name))
    .map((name) => i[name]);
  return { all: [...read, ...written], written };
}
