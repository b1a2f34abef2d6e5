/**
 * How far a loop of the kernel IR is unrolled in the word graph.
 *
 * Sizes count operations and loads of a body with all its inner loops laid out flat; a body that cannot
 * be laid out flat has size Infinity and is never repeated. The limits keep programs of real models
 * within tens of KiB.
 */
import type { Expr, Kernel } from "../ir.ts";

/** A loop with at most this many flat operations and turns becomes straight code. */
const STRAIGHT_SIZE = 256;
const STRAIGHT_TURNS = 16;
/** An unrolled body may have this many operations. */
const BODY_SIZE = 96;

/** Divisions of i64 become loops of 64 turns. */
const LOOPING: ReadonlySet<string> = new Set([
  "i64.div_s",
  "i64.div_u",
  "i64.rem_s",
  "i64.rem_u",
]);

/** Measures expressions of one kernel. */
export class Sizes {
  readonly #known = new Map<Expr, number>();
  readonly #functions: ReadonlyMap<string, Expr>;

  constructor(kernel: Pick<Kernel, "functions">) {
    this.#functions = new Map(kernel.functions.map((f) => [f.name, f.body]));
  }

  /** Operations and loads of an expression laid out flat, or Infinity. */
  of(expr: Expr): number {
    let size = this.#known.get(expr);
    if (size === undefined) {
      this.#known.set(expr, size = this.#measure(expr));
    }
    return size;
  }

  #measure(expr: Expr): number {
    const all = (list: readonly Expr[]) =>
      list.reduce((total, e) => total + this.of(e), 0);
    switch (expr.kind) {
      case "const":
      case "axis":
      case "iteration":
      case "var":
        return 0;
      case "op":
        return LOOPING.has(expr.op) ? Infinity : 1 + all(expr.args);
      case "load":
        return 1 + all(expr.index);
      case "let":
        return all([expr.value, expr.body]);
      case "call":
        return all(expr.args) + this.of(this.#functions.get(expr.fn)!);
      case "sum":
        return this.#loop(expr.count, 1 + this.of(expr.term));
      case "loop":
        return this.#loop(expr.count, all(expr.carry.map((c) => c.next))) +
          all([...expr.carry.map((c) => c.init), expr.result]);
      default:
        return expr satisfies never;
    }
  }

  #loop(count: Expr, body: number): number {
    if (count.kind !== "const") return Infinity;
    const turns = Math.max(Number(count.value), 0);
    return isStraight(turns, body) ? turns * body : Infinity;
  }
}

/** Whether a loop of so many turns with such a body becomes straight code. */
export function isStraight(turns: number, body: number): boolean {
  return turns <= 1 ||
    (turns <= STRAIGHT_TURNS && turns * body <= STRAIGHT_SIZE);
}

/** How often the body is repeated in one turn of the machine's loop; a power of two unless it divides. */
export function unrollFactor(turns: number | undefined, body: number): number {
  const room = BODY_SIZE / Math.max(body, 1);
  const factor = room >= 8 ? 8 : room >= 4 ? 4 : room >= 2 ? 2 : 1;
  if (turns === undefined || factor === 1 || turns % factor === 0) {
    return factor;
  }
  for (const other of [7, 9, 6, 5]) {
    if (factor === 8 && turns % other === 0) return other;
  }
  return factor;
}
