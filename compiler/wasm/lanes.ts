/**
 * Emits expressions for neighbours along the innermost axis together: eight lanes to a group.
 *
 * What all neighbours share is left to the scalar emitter and put into every lane; the rest is done in the
 * smallest integers that hold it. An operation without a vector instruction goes lane by lane. A varying
 * shift count is fast where it is in a range that requantization has (`assumptions`); the caller checks
 * that at run time and has a scalar path for the rest.
 */
import type { Code, Local } from "../../fpvm/mod.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import { dtypes, type Expr, type Loop, type Sum } from "../ir.ts";
import { mapParts } from "../kernel/parts.ts";
import type { Emitter } from "./emitter.ts";
import type { LaneFacts } from "./lane_facts.ts";
import {
  emitLaneOp,
  isCompare,
  type LaneArgs,
  shiftPowers,
} from "./lane_ops.ts";
import { canonicalLanes } from "./lane_float.ts";
import {
  asKind,
  gatherLanes,
  kindOf,
  type LaneKind,
  LANES,
  type Lanes,
  loadLanes,
  makeLanes,
  shapeOf,
  splatLanes,
  vectorsOf,
} from "./lane_value.ts";
import { type Assumption, strideOf } from "./lane_support.ts";
import { NanFacts } from "./nan_facts.ts";

/** What has been computed in the scope at hand. */
interface Memo {
  readonly lanes: Map<Expr, Lanes>[];
  readonly splats: Map<string, Lanes>;
  readonly powers: Map<string, Lanes>;
  readonly bases: Map<Expr, Local>;
  readonly carried: Map<string, readonly Lanes[]>;
  readonly bound: Map<string, Expr>;
}

const copyMemo = (memo: Memo): Memo => ({
  lanes: memo.lanes.map((m) => new Map(m)),
  splats: new Map(memo.splats),
  powers: new Map(memo.powers),
  bases: new Map(memo.bases),
  carried: new Map(memo.carried),
  bound: new Map(memo.bound),
});

/** Emits parts of one flat body for `groups` of eight lanes from the innermost index that is open. */
export class LaneEmitter {
  readonly #code: Code;
  readonly #ids = new Map<Expr, number>();
  readonly #nans: NanFacts;
  #memo: Memo;

