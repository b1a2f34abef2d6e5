/**
 * The kernels of a LLaMA model that decodes one token an iteration: iteration t is position t.
 *
 * int8 weights and activations, int16 residual stream; the activations after a norm are scaled by their own maximum, in
 * integers. Caches are updated in their row t, and attention looks at rows 0 .. t. `model.ts` wires the kernels up.
 */
import {
  abs,
  add,
  and,
  axis,
  bind,
  clamp,
  div,
  eq,
  ge,
  gt,
  i32,
  i64,
  iteration,
  le,
  load,
  loop,
  lt,
  max,
  min,
  mul,
  op,
  type Operand,
  operandsOf,
  rem,
  requantize,
  select,
  shl,
  shr,
  sub,
  sum,
  widen,
  wrap,
} from "../kernel/build.ts";
import { defineKernel, wholeAxis } from "../kernel/define.ts";
import type { DType, Expr, Kernel, TensorType } from "../ir.ts";
import { quantizeMultiplier } from "../quantize/multiplier.ts";
import { TABLE_BITS } from "../quantize/softmax.ts";
import type { LlamaShape } from "./shape.ts";

/** Fraction bits of the sines and cosines of `rope`. */
const ROPE_BITS = 14;
/** Left shift of an int8 result that is added to the residual stream. */
const RESIDUAL_SHIFT = 3;
/** Real value of a unit of an attention score: softmax in steps of 1/64. */
export const SCORE_SCALE = 1 / 64;
/** Fraction bits of a probability. */
const PROBABILITY_BITS = 15;

const tensor = (dtype: DType, ...shape: number[]): TensorType => ({
  dtype,
  shape,
});
const word = tensor("i32", 1);
/** A 31-bit multiplier and a shift per row. */
export const parametersType = (rows: number) => tensor("i32", 2, rows);

/** A kernel from its parts; the body gets the operands' handles. */
function kernel(
  name: string,
  operands: readonly TensorType[],
  result: TensorType,
  body: (...operands: Operand[]) => Expr,
  rest: Pick<Kernel, "extents" | "update"> = {},
): Kernel {
  return defineKernel({
    name,
    operands,
    result,
    ...rest,
    body: body(...operandsOf(operands)),
  });
}

/** The position, inside the context whatever the request's iterations are. */
const position = ({ context }: LlamaShape) => min(iteration, context - 1);
/** Rows of a cache that hold a token: 1 .. context. */
const filled = (shape: LlamaShape) => add(position(shape), 1);
const wide = (a: Expr, b: Expr) => op("i32.mul_wide_s", a, b);

/** The token of this position: the prompt's, then the one chosen before. The prompt's first word is its length. */
function token(shape: LlamaShape): Kernel {
  const { prompt, context } = shape;
  return kernel(
    "token",
    [tensor("i32", prompt + 1), tensor("i32", context)],
    word,
    (given, chosen) =>
      select(
        lt(iteration, load(given, 0)),
        load(given, add(min(iteration, prompt - 1), 1)),
        load(chosen, max(sub(position(shape), 1), 0)),
      ),
  );
}

/** The token's row of the embedding, as the residual stream. */
function embedding({ dim, vocabulary }: LlamaShape): Kernel {
  return kernel(
    "embedding",
    [word, tensor("i8", vocabulary, dim)],
    tensor("i16", dim),
    (id, table) =>
      shl(load(table, clamp(load(id, 0), 0, vocabulary - 1), axis(0)), 5),
  );
}

/** Whole square root of 0 .. 2^30, bit by bit. */
function squareRoot(value: Expr): Expr {
  return loop(16, { root: i32(0) }, (k, [root]) => [
    bind(
      "trial",
      add(root, shl(i32(1), sub(15, k))),
      (trial) => select(le(wide(trial, trial), value), trial, root),
    ),
  ]);
}

/** x * weight / rms(x). */
function norm({ dim }: LlamaShape): Kernel {
  const vector = tensor("i16", dim);
  return kernel("norm", [vector, vector], vector, (x, weight) => {
    const square = (k: Expr) => wide(load(x, k), load(x, k));
    const mean = div(sum(dim, square), i64(dim));
    return bind("rms", max(squareRoot(mean), 1), (rms) => {
      const scaled = div(mul(load(x, axis(0)), load(weight, axis(0))), rms);
      return clamp(scaled, -32768, 32767);
    });
  });
}

/** Largest magnitude: the scale of the quantization that follows. */
function largest({ dim }: LlamaShape): Kernel {
  return kernel(
    "largest",
    [tensor("i16", dim)],
    word,
    (x) =>
      loop(dim, { most: i32(1) }, (k, [most]) => [max(most, abs(load(x, k)))]),
  );
}

