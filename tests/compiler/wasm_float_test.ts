/**
 * f32 kernels, which WebAssembly computes by tiles and lanes: products and windows in index order, chains,
 * carried values and the float library, on operands full of NaNs with payloads, infinities, subnormals and
 * signed zeros, against the interpreter.
 */
import { assert, assertEquals } from "@std/assert";
import {
  add,
  axis,
  bind,
  byteLength,
  call,
  clamp,
  compileWasm,
  defineKernel,
  div,
  type Expr,
  f32,
  f32Bits,
  i32,
  interpret,
  type Kernel,
  load,
  loop,
  max,
  min,
  mul,
  op,
  operandsOf,
  printKernel,
  select,
  sub,
  sum,
  type TensorType,
} from "../../compiler/mod.ts";
import { floatLibrary } from "../../compiler/lower/float_library.ts";
import { randomKernel, runWasm } from "../../compiler/conformance/mod.ts";
import { Random } from "../random.ts";

/** Bits that find what is done wrongly: NaNs of both kinds and signs, infinities, zeros, subnormals. */
const odd = [
  ...[0x7f800001, 0xff800001, 0x7fc00000, 0xffc00000, 0x7fc12345, 0xffffffff],
  ...[0x7f800000, 0xff800000, 0, 0x80000000, 1, 0x80000001, 0x007fffff],
  ...[0x00800000, 0x7f7fffff, 0xff7fffff, 0x3f800000, 0xbf800000],
];

/** f32 bytes, one in `rare` of them odd. */
function floatsOf(random: Random, type: TensorType, rare: number): Uint8Array {
  const bytes = random.bytes(byteLength(type));
  if (type.dtype !== "f32") return bytes;
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 4) {
    if (random.below(rare) === 0) view.setUint32(at, random.pick(odd), true);
    else if (random.below(8) > 0) {
      view.setFloat32(at, (random.u32() / 2 ** 31 - 1) * 100, true);
    }
  }
  return bytes;
}

function check(kernel: Kernel, random: Random, isTiled = false): void {
  const rare = random.pick([1, 2, 10, 100, 1000]);
  const operands = kernel.operands.map((type) => floatsOf(random, type, rare));
  const constants = operands.map((_, i) => i).slice(1);
  const expected = interpret(kernel, operands, 1);
  const schedule = {
    rows: 1 + random.below(6),
    unroll: 1 + random.below(5),
    tiles: 1 + random.below(4),
  };
  for (
    const target of [{}, { constants }, { constants, schedule }]
  ) {
    if (isTiled && target.constants) {
      assert(compileWasm(kernel, target).pack, printKernel(kernel));
    }
    const cuts = [random.below(40), random.below(40)];
    assertEquals(
      runWasm(kernel, operands, 1, cuts, target),
      expected,
      `Seed ${random.seed}\n${printKernel(kernel)}`,
    );
  }
}

/** What follows a sum: nothing, or a bias and bounds, or a move that keeps payloads. */
function finish(random: Random, sum: Expr, bias: Expr): Expr {
  const next = random.below(8);
  if (next === 7) return sum;
  return bind("total", sum, (total) => {
    const biased = add(total, bias);
    return [
      total,
      biased,
      max(biased, f32(random.pick([0, -0, 1]))),
      min(max(biased, f32(-3)), f32(random.pick([6, 0, -0]))),
      select(op("f32.lt", total, f32(0)), bias, total),
      max(total, bias),
      op("f32.abs", biased),
    ][next];
  });
}