  constructor(
    readonly emitter: Emitter,
    readonly facts: LaneFacts,
    readonly groups: number,
    /** What `keep` will bring. */
    readonly given?: Expr,
  ) {
    this.#code = emitter.code;
    this.#nans = new NanFacts(facts.body);
    this.#memo = copyMemo({
      lanes: Array.from({ length: groups }, () => new Map()),
      splats: new Map(),
      powers: new Map(),
      bases: new Map(),
      carried: new Map(),
      bound: new Map(),
    });
  }

  /** Forgets afterwards what `body` computed, here and in the scalar emitter. */
  scope(body: () => void): void {
    const outside = this.#memo;
    this.#memo = copyMemo(outside);
    this.emitter.scope(body);
    this.#memo = outside;
  }

  /** Takes a group's value as given until the scope ends. */
  keep(expr: Expr, group: number, lanes: Lanes): void {
    this.#memo.lanes[group].set(expr, lanes);
  }

  /** Computes what depends on the innermost axis alone, so that rows share it. */
  hoistColumns(expr: Expr): void {
    if (expr === this.given) return;
    if (!this.facts.isVarying(expr) || expr.kind === "axis") return;
    if (expr.kind === "var" || expr.kind === "const") return;
    if (this.#memo.lanes[0].has(expr)) return;
    const { facts } = this;
    if (expr.kind === "let" && !facts.isVarying(expr.value)) {
      const { axes, free } = facts.of(expr.value);
      if (axes === 0 && free.size === 0) this.emitter.define(expr);
      this.hoistColumns(expr.body);
      return;
    }
    if (facts.isColumn(expr) && expr.kind !== "let") {
      for (let g = 0; g < this.groups; g++) this.value(expr, g);
      return;
    }
    if (expr.kind === "load" || expr.kind === "sum" || expr.kind === "loop") {
      return;
    }
    if (expr.kind === "let") this.#memo.bound.set(expr.name, expr.value);
    mapParts(expr, (part) => {
      this.hoistColumns(part);
      return part;
    });
    const isShift = expr.kind === "op" && expr.op === "i64.shr_s";
    if (!facts.assumes || !isShift || !facts.isVarying(expr.args[1])) return;
    for (let g = 0; g < this.groups; g++) this.#powers(expr.args[1], g);
  }

  /** Pushes whether every lane of every group keeps all assumptions; there is at least one. */
  check(assumptions: readonly Assumption[]): void {
    const code = this.#code;
    let tests = 0;
    for (const { count, lo, hi } of assumptions) {
      for (let g = 0; g < this.groups; g++) {
        for (const vector of this.as(count, g, "i32").vectors) {
          code.get(vector).i32(-lo).op("i32x4.splat", "i32x4.add");
          code.i32(hi - lo).op("i32x4.splat", "i32x4.le_u", "i32x4.all_true");
          if (tests++ > 0) code.op("i32.and");
        }
      }
    }
  }

  /** The value of a group; its kind holds every value that it can take. */
  value(expr: Expr, group: number): Lanes {
    const known = this.#memo.lanes[group].get(expr);
    if (known) return known;
    if (expr.kind === "let") {
      this.#define(expr);
      return this.value(expr.body, group);
    }
    const { interval, varying } = this.facts.of(expr);
    if (!varying) {
      const isFloat = this.emitter.typeOf(expr) === "f32";
      return this.#splat(expr, isFloat ? "f32" : kindOf(interval));
    }
    const lanes = this.#varying(expr, group);
    this.#memo.lanes[group].set(expr, lanes);
    return lanes;
  }

  /** The value of a group with the right bits of every NaN, as a store wants it. */
  exact(expr: Expr, group: number): Lanes {
    const lanes = this.value(expr, group);
    if (!lanes.anyNan) return lanes;
    const canonical = canonicalLanes(this.#code, lanes);
    this.#memo.lanes[group].set(expr, canonical);
    return canonical;
  }

  #varying(expr: Expr, group: number): Lanes {
    switch (expr.kind) {
      case "axis":
        return this.#axis(expr.axis, group);
      case "var": {
        const carried = this.#memo.carried.get(expr.name);
        if (carried) return carried[group];
        const bound = this.#memo.bound.get(expr.name);
        if (bound) return this.value(bound, group);
        break;
      }
      case "op":
        return this.#op(expr, group);
      case "load":
        return this.#load(expr, group);
      case "sum":
        this.#sum(expr);
        return this.#memo.lanes[group].get(expr)!;
      case "loop":
        this.#loop(expr);
        return this.#memo.lanes[group].get(expr)!;
    }
    throw new ChainLearnError(
      `Cannot compile kernel "${this.facts.kernel.name}": expected lanes of a ${expr.kind}, found none`,
    );
  }

  #define(expr: Expr & { kind: "let" }): void {
    if (this.facts.isVarying(expr.value)) {
      this.#memo.bound.set(expr.name, expr.value);
    } else this.emitter.define(expr);
  }

  /** One scalar in every lane, once per scope. */
  #splat(expr: Expr, kind: LaneKind): Lanes {
    const key = `${kind} ${this.#idOf(expr)}`;
    const known = this.#memo.splats.get(key);
    if (known) return known;
    const wide = this.emitter.typeOf(expr) === "i64";
    const lanes = splatLanes(
      this.#code,
      kind,
      wide,
      () => this.emitter.emitCanonical(expr),
    );
    this.#memo.splats.set(key, lanes);
    return lanes;
  }

  /** All ones in every lane where a condition that neighbours share holds, once per scope. */
  #splatMask(condition: Expr, kind: LaneKind): Lanes {
    const key = `mask ${kind} ${this.#idOf(condition)}`;
    const known = this.#memo.splats.get(key);
    if (known) return known;
    const lanes = splatLanes(this.#code, kind, false, () => {
      this.emitter.emit(condition);
      this.#code.op("i32.eqz").i32(-1).op("i32.add");
    });
    this.#memo.splats.set(key, lanes);
    return lanes;
  }

  /** A value in a kind that holds it. */
  as(expr: Expr, group: number, kind: LaneKind): Lanes {
    if (expr.kind !== "let" && !this.facts.isVarying(expr)) {
      return this.#splat(expr, kind);
    }
    return asKind(this.#code, this.value(expr, group), kind);
  }

  #axis(axis: number, group: number): Lanes {
    const code = this.#code;
    const kind = this.facts.kernel.result.shape[axis] <= 2 ** 15
      ? "i16"
      : "i32";
    return makeLanes(code, kind, (vector) => {
      code.get(this.emitter.axes[axis]).op(
        kind === "i16" ? "i16x8.splat" : "i32x4.splat",
      );
      const each = LANES / vectorsOf[kind];
      const steps = Array.from(
        { length: each },
        (_, i) => LANES * group + each * vector + i,
      );
      const bytes = kind === "i16"
        ? new Uint8Array(Int16Array.from(steps).buffer)
        : new Uint8Array(Int32Array.from(steps).buffer);
      code.v128(bytes).op(`${kind === "i16" ? "i16x8" : "i32x4"}.add`);
    });
  }

  #load(expr: Expr & { kind: "load" }, group: number): Lanes {
    const code = this.#code;
    const { dtype } = this.facts.kernel.operands[expr.operand];
    const stride = strideOf(this.facts, expr);
    if (stride === undefined) {
      const addresses = this.as(expr.index[0], group, "i32");
      return gatherLanes(code, dtype, (lane) => {
        code.get(addresses.vectors[lane >> 2]);
        code.lane("i32x4.extract_lane", lane & 3);
        return 0;
      });
    }
    const base = this.#base(expr.index[0]);
    const offset = group * LANES * stride;
    if (stride === dtypes[dtype].bytes) {
      return loadLanes(code, dtype, base, offset);
    }
    return gatherLanes(code, dtype, (lane) => {
      code.get(base);
      return offset + lane * stride;
    });
  }

  /** The address of the first lane of the first group. */
  #base(address: Expr): Local {
    let base = this.#memo.bases.get(address);
    if (base === undefined) {
      base = this.#code.local("i32");
      this.emitter.emit(address);
      this.#code.set(base);
      this.#memo.bases.set(address, base);
    }
    return base;
  }

  #op(expr: Expr & { kind: "op" }, group: number): Lanes {
    return emitLaneOp(this.#code, expr.op, this.#args(expr, group));
  }

  #args(expr: Expr & { kind: "op" }, group: number): LaneArgs {
    return {
      exprs: expr.args,
      intervals: expr.args.map((a) => this.facts.of(a).interval),
      result: this.facts.of(expr).interval,
      assumes: this.facts.assumes,
      isVarying: (i) => this.facts.isVarying(expr.args[i]),
      as: (i, kind) => this.as(expr.args[i], group, kind),
      value: (i) => this.value(expr.args[i], group),
      exact: (i) => this.exact(expr.args[i], group),
      isCanonical: (i) => this.#nans.isCanonical(expr.args[i]),
      scalar: (i) => this.emitter.emit(expr.args[i]),
      mask: (i, kind) => this.#mask(expr.args[i], group, kind),
      powers: (i) => this.#powers(expr.args[i], group),
    };
  }

  /** Powers of two for shifts by a column's counts, once per scope. */
  #powers(count: Expr, group: number): Lanes {
    const key = `${group} ${this.#idOf(count)}`;
    let powers = this.#memo.powers.get(key);
    if (!powers) {
      powers = shiftPowers(this.#code, this.as(count, group, "i32"));
      this.#memo.powers.set(key, powers);
    }
    return powers;
  }

  #idOf(expr: Expr): number {
    const id = this.#ids.get(expr) ?? this.#ids.size;
    this.#ids.set(expr, id);
    return id;
  }

  /** All ones where a condition holds, in lanes of a kind. */
  #mask(expr: Expr, group: number, kind: LaneKind): Lanes {
    const code = this.#code;
    if (!this.facts.isVarying(expr) && kind !== "f32") {
      return this.#splatMask(expr, kind);
    }
    if (
      expr.kind === "op" && isCompare(expr.op) && this.facts.isVarying(expr)
    ) {
      return asKind(code, this.#compare(expr, group), kind);
    }
    const value = this.value(expr, group);
    const masks = makeLanes(code, value.kind, (i) => {
      code.get(value.vectors[i]).v128(new Uint8Array(16));
      code.op(`${shapeOf[value.kind]}.ne`);
    });
    return asKind(code, masks, kind);
  }

  #compare(expr: Expr & { kind: "op" }, group: number): Lanes {
    return emitLaneOp(this.#code, expr.op, this.#args(expr, group), true);
  }

  // --- sums and loops: all groups in one pass ------------------------------------------------------

  #sum(sum: Sum): void {
    const code = this.#code;
    const totals = this.#all((_) => ({
      ...makeLanes(code, sum.type, () => code.v128(new Uint8Array(16))),
      anyNan: sum.type === "f32",
    }));
    this.#addRange(sum, totals);
    totals.forEach((lanes, g) => this.#memo.lanes[g].set(sum, lanes));
  }

  #all<T>(make: (group: number) => T): T[] {
    return Array.from({ length: this.groups }, (_, g) => make(g));
  }

  #addRange(sum: Sum, totals: readonly Lanes[]): void {
    this.emitter.emitRange(sum, this.#scalarParts(sum.term), () => {
      this.scope(() => this.#accumulate(sum.term, totals));
    });
  }

  /**
   * Adds an expression to the totals of all groups; what a shared condition excludes is skipped. An inner
   * sum of f32 is added as one: its order is part of its value. To leave out a +0 is right: a sum that
   * started at +0 is never -0.
   */
  #accumulate(expr: Expr, totals: readonly Lanes[]): void {
    const code = this.#code;
    const { facts, emitter } = this;
    const isFloat = totals[0].kind === "f32";
    if (expr.kind === "sum" && !isFloat && facts.isVarying(expr)) {
      this.#addRange(expr, totals);
      return;
    }
    if (expr.kind === "let") {
      this.#define(expr);
      this.#accumulate(expr.body, totals);
      return;
    }
    if (isMask(expr, isFloat) && !facts.isVarying(expr.args[0])) {
      emitter.emit(expr.args[0]);
      code.if(() => this.scope(() => this.#accumulate(expr.args[1], totals)));
      return;
    }
    totals.forEach((total, g) => {
      const term = this.as(expr, g, total.kind);
      total.vectors.forEach((vector, i) => {
        code.get(vector).get(term.vectors[i]);
        code.op(`${shapeOf[total.kind]}.add`).set(vector);
      });
    });
  }

  /** What the scalar emitter computes inside an expression: addresses, and what neighbours share. */
  #scalarParts(expr: Expr): Expr[] {
    const parts: Expr[] = [];
    const visit = (e: Expr): void => {
      if (!this.facts.isVarying(e)) parts.push(e);
      else if (e.kind === "load" && strideOf(this.facts, e) !== undefined) {
        parts.push(e.index[0]);
      } else {
        mapParts(e, (part) => {
          visit(part);
          return part;
        });
      }
    };
    visit(expr);
    return parts;
  }

  #loop(loop: Loop): void {
    const code = this.#code;
    const carries = loop.carry.map((carry) => {
      const variable: Expr = {
        kind: "var",
        name: carry.name,
        type: carry.type,
      };
      const isOpen = carry.type === "f32" && this.#nans.isCanonical(variable);
      const kind = this.#kindOfCarry(loop, carry.name, variable);
      return { ...carry, kind, isOpen };
    });
    const held = (expr: Expr, g: number, carry: typeof carries[number]) =>
      carry.kind === "f32" && !carry.isOpen
        ? this.exact(expr, g)
        : this.as(expr, g, carry.kind);
    const values = carries.map((carry) =>
      this.#all((g) => {
        const init = held(carry.init, g, carry);
        return {
          ...makeLanes(code, carry.kind, (i) => code.get(init.vectors[i])),
          anyNan: carry.isOpen,
        };
      })
    );
    carries.forEach((c, i) => this.#memo.carried.set(c.name, values[i]));
    const parts = loop.carry.flatMap((c) => this.#scalarParts(c.next));
    this.emitter.emitRange(loop, parts, () =>
      this.scope(() => {
        const next = carries.map((carry) =>
          this.#all((g) => held(carry.next, g, carry))
        );
        for (const [i, groups] of next.entries()) {
          groups.forEach((lanes, g) =>
            lanes.vectors.forEach((v, j) =>
              next.length === 1
                ? code.get(v).set(values[i][g].vectors[j])
                : code.get(v)
            )
          );
        }
        if (next.length === 1) return;
        // All are read before any is replaced.
        for (const groups of values.toReversed()) {
          for (const lanes of groups.toReversed()) {
            for (const v of lanes.vectors.toReversed()) code.set(v);
          }
        }
      }));
    for (let g = 0; g < this.groups; g++) {
      this.#memo.lanes[g].set(loop, this.value(loop.result, g));
    }
  }

  /** The kind that holds a carry in every pass, from the facts of its uses. */
  #kindOfCarry(loop: Loop, name: string, variable: Expr): LaneKind {
    if (variable.kind === "var" && variable.type === "f32") return "f32";
    const use = findVariable(loop, name);
    return use
      ? kindOf(this.facts.of(use).interval)
      : variable.kind === "var" && variable.type === "i64"
      ? "i64"
      : "i32";
  }
}

/** select(c, x, 0) of i32 or f32: x counts where c holds. */
function isMask(expr: Expr, isFloat: boolean): expr is Expr & { kind: "op" } {
  if (expr.kind !== "op") return false;
  if (expr.op !== (isFloat ? "f32.select" : "i32.select")) return false;
  const [, , other] = expr.args;
  return other.kind === "const" && Number(other.value) === 0;
}

/** A use of a variable inside a loop. */
function findVariable(loop: Loop, name: string): Expr | undefined {
  let found: Expr | undefined;
  const visit = (expr: Expr): Expr => {
    if (expr.kind === "var" && expr.name === name) found ??= expr;
    if (!found) mapParts(expr, visit);
    return expr;
  };
  mapParts(loop, visit);
  return found;
}
