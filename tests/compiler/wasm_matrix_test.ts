/**
 * Products with a constant, which WebAssembly does by register tiles: random shapes, windows, strides,
 * dilations, groups, element types, layouts, schedules and cuts against the interpreter.
 */
import { assert, assertEquals } from "@std/assert";
import {
  add,
  axis,
  byteLength,
  clamp,
  compileWasm,
  defineKernel,
  type Dot,
  type DType,
  type Expr,
  fitsSevenBits,
  i32,
  interpret,
  type Kernel,
  load,
  type MatrixSchedule,
  mul,
  op,
  operandsOf,
  printKernel,
  requantize,
  select,
  sub,
  sum,
  type TensorType,
} from "../../compiler/mod.ts";
import { runWasm } from "../../compiler/conformance/mod.ts";
import { Random } from "../random.ts";

const narrow: DType[] = ["i8", "i8", "i8", "u8", "i16"];
const dots: Dot[] = ["plain", "relaxed_constant", "relaxed_computed"];

function scheduleOf(random: Random): Partial<MatrixSchedule> {
  return random.bool() ? { dot: random.pick(dots) } : {
    rows: 1 + random.below(6),
    unroll: 1 + random.below(8),
    tiles: 1 + random.below(4),
    dot: random.pick(dots),
  };
}

/** Bytes that favour extremes; a constant for the relaxed dot product is in -64..63. */
function bytesOf(
  random: Random,
  type: TensorType,
  range: "any" | "seven bits" | "natural",
): Uint8Array {
  const bytes = random.bytes(byteLength(type));
  for (let i = 0; i < bytes.length; i++) {
    if (random.bool()) bytes[i] = random.pick([0x80, 0x7f, 0xff, 0]);
    if (range === "seven bits") bytes[i] = ((bytes[i] << 1) << 24) >> 25;
    if (range === "natural") bytes[i] &= 0x7f;
  }
  return bytes;
}

/** Biases, multipliers and shifts, now and then such as no conversion writes. */
function parameters(random: Random, channels: number): Uint8Array {
  const odd = random.below(4) === 0;
  const rows = [
    () => random.u32() >> 12,
    () => 2 ** 30 + random.below(2 ** 30),
    () => odd ? random.below(64) : 34 + random.below(12),
  ];
  const values = rows.flatMap((row) => Array.from({ length: channels }, row));
  return new Uint8Array(Int32Array.from(values).buffer);
}

function check(kernel: Kernel, random: Random, channels: number): void {
  const schedule = scheduleOf(random);
  const [x, w] = kernel.operands;
  const sevenBits = schedule.dot === "relaxed_constant" && w.dtype === "i8";
  const operands = [
    bytesOf(random, x, random.bool() ? "any" : "natural"),
    bytesOf(random, w, sevenBits ? "seven bits" : "any"),
    parameters(random, channels),
  ];
  assert(!sevenBits || fitsSevenBits(operands[1]));
  const target = { constants: [1], schedule };
  assert(compileWasm(kernel, target).pack, printKernel(kernel));
  const cuts = [random.below(20), random.below(20)];
  const expected = interpret(kernel, operands, 1);
  assertEquals(
    runWasm(kernel, operands, 1, cuts, target),
    expected,
    `Seed ${random.seed}, ${JSON.stringify(schedule)}\n${printKernel(kernel)}`,
  );
  assertEquals(
    runWasm(kernel, operands, 1, cuts),
    expected,
    `Seed ${random.seed}, unpacked\n${printKernel(kernel)}`,
  );
}

/** What is done with a sum: nothing, or a requantization by channel. */
function finish(
  random: Random,
  acc: Expr,
  q: ReturnType<typeof operandsOf>[number],
  channel: readonly Expr[],
): { body: Expr; dtype: DType } {
  if (random.below(4) === 0) return { body: acc, dtype: "i32" };
  const row = (r: number) => load(q, r, ...channel);
  const biased = add(acc, row(0));
  return {
    body: requantize(biased, row(1), row(2), 0, -128, 127),
    dtype: random.pick<DType>(["i8", "i16"]),
  };
}

