/**
 * What one run of a node computes and moves, read off its kernel: the numerators of a profile.
 *
 * Loops count at their bounds and hoisted parts once for each value of their axes, as in the compiler's own estimate of
 * work. A multiply-accumulate is a product of two loaded values under a sum; requantization is none.
 */
import {
  type Dependences,
  dtypes,
  elementCount,
  type Expr,
  isHoisted,
  type Kernel,
  verifyKernel,
} from "../compiler/mod.ts";
import type { DType } from "../compiler/mod.ts";

/** Work of one run of a kernel. */
export interface NodeWork {
  /** Multiply-accumulates under sums. */
  readonly macs: number;
  /** Element types that most of them multiply; absent where there are none. */
  readonly factors?: readonly [DType, DType];
  /** Bytes of operands that are read, each once, and of the result. */
  readonly bytes: number;
}

/** Work of one run of the kernel; throws as `verifyKernel` does. */
export function nodeWork(kernel: Kernel): NodeWork {
  const counter = new Counter(kernel, verifyKernel(kernel).dependences);
  counter.visit(kernel.body, undefined, elementCount(counter.computed), 0);
  return counter.work();
}

/** Size of each axis of what is computed: less than the result where only a constant part of it is updated. */
function computedShape({ result, update }: Kernel): number[] {
  return result.shape.map((size, axis) => {
    const count = update?.ranges[axis].count;
    return count?.kind === "const" ? Math.min(size, Number(count.value)) : size;
  });
}

class Counter {
  readonly computed: readonly number[];
  readonly #products = new Map<string, number>();
  /** Times an element of each operand is loaded. */
  readonly #loads: number[];
  /** The operand whose element a variable holds. */
  readonly #sources = new Map<string, number>();

  constructor(
    private readonly kernel: Kernel,
    private readonly dependences: Dependences,
  ) {
    this.computed = computedShape(kernel);
    this.#loads = kernel.operands.map(() => 0);
  }

  /** Counts `expr`, which is evaluated so many times, under so many sums. */
  visit(
    expr: Expr,
    parent: Expr | undefined,
    times: number,
    sums: number,
  ): void {
    if (parent && isHoisted(expr, parent, this.dependences)) {
      const { prefix } = this.dependences.get(expr)!;
      times = elementCount(this.computed.slice(0, prefix));
      sums = 0;
    }
    const all = (parts: readonly Expr[], each = times, under = sums) =>
      parts.forEach((part) => this.visit(part, expr, each, under));
    switch (expr.kind) {
      case "const":
      case "axis":
      case "iteration":
      case "var":
        return;
      case "load":
        this.#loads[expr.operand] += times;
        return all(expr.index, times, 0);
      case "op":
        if (sums > 0) this.#countProduct(expr, times);
        return all(expr.args);
      case "call":
        return all(expr.args);
      case "let": {
        const source = this.#sourceOf(expr.value);
        if (source !== undefined) this.#sources.set(expr.name, source);
        return all([expr.value, expr.body]);
      }
      case "sum":
        all([expr.first, expr.count]);
        return all([expr.term], times * expr.bound, sums + 1);
      case "loop":
        all([expr.first, expr.count, ...expr.carry.map((c) => c.init)]);
        all(expr.carry.map((c) => c.next), times * expr.bound);
        return all([expr.result]);
      default:
        return expr satisfies never;
    }
  }

  #countProduct(
    { op, args }: Extract<Expr, { kind: "op" }>,
    times: number,
  ): void {
    if (!op.endsWith(".mul")) return;
    const [a, b] = args.map((arg) => this.#sourceOf(arg));
    if (a === undefined || b === undefined) return;
    const key = `${a} ${b}`;
    this.#products.set(key, (this.#products.get(key) ?? 0) + times);
  }

  /** The operand that a value comes from, through operations on one loaded element; undefined where there is none. */
  #sourceOf(expr: Expr): number | undefined {
    if (expr.kind === "load") return expr.operand;
    if (expr.kind === "var") return this.#sources.get(expr.name);
    if (expr.kind !== "op") return undefined;
    for (const arg of expr.args) {
      const source = this.#sourceOf(arg);
      if (source !== undefined) return source;
    }
    return undefined;
  }

  work(): NodeWork {
    const { operands, result } = this.kernel;
    const read = operands.map(({ dtype, shape, layout }, i) => {
      const elements = elementCount(layout?.map((f) => f.size) ?? shape);
      return dtypes[dtype].bytes * Math.min(elements, this.#loads[i]);
    });
    const written = dtypes[result.dtype].bytes * elementCount(this.computed);
    const products = [...this.#products].sort((x, y) => y[1] - x[1]);
    const factors = products[0]?.[0].split(" ").map((i) =>
      operands[Number(i)].dtype
    );
    return {
      macs: products.reduce((total, [, count]) => total + count, 0),
      ...(factors ? { factors: [factors[0], factors[1]] } : {}),
      bytes: read.reduce((a, b) => a + b, written),
    };
  }
}
