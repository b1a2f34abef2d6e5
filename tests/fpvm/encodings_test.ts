import { assert, assertEquals, assertThrows } from "@std/assert";
import { Random } from "../random.ts";
import {
  decode,
  disassemble,
  encode,
  ENCODINGS,
  type Fields,
} from "../../fpvm/encodings.ts";
import { ChainLearnError } from "../../fpvm/errors.ts";

Deno.test("encodings: patterns are 32 bits and no two rows overlap", () => {
  for (const a of ENCODINGS) {
    assertEquals(a.pattern.length, 32, a.name);
    for (const b of ENCODINGS) {
      if (a === b) continue;
      const common = a.mask & b.mask;
      assert((a.match & common) !== (b.match & common), `${a.name} ${b.name}`);
    }
  }
});

Deno.test("encode: decode gives back the name and the fields of random words", () => {
  const random = new Random(1);
  for (let round = 0; round < 50; round++) {
    for (const encoding of ENCODINGS) {
      const word = (encoding.match | (random.u32() & ~encoding.mask)) >>> 0;
      const instruction = decode(word);
      if (instruction === null) {
        assert(encoding.constraint !== undefined, encoding.name);
        continue;
      }
      assertEquals(instruction.name, encoding.name, `seed ${random.seed}`);
      const { rs, rt, rd, sa, imm, target } = instruction;
      const all = { rs, rt, rd, sa, imm, target, offset: imm, hint: rt };
      const values = { ...all, msb: rd, lsb: sa };
      const fields: Fields = {};
      for (const field of encoding.fields) fields[field] = values[field];
      const ignored = [...encoding.pattern].reduce(
        (bits, letter) => bits * 2 + (letter === "c" ? 1 : 0),
        0,
      );
      assertEquals(encode(encoding.name, fields), (word & ~ignored) >>> 0);
    }
  }
});

Deno.test("encode: known words of the MIPS manual", () => {
  assertEquals(encode("sll"), 0);
  assertEquals(encode("addiu", { rt: 29, rs: 29, imm: -8 }), 0x27bdfff8);
  assertEquals(encode("lw", { rt: 31, rs: 29, imm: 4 }), 0x8fbf0004);
  assertEquals(encode("jr", { rs: 31 }), 0x03e00008);
  assertEquals(encode("jal", { target: 0x100 }), 0x0c000100);
  assertEquals(encode("madd", { rs: 8, rt: 9 }), 0x71090000);
  assertEquals(encode("ext", { rt: 2, rs: 4, lsb: 8, msb: 7 }), 0x7c823a00);
  assertEquals(encode("rotr", { rd: 2, rt: 3, sa: 5 }), 0x00231142);
  assertEquals(encode("seb", { rd: 2, rt: 3 }), 0x7c031420);
});

Deno.test("encode: refuses foreign fields, ranges and broken constraints", () => {
  const refuses = (fn: () => number, text: string) =>
    assertThrows(fn, ChainLearnError, text);
  refuses(() => encode("jr", { rd: 1 }), "found rd");
  refuses(() => encode("addu", { rd: 32 }), "rd in 0..31");
  refuses(() => encode("addiu", { imm: 65536 }), "imm in -32768..65535");
  refuses(() => encode("clz", { rd: 1, rs: 2, rt: 3 }), "rt = rd");
  refuses(() => encode("ins", { lsb: 5, msb: 4 }), "lsb <= msb");
});

Deno.test("disassemble: prints operands in assembler order and targets as addresses", () => {
  assertEquals(disassemble(0x8fbf0004), "lw $ra, 4($sp)");
  assertEquals(
    disassemble(encode("beq", { rs: 4, rt: 0, offset: -1 }), 16),
    "beq $a0, $zero, 0x10",
  );
  assertEquals(disassemble(encode("syscall")), "syscall");
  assertEquals(disassemble(0x0000000d), ".word 0xd");
});
