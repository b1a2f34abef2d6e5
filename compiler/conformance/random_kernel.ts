/**
 * Random kernels for property tests: whatever the IR can say, small, and accepted by the verifier.
 *
 * Every target is compared with the interpreter on them. Shapes straddle leaves (1, 31, 32, 33, 7x5);
 * operand bytes are random with gaps of layouts left random too, since no result may depend on them.
 */
import * as b from "../kernel/build.ts";
import { defineKernel } from "../kernel/define.ts";
import {
  byteLength,
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
} from "../ir.ts";
import type { Random } from "./random.ts";

/** A kernel and what to run it on. */
export interface RandomKernel {
  readonly kernel: Kernel;
  readonly operands: readonly Uint8Array[];
  readonly iteration: number;
}

export interface RandomKernelOptions {
  /** Use f32, f16 and bf16 as well; the default is true. */
  readonly float?: boolean;
}

const SHAPES = [[1], [31], [32], [33], [7, 5], [2, 3, 5], [1, 33], [5, 1, 4], [
  2,
  1,
  2,
  3,
  2,
  2,
]];
const INTEGER_DTYPES: DType[] = [
  "bool",
  "i8",
  "u8",
  "i16",
  "u16",
  "i32",
  "i64",
];
const FLOAT_DTYPES: DType[] = ["f32", "f16", "bf16"];

/** A kernel that `verifyKernel` accepts; the same random state gives the same kernel. */
export function randomKernel(
  random: Random,
  options: RandomKernelOptions = {},
): RandomKernel {
  const float = options.float ?? true;
  const names = float ? [...INTEGER_DTYPES, ...FLOAT_DTYPES] : INTEGER_DTYPES;
  const shape = random.pick(SHAPES);
  const result: TensorType = { dtype: random.pick(names), shape };
  const isUpdate = random.below(6) === 0;
  const operands: TensorType[] = isUpdate ? [result] : [];
  while (operands.length < 1 + random.below(3)) {
    operands.push(randomTensor(random, random.pick(names), shape));
  }
  const writer = new Writer(random, float, operands, shape);
  const functions = writer.functions();
  const body = writer.expr(dtypes[result.dtype].scalar, 5);
  const kernel = defineKernel({
    name: `random_${random.seed}`,
    operands,
    result,
    functions,
    ...(isUpdate
      ? {
        update: {
          operand: 0,
          ranges: shape.map((n) => updateRange(random, n)),
        },
      }
      : random.below(5) === 0
      ? { extents: shape.map((n) => random.bool() ? null : extent(random, n)) }
      : {}),
    body,
  });
  return {
    kernel,
    operands: operands.map((type) => randomBytes(random, type)),
    iteration: random.pick([0, 1, 2, 5, random.below(40), 2 ** 31 - 2]),
  };
}

/** The result's shape, or one that a contraction would read, at times in a layout. */
function randomTensor(
  random: Random,
  dtype: DType,
  result: readonly number[],
): TensorType {
  const shape = random.pick([
    result,
    [result[result.length - 1], 1 + random.below(40)],
    [1 + random.below(9)],
    [3, 1 + random.below(5), 2],
  ]);
  if (random.below(3) > 0) return { dtype, shape };
  return { dtype, shape, layout: randomLayout(random, shape) };
}

function randomLayout(random: Random, shape: readonly number[]): Layout {
  const factors: { axis: number; size: number }[][] = shape.map(
    (size, axis) => {
      const inner = random.pick([1, 2, 3, 4, 8]);
      return [{ axis, size: Math.ceil(size / inner) }, { axis, size: inner }];
    },
  );
  const layout: { axis: number; size: number }[] = [];
  while (factors.some((list) => list.length > 0)) {
    const list = random.pick(factors.filter((list) => list.length > 0));
    layout.push(list.shift()!);
  }
  return layout;
}

function extent(random: Random, size: number): Expr {
  return random.pick([
    b.min(b.add(b.iteration, 1), size),
    b.sub(b.op("i32.rem_s", b.iteration, size + 3), 1),
    b.i32(random.below(size + 2)),
  ]);
}

function updateRange(random: Random, size: number) {
  return random.pick([
    { first: b.i32(0), count: b.i32(size) },
    {
      first: b.sub(b.op("i32.rem_s", b.iteration, size + 2), 1),
      count: b.i32(1 + random.below(size)),
    },
    { first: b.min(b.iteration, size), count: b.sub(b.min(b.iteration, 3), 1) },
  ]);
}

