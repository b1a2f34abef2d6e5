/**
 * Rewrites a kernel so that no operation computes on f32: its values become their bits, its operations calls.
 *
 * What is left of f32 are loads, whose bits are taken at once, and the result, made of bits at the end. The rewritten
 * kernel is an ordinary kernel with the same result, so that every target can run it; those without floats must.
 */
import { call } from "../kernel/build.ts";
import { withCallees } from "../kernel/callees.ts";
import { mapParts, someExpr } from "../kernel/parts.ts";
import {
  type Carry,
  dtypes,
  type Expr,
  type Kernel,
  type Scalar,
  type ScalarFunction,
  type Sum,
} from "../ir.ts";
import { softfloat, type SoftOp } from "./softfloat.ts";

const bits = (type: Scalar): Scalar => type === "f32" ? "i32" : type;
const isSoft = (name: string): name is SoftOp => Object.hasOwn(softfloat, name);

/** Where a function that another calls stands before it. */
const LIBRARY: readonly ScalarFunction[] = Object.values(softfloat);

class FloatRemoval {
  readonly #used = new Set<string>();

  constructor(readonly kernel: Kernel) {}

  run(): Kernel {
    const { kernel } = this;
    const functions = kernel.functions.map((fn) => ({
      ...fn,
      params: fn.params.map((p) => ({ ...p, type: bits(p.type) })),
      result: bits(fn.result),
      body: this.#rewrite(fn.body),
    }));
    const body = this.#rewrite(kernel.body);
    const isFloat = dtypes[kernel.result.dtype].scalar === "f32";
    const library = withCallees(LIBRARY, this.#used);
    return {
      ...kernel,
      functions: [...library, ...functions],
      body: isFloat ? { kind: "op", op: "f32.of_bits", args: [body] } : body,
    };
  }

  #call(name: SoftOp, ...args: Expr[]): Expr {
    const fn = softfloat[name];
    this.#used.add(fn.name);
    return call(fn, ...args);
  }

  #rewrite = (expr: Expr): Expr => {
    switch (expr.kind) {
      case "const":
      case "var":
        return { ...expr, type: bits(expr.type) };
      case "load": {
        const load = mapParts(expr, this.#rewrite);
        const { dtype } = this.kernel.operands[expr.operand];
        return dtypes[dtype].scalar === "f32"
          ? { kind: "op", op: "i32.bits_of_f32", args: [load] }
          : load;
      }
      case "op":
        return this.#operation(expr);
      case "sum":
        return expr.type === "f32"
          ? this.#sum(expr)
          : mapParts(expr, this.#rewrite);
      case "loop": {
        const loop = mapParts(expr, this.#rewrite) as typeof expr;
        const carry = loop.carry.map((c) => ({ ...c, type: bits(c.type) }));
        return { ...loop, carry };
      }
      default:
        return mapParts(expr, this.#rewrite);
    }
  };

  #operation(expr: Extract<Expr, { kind: "op" }>): Expr {
    const args = expr.args.map(this.#rewrite);
    if (isSoft(expr.op)) return this.#call(expr.op, ...args);
    switch (expr.op) {
      case "f32.select":
        return { ...expr, op: "i32.select", args };
      case "i32.bits_of_f32":
      case "f32.of_bits":
        return args[0];
      default:
        return { ...expr, args };
    }
  }

  /**
   * A loop that adds. Four lanes go round: each turn adds to the first carry and puts it last, so that wherever the
   * loop ends two carries apart are lanes 0 and 2 or 1 and 3, and addition commutes.
   */
  #sum(sum: Sum): Expr {
    const { index, first, count, bound, lanes } = mapParts(
      sum,
      this.#rewrite,
    ) as Sum;
    const names = Array.from({ length: lanes }, (_, l) => `${index}.lane${l}`);
    const lane = (l: number): Expr => ({
      kind: "var",
      name: names[l % lanes],
      type: "i32",
    });
    const term = this.#rewrite(sum.term);
    const carry = names.map((name, l): Carry => ({
      name,
      type: "i32",
      init: { kind: "const", type: "i32", value: 0 },
      next: l === lanes - 1
        ? this.#call("f32.add", lane(0), term)
        : lane(l + 1),
    }));
    const plus = (a: Expr, b: Expr) => this.#call("f32.add", a, b);
    const result = lanes === 1
      ? lane(0)
      : plus(plus(lane(0), lane(2)), plus(lane(1), lane(3)));
    return { kind: "loop", index, first, count, bound, carry, result };
  }
}

/** The kernel without f32 arithmetic; the kernel itself where it has none. */
export function removeFloat(kernel: Kernel): Kernel {
  const computes = (e: Expr) =>
    e.kind === "op" && isSoft(e.op) || e.kind === "sum" && e.type === "f32";
  return [kernel, ...kernel.functions].some((f) => someExpr(f.body, computes))
    ? new FloatRemoval(kernel).run()
    : kernel;
}