/** x[m, k] * w[n, k], or w[k, n], or w in blocks. */
function product(random: Random): { kernel: Kernel; channels: number } {
  const [m, n, k] = [
    1 + random.below(40),
    1 + random.below(40),
    1 + random.below(90),
  ];
  const turned = random.bool();
  const operands: TensorType[] = [
    { dtype: random.pick(narrow), shape: [m, k] },
    { dtype: random.pick(narrow), shape: turned ? [k, n] : [n, k] },
    { dtype: "i32", shape: [3, n] },
  ];
  const [x, w, q] = operandsOf(operands);
  const acc = sum(k, (t) =>
    mul(
      load(x, axis(0), t),
      turned ? load(w, t, axis(1)) : load(w, axis(1), t),
    ));
  const { body, dtype } = finish(random, acc, q, [axis(1)]);
  return {
    kernel: defineKernel({
      name: "product",
      operands,
      result: { dtype, shape: [m, n] },
      body,
    }),
    channels: n,
  };
}

/** A convolution as the lowering writes it: windows, strides, dilations, padding, groups. */
function convolution(random: Random): { kernel: Kernel; channels: number } {
  const windows = [0, 1].map(() => {
    const size = random.pick([1, 1, 2, 3, 5]);
    const dilation = 1 + random.below(2);
    const [stride, pad] = [1 + random.below(3), random.below(size)];
    const length = (size - 1) * dilation + 1 + random.below(6);
    const places = Math.floor(
      (length + 2 * pad - (size - 1) * dilation - 1) / stride,
    ) + 1;
    return { size, dilation, stride, pad, length, places };
  });
  const groups = random.pick([1, 1, 2, 3]);
  const [cin, cout] = [1 + random.below(20), 1 + random.below(18)];
  const [h, v] = windows;
  const channel = groups > 1 ? [axis(3), axis(4)] : [axis(3)];
  const operands: TensorType[] = [
    {
      dtype: random.pick(narrow),
      shape: [2, h.length, v.length, ...(groups > 1 ? [groups] : []), cin],
    },
    {
      dtype: random.pick(narrow),
      shape: [...(groups > 1 ? [groups] : []), cout, h.size, v.size, cin],
    },
    { dtype: "i32", shape: [3, ...(groups > 1 ? [groups] : []), cout] },
  ];
  const [x, w, q] = operandsOf(operands);
  const at = (i: number, k: Expr, next: (index: Expr) => Expr): Expr => {
    const { stride, dilation, pad, length } = windows[i];
    const raw = sub(
      add(mul(axis(i + 1), stride), mul(k, dilation)),
      pad,
    );
    return select(
      op("i32.lt_u", raw, length),
      next(clamp(raw, 0, length - 1)),
      0,
    );
  };
  const nest = (i: number, index: Expr[], offsets: Expr[]): Expr => {
    if (i < 2) {
      const level = (k: Expr) =>
        at(i, k, (y) => nest(i + 1, [...index, y], [...offsets, k]));
      return windows[i].size === 1
        ? level(op("i32.add", 0, 0))
        : sum(windows[i].size, level);
    }
    const term = (c: Expr) =>
      mul(
        load(x, axis(0), ...index, ...(groups > 1 ? [axis(3)] : []), c),
        load(w, ...channel, ...offsets, c),
      );
    return sum(cin, term);
  };
  const { body, dtype } = finish(
    random,
    add(nest(0, [], []), i32(0)),
    q,
    channel,
  );
  return {
    kernel: defineKernel({
      name: "convolution",
      operands,
      result: {
        dtype,
        shape: [2, h.places, v.places, ...(groups > 1 ? [groups] : []), cout],
      },
      body,
    }),
    channels: groups * cout,
  };
}

Deno.test("compileWasm equals the interpreter on packed products, whatever the schedule", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = new Random(seed);
    const { kernel, channels } = product(random);
    check(kernel, random, channels);
  }
});

Deno.test("compileWasm equals the interpreter on packed convolutions, whatever the schedule", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = new Random(seed);
    const { kernel, channels } = convolution(random);
    check(kernel, random, channels);
  }
});

Deno.test("fitsSevenBits refuses what the relaxed dot product would get wrong", () => {
  assert(fitsSevenBits(Uint8Array.of(0, 63, 192, 255)));
  assert(!fitsSevenBits(Uint8Array.of(64)));
  assert(!fitsSevenBits(Uint8Array.of(191)));
});
