/**
 * Lowers a kernel's expressions to the graph of words: loads become addresses, i64 pairs, calls inline.
 *
 * Loops are unrolled here, where index arithmetic folds; sums of sums share one accumulator, which is
 * exact because integer addition wraps. What comes out still has no registers and no order.
 */
import { ChainLearnError } from "../../fpvm/mod.ts";
import {
  type DType,
  dtypes,
  type Expr,
  type Kernel,
  type Loop,
  type Range,
  type Sum,
  type TensorType,
} from "../ir.ts";
import {
  BASIC_WORD_OPS,
  Legalizer,
  type WordOp,
} from "../legalize/legalize.ts";
import { type Dependences, dependences } from "../kernel/hoisting.ts";
import { someExpr } from "../kernel/parts.ts";
import { removeFloat } from "../legalize/remove_float.ts";
import { narrowStored, widenStored } from "../legalize/storage.ts";
import { linearize, redirect } from "./address.ts";
import { Graph, type Id, type Linear, type LoadName } from "./graph.ts";
import { type Guarded, Guards } from "./guards.ts";
import { blockOf, type LoopShape, Sizes } from "./unroll.ts";
import type { Window } from "./windows.ts";

type Words = readonly Id[];

/** What MIPS32 has by itself: all but dot4. */
const CAPABILITIES: ReadonlySet<WordOp> = new Set<WordOp>([
  ...BASIC_WORD_OPS,
  "mulh_s",
  "mulh_u",
]);

/** A kernel as a graph, and the words of a block of stored elements at the axes. */
export interface LoweredKernel {
  readonly graph: Graph;
  /** Neighbours along the innermost axis that are computed together; it divides a leaf and that axis. */
  readonly block: number;
  /** Raw words as they are stored, two for each i64; bits above an element's bytes are not significant. */
  readonly stored: Words;
}

/** Lowers the kernel with its operands at the given windows. */
export function lowerKernel(
  kernel: Kernel,
  windows: ReadonlyMap<number, Window>,
): LoweredKernel {
  return new Lowering(removeFloat(kernel), windows).run();
}

/**
 * Expressions that one program may be made of, those of calls and straight loops counted each time: 50 times what the
 * largest kernels of models come to. Functions of two calls each would double it 27 times in a few KiB of a bundle.
 */
const MOST_LOWERED = 2 ** 17;

class Lowering {
  readonly #graph: Graph;
  readonly #legal: Legalizer<Id>;
  readonly #sizes: Sizes;
  readonly #guards: Guards;
  #lowered = 0;
  /** Place in its block of the element that is being lowered. */
  #lane = 0;
  readonly #values = new Map<string, Words>();
  readonly #dependences: Dependences;
  /** Words of what a block's elements have in common. */
  readonly #shared = new Map<Expr, Words>();
  /** Words of expressions lowered under the present bindings. */
  #memo = new Map<Expr, Words>();

