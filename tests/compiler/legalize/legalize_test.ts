import { assert, assertEquals } from "@std/assert";
import {
  type DType,
  dtypes,
  type Op,
  ops,
  type Value,
} from "../../../compiler/ir.ts";
import {
  BASIC_WORD_OPS,
  Legalizer,
  type WordBuilder,
  type WordOp,
} from "../../../compiler/legalize/legalize.ts";
import { softfloat } from "../../../compiler/legalize/softfloat.ts";
import {
  narrowStored,
  widenStored,
} from "../../../compiler/legalize/storage.ts";
import { readers, writers } from "../../../compiler/kernel/storage.ts";
import { Random } from "../../random.ts";

const wide = (op: "i32.mul_wide_s" | "i32.mul_wide_u", a: number, b: number) =>
  Number(BigInt.asIntN(32, ops[op].meaning(a, b) >> 32n));

/** Evaluates words as it goes, and notes which operations were asked of the target. */
class Evaluator implements WordBuilder<number> {
  readonly seen = new Set<WordOp>();

  constant(value: number): number {
    return value;
  }

  op(op: WordOp, ...args: number[]): number {
    this.seen.add(op);
    if (op === "mulh_s") return wide("i32.mul_wide_s", args[0], args[1]);
    if (op === "mulh_u") return wide("i32.mul_wide_u", args[0], args[1]);
    return (ops[op].meaning as (...args: number[]) => number)(...args);
  }

  repeat(count: number, inits: number[], next: (c: number[]) => number[]) {
    let carried = inits;
    for (let i = 0; i < count; i++) carried = next(carried);
    return carried;
  }
}

const words = (value: Value): number[] =>
  typeof value === "number" ? [value] : [
    Number(BigInt.asIntN(32, value)),
    Number(BigInt.asIntN(32, value >> 32n)),
  ];

const TARGETS: Record<string, readonly WordOp[]> = {
  "with high products": [...BASIC_WORD_OPS, "mulh_s", "mulh_u"],
  "with nothing but plain words": BASIC_WORD_OPS,
  "with dot4": [...BASIC_WORD_OPS, "i32.dot4_s"],
};

function randomValue(random: Random, type: string): Value {
  const edge = [0, 1, -1, 31, 32, 63, 64, 0x7fffffff, -0x80000000];
  const word = () => random.bool() ? random.pick(edge) : random.u32() | 0;
  if (type !== "i64") return word();
  const high = random.bool() ? BigInt(random.pick([0, -1])) : BigInt(word());
  return (high << 32n) | (BigInt(word()) & 0xffffffffn);
}

for (const [name, capabilities] of Object.entries(TARGETS)) {
  Deno.test(`Legalizer: gives the op table's meaning on a target ${name}`, () => {
    const random = new Random(97);
    for (const op of Object.keys(ops) as Op[]) {
      if (op in softfloat) continue;
      const { args, meaning } = ops[op];
      for (let i = 0; i < 300; i++) {
        const evaluator = new Evaluator();
        const legalizer = new Legalizer(evaluator, new Set(capabilities));
        const values = args.map((type) => randomValue(random, type));
        const found = legalizer.op(op, values.map(words));
        const apply = meaning as (...args: Value[]) => Value;
        const expected = words(apply(...values));
        assertEquals([...found], expected, `${op}(${values.join(", ")})`);
        for (const used of evaluator.seen) {
          assert(capabilities.includes(used), `${op} uses ${used}`);
        }
      }
    }
  });
}

Deno.test("widenStored and narrowStored: give storage.ts's elements for every 16-bit pattern and edge", () => {
  const legalizer = new Legalizer(new Evaluator(), new Set(BASIC_WORD_OPS));
  const view = new DataView(new ArrayBuffer(8));
  const random = new Random(98);
  for (const dtype of ["f16", "bf16"] as DType[]) {
    for (let raw = 0; raw < 0x10000; raw++) {
      view.setUint16(0, raw, true);
      const [found] = widenStored(legalizer, dtype, [raw]);
      assertEquals(found, Number(readers[dtype](view, 0)) | 0);
    }
    for (let i = 0; i < 100_000; i++) {
      // Every exponent, with mantissas near ties.
      const mantissa = random.pick([
        0,
        1,
        0xfff,
        0x1000,
        0x1001,
        0x8000,
        0x7fff,
      ]);
      const bits = i < 50_000 ? random.u32() | 0 : (random.u32() & 0xff800000) |
        (mantissa << random.below(10)) & 0x7fffff;
      writers[dtype](view, 0, bits | 0);
      const [found] = narrowStored(legalizer, dtype, [bits | 0]);
      assertEquals(found & 0xffff, view.getUint16(0, true), `${dtype} ${bits}`);
    }
  }
  assertEquals(narrowStored(legalizer, "bool", [256]), [1]);
  assertEquals(dtypes.bool.bytes, 1);
});