/** Random bytes; of every four elements one has bytes all 0 or 0xff, or a sign bit, or is a NaN. */
function randomBytes(random: Random, type: TensorType): Uint8Array {
  const bytes = random.bytes(byteLength(type));
  const size = dtypes[type.dtype].bytes;
  for (let at = 0; at + size <= bytes.length; at += size) {
    if (random.below(4) > 0) continue;
    const element = bytes.subarray(at, at + size);
    element.fill(random.pick([0, 0, 255]));
    if (random.bool()) element[size - 1] ^= 0x80;
    if (type.dtype === "f32" && random.bool()) {
      element.set([
        random.below(2),
        0,
        random.pick([0x80, 0xc0]),
        random.pick([0x7f, 0xff, 0x3f]),
      ]);
    }
  }
  return bytes;
}

/** An i32 index, and the greatest value that it is known to have; the least is 0. */
interface Index {
  readonly expr: Expr;
  readonly top: number;
}

/** Writes random expressions over the operands, with the variables now in scope. */
class Writer {
  readonly #handles: b.Operand[];
  #variables: Expr[] = [];
  #indices: Index[];
  #functions: ScalarFunction[] = [];
  #inFunction = false;
  /** Passes of nested loops multiply; this keeps the product small. */
  #passes = 1;

