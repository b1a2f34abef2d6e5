/**
 * Random kernels for property tests, and bytes for their operands.
 *
 * Kernels are well-typed and in range by construction: every load index is clamped to its dimension, every
 * loop count is within its bound. They use every operation, element type and kind of expression. Bytes
 * favour edges (extremes, infinities, NaN payloads), where targets differ.
 */
import {
  byteLength,
  type Carry,
  type DType,
  dtypes,
  type Expr,
  type Kernel,
  type Layout,
  type Op,
  ops,
  type Scalar,
  type ScalarFunction,
  type TensorType,
  type Value,
} from "../compiler/ir.ts";
import type { Random } from "./random.ts";

/** Values at which operations of each type have their corners. */
export const edges: Record<Scalar, readonly Value[]> = {
  // deno-fmt-ignore
  i32: [0, 1, -1, 2, 3, 7, 31, 32, 33, 63, 64, 127, 128, -128, 255, 32767, -32768, 65535, 2 ** 31 - 1, -(2 ** 31), 0x01020304, -0x7f80ff01],
  // deno-fmt-ignore
  i64: [0n, 1n, -1n, 2n, 3n, 63n, 64n, (1n << 24n) + 1n, (1n << 31n) - 1n, -(1n << 31n), 1n << 32n, (1n << 53n) + 1n, (1n << 62n) + (1n << 38n), (1n << 63n) - 1n, -(1n << 63n)],
  // deno-fmt-ignore
  f32: [0, 1 << 31, 1, (1 << 31) | 1, 0x007fffff, 0x00800000, 0x3f000000, 0x3f800000, 0xbf800000 | 0, 0x3fc00000, 0x40200000, 0x33800000, 0x477fefff, 0x477ff000, 0x38800000, 0x387fffff, 0x4b000001, 0x4f000000, 0xcf000000 | 0, 0x5f000000, 0xdf000000 | 0, 0x7f7fffff, 0x7f800000, 0xff800000 | 0, 0x7fc00000, 0xffc00000 | 0, 0x7f800001, 0xff812345 | 0],
};

/** Random bytes in which elements of the type are often edge values. */
export function operandBytes(random: Random, type: TensorType): Uint8Array {
  const bytes = random.bytes(byteLength(type));
  const view = new DataView(bytes.buffer);
  const { bytes: size, scalar } = dtypes[type.dtype];
  for (let at = 0; at + size <= bytes.length; at += size) {
    if (random.below(3) === 0) continue;
    const value = random.pick(edges[scalar]);
    if (size === 8) view.setBigInt64(at, BigInt(value), true);
    else if (size === 4) view.setInt32(at, Number(value), true);
    else if (scalar === "f32") view.setUint16(at, Number(value) >> 16, true);
    else if (size === 2) view.setInt16(at, Number(value), true);
    else view.setInt8(at, Number(value));
  }
  return bytes;
}

/** A random blocked layout of a shape. */
function randomLayout(random: Random, shape: readonly number[]): Layout {
  const factors = shape.flatMap((size, axis) => {
    const inner = 1 + random.below(4);
    return [
      { axis, size: Math.ceil(size / inner), inner: false },
      { axis, size: inner, inner: true },
    ];
  });
  // Outer factors in any order before inner ones in any order keep each axis' own order.
  const shuffled = factors.map((f) => ({ f, key: random.u32() }));
  shuffled.sort((a, b) =>
    Number(a.f.inner) - Number(b.f.inner) || a.key - b.key
  );
  return shuffled.map(({ f }) => ({ axis: f.axis, size: f.size }));
}

const allTypes = Object.keys(dtypes) as DType[];
const allOps = Object.keys(ops) as Op[];

interface Scope {
  readonly vars: readonly { name: string; type: Scalar }[];
  /** False inside functions: no loads, axes or iteration. */
  readonly body: boolean;
  /** Loops around this place. */
  readonly loops: number;
}

class Generator {
  #names = 0;
  #budget = 60;

  constructor(
    readonly random: Random,
    readonly shape: readonly number[],
    readonly operands: readonly TensorType[],
    readonly functions: ScalarFunction[] = [],
  ) {}

  name(hint: string): string {
    return `${hint}${this.#names++}`;
  }

