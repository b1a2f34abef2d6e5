/**
 * Kernels of the usual operators for tests of targets: what lowering writes, in small.
 *
 * Tensors are NHWC; weights of convolutions are [output channels, ky, kx, input channels of the group].
 */
import * as b from "../../compiler/kernel/build.ts";
import { defineKernel } from "../../compiler/kernel/define.ts";
import { someExpr } from "../../compiler/kernel/parts.ts";
import type { DType, Expr, Kernel, TensorType } from "../../compiler/ir.ts";
import { sumWindows } from "../../compiler/lower/windows.ts";

/** Whether a loop's count is computed, so that a program may take fewer steps than the bound. */
export const computesCounts = (body: Expr): boolean =>
  someExpr(
    body,
    (e) => (e.kind === "sum" || e.kind === "loop") && e.count.kind !== "const",
  );

/** result[m, n] = requantize(sum over k of a[m, k] * w[k, n] or w[n, k], plus bias[n]). */
export function matmul(
  [m, k, n]: readonly [number, number, number],
  options: {
    transposed?: boolean;
    result?: DType;
    dtype?: DType;
    layout?: TensorType["layout"];
  } = {},
): Kernel {
  const { transposed = false, result = "i8", dtype = "i8", layout } = options;
  const types: TensorType[] = [
    { dtype, shape: [m, k] },
    {
      dtype: "i8",
      shape: transposed ? [n, k] : [k, n],
      ...(layout ? { layout } : {}),
    },
    { dtype: "i32", shape: [n] },
  ];
  const [a, w, bias] = b.operandsOf(types);
  const [row, column] = [b.axis(0), b.axis(1)];
  const acc = b.add(
    b.sum(k, (k) =>
      b.mul(
        b.load(a, row, k),
        transposed ? b.load(w, column, k) : b.load(w, k, column),
      )),
    b.load(bias, column),
  );
  const body = result === "i64"
    ? b.widen(acc)
    : result === "i32"
    ? acc
    : b.requantize(acc, 1_500_000_000, 40, 3, -128, 127);
  return defineKernel({
    name: "matmul",
    operands: types,
    result: { dtype: result, shape: [m, n] },
    body,
  });
}

/** result[m, n] = 5 + the i64 sum of a[m, k] * w[k, n] over the first `count` values of k. */
export function wideMatmul(
  [m, k, n]: readonly [number, number, number],
  count: b.Arg = k,
): Kernel {
  const types: TensorType[] = [
    { dtype: "i16", shape: [m, k] },
    { dtype: "i16", shape: [k, n] },
  ];
  const [a, w] = b.operandsOf(types);
  const total = b.sum(count, (k) =>
    b.op(
      "i32.mul_wide_s",
      b.load(a, b.axis(0), k),
      b.load(w, k, b.axis(1)),
    ), { bound: k });
  return defineKernel({
    name: "wide_matmul",
    operands: types,
    result: { dtype: "i64", shape: [m, n] },
    body: b.add(total, 5),
  });
}

/** Shape of a square convolution. */
export interface ConvolutionShape {
  readonly size: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly groups?: number;
  readonly stride?: number;
  readonly pad?: number;
  readonly dilation?: number;
  /**
   * Padding by a select around the channels' sum, as lowering does it, or inside it, or by loops over
   * the valid window.
   */
  readonly padding?: "outside" | "inside" | "window";
  /** Shifts are known to lie in 33..48, as lowering writes them for most layers. */
  readonly shiftsKnown?: boolean;
}