  constructor(
    readonly random: Random,
    readonly float: boolean,
    readonly operands: readonly TensorType[],
    readonly shape: readonly number[],
  ) {
    this.#handles = b.operandsOf(operands);
    this.#indices = shape.map((size, a) => ({
      expr: b.axis(a),
      top: size - 1,
    }));
  }

  functions(): readonly ScalarFunction[] {
    const { random } = this;
    const axes = this.#indices;
    this.#inFunction = true;
    this.#indices = [];
    for (let n = random.below(3); n > 0; n--) {
      const params = Object.fromEntries(
        Array.from(
          { length: 1 + random.below(3) },
          (_, i) => [`p${i}`, this.#scalar()],
        ),
      );
      const fn = b.scalarFunction(
        `f${this.#functions.length}`,
        params,
        (...all) => this.#with(all, [], () => this.expr(this.#scalar(), 3)),
      );
      this.#functions = [...this.#functions, fn];
    }
    this.#inFunction = false;
    this.#indices = axes;
    return this.#functions;
  }

  expr(type: Scalar, depth: number): Expr {
    const { random } = this;
    if (depth <= 0) return this.#leaf(type);
    switch (random.below(12)) {
      case 0:
        return this.#leaf(type);
      case 1:
        return this.#load(type) ?? this.#operation(type, depth);
      case 2:
      case 3:
        return this.#sum(type, depth) ?? this.#operation(type, depth);
      case 4:
        return this.#loop(type, depth) ?? this.#operation(type, depth);
      case 5:
      case 6:
        return b.bind(
          "v",
          this.expr(this.#scalar(), depth - 1),
          (v) => this.#with([v], [], () => this.expr(type, depth - 1)),
        );
      case 7: {
        const fn = random.pick([...this.#functions, undefined]);
        if (!fn || fn.result !== type) return this.#operation(type, depth);
        return b.call(
          fn,
          ...fn.params.map((p) => this.expr(p.type, depth - 2)),
        );
      }
      default:
        return this.#operation(type, depth);
    }
  }

  #scalar(): Scalar {
    const scalars: Scalar[] = this.float
      ? ["i32", "i64", "f32"]
      : ["i32", "i64", "i32"];
    return this.random.pick(scalars);
  }

  #with<T>(
    variables: readonly Expr[],
    indices: readonly Index[],
    write: () => T,
  ): T {
    const before = [this.#variables, this.#indices] as const;
    this.#variables = [...this.#variables, ...variables];
    this.#indices = [...this.#indices, ...indices];
    const written = write();
    [this.#variables, this.#indices] = before;
    return written;
  }

  #leaf(type: Scalar): Expr {
    const { random } = this;
    const variables = this.#variables.filter((v) => b.scalarOf(v) === type);
    if (variables.length > 0 && random.below(3) > 0) {
      return random.pick(variables);
    }
    const loaded = random.bool() ? this.#load(type) : undefined;
    if (loaded) return loaded;
    if (type === "i32" && !this.#inFunction && random.bool()) {
      return random.pick([b.iteration, ...this.#indices.map((i) => i.expr)]);
    }
    const bits = random.pick([
      random.u32() | 0,
      random.below(9),
      -1,
      -(2 ** 31),
      31,
      255,
    ]);
    if (type === "f32") {
      return random.bool()
        ? b.f32Bits(bits)
        : b.f32(random.pick([0, 1, -2.5, 1e-3, 3e8]));
    }
    return type === "i32"
      ? b.i32(bits)
      : b.i64(BigInt(bits) * random.pick([1n, 0x100000001n]));
  }

  #operation(type: Scalar, depth: number): Expr {
    const names = (Object.keys(ops) as Op[]).filter((op) =>
      ops[op].result === type && (this.float || !usesFloat(op))
    );
    const op = this.random.pick(names);
    return b.op(op, ...ops[op].args.map((arg) => this.expr(arg, depth - 1)));
  }

  #load(type: Scalar): Expr | undefined {
    const fitting = this.#handles.filter((h) =>
      dtypes[h.type.dtype].scalar === type
    );
    if (this.#inFunction || fitting.length === 0) return undefined;
    const operand = this.random.pick(fitting);
    return b.load(
      operand,
      ...operand.type.shape.map((size) => this.#index(size)),
    );
  }

  /** An i32 in 0 .. size - 1: an axis or loop index that fits, or anything clamped. */
  #index(size: number): Expr {
    const { random } = this;
    const fitting = this.#indices.filter((i) => i.top < size);
    if (fitting.length > 0 && random.below(5) > 0) {
      return random.pick(fitting).expr;
    }
    if (random.below(4) === 0) return b.i32(random.below(size));
    const any = random.pick([
      ...this.#indices.map((i) => b.sub(b.mul(i.expr, 2), 1)),
      ...this.#variables.filter((v) => b.scalarOf(v) === "i32"),
      b.iteration,
    ]);
    return b.clamp(any, 0, size - 1);
  }

  /** Bounds of a loop, over axes and iteration outside functions; none when passes would be too many. */
  #range():
    | { count: Expr; first: Expr; bound: number; top: number }
    | undefined {
    const { random } = this;
    const bound = random.pick([1, 2, 3, 4, 5, 9, 33]);
    if (this.#passes * bound > 200) return undefined;
    const first = random.below(4);
    const counts = [b.i32(bound)];
    if (!this.#inFunction) {
      counts.push(b.min(b.iteration, bound));
      this.shape.forEach((_, a) =>
        counts.push(b.min(b.sub(b.axis(a), 1), bound))
      );
    }
    return {
      count: random.pick(counts),
      first: b.i32(first),
      bound,
      top: first + bound - 1,
    };
  }

  #sum(type: Scalar, depth: number): Expr | undefined {
    const range = this.#range();
    if (!range) return undefined;
    this.#passes *= range.bound;
    const sum = b.sum(
      range.count,
      (k) =>
        this.#with(
          [k],
          [{ expr: k, top: range.top }],
          () => this.expr(type, depth - 1),
        ),
      { ...range, lanes: type === "f32" && this.random.bool() ? 4 : 1 },
    );
    this.#passes /= range.bound;
    return sum;
  }

  #loop(type: Scalar, depth: number): Expr | undefined {
    const range = this.#range();
    if (!range) return undefined;
    const types = [
      type,
      ...Array.from({ length: this.random.below(2) }, () => this.#scalar()),
    ];
    const inits = types.map((t, i) => [`c${i}`, this.expr(t, depth - 2)]);
    this.#passes *= range.bound;
    const loop = b.loop(
      range.count,
      Object.fromEntries(inits),
      (k, carried) =>
        this.#with(
          [k, ...carried],
          [{ expr: k, top: range.top }],
          () => types.map((t) => this.expr(t, depth - 2)),
        ),
      (carried) => this.#with(carried, [], () => this.expr(type, 1)),
      range,
    );
    this.#passes /= range.bound;
    return loop;
  }
}

function usesFloat(op: Op): boolean {
  return [...ops[op].args, ops[op].result].some((type) => type === "f32");
}
