/**
 * What is known of every part of a flat body when neighbours along the innermost axis are computed together.
 *
 * A part is uniform if all neighbours share its value, else varying; its interval says how few bits hold it.
 * Column parts depend on the innermost axis alone, so that rows can share them. Only an analysis: `lanes.ts`
 * emits.
 */
import { ITERATIONS } from "../kernel/ranges.ts";
import {
  fullInterval,
  hull,
  type Interval,
  interval,
  isWithin,
  opInterval,
  storedIntervals,
  sumInterval,
} from "../kernel/intervals.ts";
import type { Expr, Kernel, Loop, Range, Scalar } from "../ir.ts";

/** Facts of one part of a body. */
export interface LaneFact {
  readonly interval: Interval;
  /** Bit a is set where the value depends on axis a. */
  readonly axes: number;
  /** Loop variables that it uses and does not bind. */
  readonly free: ReadonlySet<string>;
  /** It depends on the innermost axis, also by way of a carried variable. */
  readonly varying: boolean;
}

/** Varying counts for which a shift is a multiplication by a power of two; see `lane_ops.ts`. */
export const SHIFT_RIGHT = { lo: 34, hi: 62 } as const;
/** The same for 1 << count. */
export const SHIFT_ONE_LEFT = { lo: 32, hi: 62 } as const;

const NONE: ReadonlySet<string> = new Set();
const uniform = (value: Interval): LaneFact => ({
  interval: value,
  axes: 0,
  free: NONE,
  varying: false,
});

/** Analyses a flat body; names must be unique. */
export class LaneFacts {
  readonly #found = new Map<Expr, LaneFact>();
  readonly #scope = new Map<string, LaneFact>();
  readonly #inner: number;

  constructor(
    readonly kernel: Kernel,
    readonly body: Expr,
    /** Whether varying shift counts are known to be in `SHIFT_RIGHT` and `SHIFT_ONE_LEFT`. */
    readonly assumes: boolean,
  ) {
    this.#inner = kernel.result.shape.length - 1;
    this.#visit(body);
  }

  /** Facts of a part of the body. */
  of(expr: Expr): LaneFact {
    return this.#found.get(expr)!;
  }

  isVarying(expr: Expr): boolean {
    return this.of(expr).varying;
  }

  /** Depends on the innermost axis alone. */
  isColumn(expr: Expr): boolean {
    const { axes, free, varying } = this.of(expr);
    return varying && axes === 1 << this.#inner && free.size === 0;
  }

  #visit(expr: Expr): LaneFact {
    const fact = this.#factOf(expr);
    this.#found.set(expr, fact);
    return fact;
  }

  #factOf(expr: Expr): LaneFact {
    switch (expr.kind) {
      case "const":
        return uniform(interval(expr.value, expr.value));
      case "axis":
        return {
          ...uniform(
            interval(0, Math.max(0, this.kernel.result.shape[expr.axis] - 1)),
          ),
          axes: 1 << expr.axis,
          varying: expr.axis === this.#inner,
        };
      case "iteration":
        return uniform(ITERATIONS);
      case "var":
        // What is not bound here is the address of an operand.
        return this.#scope.get(expr.name) ?? uniform(fullInterval(expr.type));
      case "op": {
        const args = expr.args.map((a) => this.#visit(a));
        const intervals = args.map((a) => a.interval);
        // Such lanes run where the counts were checked to be in this range.
        if (
          this.assumes && expr.op === "i64.shr_s" && args[1].varying
        ) {
          intervals[1] = interval(SHIFT_RIGHT.lo, SHIFT_RIGHT.hi);
        }
        return join(args, opInterval(expr.op, intervals));
      }
      case "load":
        return join(
          expr.index.map((i) => this.#visit(i)),
          storedIntervals[this.kernel.operands[expr.operand].dtype],
        );
      case "call": {
        const fn = this.kernel.functions.find((f) => f.name === expr.fn);
        return join(
          expr.args.map((a) => this.#visit(a)),
          fullInterval(fn?.result ?? "i32"),
        );
      }
      case "let": {
        const value = this.#visit(expr.value);
        this.#scope.set(expr.name, value);
        const body = this.#visit(expr.body);
        return join([value, body], body.interval);
      }
      case "sum": {
        const bounds = this.#range(expr);
        const term = this.#visit(expr.term);
        const total = sumInterval(expr.type, term.interval, expr.bound);
        return join([...bounds, term], total, [expr.index]);
      }
      case "loop":
        return this.#loop(expr);
      default:
        return expr satisfies never;
    }
  }

  #range(expr: Expr & Range): LaneFact[] {
    const [first, count] = [this.#visit(expr.first), this.#visit(expr.count)];
    const { lo, hi } = first.interval;
    const most = count.interval.hi > 1n ? count.interval.hi - 1n : 0n;
    const index = { lo, hi: hi + most };
    const all = join([first, count], count.interval);
    this.#scope.set(expr.index, {
      ...all,
      interval: isWithin(index, fullInterval("i32"))
        ? index
        : fullInterval("i32"),
      free: new Set([...all.free, expr.index]),
    });
    return [first, count];
  }

  /** Carries are widened until no pass leaves them, like the verifier's intervals. */
  #loop(expr: Loop): LaneFact {
    const bounds = this.#range(expr);
    const inits = expr.carry.map((c) => this.#visit(c.init));
    const held = inits.map((init) => init.interval);
    const start = join([...bounds, ...inits], fullInterval("i32"));
    // Where the result is varying the carries must be lanes too, even if neighbours agree on them.
    return this.#carry(expr, start, held) ??
      this.#carry(expr, { ...start, varying: true }, held)!;
  }

  /** The loop with carries that start so; undefined where its result is varying and they are not. */
  #carry(
    expr: Loop,
    start: LaneFact,
    held: Interval[],
  ): LaneFact | undefined {
    const names = expr.carry.map((c) => c.name);
    let all = start;
    for (let pass = 0;; pass++) {
      expr.carry.forEach((c, i) =>
        this.#scope.set(c.name, {
          ...all,
          interval: held[i],
          free: new Set([...all.free, ...names]),
        })
      );
      const next = expr.carry.map((c) => this.#visit(c.next));
      const grown = join([all, ...next], all.interval, [expr.index, ...names]);
      const same = grown.axes === all.axes && grown.varying === all.varying &&
        grown.free.size === all.free.size;
      all = grown;
      if (same && next.every((n, i) => isWithin(n.interval, held[i]))) break;
      expr.carry.forEach((c, i) => {
        if (isWithin(next[i].interval, held[i])) return;
        held[i] = pass === 0
          ? hull(held[i], next[i].interval)
          : fullInterval(c.type as Scalar);
      });
    }
    const result = this.#visit(expr.result);
    if (result.varying && !all.varying) return undefined;
    return join([all, result], result.interval, [expr.index, ...names]);
  }
}

function join(
  parts: readonly LaneFact[],
  own: Interval,
  bound: readonly string[] = [],
): LaneFact {
  const free = new Set<string>();
  for (const part of parts) for (const name of part.free) free.add(name);
  for (const name of bound) free.delete(name);
  return {
    interval: own,
    axes: parts.reduce((axes, part) => axes | part.axes, 0),
    free: free.size === 0 ? NONE : free,
    varying: parts.some((part) => part.varying),
  };
}
