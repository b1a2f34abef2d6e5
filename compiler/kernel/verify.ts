/**
 * The verifier: what every kernel satisfies before anything runs, emits or stores it.
 *
 * Types and names here, ranges of indices and loop counts in `ranges.ts`, work in `work.ts`. A kernel
 * that passes has a meaning for all operand bytes and every iteration number, and a bounded cost. Errors
 * name the kernel and the subexpression.
 */
import { ChainLearnError } from "../../fpvm/mod.ts";
import { type Dependences, dependences } from "./hoisting.ts";
import {
  byteLength,
  dtypes,
  elementCount,
  type Expr,
  type Kernel,
  type Loop,
  ops,
  type Range,
  type Scalar,
  type Sum,
  type TensorType,
} from "../ir.ts";
import { printExpr } from "./printer.ts";
import { analyseRanges, type Intervals, type Refuse } from "./ranges.ts";
import { type Work, workOf } from "./work.ts";

/** Limits of a kernel; a bundle is untrusted, so analyses need them to end soon. */
export const limits = {
  resultRank: 6,
  operandRank: 8,
  /** A node descriptor holds no more. */
  operands: 31,
  /** Bytes of a tensor. */
  tensorBytes: 2 ** 36,
  /** Elements of a tensor, gaps included: offsets are i32. */
  tensorElements: 2 ** 31 - 1,
  /** Nested expressions; a chain of lets counts each. */
  depth: 512,
  nodes: 20_000,
  /** Loops inside each other. */
  nesting: 8,
  /**
   * Work of one element, in operations per element of the largest operand (1024 at least). A contraction
   * reads each element of its operands at most once for an element of its result.
   */
  workPerOperandElement: 1024,
} as const;

/** What the analyses found; maps go by the identity of subexpressions. */
export interface KernelFacts {
  readonly types: ReadonlyMap<Expr, Scalar>;
  readonly intervals: Intervals;
  readonly dependences: Dependences;
  readonly work: Work;
}

/** Checks a kernel, or throws an error that names it, the subexpression and the reason. */
export function verifyKernel(kernel: Kernel): KernelFacts {
  const checker = new Checker(kernel);
  checker.check();
  const intervals = analyseRanges(kernel, checker.refuse);
  const found = dependences(kernel);
  const work = workOf(kernel, found);
  const largest = kernel.operands.reduce(
    (most, type) => Math.max(most, elementCount(type.shape)),
    1024,
  );
  if (!(work.element <= limits.workPerOperandElement * largest)) {
    checker.refuse(
      kernel.body,
      `at most ${
        limits.workPerOperandElement * largest
      } operations per element`,
      `${work.element}`,
    );
  }
  return { types: checker.types, intervals, dependences: found, work };
}