  constructor(
    readonly kernel: Kernel,
    readonly windows: ReadonlyMap<number, Window>,
  ) {
    const graph = new Graph(kernel.result.shape, blockOf(kernel));
    this.#graph = graph;
    this.#sizes = new Sizes(kernel);
    this.#dependences = dependences(kernel);
    this.#guards = new Guards(this.#dependences);
    this.#legal = new Legalizer<Id>({
      constant: (value) => graph.constant(value),
      op: (op, ...args) => graph.op(op, ...args),
      repeat: (count, inits, next) =>
        graph.loop(
          graph.constant(count),
          count,
          inits,
          (_, carried) => next(carried),
        ),
    }, CAPABILITIES);
  }

  run(): LoweredKernel {
    const { size } = this.#graph.block;
    const stored = Array.from({ length: size }, (_, lane) => {
      this.#lane = lane;
      return this.#framed(() => this.#element());
    });
    return { graph: this.#graph, block: size, stored: stored.flat() };
  }

  #element(): Words {
    const { result, body } = this.kernel;
    const words = narrowStored(this.#legal, result.dtype, this.#lower(body));
    const inside = this.#inside();
    return inside === undefined
      ? words
      : words.map((word, i) =>
        this.#legal.select(inside, word, this.#outside(i))
      );
  }

  /** Index of the element along an axis. */
  #axis(axis: number): Id {
    const index = this.#graph.axis(axis);
    if (axis !== this.#graph.block.axis) return index;
    return this.#graph.op("i32.add", index, this.#graph.constant(this.#lane));
  }

  // --- extents and updates -----------------------------------------------------------------------------

  /** 1 where the body gives the element, 0 where an extent or an update's range leaves it out. */
  #inside(): Id | undefined {
    const { result, extents, update } = this.kernel;
    let inside: Id | undefined;
    const require = (test: Id) => {
      inside = inside === undefined
        ? test
        : this.#graph.op("i32.and", inside, test);
    };
    result.shape.forEach((_, k) => {
      const axis = this.#axis(k);
      const extent = extents?.[k];
      if (update) {
        const first = this.#word(update.ranges[k].first);
        const count = this.#clampedCount(update.ranges[k].count);
        const from = this.#graph.op("i32.le_s", first, axis);
        const place = this.#graph.op("i32.sub", axis, first);
        require(
          this.#graph.op(
            "i32.and",
            from,
            this.#legal.word("i32.lt_u", place, count),
          ),
        );
      } else if (extent) {
        require(this.#graph.op("i32.lt_s", axis, this.#word(extent)));
      }
    });
    return inside;
  }

  #clampedCount(count: Expr): Id {
    const zero = this.#graph.constant(0);
    return this.#graph.op("i32.max_s", this.#word(count), zero);
  }

  /** Word of an element that the body does not give: the old one of an update, else zero. */
  #outside(word: number): Id {
    const { result, update } = this.kernel;
    if (!update) return this.#graph.constant(0);
    const index = result.shape.map((_, k) => this.#axis(k));
    const bytes = dtypes[result.dtype].bytes;
    const name = bytes === 1 ? "lbu" : bytes === 2 ? "lhu" : "lw";
    const plain = { dtype: result.dtype, shape: result.shape };
    return this.#graph.load(
      name,
      this.#address(update.operand, plain, index, 4 * word),
    );
  }

  // --- expressions -------------------------------------------------------------------------------------

  #word(expr: Expr): Id {
    return this.#lower(expr)[0];
  }

  #lower(expr: Expr): Words {
    const memo = this.#isShared(expr) ? this.#shared : this.#memo;
    let words = memo.get(expr);
    if (words === undefined) {
      memo.set(expr, words = this.#expression(expr));
    }
    return words;
  }

  /** Whether all elements of a block have the expression in common: its loops must not be emitted for each. */
  #isShared(expr: Expr): boolean {
    const own = this.#dependences.get(expr);
    return own !== undefined && own.heavy && own.free.size === 0 &&
      own.prefix <= this.#graph.block.axis;
  }

  #expression(expr: Expr): Words {
    if (++this.#lowered > MOST_LOWERED) {
      throw new ChainLearnError(
        `Cannot emit kernel "${this.kernel.name}" for MIPS: expected at most ${MOST_LOWERED} expressions with calls and straight loops laid out, found more`,
      );
    }
    switch (expr.kind) {
      case "const": {
        const value = BigInt(expr.value);
        const low = this.#graph.constant(Number(BigInt.asIntN(32, value)));
        if (expr.type !== "i64") return [low];
        return [
          low,
          this.#graph.constant(Number(BigInt.asIntN(32, value >> 32n))),
        ];
      }
      case "axis":
        return [this.#axis(expr.axis)];
      case "iteration":
        return [this.#graph.iteration()];
      case "var":
        return this.#values.get(expr.name)!;
      case "op": {
        if (this.#guards.has(expr)) {
          const guard = this.#word(expr.args[0]);
          if (this.#graph.constantOf(guard) === undefined) {
            return this.#lowerGuarded(expr.args[1], guard);
          }
        }
        const args = expr.args.map((a) => this.#lower(a));
        return this.#legal.op(expr.op, args);
      }
      case "load": {
        const index = expr.index.map((i) => this.#word(i));
        return this.#load(expr.operand, index);
      }
      case "let":
        this.#values.set(expr.name, this.#lower(expr.value));
        return this.#lower(expr.body);
      case "sum":
        return this.#sum(expr, zeros(expr, this.#graph));
      case "loop":
        return this.#loop(expr);
      case "call": {
        const fn = this.kernel.functions.find((f) => f.name === expr.fn)!;
        const args = expr.args.map((a) => this.#lower(a));
        return this.#framed(() => {
          fn.params.forEach((p, i) => this.#values.set(p.name, args[i]));
          return this.#lower(fn.body);
        });
      }
      default:
        return expr satisfies never;
    }
  }

  /** Runs `lower` where names are bound anew, so that earlier words are not taken for these. */
  #framed<T>(lower: () => T): T {
    const outer = this.#memo;
    this.#memo = new Map();
    try {
      return lower();
    } finally {
      this.#memo = outer;
    }
  }

  // --- guards ------------------------------------------------------------------------------------------

  /** guard != 0 ? expr : 0 for an expression that is zero where some of its loads are: these read zeros. */
  #lowerGuarded(expr: Expr, guard: Id): Words {
    switch (expr.kind) {
      case "load":
        return this.#load(
          expr.operand,
          expr.index.map((i) => this.#word(i)),
          guard,
        );
      case "let":
        this.#values.set(expr.name, this.#lower(expr.value));
        return this.#lowerGuarded(expr.body, guard);
      case "sum":
        return this.#sum(expr, zeros(expr, this.#graph), guard);
      case "op":
        return this.#guardedOp(expr, guard);
      default:
        throw new RangeError(`A ${expr.kind} cannot be guarded`);
    }
  }

  #guardedOp(expr: Guarded, guard: Id): Words {
    if (/select$/.test(expr.op)) {
      const both = this.#both(guard, this.#word(expr.args[0]));
      return this.#lowerGuarded(expr.args[1], both);
    }
    const factors = this.#guards.factors(expr);
    const guarded = /mul/.test(expr.op)
      ? [this.#slowest(factors, guard)]
      : expr.args;
    const args = expr.args.map((a) =>
      guarded.includes(a) ? this.#lowerGuarded(a, guard) : this.#lower(a)
    );
    return this.#legal.op(expr.op, args)!;
  }

  /** The factor with most of its address outside of what varies faster than the guard. */
  #slowest(factors: readonly Expr[], guard: Id): Expr {
    const depth = (id: Id) => this.#graph.scopes[this.#graph.scopeOf[id]].depth;
    const outer = (factor: Expr) => {
      if (factor.kind !== "load") return 0;
      const index = factor.index.map((i) => this.#word(i));
      const { operand } = factor;
      const type = this.kernel.operands[operand];
      return this.#address(operand, type, index, 0).terms
        .filter((t) => depth(t.node) <= depth(guard)).length;
    };
    return factors.reduce((a, b) => outer(b) > outer(a) ? b : a);
  }

  #both(a: Id, b: Id): Id {
    const isFlag = (id: Id) => {
      const { min, max } = this.#graph.intervals[id];
      return min >= 0 && max <= 1;
    };
    return isFlag(a) && isFlag(b)
      ? this.#graph.op("i32.and", a, b)
      : this.#legal.select(a, b, this.#graph.constant(0));
  }

  // --- loops -------------------------------------------------------------------------------------------

  #sum(sum: Sum, inits: Words, guard?: Id): Words {
    return this.#iterate(
      sum,
      this.#sizes.loop(sum),
      inits,
      (carried) => this.#accumulate(sum.term, sum, carried, guard),
    );
  }

  /** acc + term; an inner sum goes on with the same accumulator unless it can leave the outer loop. */
  #accumulate(term: Expr, outer: Sum, acc: Words, guard?: Id): Words {
    if (term.kind === "let") {
      this.#values.set(term.name, this.#lower(term.value));
      return this.#accumulate(term.body, outer, acc, guard);
    }
    if (this.#guards.has(term)) {
      const [test, value] = term.args;
      const inside = this.#word(test);
      const known = this.#graph.constantOf(inside);
      if (known === 0) return acc;
      const both = known !== undefined
        ? guard
        : guard === undefined
        ? inside
        : this.#both(guard, inside);
      return this.#accumulate(value, outer, acc, both);
    }
    if (term.kind === "sum" && mentions(term, outer.index)) {
      return this.#sum(term, acc, guard);
    }
    const words = guard === undefined
      ? this.#lower(term)
      : this.#lowerGuarded(term, guard);
    return this.#legal.op(
      acc.length === 2 ? "i64.add" : "i32.add",
      [acc, words],
    );
  }

  #loop(loop: Loop): Words {
    const inits = loop.carry.map((c) => this.#lower(c.init));
    const split = (flat: Words) => {
      let at = 0;
      return inits.map((words) => flat.slice(at, at += words.length));
    };
    const bind = (values: Words[]) =>
      loop.carry.forEach((c, i) => this.#values.set(c.name, values[i]));
    const shape = this.#sizes.loop(loop);
    const out = this.#iterate(loop, shape, inits.flat(), (carried) => {
      bind(split(carried));
      return loop.carry.flatMap((c) => this.#lower(c.next));
    });
    return this.#framed(() => {
      bind(split(out));
      return this.#lower(loop.result);
    });
  }

  /** Runs `body` over the range: as straight code, or as a loop unrolled as far as its size allows. */
  #iterate(
    range: Range,
    shape: LoopShape,
    inits: Words,
    body: (carried: Words) => Words,
  ): Words {
    const graph = this.#graph;
    const first = this.#word(range.first);
    const count = this.#word(range.count);
    const at = (offset: Id, carried: Words) =>
      this.#framed(() => {
        const index = graph.op("i32.add", first, offset);
        this.#values.set(range.index, [index]);
        return body(carried);
      });
    const straight = (from: number, to: number, carried: Words) => {
      for (let i = from; i < to; i++) carried = at(graph.constant(i), carried);
      return carried;
    };
    const unrolled = (turn: Id, factor: number, from: Id, carried: Words) => {
      const start = graph.op("i32.mul", turn, graph.constant(factor));
      for (let u = 0; u < factor; u++) {
        const place = graph.op("i32.add", start, graph.constant(u));
        carried = at(graph.op("i32.add", place, from), carried);
      }
      return carried;
    };
    const zero = graph.constant(0);
    const turns = graph.constantOf(count);
    if (turns !== undefined) {
      if (shape.isStraight(turns)) return straight(0, turns, inits);
      const factor = shape.factor(turns);
      const whole = Math.floor(turns / factor);
      const out = graph.loop(
        graph.constant(whole),
        whole,
        inits,
        (turn, carried) => unrolled(turn, factor, zero, carried),
      );
      return straight(whole * factor, turns, out);
    }
    return this.#iterateDynamic(range, shape, inits, unrolled);
  }

  #iterateDynamic(
    range: Range,
    shape: LoopShape,
    inits: Words,
    unrolled: (turn: Id, factor: number, from: Id, carried: Words) => Words,
  ): Words {
    const graph = this.#graph;
    const { bound } = range;
    const zero = graph.constant(0);
    let count = this.#clampedCount(range.count);
    // Outside an extent or an update's range nothing is proven about the count.
    if (this.kernel.extents || this.kernel.update) {
      count = graph.op("i32.min_s", count, graph.constant(bound));
    }
    const wanted = shape.factor(undefined);
    const factor = bound >= 2 * wanted ? wanted : 1;
    const main = (
      turns: Id,
      most: number,
      factor: number,
      from: Id,
      inits: Words,
    ) =>
      graph.loop(
        turns,
        most,
        inits,
        (turn, carried) => unrolled(turn, factor, from, carried),
      );
    if (factor === 1) return main(count, bound, 1, zero, inits);
    const shift = graph.constant(31 - Math.clz32(factor));
    const whole = graph.op("i32.shr_u", count, shift);
    const out = main(whole, Math.floor(bound / factor), factor, zero, inits);
    const rest = graph.op("i32.and", count, graph.constant(factor - 1));
    const done = graph.op("i32.sub", count, rest);
    return main(rest, factor - 1, 1, done, out);
  }

  // --- loads -------------------------------------------------------------------------------------------

  /** An element as a scalar; with a guard, zero where that is zero. */
  #load(operand: number, index: Words, guard?: Id): Words {
    const type = this.kernel.operands[operand];
    const name = LOADS[type.dtype];
    const parts = dtypes[type.dtype].bytes === 8 ? [0, 4] : [0];
    const zero = this.#graph.constant(0);
    const raw = parts.map((part) => {
      const at = this.#address(operand, type, index, part);
      if (guard === undefined) return this.#graph.load(name, at);
      const { address } = this.windows.get(operand)!;
      const safe = redirect(this.#graph, at, guard, address);
      if (safe) return this.#graph.load(name, safe);
      return this.#legal.select(guard, this.#graph.load(name, at), zero);
    });
    return widenStored(this.#legal, type.dtype, raw);
  }

  /** Address of an element: a linear form over whatever the indices are linear in. */
  #address(
    operand: number,
    type: TensorType,
    index: Words,
    part: number,
  ): Linear {
    const { bytes } = dtypes[type.dtype];
    const factors = type.layout ??
      type.shape.map((size, axis) => ({ axis, size }));
    const rest = [...index];
    const left = type.shape.map((_, axis) =>
      factors.filter((f) => f.axis === axis).length
    );
    let stride = bytes;
    const parts: { node: Id; scale: number }[] = [];
    for (const { axis, size } of factors.toReversed()) {
      const outermost = --left[axis] === 0;
      const divisor = this.#graph.constant(size);
      const node = outermost
        ? rest[axis]
        : this.#graph.op("i32.rem_u", rest[axis], divisor);
      rest[axis] = this.#graph.op("i32.div_u", rest[axis], divisor);
      parts.push({ node, scale: stride });
      stride *= size;
    }
    const base = this.windows.get(operand)!.address;
    return linearize(this.#graph, parts, base + part);
  }
}

const LOADS: Record<DType, LoadName> = {
  bool: "lbu",
  i8: "lb",
  u8: "lbu",
  i16: "lh",
  u16: "lhu",
  i32: "lw",
  i64: "lw",
  f32: "lw",
  f16: "lhu",
  bf16: "lhu",
};

function zeros(sum: Sum, graph: Graph): Words {
  const zero = graph.constant(0);
  return sum.type === "i64" ? [zero, zero] : [zero];
}

/** Whether the variable occurs in the expression. */
const mentions = (expr: Expr, name: string) =>
  someExpr(expr, (e) => e.kind === "var" && e.name === name);
