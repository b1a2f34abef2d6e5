/**
 * The one table of instructions: every MIPS32 release 2 user-mode integer instruction the machine knows.
 *
 * A pattern is the instruction word, bit 31 first: digits are fixed bits (opcode, function and the
 * fields that must be zero), letters are operands, `c` is a field that is ignored. Mask, match,
 * decoder, encoder and disassembler are derived from it, and tools/make_decoder.ts writes the decoder on chain
 * from it. A word that no row matches, or whose constraint fails, traps; that is why break, cache, rdhwr, movf
 * and all of the FPU are absent.
 */

import { ChainLearnError } from "./errors.ts";

/**
 * What an instruction does to control and memory: `checked` traps on overflow, `branch`, `likely` and
 * `jump` have a delay slot, `multiply` is about hi and lo.
 */
export type InstructionKind =
  | "alu"
  | "checked"
  | "multiply"
  | "branch"
  | "likely"
  | "jump"
  | "load"
  | "store"
  | "trap"
  | "syscall"
  | "nop";

/** Letters of a pattern, the field each stands for and its place: [field, shift, bits]. */
const LETTERS = {
  s: ["rs", 21, 5],
  t: ["rt", 16, 5],
  d: ["rd", 11, 5],
  a: ["sa", 6, 5],
  m: ["msb", 11, 5],
  l: ["lsb", 6, 5],
  i: ["imm", 0, 16],
  o: ["offset", 0, 16],
  j: ["target", 0, 26],
  h: ["hint", 16, 5],
} as const;

type Letter = keyof typeof LETTERS;

/** Name of an operand field; see {@linkcode Fields}. */
export type FieldName = (typeof LETTERS)[Letter][0];

/** Rules between fields that a mask cannot say. */
const CONSTRAINTS = {
  "rt = rd": (word: number) => ((word >>> 16) & 31) === ((word >>> 11) & 31),
  "lsb + msb < 32": (word: number) =>
    ((word >>> 11) & 31) + ((word >>> 6) & 31) < 32,
  "lsb <= msb": (word: number) => ((word >>> 6) & 31) <= ((word >>> 11) & 31),
};

type Constraint = keyof typeof CONSTRAINTS;

