/**
 * Which parts of a flat body have no NaN but the canonical one, by the meaning of the IR.
 *
 * Arithmetic yields 0x7fc00000, but WebAssembly leaves it open which NaN it yields. Whether a value is a NaN
 * decides everything that arithmetic, comparisons and conversions make of it, so its bits may stay open as
 * long as nobody looks at them: a store, `bits_of_f32`, or a place where they meet moved bits, which must
 * survive (a select, a carried variable). For parts found here, replacing a NaN by the canonical one is right
 * wherever that happens; moved bits are never touched.
 */
import { CANONICAL_NAN, type Expr, type Loop } from "../ir.ts";
import { mapParts } from "../kernel/parts.ts";
import { leavesAnyNan } from "./scalar_ops.ts";

/** Facts of one flat body; names must be unique. */
export class NanFacts {
  readonly #lets = new Map<string, Expr>();
  /** Whether a carried variable is canonical, whatever the pass. */
  readonly #carries = new Map<string, boolean>();
  readonly #known = new Map<Expr, boolean>();

  constructor(body: Expr) {
    const loops: Loop[] = [];
    const seen = new Set<Expr>();
    const visit = (expr: Expr): Expr => {
      if (seen.has(expr)) return expr;
      seen.add(expr);
      if (expr.kind === "let") this.#lets.set(expr.name, expr.value);
      if (expr.kind === "loop") loops.push(expr);
      return mapParts(expr, visit);
    };
    visit(body);
    const carries = loops.flatMap((loop) => loop.carry)
      .filter((carry) => carry.type === "f32");
    for (const { name } of carries) this.#carries.set(name, true);
    // What is moved into one of them is moved on: down to the greatest fixed point.
    for (let changes = true; changes;) {
      changes = false;
      this.#known.clear();
      for (const { name, init, next } of carries) {
        if (!this.#carries.get(name)) continue;
        if (this.isCanonical(init) && this.isCanonical(next)) continue;
        this.#carries.set(name, false);
        changes = true;
      }
    }
  }

  /** Whether a NaN of this f32 part is the canonical one. */
  isCanonical(expr: Expr): boolean {
    const known = this.#known.get(expr);
    if (known !== undefined) return known;
    const found = this.#find(expr);
    this.#known.set(expr, found);
    return found;
  }

  #find(expr: Expr): boolean {
    switch (expr.kind) {
      case "const": {
        const bits = Number(expr.value);
        return bits === CANONICAL_NAN || (bits & 0x7fffffff) <= 0x7f800000;
      }
      case "var": {
        const value = this.#lets.get(expr.name);
        return value
          ? this.isCanonical(value)
          : this.#carries.get(expr.name) ?? false;
      }
      case "op":
        return expr.op === "f32.select"
          ? this.isCanonical(expr.args[1]) && this.isCanonical(expr.args[2])
          : leavesAnyNan(expr.op) || expr.op.startsWith("f32.from_");
      case "let":
        return this.isCanonical(expr.body);
      case "loop":
        return this.isCanonical(expr.result);
      case "sum":
        return true;
      default:
        return false;
    }
  }
}