  expr(type: Scalar, depth: number, scope: Scope): Expr {
    const { random } = this;
    if (depth <= 0 || this.#budget-- <= 0) return this.leaf(type, scope);
    switch (random.below(10)) {
      case 0:
      case 1:
        return this.leaf(type, scope);
      case 2: {
        const bound = random.pick<Scalar>(["i32", "i64", "f32"]);
        const name = this.name("x");
        const value = this.expr(bound, depth - 1, scope);
        const vars = [...scope.vars, { name, type: bound }];
        const body = this.expr(type, depth - 1, { ...scope, vars });
        return { kind: "let", name, value, body };
      }
      case 3:
        return scope.loops < 2
          ? this.sum(type, depth, scope)
          : this.leaf(type, scope);
      case 4:
        return scope.loops < 2
          ? this.loop(type, depth, scope)
          : this.leaf(type, scope);
      case 5: {
        const fitting = this.functions.filter((f) => f.result === type);
        if (fitting.length === 0) return this.leaf(type, scope);
        const fn = random.pick(fitting);
        const args = fn.params.map((p) => this.expr(p.type, depth - 1, scope));
        return { kind: "call", fn: fn.name, args };
      }
      default: {
        const op = random.pick(allOps.filter((o) => ops[o].result === type));
        const args = ops[op].args.map((t) => this.expr(t, depth - 1, scope));
        return { kind: "op", op, args };
      }
    }
  }

  leaf(type: Scalar, scope: Scope): Expr {
    const { random } = this;
    const vars = scope.vars.filter((v) => v.type === type);
    const loads = this.operands.flatMap((t, operand) =>
      dtypes[t.dtype].scalar === type ? [operand] : []
    );
    const choice = random.below(8);
    if (choice < 3 && vars.length > 0) {
      return { kind: "var", ...random.pick(vars) };
    }
    if (choice < 6 && scope.body && loads.length > 0) {
      return this.load(random.pick(loads), scope);
    }
    if (choice < 7 && scope.body && type === "i32") {
      return this.shape.length > 0 && random.below(4) > 0
        ? { kind: "axis", axis: random.below(this.shape.length) }
        : { kind: "iteration" };
    }
    return { kind: "const", type, value: random.pick(edges[type]) };
  }

  load(operand: number, scope: Scope): Expr {
    const { shape } = this.operands[operand];
    const index = shape.map((size) => {
      const i = this.expr("i32", this.random.below(3) === 0 ? 1 : 0, scope);
      return clamp(i, size);
    });
    return { kind: "load", operand, index };
  }

  /** First, count and bound of a loop; they may depend on axes alone. */
  range(depth: number): { first: Expr; count: Expr; bound: number } {
    const { random } = this;
    const scope: Scope = { vars: [], body: true, loops: 9 };
    const noLoads = new Generator(random, this.shape, []);
    const bound = random.below(10);
    const free = (d: number) => noLoads.expr("i32", d, scope);
    const count = random.bool()
      ? constant(bound)
      : op("i32.min_s", free(Math.min(1, depth)), constant(bound));
    return { first: clamp(free(0), 9), count, bound };
  }

  sum(type: Scalar, depth: number, scope: Scope): Expr {
    const index = this.name("k");
    const range = scope.body
      ? this.range(depth)
      : { first: constant(1), count: constant(3), bound: 3 };
    const vars = [...scope.vars, { name: index, type: "i32" as const }];
    const inner = { ...scope, vars, loops: scope.loops + 1 };
    return {
      kind: "sum",
      index,
      ...range,
      type,
      lanes: type === "f32" && this.random.bool() ? 4 : 1,
      term: this.expr(type, depth - 1, inner),
    };
  }

  loop(type: Scalar, depth: number, scope: Scope): Expr {
    const { random } = this;
    const index = this.name("j");
    const range = scope.body
      ? this.range(depth)
      : { first: constant(0), count: constant(2), bound: 2 };
    const carried = Array.from(
      { length: 1 + random.below(3) },
      (_, i) => ({
        name: this.name("c"),
        type: i === 0 ? type : random.pick<Scalar>(["i32", "i64", "f32"]),
      }),
    );
    const after = { ...scope, vars: [...scope.vars, ...carried] };
    const inside = {
      ...after,
      vars: [...after.vars, { name: index, type: "i32" as const }],
      loops: scope.loops + 1,
    };
    const carry: Carry[] = carried.map((c) => ({
      ...c,
      init: this.expr(c.type, depth - 1, scope),
      next: this.expr(c.type, depth - 1, inside),
    }));
    const result = this.expr(type, depth - 1, after);
    return { kind: "loop", index, ...range, carry, result };
  }

  fn(): ScalarFunction {
    const { random } = this;
    const scalars: Scalar[] = ["i32", "i64", "f32"];
    const params = Array.from({ length: 1 + random.below(3) }, () => ({
      name: this.name("p"),
      type: random.pick(scalars),
    }));
    const result = random.pick(scalars);
    const scope = { vars: params, body: false, loops: 1 };
    const body = this.expr(result, 2, scope);
    return { name: this.name("f"), params, result, body };
  }
}

const constant = (value: number): Expr => ({
  kind: "const",
  type: "i32",
  value,
});
const op = (name: Op, ...args: Expr[]): Expr => ({
  kind: "op",
  op: name,
  args,
});
/** An index brought into [0, size). */
const clamp = (index: Expr, size: number): Expr =>
  op("i32.min_s", op("i32.max_s", index, constant(0)), constant(size - 1));

const dims = (random: Random, rank: number, most: number) =>
  Array.from({ length: rank }, () => 1 + random.below(most));

/** A random kernel; some have extents or are updates. */
export function randomKernel(random: Random): Kernel {
  const shape = dims(random, random.below(5), 5);
  const operands = Array.from({ length: 1 + random.below(3) }, () => {
    const dtype = random.pick(allTypes);
    const own = dims(random, random.below(4), 6);
    return random.bool()
      ? { dtype, shape: own }
      : { dtype, shape: own, layout: randomLayout(random, own) };
  });
  const result = { dtype: random.pick(allTypes), shape };
  const style = random.below(4);
  const updated = style === 0 ? [...operands, result] : operands;
  const generator = new Generator(random, shape, updated);
  for (let i = random.below(3); i > 0; i--) {
    generator.functions.push(generator.fn());
  }
  const turn = () =>
    op("i32.add", { kind: "iteration" }, constant(random.below(5) - 2));
  const { scalar } = dtypes[result.dtype];
  return {
    name: "random",
    operands: updated,
    result,
    functions: generator.functions,
    body: generator.expr(scalar, 4, { vars: [], body: true, loops: 0 }),
    ...(style === 0
      ? {
        update: {
          operand: operands.length,
          ranges: shape.map(() => ({ first: turn(), count: turn() })),
        },
      }
      : {}),
    ...(style === 1
      ? { extents: shape.map(() => random.bool() ? turn() : null) }
      : {}),
  };
}