/** x[m, k] * w[n, k] or w[k, n], in index order. */
function product(random: Random): Kernel {
  const [m, n, k] = [
    1 + random.below(20),
    1 + random.below(40),
    1 + random.below(60),
  ];
  const turned = random.bool();
  const operands: TensorType[] = [
    { dtype: random.pick(["f32", "f32", "i8", "f16"]), shape: [m, k] },
    { dtype: "f32", shape: turned ? [k, n] : [n, k] },
    { dtype: "f32", shape: [n] },
  ];
  const [x, w, b] = operandsOf(operands);
  const shared = random.below(4);
  const inOrder = (row: Expr) =>
    sum(k, (t) => {
      const at = (index: Expr) => {
        const value = load(x, row, index);
        return operands[0].dtype === "i8" ? op("f32.from_i32", value) : value;
      };
      const value = [
        at(t),
        at(t),
        sub(at(t), at(i32(0))),
        sum(2, (j) => mul(at(clamp(add(t, j), 0, k - 1)), at(t))),
      ][shared];
      return mul(
        value,
        turned ? load(w, t, axis(1)) : load(w, axis(1), t),
      );
    });
  const total = random.bool()
    ? inOrder(axis(0))
    : bind("row", sub(m - 1, axis(0)), inOrder);
  return defineKernel({
    name: "product",
    operands,
    result: { dtype: random.pick(["f32", "f32", "f16"]), shape: [m, n] },
    body: finish(random, total, load(b, axis(1))),
  });
}

/** A convolution as the lowering writes it: one total through a nest of loops, padding as +0. */
function convolution(random: Random): { kernel: Kernel; isTiled: boolean } {
  const windows = [0, 1].map(() => {
    const size = random.pick([1, 2, 3, 5]);
    const dilation = 1 + random.below(2);
    const [stride, pad] = [1 + random.below(3), random.below(size)];
    const length = (size - 1) * dilation + 1 + random.below(6);
    const places = Math.floor(
      (length + 2 * pad - (size - 1) * dilation - 1) / stride,
    ) + 1;
    return { size, dilation, stride, pad, length, places };
  });
  const isDepthwise = random.below(3) === 0;
  const groups = isDepthwise ? 1 : random.pick([1, 1, 2, 3]);
  const cout = 1 + random.below(18);
  const cin = isDepthwise ? cout : 1 + random.below(20);
  const [h, v] = windows;
  const split = groups > 1 ? [groups] : [];
  const channel = groups > 1 ? [axis(3), axis(4)] : [axis(3)];
  const operands: TensorType[] = [
    { dtype: "f32", shape: [2, h.length, v.length, ...split, cin] },
    {
      dtype: "f32",
      shape: [...split, cout, h.size, v.size, isDepthwise ? 1 : cin],
    },
    { dtype: "f32", shape: [...split, cout] },
  ];
  const [x, w, b] = operandsOf(operands);
  const term = (at: Expr[], inside: Expr, k: Expr[], c: Expr) => {
    const from = isDepthwise ? channel : groups > 1 ? [axis(3), c] : [c];
    const own = isDepthwise ? op("i32.add", 0, 0) : c;
    return mul(
      select(inside, load(x, axis(0), ...at, ...from), f32(0)),
      load(w, ...channel, ...k, own),
    );
  };
  const nest = (
    i: number,
    total: Expr,
    at: Expr[],
    inside: Expr,
    k: Expr[],
  ): Expr => {
    if (i === 2) {
      return isDepthwise
        ? add(total, term(at, inside, k, op("i32.add", 0, 0)))
        : loop(
          cin,
          { total },
          (c, [total]) => [add(total, term(at, inside, k, c))],
        );
    }
    const { size, dilation, stride, pad, length } = windows[i];
    return loop(size, { total }, (j, [total]) => {
      const raw = sub(add(mul(axis(i + 1), stride), mul(j, dilation)), pad);
      const index = clamp(raw, 0, length - 1);
      const both = op("i32.and", inside, op("i32.lt_u", raw, length));
      return [nest(i + 1, total, [...at, index], both, [...k, j])];
    });
  };
  const total = nest(0, f32(0), [], op("i32.add", 1, 0), []);
  return {
    isTiled: !isDepthwise,
    kernel: defineKernel({
      name: isDepthwise ? "depthwise" : "convolution",
      operands,
      result: { dtype: "f32", shape: [2, h.places, v.places, ...split, cout] },
      body: finish(random, total, load(b, ...channel)),
    }),
  };
}

Deno.test("compileWasm equals the interpreter on f32 products in index order", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = new Random(seed);
    check(product(random), random, true);
  }
});

Deno.test("compileWasm equals the interpreter on f32 convolutions with one total", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = new Random(seed);
    const { kernel, isTiled } = convolution(random);
    check(kernel, random, isTiled);
  }
});