/** Pattern | operands in assembler order | constraint, by kind and name. */
const ROWS = {
  alu: {
    sll: "000000 00000 ttttt ddddd aaaaa 000000 | rd, rt, sa",
    srl: "000000 00000 ttttt ddddd aaaaa 000010 | rd, rt, sa",
    rotr: "000000 00001 ttttt ddddd aaaaa 000010 | rd, rt, sa",
    sra: "000000 00000 ttttt ddddd aaaaa 000011 | rd, rt, sa",
    sllv: "000000 sssss ttttt ddddd 00000 000100 | rd, rt, rs",
    srlv: "000000 sssss ttttt ddddd 00000 000110 | rd, rt, rs",
    rotrv: "000000 sssss ttttt ddddd 00001 000110 | rd, rt, rs",
    srav: "000000 sssss ttttt ddddd 00000 000111 | rd, rt, rs",
    movz: "000000 sssss ttttt ddddd 00000 001010 | rd, rs, rt",
    movn: "000000 sssss ttttt ddddd 00000 001011 | rd, rs, rt",
    addu: "000000 sssss ttttt ddddd 00000 100001 | rd, rs, rt",
    subu: "000000 sssss ttttt ddddd 00000 100011 | rd, rs, rt",
    and: "000000 sssss ttttt ddddd 00000 100100 | rd, rs, rt",
    or: "000000 sssss ttttt ddddd 00000 100101 | rd, rs, rt",
    xor: "000000 sssss ttttt ddddd 00000 100110 | rd, rs, rt",
    nor: "000000 sssss ttttt ddddd 00000 100111 | rd, rs, rt",
    slt: "000000 sssss ttttt ddddd 00000 101010 | rd, rs, rt",
    sltu: "000000 sssss ttttt ddddd 00000 101011 | rd, rs, rt",
    addiu: "001001 sssss ttttt iiiiiiiiiiiiiiii | rt, rs, imm",
    slti: "001010 sssss ttttt iiiiiiiiiiiiiiii | rt, rs, imm",
    sltiu: "001011 sssss ttttt iiiiiiiiiiiiiiii | rt, rs, imm",
    andi: "001100 sssss ttttt iiiiiiiiiiiiiiii | rt, rs, imm",
    ori: "001101 sssss ttttt iiiiiiiiiiiiiiii | rt, rs, imm",
    xori: "001110 sssss ttttt iiiiiiiiiiiiiiii | rt, rs, imm",
    lui: "001111 00000 ttttt iiiiiiiiiiiiiiii | rt, imm",
    mul: "011100 sssss ttttt ddddd 00000 000010 | rd, rs, rt",
    clz: "011100 sssss ttttt ddddd 00000 100000 | rd, rs | rt = rd",
    clo: "011100 sssss ttttt ddddd 00000 100001 | rd, rs | rt = rd",
    ext:
      "011111 sssss ttttt mmmmm lllll 000000 | rt, rs, lsb, msb | lsb + msb < 32",
    ins:
      "011111 sssss ttttt mmmmm lllll 000100 | rt, rs, lsb, msb | lsb <= msb",
    wsbh: "011111 00000 ttttt ddddd 00010 100000 | rd, rt",
    seb: "011111 00000 ttttt ddddd 10000 100000 | rd, rt",
    seh: "011111 00000 ttttt ddddd 11000 100000 | rd, rt",
  },
  checked: {
    add: "000000 sssss ttttt ddddd 00000 100000 | rd, rs, rt",
    sub: "000000 sssss ttttt ddddd 00000 100010 | rd, rs, rt",
    addi: "001000 sssss ttttt iiiiiiiiiiiiiiii | rt, rs, imm",
  },
  jump: {
    jr: "000000 sssss 00000 00000 00000 001000 | rs",
    jalr: "000000 sssss 00000 ddddd 00000 001001 | rd, rs",
    j: "000010 jjjjjjjjjjjjjjjjjjjjjjjjjj | target",
    jal: "000011 jjjjjjjjjjjjjjjjjjjjjjjjjj | target",
  },
  syscall: {
    syscall: "000000 cccccccccccccccccccc 001100",
  },
  nop: {
    sync: "000000 00000 00000 00000 ccccc 001111",
    synci: "000001 sssss 11111 iiiiiiiiiiiiiiii | imm(rs)",
    pref: "110011 sssss hhhhh iiiiiiiiiiiiiiii | hint, imm(rs)",
  },
  multiply: {
    mfhi: "000000 00000 00000 ddddd 00000 010000 | rd",
    mthi: "000000 sssss 00000 00000 00000 010001 | rs",
    mflo: "000000 00000 00000 ddddd 00000 010010 | rd",
    mtlo: "000000 sssss 00000 00000 00000 010011 | rs",
    mult: "000000 sssss ttttt 00000 00000 011000 | rs, rt",
    multu: "000000 sssss ttttt 00000 00000 011001 | rs, rt",
    div: "000000 sssss ttttt 00000 00000 011010 | rs, rt",
    divu: "000000 sssss ttttt 00000 00000 011011 | rs, rt",
    madd: "011100 sssss ttttt 00000 00000 000000 | rs, rt",
    maddu: "011100 sssss ttttt 00000 00000 000001 | rs, rt",
    msub: "011100 sssss ttttt 00000 00000 000100 | rs, rt",
    msubu: "011100 sssss ttttt 00000 00000 000101 | rs, rt",
  },
  trap: {
    tge: "000000 sssss ttttt cccccccccc 110000 | rs, rt",
    tgeu: "000000 sssss ttttt cccccccccc 110001 | rs, rt",
    tlt: "000000 sssss ttttt cccccccccc 110010 | rs, rt",
    tltu: "000000 sssss ttttt cccccccccc 110011 | rs, rt",
    teq: "000000 sssss ttttt cccccccccc 110100 | rs, rt",
    tne: "000000 sssss ttttt cccccccccc 110110 | rs, rt",
    tgei: "000001 sssss 01000 iiiiiiiiiiiiiiii | rs, imm",
    tgeiu: "000001 sssss 01001 iiiiiiiiiiiiiiii | rs, imm",
    tlti: "000001 sssss 01010 iiiiiiiiiiiiiiii | rs, imm",
    tltiu: "000001 sssss 01011 iiiiiiiiiiiiiiii | rs, imm",
    teqi: "000001 sssss 01100 iiiiiiiiiiiiiiii | rs, imm",
    tnei: "000001 sssss 01110 iiiiiiiiiiiiiiii | rs, imm",
  },
  branch: {
    bltz: "000001 sssss 00000 oooooooooooooooo | rs, offset",
    bgez: "000001 sssss 00001 oooooooooooooooo | rs, offset",
    bltzal: "000001 sssss 10000 oooooooooooooooo | rs, offset",
    bgezal: "000001 sssss 10001 oooooooooooooooo | rs, offset",
    beq: "000100 sssss ttttt oooooooooooooooo | rs, rt, offset",
    bne: "000101 sssss ttttt oooooooooooooooo | rs, rt, offset",
    blez: "000110 sssss 00000 oooooooooooooooo | rs, offset",
    bgtz: "000111 sssss 00000 oooooooooooooooo | rs, offset",
  },
  likely: {
    bltzl: "000001 sssss 00010 oooooooooooooooo | rs, offset",
    bgezl: "000001 sssss 00011 oooooooooooooooo | rs, offset",
    bltzall: "000001 sssss 10010 oooooooooooooooo | rs, offset",
    bgezall: "000001 sssss 10011 oooooooooooooooo | rs, offset",
    beql: "010100 sssss ttttt oooooooooooooooo | rs, rt, offset",
    bnel: "010101 sssss ttttt oooooooooooooooo | rs, rt, offset",
    blezl: "010110 sssss 00000 oooooooooooooooo | rs, offset",
    bgtzl: "010111 sssss 00000 oooooooooooooooo | rs, offset",
  },
  load: {
    lb: "100000 sssss ttttt iiiiiiiiiiiiiiii | rt, imm(rs)",
    lh: "100001 sssss ttttt iiiiiiiiiiiiiiii | rt, imm(rs)",
    lwl: "100010 sssss ttttt iiiiiiiiiiiiiiii | rt, imm(rs)",
    lw: "100011 sssss ttttt iiiiiiiiiiiiiiii | rt, imm(rs)",
    lbu: "100100 sssss ttttt iiiiiiiiiiiiiiii | rt, imm(rs)",
    lhu: "100101 sssss ttttt iiiiiiiiiiiiiiii | rt, imm(rs)",
    lwr: "100110 sssss ttttt iiiiiiiiiiiiiiii | rt, imm(rs)",
    ll: "110000 sssss ttttt iiiiiiiiiiiiiiii | rt, imm(rs)",
  },
  store: {
    sb: "101000 sssss ttttt iiiiiiiiiiiiiiii | rt, imm(rs)",
    sh: "101001 sssss ttttt iiiiiiiiiiiiiiii | rt, imm(rs)",
    swl: "101010 sssss ttttt iiiiiiiiiiiiiiii | rt, imm(rs)",
    sw: "101011 sssss ttttt iiiiiiiiiiiiiiii | rt, imm(rs)",
    swr: "101110 sssss ttttt iiiiiiiiiiiiiiii | rt, imm(rs)",
    sc: "111000 sssss ttttt iiiiiiiiiiiiiiii | rt, imm(rs)",
  },
} as const satisfies Record<InstructionKind, Record<string, string>>;

