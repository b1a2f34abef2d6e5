/**
 * Contractions, which WebAssembly does with SIMD: random shapes, element types, strides, windows and
 * padding against the interpreter, and that the SIMD path is really taken.
 */
import { assert, assertEquals } from "@std/assert";
import {
  add,
  axis,
  byteLength,
  clamp,
  compileWasm,
  constant,
  defineKernel,
  type DType,
  dtypes,
  type Expr,
  i32,
  interpret,
  type Kernel,
  load,
  max,
  min,
  mul,
  type Operand,
  operandsOf,
  printKernel,
  select,
  sub,
  sum,
  type TensorType,
} from "../../compiler/mod.ts";
import { Random } from "../random.ts";
import { runWasm } from "../../compiler/conformance/mod.ts";

const narrow: DType[] = ["i8", "u8", "i16"];

/** Bytes that favour extremes: they find wrong widening and wrong wrapping. */
function bytesOf(random: Random, type: TensorType): Uint8Array {
  const bytes = random.bytes(byteLength(type));
  if (type.dtype === "f32") {
    const view = new DataView(bytes.buffer);
    const odd = [0x7f800000, 0xff800000, 0x7f800001, 0xffc00001, 0x80000000];
    for (let at = 0; at < bytes.length; at += 4) {
      if (random.below(40) === 0) view.setUint32(at, random.pick(odd), true);
      else view.setFloat32(at, (random.u32() / 2 ** 31 - 1) * 100, true);
    }
  } else {
    for (let i = 0; i < bytes.length; i++) {
      if (random.bool()) bytes[i] = random.pick([0x80, 0x7f, 0xff, 0]);
    }
  }
  return bytes;
}

function check(kernel: Kernel, random: Random): void {
  const operands = kernel.operands.map((type) => bytesOf(random, type));
  assertEquals(
    runWasm(kernel, operands, 1, [random.below(20), random.below(20)]),
    interpret(kernel, operands, 1),
    `Seed ${random.seed}\n${printKernel(kernel)}`,
  );
}

/** x[m, k] * w[n, k], some with a moved first or a count that depends on an axis, or on the iteration. */
function product(random: Random, float: boolean): Kernel {
  const [m, n, k] = [
    1 + random.below(5),
    1 + random.below(20),
    1 + random.below(150),
  ];
  const pick = () => float ? "f32" : random.pick(narrow);
  const wide = k + random.below(9);
  const operands: TensorType[] = [
    { dtype: pick(), shape: [m, wide] },
    { dtype: pick(), shape: [n, wide] },
  ];
  const [x, w] = operandsOf(operands);
  const term = (at: Expr) => mul(load(x, axis(0), at), load(w, axis(1), at));
  const count = random.pick<Expr>([
    i32(k),
    i32(k),
    clamp(sub(k, axis(0)), -1, k),
    clamp(sub(k, axis(1)), -1, k),
  ]);
  const first = random.below(wide - k + 1);
  const total = sum(count, term, { bound: k, first, lanes: float ? 4 : 1 });
  return defineKernel({
    name: "product",
    operands,
    result: { dtype: float ? "f32" : "i32", shape: [m, n] },
    body: float ? max(total, constant("f32", -3)) : add(total, axis(1)),
  });
}

/** A padded, strided NHWC convolution as the lowering writes it. */
function convolution(random: Random): Kernel {
  const size = 1 + random.below(3);
  const [stride, pad] = [1 + random.below(2), random.below(2)];
  const [height, cin, cout] = [
    size + random.below(5),
    1 + random.below(20),
    1 + random.below(18),
  ];
  const out = Math.floor((height + 2 * pad - size) / stride) + 1;
  const operands: TensorType[] = [
    { dtype: random.pick(narrow), shape: [1, height, height, cin] },
    { dtype: random.pick(narrow), shape: [cout, size, size, cin] },
  ];
  const [x, w] = operandsOf(operands);
  const inside = (at: Expr, then: (index: Expr) => Expr) =>
    select(
      min(le0(at), le0(sub(height - 1, at))),
      then(clamp(at, 0, height - 1)),
      0,
    );
  const le0 = (e: Expr): Expr => ({
    kind: "op",
    op: "i32.le_s",
    args: [i32(0), e],
  });
  const place = (a: number, k: Expr) => sub(add(mul(axis(a), stride), k), pad);
  const body = sum(
    size,
    (i) =>
      inside(
        place(1, i),
        (y) =>
          sum(size, (j) =>
            inside(place(2, j), (z) =>
              sum(cin, (c) =>
                mul(load(x, axis(0), y, z, c), load(w, axis(3), i, j, c))))),
      ),
  );
  return defineKernel({
    name: "convolution",
    operands,
    result: { dtype: "i32", shape: [1, out, out, cout] },
    body,
  });
}

Deno.test("compileWasm equals the interpreter on integer products", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    check(product(random, false), random);
  }
});

Deno.test("compileWasm equals the interpreter on f32 products in four lanes", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    check(product(random, true), random);
  }
});

Deno.test("compileWasm equals the interpreter on convolutions", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new Random(seed);
    check(convolution(random), random);
  }
});

Deno.test("compileWasm equals the interpreter where weights have a blocked layout", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const plain = product(random, false);
    const [n, k] = plain.operands[1].shape;
    const operands = [plain.operands[0], {
      ...plain.operands[1],
      layout: [
        { axis: 0, size: Math.ceil(n / 4) },
        { axis: 1, size: Math.ceil(k / 2) },
        { axis: 0, size: 4 },
        { axis: 1, size: 2 },
      ],
    }];
    check({ ...plain, operands }, random);
  }
});

/** Whether a module uses i32x4.dot_i16x8_s or f32x4.mul. */
function usesSimd(kernel: Kernel): boolean {
  const text = compileWasm(kernel).module.join();
  return text.includes("253,186,1") || text.includes("253,230,1");
}

Deno.test("compileWasm takes SIMD for contiguous products alone", () => {
  const matrix = (dtype: DType): TensorType => ({ dtype, shape: [16, 16] });
  const kernel = (
    types: DType[],
    right: (w: Operand, k: Expr) => Expr,
  ): Kernel => {
    const operands = types.map(matrix);
    const [x, w] = operandsOf(operands);
    return defineKernel({
      name: "product",
      operands,
      result: { dtype: dtypes[types[0]].scalar, shape: [16, 16] },
      body: sum(16, (k) => mul(load(x, axis(0), k), right(w, k)), {
        lanes: types[0] === "f32" ? 4 : 1,
      }),
    });
  };
  const rows = (w: Operand, k: Expr) => load(w, axis(1), k);
  const columns = (w: Operand, k: Expr) => load(w, k, axis(1));
  assert(usesSimd(kernel(["i8", "i8"], rows)));
  assert(usesSimd(kernel(["i16", "u8"], rows)));
  assert(usesSimd(kernel(["f32", "f32"], rows)));
  assert(!usesSimd(kernel(["i8", "i8"], columns)));
  assert(!usesSimd(kernel(["i32", "i8"], rows)));
  assert(!usesSimd(kernel(["u16", "i8"], rows)));
});
