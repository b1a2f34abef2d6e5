/**
 * Recognises contractions: sums of products of two loads that are contiguous along the summed index.
 *
 * Only an analysis: `vector.ts` emits what is found here with SIMD. Sums of i32 may be regrouped at will
 * (addition modulo 2^32 is associative), so nests of sums, lets and selects against 0 around a
 * contraction become one accumulation; f32 keeps its four lanes and is taken only where it stands alone.
 */
import type { Dependences } from "../kernel/hoisting.ts";
import { type DType, dtypes, type Expr, type Kernel, type Sum } from "../ir.ts";
import { mapParts } from "../kernel/parts.ts";
import { affine } from "./flatten.ts";

/** One operand of a contraction. */
export interface Stream {
  readonly dtype: DType;
  /** Byte address of the element at the sum's index. */
  readonly address: Expr;
  /** Bytes between neighbours along the innermost axis; 0 where it does not depend on it. */
  readonly stride: number;
}

/** A sum that SIMD can do. */
export interface Contraction {
  readonly sum: Sum;
  readonly type: "i32" | "f32";
  /** The first does not depend on the innermost axis where exactly one of them does. */
  readonly streams: readonly [Stream, Stream];
}

/** What widens to i16 exactly. */
const narrow: readonly DType[] = ["i8", "u8", "i16"];

/** Finds contractions in a flat body of a kernel. */
export class Contractions {
  readonly #kernel: Kernel;
  readonly #dependences: Dependences;
  readonly #rank: number;

  constructor(kernel: Kernel, dependences: Dependences) {
    this.#kernel = kernel;
    this.#dependences = dependences;
    this.#rank = kernel.result.shape.length;
  }

  /** The contraction that a sum is, if it is one. */
  of(sum: Expr): Contraction | undefined {
    if (sum.kind !== "sum" || sum.type === "i64") return undefined;
    const { term, type } = sum;
    if (term.kind !== "op" || term.op !== `${type}.mul`) return undefined;
    if (type === "f32" && sum.lanes !== 4) return undefined;
    const [a, b] = term.args.map((arg) => this.#stream(arg, sum));
    if (!a || !b) return undefined;
    return { sum, type, streams: b.stride === 0 ? [b, a] : [a, b] };
  }

  /**
   * The largest part of the body that several neighbours along the innermost axis can share a pass for:
   * one of its streams depends on that axis, nothing else does.
   */
  tileable(body: Expr): Expr | undefined {
    if (this.isTile(body)) return body;
    if (body.kind === "sum" || body.kind === "loop") return undefined;
    let found: Expr | undefined;
    mapParts(body, (part) => {
      found ??= this.tileable(part);
      return part;
    });
    return found;
  }

  isTile(expr: Expr): boolean {
    const contraction = this.of(expr);
    if (contraction) {
      const { sum, streams: [a, b] } = contraction;
      return a.stride === 0 && b.stride > 0 && !this.#isInner(sum.first) &&
        !this.#isInner(sum.count);
    }
    switch (expr.kind) {
      case "sum":
        return expr.type === "i32" && !this.#isInner(expr.first) &&
          !this.#isInner(expr.count) && this.isTile(expr.term);
      case "let":
        return !this.#isInner(expr.value) && this.isIntegerTile(expr.body);
      case "op":
        return isMask(expr) && !this.#isInner(expr.args[0]) &&
          this.isIntegerTile(expr.args[1]);
      default:
        return false;
    }
  }

  isIntegerTile(expr: Expr): boolean {
    return this.isTile(expr) && this.of(expr)?.type !== "f32";
  }

  /** Whether an expression depends on the innermost axis. */
  #isInner(expr: Expr): boolean {
    const own = this.#dependences.get(expr);
    return !own || own.prefix === this.#rank;
  }

  #stream(expr: Expr, sum: Sum): Stream | undefined {
    if (expr.kind !== "load") return undefined;
    const { dtype } = this.#kernel.operands[expr.operand];
    const fits = sum.type === "f32" ? dtype === "f32" : narrow.includes(dtype);
    if (!fits) return undefined;
    const address = expr.index[0];
    let stride = 0;
    let step = 0;
    for (const [atom, factor] of affine(address).terms) {
      const own = this.#dependences.get(atom);
      if (!own) return undefined;
      if (atom.kind === "var" && atom.name === sum.index) step = factor;
      else if (own.free.has(sum.index)) return undefined;
      if (own.prefix < this.#rank || this.#rank === 0) continue;
      // Beyond one tile's reach an address might wrap; a negative stride would.
      if (atom.kind !== "axis" || factor < 0 || factor >= 2 ** 27) {
        return undefined;
      }
      stride = factor;
    }
    return step === dtypes[dtype].bytes
      ? { dtype, address, stride }
      : undefined;
  }
}

/** select(c, x, 0): x counts where c holds. */
export function isMask(expr: Expr): expr is Expr & { kind: "op" } {
  return expr.kind === "op" && expr.op === "i32.select" &&
    expr.args[2].kind === "const" && expr.args[2].value === 0;
}