/** Mnemonic of an instruction of the machine. */
export type InstructionName = {
  [Kind in InstructionKind]: NameOfKind<Kind>;
}[InstructionKind];

/** Mnemonic of an instruction of one kind. */
export type NameOfKind<Kind extends InstructionKind> =
  & keyof (typeof ROWS)[Kind]
  & string;

/**
 * Operand fields by name. `imm` and `offset` (in words, from the delay slot) take
 * -32768..65535, `target` the 26-bit word index of a jump. For ext, `msb` is size - 1; for ins it is
 * position + size - 1. Fields the instruction has and the caller omits are 0.
 */
export type Fields = Partial<Record<FieldName, number>>;

/** One row of the table, with what follows from its pattern. */
export interface Encoding {
  name: InstructionName;
  kind: InstructionKind;
  /** 32 characters, bit 31 first. */
  pattern: string;
  /** Operands in assembler order. */
  syntax: string;
  constraint?: Constraint;
  /** Bits that `match` fixes, as u32. */
  mask: number;
  /** Value of the fixed bits, as u32. */
  match: number;
  /** Operand fields that the pattern has. */
  fields: readonly FieldName[];
}

/** An instruction word taken apart; every field is extracted whether or not the instruction has it. */
export interface Instruction {
  encoding: Encoding;
  name: InstructionName;
  word: number;
  rs: number;
  rt: number;
  rd: number;
  sa: number;
  /** Low 16 bits, sign-extended. */
  imm: number;
  /** Low 26 bits. */
  target: number;
}

function expand(
  name: InstructionName,
  kind: InstructionKind,
  row: string,
): Encoding {
  const [spaced, syntax = "", constraint] = row.split(" | ");
  const pattern = spaced.replaceAll(" ", "");
  let mask = 0, match = 0;
  for (const bit of pattern) {
    mask = mask * 2 + (bit === "0" || bit === "1" ? 1 : 0);
    match = match * 2 + (bit === "1" ? 1 : 0);
  }
  const letters = (Object.keys(LETTERS) as Letter[]).filter((letter) =>
    pattern.includes(letter)
  );
  return {
    name,
    kind,
    pattern,
    syntax,
    ...(constraint && { constraint: constraint as Constraint }),
    mask,
    match,
    fields: letters.map((letter) => LETTERS[letter][0]),
  };
}

