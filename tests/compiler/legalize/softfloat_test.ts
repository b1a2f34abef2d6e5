import { assert, assertEquals } from "@std/assert";
import {
  conformanceKernels,
  runLeaves,
  runWasm,
} from "../../../compiler/conformance/mod.ts";
import { type Expr, type Kernel, ops } from "../../../compiler/ir.ts";
import { axis, load, op, operandsOf } from "../../../compiler/kernel/build.ts";
import { defineKernel } from "../../../compiler/kernel/define.ts";
import { interpret } from "../../../compiler/kernel/interpreter.ts";
import { someExpr } from "../../../compiler/kernel/parts.ts";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import { removeFloat } from "../../../compiler/legalize/remove_float.ts";
import {
  softfloat,
  type SoftOp,
} from "../../../compiler/legalize/softfloat.ts";
import { Random } from "../../random.ts";

const OPS = Object.keys(softfloat) as SoftOp[];
/** Values per operation of the comparison with hardware, and how many go through one run. */
const COUNT = Number(Deno.env.get("CHAINLEARN_FLOAT_CASES") ?? 2 ** 20);
const BATCH = 2 ** 18;

/** `op` on element i of each operand. */
function elementwise(name: SoftOp, count: number): Kernel {
  const { args, result } = ops[name];
  const operands = args.map((dtype) => ({ dtype, shape: [count] }));
  return defineKernel({
    name,
    operands,
    result: { dtype: result, shape: [count] },
    body: op(name, ...operandsOf(operands).map((o) => load(o, axis(0)))),
  });
}

/** Zeros, ends of the subnormals, powers of two and their neighbours, halves, integers' ends, infinities, NaNs. */
function edges(): number[] {
  const sizes = [0, 1, 2, 3, 0x7fffff, 0x7ffffe, 0x400000, 0x3fffff];
  for (
    const exponent of [
      1,
      2,
      23,
      24,
      25,
      63,
      64,
      101,
      102,
      103,
      125,
      126,
      127,
      128,
      129,
      149,
      150,
      151,
      157,
      158,
      159,
      189,
      190,
      191,
      229,
      230,
      253,
      254,
    ]
  ) {
    for (const fraction of [0, 1, 2, 0x3fffff, 0x400000, 0x400001, 0x7fffff]) {
      sizes.push((exponent << 23) | fraction);
    }
  }
  sizes.push(0x7f800000, 0x7f800001, 0x7fc00000, 0x7fc12345, 0x7fffffff);
  return sizes.flatMap((size) => [size, size | (1 << 31)]);
}

/** Pairs of bits: uniform; of near exponents, which cancel; small integers and halves; products around the subnormals. */
function randomBits(random: Random, words: Int32Array, other?: Int32Array) {
  for (let i = 0; i < words.length; i++) {
    const kind = random.below(4);
    const bits = random.below(2 ** 32) | 0;
    words[i] = kind === 2
      ? new Int32Array(Float32Array.of((bits >> 12) / 2).buffer)[0]
      : bits;
    if (!other) continue;
    const second = random.below(2 ** 32) | 0;
    const near = ((words[i] & 0x7f800000) + ((random.below(7) - 3) << 23)) &
      0x7f800000;
    const opposite = (254 << 23) - (words[i] & 0x7f800000) -
      (random.below(200) << 23);
    other[i] = kind === 0
      ? second
      : kind === 3
      ? (opposite & 0x7f800000) | (second & 0x807fffff)
      : near | (second & 0x807fffff);
  }
}

/** Operand words of as many values of an operation as `count`; an i64 has two words. */
function randomOperands(random: Random, name: SoftOp, count: number) {
  const { args } = ops[name];
  if (args[0] === "f32") {
    const [a, b] = args.map(() => new Int32Array(count));
    randomBits(random, a, b);
    return b ? [a, b] : [a];
  }
  // Integers of every width.
  const words = new Int32Array(args[0] === "i64" ? 2 * count : count);
  if (args[0] === "i64") {
    const wide = new BigInt64Array(words.buffer);
    for (let i = 0; i < count; i++) {
      const bits = BigInt(random.below(2 ** 32)) << 32n |
        BigInt(random.below(2 ** 32));
      wide[i] = BigInt.asIntN(64, bits) >> BigInt(random.below(64));
    }
  } else {
    for (let i = 0; i < count; i++) {
      words[i] = (random.below(2 ** 32) | 0) >> random.below(32);
    }
  }
  return [words];
}

const bytesOf = (words: Int32Array) => new Uint8Array(words.buffer);

function assertSameWords(
  found: Uint8Array,
  expected: Uint8Array,
  operands: readonly Int32Array[],
  label: string,
) {
  const [f, e] = [found, expected].map((b) => new Int32Array(b.slice().buffer));
  const at = f.findIndex((word, i) => word !== e[i]);
  if (at < 0) return;
  const hex = (word: number) => (word >>> 0).toString(16);
  const scale = f.length / operands[0].length;
  const args = operands.map((o) => hex(o[Math.floor(at / scale)]));
  assert(
    false,
    `${label} of ${args}: expected ${hex(e[at])}, found ${hex(f[at])}`,
  );
}

for (const name of OPS) {
  Deno.test(`softfloat: ${name} gives the bits of hardware on edges and random values`, () => {
    const kernel = elementwise(name, BATCH);
    const soft = removeFloat(kernel);
    verifyKernel(soft);
    const seed = 0x50f7 + OPS.indexOf(name);
    const random = new Random(seed);
    const compare = (operands: Int32Array[]) => {
      const bytes = operands.map(bytesOf);
      assertSameWords(
        runWasm(soft, bytes, 0),
        runWasm(kernel, bytes, 0),
        operands,
        `${name} (seed ${seed})`,
      );
    };
    if (ops[name].args[0] === "f32") {
      const list = edges();
      const operands = ops[name].args.map(() => new Int32Array(BATCH));
      for (let i = 0; i < BATCH; i++) {
        operands[0][i] = list[i % list.length];
        if (operands[1]) {
          operands[1][i] = list[Math.floor(i / list.length) % list.length];
        }
      }
      assert(list.length ** 2 <= BATCH, `${list.length} edges are too many`);
      compare(operands);
    }
    for (let done = 0; done < COUNT; done += BATCH) {
      compare(randomOperands(random, name, BATCH));
    }
  });
}

Deno.test("removeFloat leaves no f32 arithmetic and the same bytes on every target", () => {
  for (
    const { kernel, operands, iteration, expected } of conformanceKernels()
  ) {
    const soft = removeFloat(kernel);
    verifyKernel(soft);
    const computes = (e: Expr) => e.kind === "op" && e.op in softfloat;
    assert(!someExpr(soft.body, computes), kernel.name);
    const bytes = [...operands];
    assertEquals(interpret(soft, bytes, iteration), expected, kernel.name);
    assertEquals(runWasm(soft, bytes, iteration), expected, kernel.name);
    assertEquals(runLeaves(soft, bytes, iteration).result, expected);
  }
});