/** A convolution with per-channel requantization. */
export function convolution(shape: ConvolutionShape): Kernel {
  const { size, inputs, outputs, kernel, groups = 1, stride = 1 } = shape;
  const { pad = 0, dilation = 1, padding = "outside" } = shape;
  const depth = inputs / groups;
  const out = Math.floor(
    (size + 2 * pad - dilation * (kernel - 1) - 1) / stride,
  ) + 1;
  const types: TensorType[] = [
    { dtype: "i8", shape: [1, size, size, inputs] },
    { dtype: "i8", shape: [outputs, kernel, kernel, depth] },
    { dtype: "i32", shape: [outputs] },
    { dtype: "i32", shape: [outputs, 2] },
  ];
  const [x, w, bias, factor] = b.operandsOf(types);
  const channel = b.axis(3);
  const group = b.div(channel, outputs / groups);
  const place = (axis: number, k: b.Arg) =>
    b.add(b.sub(b.mul(b.axis(axis), stride), pad), b.mul(b.i32(dilation), k));
  const inside = (i: ReturnType<typeof b.add>) =>
    b.and(b.le(0, i), b.lt(i, size));
  const depthSum = (ky: b.Arg, kx: b.Arg) =>
    b.sum(depth, (c) => {
      const [y, x0] = [place(1, ky), place(2, kx)];
      const index = (i: typeof y) => b.clamp(i, 0, size - 1);
      const value = b.load(
        x,
        0,
        index(y),
        index(x0),
        b.add(b.mul(group, depth), c),
      );
      const guarded = pad === 0 || padding === "window"
        ? value
        : b.select(b.and(inside(y), inside(x0)), value, 0);
      return b.mul(guarded, b.load(w, channel, ky, kx, c));
    }, { index: "c" });
  /** First and one past the last kernel place that falls on the input. */
  const window = (axis: number) => {
    const first = b.max(b.sub(pad, b.mul(b.axis(axis), stride)), 0);
    const end = b.min(
      b.sub(size + pad, b.mul(b.axis(axis), stride)),
      kernel,
    );
    return { first, count: b.max(b.sub(end, first), 0) };
  };
  const inKernel = (k: ReturnType<typeof b.add>) => b.clamp(k, 0, kernel - 1);
  const windows = [1, 2].map(() => ({
    size: kernel,
    stride,
    dilation,
    padBefore: pad,
    padAfter: pad,
  }));
  const acc = padding === "outside"
    ? sumWindows(windows, [size, size], [out, out], b.i32(0), (at, k) => {
      const term = (c: b.Arg) =>
        b.mul(
          b.load(x, 0, ...at, b.add(b.mul(group, depth), c)),
          b.load(w, channel, ...k, c),
        );
      return depth === 1 ? term(0) : b.sum(depth, term);
    })
    : padding === "window"
    ? b.sum(
      window(1).count,
      (ky) =>
        b.sum(window(2).count, (kx) => depthSum(inKernel(ky), inKernel(kx)), {
          first: window(2).first,
          bound: kernel,
          index: "kx",
        }),
      { first: window(1).first, bound: kernel, index: "ky" },
    )
    : b.sum(kernel, (ky) => b.sum(kernel, (kx) => depthSum(ky, kx)));
  return defineKernel({
    name: "convolution",
    operands: types,
    result: { dtype: "i8", shape: [1, out, out, outputs] },
    body: b.requantize(
      b.add(acc, b.load(bias, channel)),
      b.load(factor, channel, 0),
      shape.shiftsKnown
        ? b.add(b.and(b.load(factor, channel, 1), 15), 33)
        : b.load(factor, channel, 1),
      -4,
      -128,
      127,
    ),
  });
}

/** Largest value of each window; the padding is the smallest one. */
export function maxPool(
  size: number,
  channels: number,
  kernel: number,
): Kernel {
  const types: TensorType[] = [{ dtype: "i8", shape: [size, size, channels] }];
  const [x] = b.operandsOf(types);
  const out = Math.ceil(size / kernel);
  const row = (k: ReturnType<typeof b.axis>, axis: number) =>
    b.min(b.add(b.mul(b.axis(axis), kernel), k), size - 1);
  const body = b.loop(kernel, { best: b.i32(-128) }, (ky, [best]) => [
    b.loop(kernel, { inner: best }, (kx, [inner]) => [
      b.max(inner, b.load(x, row(ky, 0), row(kx, 1), b.axis(2))),
    ]),
  ]);
  return defineKernel({
    name: "max_pool",
    operands: types,
    result: { dtype: "i8", shape: [out, out, channels] },
    body,
  });
}

/** Index of the first largest value of each row. */
export function argMax(rows: number, columns: number, result: DType): Kernel {
  const types: TensorType[] = [{ dtype: "i16", shape: [rows, columns] }];
  const [x] = b.operandsOf(types);
  const place = b.loop(
    columns,
    { best: b.i32(-32769), at: b.i32(0) },
    (k, [best, at]) =>
      [b.load(x, b.axis(0), k)].flatMap((value) => [
        b.max(best, value),
        b.select(b.lt(best, value), k, at),
      ]),
    ([, at]) => at,
  );
  return defineKernel({
    name: "arg_max",
    operands: types,
    result: { dtype: result, shape: [rows] },
    body: result === "i64" ? b.widen(place) : place,
  });
}

/** A softmax of integers: 2^(x - row maximum) by shifts, over the row's sum, both taken once per row. */
export function softmax(rows: number, columns: number): Kernel {
  const types: TensorType[] = [{ dtype: "i8", shape: [rows, columns] }];
  const [x] = b.operandsOf(types);
  const largest = b.loop(columns, { best: b.i32(-128) }, (k, [best]) => [
    b.max(best, b.load(x, b.axis(0), k)),
  ]);
  const body = b.bind("largest", largest, (largest) => {
    const power = (k: ReturnType<typeof b.axis>) =>
      b.shr(
        b.i32(1 << 16),
        b.min(b.shr(b.sub(largest, b.load(x, b.axis(0), k)), 3), 31),
      );
    return b.bind(
      "total",
      b.sum(columns, power),
      (total) => b.div(b.mul(power(b.axis(1)), 255), total),
    );
  });
  return defineKernel({
    name: "softmax",
    operands: types,
    result: { dtype: "u8", shape: [rows, columns] },
    body,
  });
}

/** x[i] + y[i], saturated, in any integer type. */
export function saturatedAdd(shape: readonly number[], dtype: DType): Kernel {
  const types: TensorType[] = [{ dtype, shape }, { dtype, shape }];
  const [x, y] = b.operandsOf(types);
  const index = shape.map((_, k) => b.axis(k));
  const sum = b.add(b.load(x, ...index), b.load(y, ...index));
  return defineKernel({
    name: `add.${dtype}.${shape.join("x")}`,
    operands: types,
    result: { dtype, shape },
    body: dtype === "i8" ? b.clamp(sum, -128, 127) : sum,
  });
}
