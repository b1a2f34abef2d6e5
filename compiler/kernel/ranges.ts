/**
 * The interval of every subexpression of a kernel, and the proofs that need them: each load stands inside
 * its operand, each loop count is at most its bound.
 *
 * Nothing is assumed of an operand's bytes beyond its storage type, nor of a function's parameters.
 * `select` evaluates both arms, so a condition proves nothing: indices are clamped with min and max.
 * `verify.ts` has checked types and names before.
 */
import {
  fullInterval,
  hull,
  type Interval,
  interval,
  isWithin,
  opInterval,
  storedIntervals,
  sumInterval,
} from "./intervals.ts";
import type { Expr, Kernel, Loop, Range, Sum } from "../ir.ts";

/** A model has at most 2^31 - 1 iterations, so iteration + 1 does not wrap. */
export const ITERATIONS: Interval = interval(0, 2 ** 31 - 2);

/** Intervals of subexpressions; an f32 has the whole of i32. */
export type Intervals = ReadonlyMap<Expr, Interval>;

/** Reports a failed proof; does not return. */
export type Refuse = (expr: Expr, expected: string, found: string) => never;

/** Analyses the kernel and refuses what it cannot prove. */
export function analyseRanges(kernel: Kernel, refuse: Refuse): Intervals {
  const analysis = new Analysis(kernel, refuse);
  for (const fn of kernel.functions) {
    for (const p of fn.params) analysis.bind(p.name, fullInterval(p.type));
    analysis.results.set(fn.name, analysis.visit(fn.body));
  }
  for (const extent of kernel.extents ?? []) if (extent) analysis.visit(extent);
  for (const range of kernel.update?.ranges ?? []) {
    const first = analysis.visit(range.first);
    const count = analysis.visit(range.count);
    const end = first.hi + count.hi;
    if (end > fullInterval("i32").hi) {
      refuse(range.first, "a range whose end fits i32", `an end up to ${end}`);
    }
  }
  analysis.visit(kernel.body);
  return analysis.found;
}

class Analysis {
  readonly found = new Map<Expr, Interval>();
  readonly results = new Map<string, Interval>();
  readonly #scope = new Map<string, Interval>();

  constructor(readonly kernel: Kernel, readonly refuse: Refuse) {}

  bind(name: string, value: Interval): void {
    this.#scope.set(name, value);
  }

  visit(expr: Expr): Interval {
    const own = this.#intervalOf(expr);
    this.found.set(expr, own);
    return own;
  }

  #intervalOf(expr: Expr): Interval {
    switch (expr.kind) {
      case "const":
        return interval(expr.value, expr.value);
      case "axis":
        return interval(0, this.kernel.result.shape[expr.axis] - 1);
      case "iteration":
        return ITERATIONS;
      case "var":
        return this.#scope.get(expr.name)!;
      case "op":
        return opInterval(expr.op, expr.args.map((a) => this.visit(a)));
      case "load":
        return this.#load(expr);
      case "let":
        this.bind(expr.name, this.visit(expr.value));
        return this.visit(expr.body);
      case "sum":
        return this.#sum(expr);
      case "loop":
        return this.#loop(expr);
      case "call":
        expr.args.forEach((a) => this.visit(a));
        return this.results.get(expr.fn)!;
      default:
        return expr satisfies never;
    }
  }

  #load(expr: Expr & { kind: "load" }): Interval {
    const type = this.kernel.operands[expr.operand];
    expr.index.forEach((index, d) => {
      const found = this.visit(index);
      if (isWithin(found, interval(0, type.shape[d] - 1))) return;
      this.refuse(
        expr,
        `index ${d} in 0..${type.shape[d] - 1}`,
        `${found.lo}..${found.hi}`,
      );
    });
    return storedIntervals[type.dtype];
  }

  /** Binds the index of a sum or loop and proves its bound. */
  #range(expr: Expr & Range): void {
    const first = this.visit(expr.first);
    const count = this.visit(expr.count);
    if (count.hi > BigInt(expr.bound)) {
      this.refuse(expr, `a count up to ${expr.bound}`, `up to ${count.hi}`);
    }
    const last = first.hi + (count.hi > 1n ? count.hi - 1n : 0n);
    const index = { lo: first.lo, hi: last };
    const full = fullInterval("i32");
    this.bind(expr.index, isWithin(index, full) ? index : full);
  }

  #sum(expr: Sum): Interval {
    this.#range(expr);
    return sumInterval(expr.type, this.visit(expr.term), expr.bound);
  }

  /** A carry holds before and after every pass: tried as it starts, then widened until nothing leaves. */
  #loop(expr: Loop): Interval {
    this.#range(expr);
    const held = expr.carry.map((c) => this.visit(c.init));
    for (let pass = 0;; pass++) {
      expr.carry.forEach((c, i) => this.bind(c.name, held[i]));
      const next = expr.carry.map((c) => this.visit(c.next));
      if (next.every((n, i) => isWithin(n, held[i]))) break;
      expr.carry.forEach((c, i) => {
        if (pass === 0) held[i] = hull(held[i], next[i]);
        else if (pass > 1 || !isWithin(next[i], held[i])) {
          held[i] = fullInterval(c.type);
        }
      });
    }
    return this.visit(expr.result);
  }
}