/** Every instruction once. */
export const ENCODINGS: readonly Encoding[] = Object.entries(ROWS).flatMap((
  [kind, rows],
) =>
  Object.entries(rows).map(([name, row]) =>
    expand(name as InstructionName, kind as InstructionKind, row)
  )
);

const byName = new Map<string, Encoding>(
  ENCODINGS.map((encoding) => [encoding.name, encoding]),
);

const byOpcode: Encoding[][] = Array.from(
  { length: 64 },
  (_, opcode) =>
    ENCODINGS.filter((encoding) => encoding.match >>> 26 === opcode),
);

/** The row of that name. */
function encodingOf(name: InstructionName): Encoding {
  return byName.get(name)!;
}

/** Takes a word apart, or gives null where the machine traps with exit code 3. */
export function decode(word: number): Instruction | null {
  for (const encoding of byOpcode[word >>> 26]) {
    if ((word & encoding.mask) >>> 0 !== encoding.match) continue;
    const { constraint } = encoding;
    if (constraint !== undefined && !CONSTRAINTS[constraint](word)) return null;
    return {
      encoding,
      name: encoding.name,
      word: word >>> 0,
      rs: (word >>> 21) & 31,
      rt: (word >>> 16) & 31,
      rd: (word >>> 11) & 31,
      sa: (word >>> 6) & 31,
      imm: (word << 16) >> 16,
      target: word & 0x3ffffff,
    };
  }
  return null;
}

const fieldPlace = Object.fromEntries(
  Object.values(LETTERS).map(([field, shift, bits]) => [field, {
    shift,
    bits,
  }]),
) as Record<FieldName, { shift: number; bits: number }>;

/**
 * The instruction word as u32.
 *
 * @throws ChainLearnError where a field is out of range, foreign to the instruction or breaks its constraint.
 */
export function encode(name: InstructionName, fields: Fields = {}): number {
  const encoding = encodingOf(name);
  let word = encoding.match;
  for (
    const [field, value] of Object.entries(fields) as [FieldName, number][]
  ) {
    if (!encoding.fields.includes(field)) {
      throw new ChainLearnError(
        `Cannot encode ${name}: expected fields ${
          encoding.fields.join(" ")
        }, found ${field}`,
      );
    }
    const { shift, bits } = fieldPlace[field];
    const low = bits === 16 ? -32768 : 0;
    if (!Number.isInteger(value) || value < low || value >= 2 ** bits) {
      throw new ChainLearnError(
        `Cannot encode ${name}: expected ${field} in ${low}..${
          2 ** bits - 1
        }, found ${value}`,
      );
    }
    word |= (value & (2 ** bits - 1)) << shift;
  }
  const { constraint } = encoding;
  if (constraint !== undefined && !CONSTRAINTS[constraint](word)) {
    throw new ChainLearnError(
      `Cannot encode ${name}: expected ${constraint}, found ${
        JSON.stringify(fields)
      }`,
    );
  }
  return word >>> 0;
}

/** Conventional names of the registers, `$zero` first. */
export const REGISTER_NAMES: readonly string[] =
  "zero at v0 v1 a0 a1 a2 a3 t0 t1 t2 t3 t4 t5 t6 t7 s0 s1 s2 s3 s4 s5 s6 s7 t8 t9 k0 k1 gp sp fp ra"
    .split(" ");

/** One line of assembly; branch and jump targets as addresses when `pc` is the word's address. */
export function disassemble(word: number, pc?: number): string {
  const instruction = decode(word);
  const hex = (value: number) => "0x" + (value >>> 0).toString(16);
  if (instruction === null) return `.word ${hex(word)}`;
  const { encoding, imm, target } = instruction;
  const text = (operand: string): string => {
    if (operand === "offset") {
      return pc === undefined ? `${imm}` : hex(pc + 4 + imm * 4);
    }
    if (operand === "target") {
      return pc === undefined
        ? hex(target * 4)
        : hex(((pc + 4) & 0xf0000000) | (target * 4));
    }
    if (operand === "imm") return `${imm}`;
    const { shift, bits } = fieldPlace[operand as FieldName];
    const value = (word >>> shift) & (2 ** bits - 1);
    return operand.startsWith("r") ? `$${REGISTER_NAMES[value]}` : `${value}`;
  };
  const operands = encoding.syntax.replaceAll(/[a-z]+/g, text);
  return operands === "" ? encoding.name : `${encoding.name} ${operands}`;
}
