/**
 * Emits expressions into one WebAssembly function, each computed as far outside its loops as it may be.
 *
 * A level is a place in the nest of loops: 0 outside, p inside axes 0 .. p - 1, further in for every sum
 * and loop. Before a loop is opened, `hoist` computes the largest subexpressions of its body that do not
 * change in it and keeps them in locals. An f32 value in a local, a carry, an argument or a store has a
 * canonical NaN or one that was loaded; only between arithmetic operations may other NaNs stand.
 */
import {
  ChainLearnError,
  type Code,
  type FunctionRef,
  type Local,
} from "../../fpvm/mod.ts";
import {
  CANONICAL_NAN,
  type Expr,
  type Kernel,
  type Loop,
  type Scalar,
  type Sum,
  typeOf,
} from "../ir.ts";
import { mapParts } from "../kernel/parts.ts";
import type { FlatBody } from "./flatten.ts";
import {
  leavesAnyNan,
  readsNanBits,
  scalarOps,
  type Scratch,
} from "./scalar_ops.ts";
import { Contractions } from "./contraction.ts";
import type { Storage } from "./storage.ts";
import { Accumulators } from "./vector.ts";

/** What expressions refer to beyond themselves. */
export interface EmitContext {
  readonly kernel: Kernel;
  readonly storage: Storage;
  readonly functions: ReadonlyMap<string, FunctionRef>;
}

/** Emits the expressions of one flat body. */
export class Emitter {
  /** Index of each axis whose loop is open. */
  readonly axes: Local[] = [];
  readonly #flat: FlatBody;
  readonly #contractions: Contractions;
  readonly #scratch: Scratch;
  /** Locals of variables in scope. */
  readonly #variables = new Map<string, Local>();
  readonly #levels = new Map<string, number>();
  /** Subexpressions computed further outside. */
  readonly #kept = new Map<Expr, Local>();
  #level = 0;

  constructor(
    readonly code: Code,
    readonly context: EmitContext,
    flat: FlatBody,
    readonly iteration?: Local,
  ) {
    this.#flat = flat;
    this.#contractions = new Contractions(context.kernel, flat.dependences);
    const three = (type: Scalar) =>
      [code.local(type), code.local(type), code.local(type)] as const;
    this.#scratch = { i32: three("i32"), i64: three("i64"), f32: three("f32") };
  }

  /** Names a parameter of the function: it never changes. */
  bind(name: string, local: Local): void {
    this.#variables.set(name, local);
    this.#levels.set(name, 0);
  }

  /** Runs `body` one level further in; what is kept there is forgotten afterwards. */
  nest(body: () => void): void {
    this.#level++;
    this.scope(body);
    this.#level--;
  }