const SCALARS: readonly string[] = ["i32", "i64", "f32"];
const NAME = /^[A-Za-z_][A-Za-z0-9_.#]{0,63}$/;

/** Where an expression stands: which leaves it may have. */
interface Place {
  readonly scope: ReadonlyMap<string, Variable>;
  readonly depth: number;
  readonly nesting: number;
  /** `function`: parameters alone; `iteration`: constants and the iteration number alone. */
  readonly within: "body" | "function" | "iteration";
}

interface Variable {
  readonly type: Scalar;
  /** Computed from constants, axes and the iteration alone, so it may bound a loop. */
  readonly fixed: boolean;
}

class Checker {
  readonly types = new Map<Expr, Scalar>();
  readonly #names = new Set<string>();
  readonly #functions = new Map<string, { params: Scalar[]; result: Scalar }>();
  #nodes = 0;

  constructor(readonly kernel: Kernel) {}

  /** Throws, naming the subexpression. */
  readonly refuse: Refuse = (expr, expected, found) => {
    const text = printExpr(expr).replace(/\s+/g, " ");
    const short = text.length > 80 ? `${text.slice(0, 77)}...` : text;
    return this.#fail(`${expected} in ${short}`, found);
  };

  #fail(expected: string, found: string): never {
    throw new ChainLearnError(
      `Cannot verify kernel "${this.kernel.name}": expected ${expected}, found ${found}`,
    );
  }

  check(): void {
    const { kernel } = this;
    if (kernel.operands.length > limits.operands) {
      this.#fail(
        `at most ${limits.operands} operands`,
        `${kernel.operands.length}`,
      );
    }
    kernel.operands.forEach((type, i) => {
      this.#tensor(`operand ${i}`, type, limits.operandRank);
    });
    this.#tensor("the result", kernel.result, limits.resultRank);
    if (kernel.result.layout) this.#fail("a row-major result", "a layout");
    for (const fn of kernel.functions) {
      if (!NAME.test(fn.name)) this.#fail("a function name", `"${fn.name}"`);
      if (this.#functions.has(fn.name)) {
        this.#fail("functions with names of their own", `two "${fn.name}"`);
      }
      const scope = new Map<string, Variable>();
      for (const p of fn.params) {
        if (!SCALARS.includes(p.type)) {
          this.#fail("a scalar type", `"${p.type}"`);
        }
        this.#declare(p.name);
        scope.set(p.name, { type: p.type, fixed: false });
      }
      this.#expect(fn.body, fn.result, {
        scope,
        depth: 0,
        nesting: 0,
        within: "function",
      });
      this.#functions.set(fn.name, {
        params: fn.params.map((p) => p.type),
        result: fn.result,
      });
    }
    this.#extents();
    this.#update();
    this.#expect(kernel.body, dtypes[kernel.result.dtype].scalar, {
      scope: new Map(),
      depth: 0,
      nesting: 0,
      within: "body",
    });
  }

  #tensor(what: string, type: TensorType, rank: number): void {
    if (!Object.hasOwn(dtypes, type.dtype)) {
      this.#fail(`a storage type for ${what}`, `"${type.dtype}"`);
    }
    if (type.shape.length > rank) {
      this.#fail(
        `at most ${rank} dimensions in ${what}`,
        `${type.shape.length}`,
      );
    }
    for (
      const size of [
        ...type.shape,
        ...(type.layout ?? []).map((f) => f.size),
      ]
    ) {
      if (!Number.isInteger(size) || size < 1) {
        this.#fail(`sizes of at least 1 in ${what}`, `${size}`);
      }
    }
    type.shape.forEach((size, axis) => {
      const factors = type.layout?.filter((f) => f.axis === axis);
      const places = factors?.reduce((n, f) => n * f.size, 1) ?? size;
      if (places < size) {
        this.#fail(
          `a layout with ${size} places on axis ${axis} of ${what}`,
          `${places}`,
        );
      }
    });
    for (const { axis } of type.layout ?? []) {
      if (!Number.isInteger(axis) || axis < 0 || axis >= type.shape.length) {
        this.#fail(`a layout over the axes of ${what}`, `axis ${axis}`);
      }
    }
    const bytes = byteLength(type);
    if (
      !(bytes <= limits.tensorBytes &&
        bytes / dtypes[type.dtype].bytes <= limits.tensorElements)
    ) {
      this.#fail(
        `at most ${limits.tensorElements} elements in ${what}`,
        `${bytes} bytes`,
      );
    }
  }

  #extents(): void {
    const { extents, result, update } = this.kernel;
    if (!extents) return;
    if (update) this.#fail("extents or an update", "both");
    if (extents.length !== result.shape.length) {
      this.#fail(`${result.shape.length} extents`, `${extents.length}`);
    }
    for (const extent of extents) if (extent) this.#overIteration(extent);
  }

  #update(): void {
    const { update, operands, result } = this.kernel;
    if (!update) return;
    const old = operands[update.operand];
    if (!old) this.#fail("an operand to update", `${update.operand}`);
    if (
      old.dtype !== result.dtype || old.layout ||
      elementCount(old.shape) !== elementCount(result.shape)
    ) this.#fail("the updated operand of the result's type", old.dtype);
    if (update.ranges.length !== result.shape.length) {
      this.#fail(`${result.shape.length} ranges`, `${update.ranges.length}`);
    }
    for (const range of update.ranges) {
      this.#overIteration(range.first);
      this.#overIteration(range.count);
    }
  }

  #overIteration(expr: Expr): void {
    this.#expect(expr, "i32", {
      scope: new Map(),
      depth: 0,
      nesting: 0,
      within: "iteration",
    });
  }

  #declare(name: string): void {
    if (!NAME.test(name)) this.#fail("a variable name", `"${name}"`);
    if (this.#names.has(name)) {
      this.#fail("every name bound once", `"${name}" bound again`);
    }
    this.#names.add(name);
  }

  #expect(expr: Expr, type: Scalar, place: Place): void {
    const found = this.#type(expr, place);
    if (found !== type) this.refuse(expr, type, found);
  }

  #type(expr: Expr, place: Place): Scalar {
    if (++this.#nodes > limits.nodes) {
      this.#fail(`at most ${limits.nodes} expressions`, "more");
    }
    if (place.depth > limits.depth) {
      this.#fail(
        `expressions nested at most ${limits.depth} deep`,
        "deeper ones",
      );
    }
    const type = this.#typeOf(expr, { ...place, depth: place.depth + 1 });
    this.types.set(expr, type);
    return type;
  }

  #typeOf(expr: Expr, place: Place): Scalar {
    switch (expr.kind) {
      case "const":
        return this.#constant(expr);
      case "axis":
        this.#only("body", expr, place);
        if (this.kernel.result.shape[expr.axis] === undefined) {
          this.refuse(
            expr,
            `an axis below ${this.kernel.result.shape.length}`,
            `${expr.axis}`,
          );
        }
        return "i32";
      case "iteration":
        if (place.within === "function") {
          this.refuse(expr, "parameters alone", "the iteration");
        }
        return "i32";
      case "var": {
        const variable = place.scope.get(expr.name);
        if (!variable) {
          this.refuse(expr, "a variable in scope", `"${expr.name}"`);
        }
        if (variable!.type !== expr.type) {
          this.refuse(expr, variable!.type, expr.type);
        }
        return expr.type;
      }
      case "op": {
        if (!Object.hasOwn(ops, expr.op)) {
          this.#fail("an operation of the table", `"${expr.op}"`);
        }
        const row = ops[expr.op];
        this.#arguments(expr, row.args, place);
        return row.result;
      }
      case "load":
        return this.#load(expr, place);
      case "let": {
        const type = this.#type(expr.value, place);
        this.#declare(expr.name);
        const fixed = isFixed(expr.value, place);
        return this.#type(expr.body, {
          ...place,
          scope: new Map(place.scope).set(expr.name, { type, fixed }),
        });
      }
      case "sum":
        return this.#sum(expr, place);
      case "loop":
        return this.#loop(expr, place);
      case "call": {
        this.#not("iteration", expr, place);
        const fn = this.#functions.get(expr.fn);
        if (!fn) this.refuse(expr, "a function listed before", `"${expr.fn}"`);
        this.#arguments(expr, fn!.params, place);
        return fn!.result;
      }
      default:
        return expr satisfies never;
    }
  }

  #constant(expr: Expr & { kind: "const" }): Scalar {
    const { type, value } = expr;
    const ok = type === "i64"
      ? typeof value === "bigint" && BigInt.asIntN(64, value) === value
      : SCALARS.includes(type) && typeof value === "number" &&
        Object.is(value | 0, value);
    if (!ok) {
      this.#fail(`a constant of type ${type}`, `${typeof value} ${value}`);
    }
    return type;
  }

  #arguments(
    expr: Expr & { kind: "op" | "call" },
    types: readonly Scalar[],
    place: Place,
  ): void {
    if (expr.args.length !== types.length) {
      this.refuse(expr, `${types.length} arguments`, `${expr.args.length}`);
    }
    expr.args.forEach((arg, i) => this.#expect(arg, types[i], place));
  }

  #load(expr: Expr & { kind: "load" }, place: Place): Scalar {
    this.#only("body", expr, place);
    const type = this.kernel.operands[expr.operand];
    if (!type) {
      this.refuse(
        expr,
        `an operand below ${this.kernel.operands.length}`,
        `${expr.operand}`,
      );
    }
    if (expr.index.length !== type.shape.length) {
      this.refuse(expr, `${type.shape.length} indices`, `${expr.index.length}`);
    }
    for (const index of expr.index) this.#expect(index, "i32", place);
    return dtypes[type.dtype].scalar;
  }

  /** Place inside a sum or loop, its index in scope. */
  #range(expr: Expr & Range, place: Place): Place {
    this.#not("iteration", expr, place);
    if (
      !Number.isInteger(expr.bound) || expr.bound < 1 ||
      expr.bound > 2 ** 31 - 1
    ) {
      this.refuse(expr, "a bound of at least 1", `${expr.bound}`);
    }
    if (place.nesting >= limits.nesting) {
      this.refuse(
        expr,
        `at most ${limits.nesting} loops inside each other`,
        "more",
      );
    }
    for (const part of [expr.first, expr.count]) {
      this.#expect(part, "i32", place);
      if (!isFixed(part, place)) {
        this.refuse(expr, "bounds over axes and iteration", printExpr(part));
      }
    }
    this.#declare(expr.index);
    return {
      ...place,
      nesting: place.nesting + 1,
      scope: new Map(place.scope).set(expr.index, {
        type: "i32",
        fixed: false,
      }),
    };
  }

  #sum(expr: Sum, place: Place): Scalar {
    const inner = this.#range(expr, place);
    if (expr.lanes !== 1 && !(expr.lanes === 4 && expr.type === "f32")) {
      this.refuse(expr, "1 lane, or 4 of f32", `${expr.lanes}`);
    }
    this.#expect(expr.term, expr.type, inner);
    return expr.type;
  }

  #loop(expr: Loop, place: Place): Scalar {
    for (const c of expr.carry) this.#expect(c.init, c.type, place);
    const inner = this.#range(expr, place);
    const carried = new Map(place.scope);
    for (const c of expr.carry) {
      this.#declare(c.name);
      carried.set(c.name, { type: c.type, fixed: false });
    }
    const scope = new Map([...inner.scope, ...carried]);
    for (const c of expr.carry) {
      this.#expect(c.next, c.type, { ...inner, scope });
    }
    return this.#type(expr.result, { ...place, scope: carried });
  }

  #only(within: Place["within"], expr: Expr, place: Place): void {
    if (place.within === within) return;
    const allowed = place.within === "function"
      ? "parameters"
      : "the iteration";
    this.refuse(expr, `${allowed} alone`, expr.kind);
  }

  #not(within: Place["within"], expr: Expr, place: Place): void {
    if (place.within === within) {
      this.refuse(expr, "arithmetic over the iteration alone", expr.kind);
    }
  }
}

/** True for arithmetic over constants, axes and the iteration. */
function isFixed(expr: Expr, place: Place): boolean {
  switch (expr.kind) {
    case "const":
    case "axis":
    case "iteration":
      return true;
    case "var":
      return place.scope.get(expr.name)?.fixed ?? false;
    case "op":
      return expr.args.every((a) => isFixed(a, place));
    default:
      return false;
  }
}
