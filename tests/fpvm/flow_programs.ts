/** Random programs of many blocks that run on and on: branches decided by a generator in a register, calls, jump tables. */
import type { Random } from "../random.ts";
import {
  encode,
  type Fields,
  type InstructionName,
  type VmState,
} from "../../fpvm/mod.ts";
import { EDGES, machine } from "./machines.ts";

type Row = [InstructionName, Fields?];

/** First address of the code, of the data and of the table of code addresses. */
const CODE = 0x1000, DATA = 0x3000_0000, TABLE = 0x3000_8000;
const TABLE_WORDS = 16;
/** Words of each block's slot: blocks are padded with no-ops, so that their places are known beforehand. */
const STRIDE = 16;
const VALUES = [10, 11, 12, 13, 14];

/** Registers: 8 and 9 generator, 15 scratch, 16 and 17 pointers, 18 table, 19 data, 20 target. */
function straight(random: Random): Row {
  const [rt, rs, rd] = [VALUES, VALUES, VALUES].map((v) => random.pick(v));
  const pointer = random.pick([16, 16, 17]);
  const word = 4 * (random.below(24) - 8);
  switch (random.below(12)) {
    case 0:
      return ["lw", { rt, rs: pointer, imm: word }];
    case 1:
      return ["sw", { rt, rs: pointer, imm: word }];
    case 2:
      return ["lh", { rt, rs: pointer, imm: word + 2 }];
    case 3:
      return ["sh", { rt, rs: pointer, imm: word + 2 }];
    case 4:
      return ["lbu", { rt, rs: pointer, imm: word + random.below(4) }];
    case 5:
      return ["sb", { rt, rs: pointer, imm: word + random.below(4) }];
    case 6:
      return ["addiu", { rt: pointer, rs: pointer, imm: word }];
    case 7:
      return ["madd", { rs, rt }];
    case 8:
      return ["mflo", { rd }];
    case 9:
      return ["lwl", { rt, rs: pointer, imm: word + random.below(4) }];
    case 10:
      return ["xor", { rd, rs, rt }];
    default:
      return ["subu", { rd, rs, rt: random.pick([8, rt]) }];
  }
}

/** The end of a block at `index`; `goal` is a word anywhere in the program, mostly the start of a block. */
function control(random: Random, index: number, count: number): Row[] {
  const goal = STRIDE * random.below(count) +
    (random.below(6) === 0 ? random.below(STRIDE) : 0);
  const target = CODE / 4 + goal;
  const slot = straight(random);
  const condition: Row = ["andi", { rt: 15, rs: 8, imm: 1 << random.below(9) }];
  const offset = goal - index - 2;
  switch (random.below(10)) {
    case 0:
      return [["j", { target }], slot];
    case 1:
      return [["jal", { target }], slot];
    case 2:
      return [["jr", { rs: 31 }], slot];
    case 3:
      return [
        ["andi", { rt: 15, rs: 8, imm: 4 * (TABLE_WORDS - 1) }],
        ["addu", { rd: 15, rs: 15, rt: 18 }],
        ["lw", { rt: 20, rs: 15 }],
        random.bool() ? ["jr", { rs: 20 }] : ["jalr", { rs: 20, rd: 31 }],
        slot,
      ];
    default:
      return [
        condition,
        [random.pick(["beq", "bne", "beql", "bnel", "bgtz"] as const), {
          rs: 15,
          offset,
        }],
        slot,
      ];
  }
}

function block(random: Random, index: number, count: number): Row[] {
  const isAligned = random.below(60) > 0;
  const rows: Row[] = [
    ["addu", { rd: 8, rs: 8, rt: 9 }],
    ["rotr", { rd: 8, rt: 8, sa: 7 }],
  ];
  if (random.below(3) > 0) {
    rows.push(
      ["andi", { rt: 15, rs: 8, imm: isAligned ? 0x1ffc : 0x1fff }],
      ["addu", { rd: random.pick([16, 17]), rs: 15, rt: 19 }],
    );
  }
  const ending = 5;
  while (rows.length < STRIDE - ending && random.below(8) > 0) {
    rows.push(straight(random));
  }
  rows.push(...control(random, index * STRIDE + rows.length, count));
  while (rows.length < STRIDE) rows.push(["sll"]);
  return rows;
}

/** A program of so many blocks, which stops only where it traps. */
export function flowProgram(random: Random, count: number): VmState {
  const code = Array.from({ length: count }, (_, i) => block(random, i, count))
    .flat().map(([name, fields]) => encode(name, fields));
  const words: Record<number, number> = {};
  for (let i = 0; i < TABLE_WORDS; i++) {
    words[TABLE + 4 * i] = CODE + 4 * STRIDE * random.below(count);
  }
  const registers: Record<number, number> = {
    8: random.u32(),
    9: random.u32() | 1,
    16: DATA + 0x40,
    17: DATA + 0xff0,
    18: TABLE,
    19: DATA,
    31: CODE,
  };
  for (const value of VALUES) registers[value] = random.pick(EDGES);
  return machine({ code, pc: CODE, registers, words });
}