Deno.test("compileWasm equals the interpreter on every f32 operation beside every odd constant", () => {
  const random = new Random(1);
  const type: TensorType = { dtype: "f32", shape: [odd.length, 32] };
  const [x] = operandsOf([type]);
  const own = load(x, axis(0), axis(1));
  const names = ["add", "sub", "mul", "div", "min", "max"] as const;
  for (const bits of odd) {
    const bodies = names.flatMap((name) => [
      op(`f32.${name}`, own, f32Bits(bits)),
      op(`f32.${name}`, f32Bits(bits), own),
    ]);
    bodies.push(
      op("f32.select", op("f32.le", own, f32Bits(bits)), own, f32Bits(bits)),
    );
    for (const body of bodies) {
      const kernel = defineKernel({
        name: "constant",
        operands: [type],
        result: type,
        body,
      });
      const operand = floatsOf(random, type, 1);
      assertEquals(
        runWasm(kernel, [operand], 0),
        interpret(kernel, [operand], 0),
        printKernel(kernel),
      );
    }
  }
});

Deno.test("compileWasm keeps the payload of a NaN that is moved, and no other", () => {
  const type: TensorType = { dtype: "f32", shape: [33, 17] };
  const [x, y] = operandsOf([type, type]);
  const [a, b] = [x, y].map((o) => load(o, axis(0), axis(1)));
  const near = load(x, axis(0), op("i32.sub", 16, axis(1)));
  const isSmall = op("f32.lt", a, b);
  const bodies = [
    a,
    select(isSmall, a, b),
    select(isSmall, a, add(b, near)),
    select(isSmall, mul(a, b), sub(a, near)),
    op("f32.of_bits", op("i32.xor", op("i32.bits_of_f32", a), 1 << 31)),
    op("f32.of_bits", op("i32.bits_of_f32", add(a, b))),
    // A carried value that is moved in the end, or never, or in every second pass.
    loop(3, { v: a }, (k, [v]) => [select(op("i32.lt_s", k, 5), v, add(v, b))]),
    loop(3, { v: a }, (_, [v]) => [add(v, b)]),
    loop(min(axis(0), 2), { v: a }, (_, [v]) => [add(v, b)], undefined, {
      bound: 2,
    }),
    loop(3, { v: f32(0), w: a }, (_, [v, w]) => [w, max(v, b)]),
    loop(3, { v: f32(0), w: f32(1) }, (_, [v, w]) => [mul(w, b), max(v, b)]),
    sum(5, (k) => mul(load(x, axis(0), k), b)),
    sum(5, (k) => sum(3, (j) => mul(load(x, k, j), b))),
    select(
      op("i32.lt_s", axis(0), 7),
      sum(5, (k) => mul(load(x, axis(0), k), b)),
      b,
    ),
  ];
  bodies.forEach((body, i) => {
    const kernel = defineKernel({
      name: `moves_${i}`,
      operands: [type, type],
      result: type,
      body,
    });
    for (let seed = 1; seed <= 10; seed++) {
      check(kernel, new Random(seed));
    }
  });
});

Deno.test("compileWasm equals the interpreter on the float library by lanes", () => {
  for (const [name, fn] of Object.entries(floatLibrary)) {
    const type: TensorType = { dtype: "f32", shape: [64, 33] };
    const [x, y] = operandsOf([type, type]);
    const kernel = defineKernel({
      name,
      operands: [type, type],
      functions: Object.values(floatLibrary),
      result: type,
      body: div(
        call(fn, load(x, axis(0), axis(1))),
        call(fn, load(y, axis(0), axis(1))),
      ),
    });
    for (let seed = 1; seed <= 4; seed++) check(kernel, new Random(seed));
  }
});

Deno.test("compileWasm equals the interpreter on random float kernels with constants", () => {
  for (let seed = 1001; seed <= 1300; seed++) {
    const random = new Random(seed);
    const { kernel, operands, iteration } = randomKernel(random);
    const constants = operands.map((_, i) => i)
      .filter((i) => kernel.update?.operand !== i);
    const cuts = [random.below(40), random.below(40)];
    assertEquals(
      runWasm(kernel, operands, iteration, cuts, { constants }),
      interpret(kernel, operands, iteration),
      `Seed ${seed}\n${printKernel(kernel)}`,
    );
  }
});