  /** Forgets afterwards what `body` computed: it may not have run. */
  scope(body: () => void): void {
    const kept = new Map(this.#kept);
    const variables = new Map(this.#variables);
    body();
    restore(this.#kept, kept);
    restore(this.#variables, variables);
  }

  /** Computes what of `expr` is unchanged in deeper levels, into locals. */
  hoist(expr: Expr): void {
    if (this.#kept.has(expr) || isTrivial(expr)) return;
    if (this.#levelOf(expr) <= this.#level) {
      const local = this.code.local(this.typeOf(expr));
      this.emitCanonical(expr);
      this.code.set(local);
      this.#kept.set(expr, local);
      return;
    }
    if (expr.kind === "let") {
      this.hoist(expr.value);
      if (this.#levelOf(expr.value) <= this.#level) this.define(expr);
      this.hoist(expr.body);
      return;
    }
    mapParts(expr, (part) => {
      this.hoist(part);
      return part;
    });
  }

  /** Makes `local` the value of an expression until the scope ends. */
  keep(expr: Expr, local: Local): void {
    this.#kept.set(expr, local);
  }

  /** Runs `body` with a range's index bound to a local. */
  withIndex(range: Sum | Loop, index: Local, body: () => void): void {
    this.scope(() => {
      this.#variables.set(range.index, index);
      body();
    });
  }

  typeOf(expr: Expr): Scalar {
    return typeOf(expr, this.context.kernel);
  }

  /** Pushes a value with a canonical NaN, or one that was moved here from memory. */
  emitCanonical(expr: Expr): void {
    this.emit(expr);
    if (!this.#kept.has(expr) && this.#mayLeaveAnyNan(expr)) {
      this.emitCanonicalNan();
    }
  }

  /** Replaces any NaN on the stack. */
  emitCanonicalNan(): void {
    const [x] = this.#scratch.f32;
    this.code.tee(x).f32Bits(CANONICAL_NAN).get(x).get(x).op("f32.eq");
    this.code.op("select");
  }

  /** Pushes the value of an expression; a NaN made by arithmetic may have any bits. */
  emit(expr: Expr): void {
    const code = this.code;
    const kept = this.#kept.get(expr);
    if (kept !== undefined) {
      code.get(kept);
      return;
    }
    switch (expr.kind) {
      case "const":
        emitConstant(code, expr.type, expr.value);
        return;
      case "axis":
        code.get(this.axes[expr.axis]);
        return;
      case "iteration":
        code.get(this.#found(this.iteration, "iteration"));
        return;
      case "var":
        code.get(this.#found(this.#variables.get(expr.name), expr.name));
        return;
      case "op":
        for (const arg of expr.args) {
          if (readsNanBits(expr.op)) this.emitCanonical(arg);
          else this.emit(arg);
        }
        scalarOps[expr.op](code, this.#scratch);
        return;
      case "load":
        this.emit(expr.index[0]);
        this.context.storage.load(
          code,
          this.context.kernel.operands[expr.operand].dtype,
        );
        return;
      case "let":
        if (!this.#variables.has(expr.name)) this.define(expr);
        this.emit(expr.body);
        return;
      case "sum":
        this.#emitSum(expr);
        return;
      case "loop":
        this.#emitLoop(expr);
        return;
      case "call":
        for (const arg of expr.args) this.emitCanonical(arg);
        code.call(
          this.#found(this.context.functions.get(expr.fn), expr.fn),
        );
        return;
      default:
        return expr satisfies never;
    }
  }

  #found<T>(value: T | undefined, name: string): T {
    if (value !== undefined) return value;
    throw new ChainLearnError(
      `Cannot compile kernel "${this.context.kernel.name}": expected "${name}" bound where it is used`,
    );
  }

  /** Gives a let's variable its value. */
  define(expr: Expr & { kind: "let" }): void {
    if (this.#variables.has(expr.name)) return;
    const local = this.code.local(this.typeOf(expr.value));
    this.emitCanonical(expr.value);
    this.code.set(local);
    this.#variables.set(expr.name, local);
  }

  /** The outermost level at which the expression can be computed. */
  #levelOf(expr: Expr): number {
    const own = this.#flat.dependences.get(expr);
    if (!own) return Infinity;
    let level = own.prefix;
    for (const name of own.free) {
      level = Math.max(level, this.#levels.get(name) ?? Infinity);
    }
    return level;
  }

  #mayLeaveAnyNan(expr: Expr): boolean {
    switch (expr.kind) {
      case "op":
        return leavesAnyNan(expr.op);
      case "sum":
        return expr.type === "f32";
      case "let":
        return this.#mayLeaveAnyNan(expr.body);
      case "loop":
        return this.#mayLeaveAnyNan(expr.result);
      default:
        return false;
    }
  }

  /** Opens a loop over the range's indices; `body` runs one level further in. */
  emitRange(
    range: Sum | Loop,
    invariant: readonly Expr[],
    body: () => void,
  ): void {
    const code = this.code;
    const [index, end] = [code.local("i32"), code.local("i32")];
    this.emit(range.first);
    code.tee(index);
    this.emit(range.count);
    code.tee(end).op("i32.add");
    // `end` holds the count until here; a negative one means none.
    code.get(end).i32(0).op("i32.gt_s");
    const some = this.#scratch.i32[0];
    code.set(some).set(end).get(some).if(() =>
      this.scope(() => {
        this.#variables.set(range.index, index);
        this.#levels.set(range.index, this.#level + 1);
        for (const expr of invariant) this.hoist(expr);
        code.loop((again) => {
          this.nest(body);
          code.get(index).i32(1).op("i32.add").tee(index);
          code.get(end).op("i32.ne").brIf(again);
        });
      })
    );
  }

  #emitSum(sum: Sum): void {
    const code = this.code;
    const contraction = this.#contractions.of(sum);
    if (contraction) {
      const one = new Accumulators(
        this,
        this.#contractions,
        contraction.type,
        1,
      );
      one.clear();
      one.add(sum);
      one.total(0);
      return;
    }
    if (sum.type === "f32" && sum.lanes === 4) {
      this.#emitLaneSum(sum);
      return;
    }
    const total = code.local(sum.type);
    emitConstant(code, sum.type, sum.type === "i64" ? 0n : 0);
    code.set(total);
    this.emitRange(sum, [sum.term], () => {
      code.get(total);
      this.emit(sum.term);
      code.op(`${sum.type}.add`).set(total);
    });
    code.get(total);
  }

  /**
   * Lanes turn by one place per term, so that each term enters at lane 0. The other lanes take +0, which
   * changes no bit: a sum that started at +0 is never -0. The final pairing does not mind the turn.
   */
  #emitLaneSum(sum: Sum): void {
    const code = this.code;
    const lanes = code.local("v128");
    const zero = new Uint8Array(16);
    code.v128(zero).set(lanes);
    this.emitRange(sum, [sum.term], () => {
      code.get(lanes).v128(zero);
      this.emit(sum.term);
      code.lane("f32x4.replace_lane", 0).op("f32x4.add").tee(lanes);
      code.get(lanes).shuffle(ROTATE).set(lanes);
    });
    emitLaneTotal(code, lanes);
  }

  #emitLoop(loop: Loop): void {
    const code = this.code;
    const carried = loop.carry.map((carry) => code.local(carry.type));
    for (const carry of loop.carry) this.emitCanonical(carry.init);
    for (const local of carried.toReversed()) code.set(local);
    loop.carry.forEach((carry, i) => {
      this.#variables.set(carry.name, carried[i]);
      this.#levels.set(carry.name, this.#level + 1);
    });
    this.emitRange(loop, loop.carry.map((carry) => carry.next), () => {
      for (const carry of loop.carry) this.emitCanonical(carry.next);
      for (const local of carried.toReversed()) code.set(local);
    });
    for (const { name } of loop.carry) this.#levels.set(name, this.#level);
    this.emit(loop.result);
  }
}

const ROTATE = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3];

/** Pushes (s0 + s2) + (s1 + s3) of four f32 lanes. */
export function emitLaneTotal(code: Code, lanes: Local): void {
  for (const [a, b] of [[0, 2], [1, 3]]) {
    code.get(lanes).lane("f32x4.extract_lane", a);
    code.get(lanes).lane("f32x4.extract_lane", b).op("f32.add");
  }
  code.op("f32.add");
}

/** Pushes a constant of a scalar type. */
export function emitConstant(
  code: Code,
  type: Scalar,
  value: number | bigint,
): void {
  if (type === "i64") code.i64(value);
  else if (type === "i32") code.i32(Number(value));
  else code.f32Bits(Number(value));
}

/** Cheaper to repeat than to keep. */
function isTrivial(expr: Expr): boolean {
  return expr.kind === "const" || expr.kind === "axis" ||
    expr.kind === "iteration" || expr.kind === "var";
}

function restore<K, V>(map: Map<K, V>, saved: ReadonlyMap<K, V>): void {
  map.clear();
  for (const [key, value] of saved) map.set(key, value);
}