/** x * 127 / largest, rounded. */
function quantize({ dim }: LlamaShape): Kernel {
  return kernel(
    "quantize",
    [tensor("i16", dim), word],
    tensor("i8", dim),
    (x, scale) =>
      bind("scale", clamp(load(scale, 0), 1, 32768), (most) => {
        const half = shr(most, 1);
        const value = load(x, axis(0));
        const signed = select(lt(value, 0), sub(0, half), half);
        return clamp(div(add(mul(value, 127), signed), most), -127, 127);
      }),
  );
}

/** A matrix times a vector; with `scaled` times the vector's own scale, 2^-15 for each unit. */
function project(
  columns: number,
  rows: number,
  scaled: boolean,
  dtype: "i8" | "i16" = "i8",
): Kernel {
  const [lo, hi] = dtype === "i8" ? [-128, 127] : [-32768, 32767];
  return kernel(
    `project_${columns}x${rows}${scaled ? "_scaled" : ""}`,
    [
      tensor("i8", columns),
      tensor("i8", rows, columns),
      parametersType(rows),
      ...(scaled ? [word] : []),
    ],
    tensor(dtype, rows),
    (x, weight, parameters, scale) => {
      const product = (k: Expr) => mul(load(x, k), load(weight, axis(0), k));
      const total = sum(columns, product);
      const most = scaled ? clamp(load(scale, 0), 1, 32768) : i32(0);
      const accumulator = scaled ? shr(wide(total, most), 15) : total;
      const [m, s] = [0, 1].map((row) => load(parameters, row, axis(0)));
      return requantize(accumulator, m, s, 0, lo, hi);
    },
  );
}

/** Rotates the pairs (j, j + half) of every head by the position's angles: table [context, half, (cos, sin)]. */
function rope(shape: LlamaShape): Kernel {
  const { heads, dim, context } = shape;
  const width = dim / heads;
  const half = width / 2;
  const vector = tensor("i8", heads, width);
  return kernel(
    "rope",
    [vector, tensor("i16", context, half, 2)],
    vector,
    (x, table) => {
      const [head, j] = [axis(0), axis(1)];
      const at = (part: number) =>
        load(table, position(shape), rem(j, half), part);
      const partner = load(x, head, rem(add(j, half), width));
      const sign = select(lt(j, half), -1, 1);
      const turned = add(
        mul(load(x, head, j), at(0)),
        mul(mul(sign, partner), at(1)),
      );
      const rounded = shr(add(turned, 1 << (ROPE_BITS - 1)), ROPE_BITS);
      return clamp(rounded, -128, 127);
    },
  );
}

/** Writes a vector to the position's row of a cache. */
function remember(shape: LlamaShape): Kernel {
  const { context, dim } = shape;
  const cache = tensor("i8", context, dim);
  return kernel(
    "remember",
    [cache, tensor("i8", dim)],
    cache,
    (_, x) => load(x, axis(1)),
    {
      update: {
        operand: 0,
        ranges: [
          { first: position(shape), count: i32(1) },
          wholeAxis(cache, 1),
        ],
      },
    },
  );
}

/** q times k for each head and filled row. */
function scores(shape: LlamaShape): Kernel {
  const { heads, dim, context } = shape;
  const width = dim / heads;
  // 40^2 * sqrt(width) is a usual product of int8 vectors; it becomes 8 of softmax's units of 1/64.
  const { m, s } = quantizeMultiplier(512 / (40 * 40 * Math.sqrt(width)));
  return kernel(
    "scores",
    [tensor("i8", heads, width), tensor("i8", context, heads, width)],
    tensor("i16", heads, context),
    (q, keys) => {
      const product = (d: Expr) =>
        mul(load(q, axis(0), d), load(keys, axis(1), axis(0), d));
      return requantize(sum(width, product), m, s, 0, -32768, 32767);
    },
    { extents: [null, filled(shape)] },
  );
}

/** Probabilities of the filled rows, 15 fraction bits; tables [2, 256] as of quantize/softmax.ts with `bits`. */
function softmax(shape: LlamaShape, bits: number): Kernel {
  const { heads, context } = shape;
  const rows = tensor("i16", heads, context);
  const count = filled(shape);
  const bound = { bound: context };
  return kernel(
    "softmax",
    [rows, tensor("i32", 2, 256)],
    rows,
    (x, tables) => {
      const at = (k: Expr) => load(x, axis(0), k);
      const most = loop(
        count,
        { most: i32(-32768) },
        (k, [most]) => [max(most, at(k))],
        undefined,
        bound,
      );
      return bind("most", most, (most) => {
        const exponential = (k: Expr) =>
          bind("d", clamp(sub(most, at(k)), 0, 65535), (d) => {
            const high = load(tables, 0, shr(d, 8));
            const low = load(tables, 1, and(d, 255));
            return wrap(shr(wide(high, low), 2 * TABLE_BITS - bits));
          });
        const total = max(sum(count, exponential, bound), 1);
        const one = i64(1n << BigInt(bits + TABLE_BITS));
        return bind("reciprocal", div(one, widen(total)), (reciprocal) => {
          const shift = bits + TABLE_BITS - PROBABILITY_BITS;
          const product = mul(widen(exponential(axis(1))), reciprocal);
          const rounded = shr(
            add(product, i64(1n << BigInt(shift - 1))),
            shift,
          );
          return wrap(clamp(rounded, 0, 32767));
        });
      });
    },
    { extents: [null, count] },
  );
}

