import { assert, assertEquals } from "@std/assert";
import {
  fit,
  type Interval,
  interval,
  isWithin,
  opInterval,
  sumInterval,
} from "../../../compiler/kernel/intervals.ts";
import { type Op, ops, type Scalar, type Value } from "../../../compiler/ir.ts";
import { Random } from "../../random.ts";

const SEED = 77;

/** A random interval of a type, small, wide or at an end, and some values inside it. */
function sample(
  random: Random,
  type: Scalar,
): { range: Interval; values: bigint[] } {
  const bits = type === "i64" ? 64 : 32;
  const any = () => {
    const x = (BigInt(random.u32()) << 32n) | BigInt(random.u32());
    return BigInt.asIntN(bits, x) >> BigInt(random.below(bits));
  };
  const [a, b] = [any(), random.bool() ? any() : 0n];
  const width = random.pick([0n, 1n, 5n, 70n]);
  const full = interval(
    -(1n << BigInt(bits - 1)),
    (1n << BigInt(bits - 1)) - 1n,
  );
  const [lo, hi] = random.bool() ? [a, a + width] : a < b ? [a, b] : [b, a];
  const range = { lo, hi: hi > full.hi ? full.hi : hi };
  const inside = () =>
    range.lo + (BigInt(random.u32()) * (range.hi - range.lo)) / 0xffffffffn;
  return { range, values: [range.lo, range.hi, inside(), inside()] };
}

Deno.test("opInterval: holds every result of every integer operation", () => {
  const random = new Random(SEED);
  const names = (Object.keys(ops) as Op[]).filter((op) =>
    ops[op].result !== "f32" &&
    (ops[op].args as readonly Scalar[]).every((t) => t !== "f32")
  );
  for (const op of names) {
    const { args, result } = ops[op];
    const meaning = ops[op].meaning as (...args: Value[]) => Value;
    for (let n = 0; n < 500; n++) {
      const samples = args.map((type) => sample(random, type));
      const bounds = opInterval(op, samples.map((s) => s.range));
      const typed = (x: bigint, i: number) => args[i] === "i64" ? x : Number(x);
      for (let m = 0; m < 8; m++) {
        const chosen = samples.map((s, i) => typed(random.pick(s.values), i));
        const value = meaning(...chosen);
        assert(
          isWithin(interval(value, value), bounds),
          `Seed ${SEED}: ${op}(${chosen}) = ${value} outside ${bounds.lo}..${bounds.hi}`,
        );
      }
      assert(isWithin(bounds, fit(result, 1n << 80n, 1n << 80n)), op);
    }
  }
});

Deno.test("opInterval: is exact where indices need it", () => {
  const of = (op: Op, ...args: [number, number][]) => {
    const { lo, hi } = opInterval(op, args.map(([lo, hi]) => interval(lo, hi)));
    return [Number(lo), Number(hi)];
  };
  assertEquals(of("i32.add", [0, 5], [-3, 2]), [-3, 7]);
  assertEquals(of("i32.mul", [-3, 5], [7, 7]), [-21, 35]);
  assertEquals(of("i32.and", [-(2 ** 31), 5], [255, 255]), [0, 255]);
  assertEquals(of("i32.div_s", [-7, 20], [3, 3]), [-2, 6]);
  assertEquals(of("i32.rem_s", [0, 100], [8, 8]), [0, 7]);
  assertEquals(of("i32.rem_s", [17, 19], [8, 8]), [1, 3]);
  assertEquals(of("i32.rem_u", [-5, 100], [8, 8]), [0, 7]);
  assertEquals(of("i32.shr_u", [-5, 5], [24, 24]), [0, 255]);
  assertEquals(of("i32.shl", [1, 3], [0, 4]), [1, 48]);
  assertEquals(of("i32.select", [1, 9], [2, 3], [50, 60]), [2, 3]);
});

Deno.test("opInterval: an interval that may wrap is the whole type", () => {
  const full = fit("i32", 1n << 40n, 1n << 40n);
  const top = interval(2 ** 31 - 1, 2 ** 31 - 1);
  assertEquals(opInterval("i32.add", [top, interval(0, 1)]), full);
  assertEquals(opInterval("i32.neg", [interval(-(2 ** 31), 0)]), full);
  assertEquals(opInterval("i32.wrap", [interval(0, 2 ** 31)]), full);
  assertEquals(opInterval("i32.shl", [interval(1, 1), interval(0, 31)]), full);
  assertEquals(sumInterval("i32", interval(-128, 127), 2 ** 25), full);
  assertEquals(
    sumInterval("i32", interval(-16256, 16129), 1000),
    interval(-16256000, 16129000),
  );
  assertEquals(sumInterval("i32", interval(3, 5), 10), interval(0, 50));
});