/** Sum of the filled rows of v, weighted by the probabilities. */
function attend(shape: LlamaShape): Kernel {
  const { heads, dim, context } = shape;
  const width = dim / heads;
  return kernel(
    "attend",
    [tensor("i16", heads, context), tensor("i8", context, heads, width)],
    tensor("i8", heads, width),
    (p, values) => {
      const term = (row: Expr) =>
        mul(load(p, axis(0), row), load(values, row, axis(0), axis(1)));
      const total = sum(filled(shape), term, { bound: context });
      const half = 1 << (PROBABILITY_BITS - 1);
      return clamp(shr(add(total, half), PROBABILITY_BITS), -128, 127);
    },
  );
}

/** The residual stream plus an int8 result. */
function accumulate({ dim }: LlamaShape): Kernel {
  const stream = tensor("i16", dim);
  return kernel(
    "accumulate",
    [stream, tensor("i8", dim)],
    stream,
    (x, y) => {
      const added = shl(load(y, axis(0)), RESIDUAL_SHIFT);
      return clamp(add(load(x, axis(0)), added), -32768, 32767);
    },
  );
}

/** silu(gate) * up; the table has silu of -128 .. 127. */
function gate({ hidden }: LlamaShape): Kernel {
  const vector = tensor("i8", hidden);
  const { m, s } = quantizeMultiplier(1 / 4096);
  return kernel(
    "gate",
    [vector, vector, tensor("i16", 256)],
    vector,
    (x, up, silu) => {
      const activated = load(silu, add(load(x, axis(0)), 128));
      const product = mul(activated, load(up, axis(0)));
      return requantize(product, m, s, 0, -128, 127);
    },
  );
}

/** Index of the largest logit, the first of equals. */
function choose({ vocabulary }: LlamaShape): Kernel {
  return kernel(
    "choose",
    [tensor("i16", vocabulary)],
    word,
    (x) =>
      loop(
        vocabulary - 1,
        { best: load(x, 0), index: i32(0) },
        (k, [best, index]) => {
          const value = load(x, k);
          const better = gt(value, best);
          return [select(better, value, best), select(better, k, index)];
        },
        ([, index]) => index,
        { first: 1 },
      ),
  );
}

/** Writes the chosen token to its place in the answer. */
function answer(shape: LlamaShape): Kernel {
  const tokens = tensor("i32", shape.context);
  return kernel(
    "answer",
    [tokens, word],
    tokens,
    (_, next) => load(next, 0),
    {
      update: {
        operand: 0,
        ranges: [{ first: position(shape), count: i32(1) }],
      },
    },
  );
}

/** The stop slot: its first word is 1 once the end token was chosen behind the prompt. */
function stop({ endToken, prompt }: LlamaShape): Kernel {
  return kernel(
    "stop",
    [word, tensor("i32", prompt + 1)],
    tensor("i32", 8),
    (next, given) => {
      const behind = ge(iteration, sub(load(given, 0), 1));
      const ended = and(eq(load(next, 0), endToken), behind);
      return select(eq(axis(0), 0), ended, 0);
    },
  );
}

/** Every kernel of the model by what it does; `softmaxBits` are those of the exponentials' tables. */
export function llamaKernels(shape: LlamaShape, softmaxBits: number) {
  const { dim, hidden, vocabulary } = shape;
  return {
    token: token(shape),
    embedding: embedding(shape),
    norm: norm(shape),
    largest: largest(shape),
    quantize: quantize(shape),
    /** q, k and v. */
    input: project(dim, dim, true),
    rope: rope(shape),
    remember: remember(shape),
    scores: scores(shape),
    softmax: softmax(shape, softmaxBits),
    attend: attend(shape),
    output: project(dim, dim, false),
    accumulate: accumulate(shape),
    /** The gate's and the other feed-forward input. */
    up: project(dim, hidden, true),
    gate: gate(shape),
    down: project(hidden, dim, false),
    logits: { ...project(dim, vocabulary, false, "i16"), name: "logits" },
    choose: choose(shape),
    answer: answer(shape),
    stop: stop(shape),
  };
}

export type LlamaKernels = ReturnType<typeof llamaKernels>;
