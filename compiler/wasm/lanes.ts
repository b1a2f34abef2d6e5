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
import { isMask } from "./contraction.ts";
import type { Emitter } from "./emitter.ts";
import { affine } from "./flatten.ts";
import { type LaneFacts, SHIFT_ONE_LEFT, SHIFT_RIGHT } from "./lane_facts.ts";
import {
  emitLaneOp,
  isCompare,
  type LaneArgs,
  shiftPowers,
} from "./lane_ops.ts";
import {
  asKind,
  gatherLanes,
  holdsDType,
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

/** A shift whose count varies: fast where every lane's count is in [lo, hi]. */
export interface Assumption {
  readonly count: Expr;
  readonly lo: number;
  readonly hi: number;
}

/** The range of counts that a varying shift wants; undefined for what is no such shift. */
export function assumptionOf(
  facts: LaneFacts,
  expr: Expr,
): Assumption | undefined {
  if (expr.kind !== "op") return undefined;
  const [x, count] = expr.args;
  if (expr.op === "i64.shr_s" && facts.isVarying(count)) {
    return { count, ...SHIFT_RIGHT };
  }
  if (
    expr.op === "i64.shl" && facts.isVarying(count) && x.kind === "const" &&
    x.value === 1n
  ) {
    return { count, ...SHIFT_ONE_LEFT };
  }
  return undefined;
}

/** What a body assumes, outside of its sums and loops. */
export function assumptionsOf(facts: LaneFacts, body: Expr): Assumption[] {
  const found: Assumption[] = [];
  const visit = (expr: Expr): Expr => {
    const own = assumptionOf(facts, expr);
    if (own) found.push(own);
    if (expr.kind !== "sum" && expr.kind !== "loop") mapParts(expr, visit);
    return expr;
  };
  visit(body);
  return found;
}

/** Whether lanes can do a body: integers alone, ranges and conditions of sums shared by all neighbours.
 * What is `given` is not looked into. */
export function supportsLanes(
  facts: LaneFacts,
  body: Expr,
  given?: Expr,
): boolean {
  const { operands, functions } = facts.kernel;
  const type = (expr: Expr): boolean => {
    switch (expr.kind) {
      case "const":
      case "var":
      case "sum":
        return expr.type !== "f32";
      case "load":
        return holdsDType(operands[expr.operand].dtype);
      case "op":
        return !expr.op.includes("f32");
      case "call":
        return functions.find((f) => f.name === expr.fn)?.result !== "f32";
      default:
        return true;
    }
  };
  const visit = (expr: Expr, inLoop: boolean): boolean => {
    if (expr === given) return true;
    if (!type(expr)) return false;
    if (!facts.isVarying(expr)) return true;
    switch (expr.kind) {
      case "call":
        return false;
      case "load":
        return strideOf(facts, expr) !== undefined ||
          !inLoop && visit(expr.index[0], inLoop);
      case "sum":
        return isShared(expr) && visit(expr.term, true);
      case "loop":
        return isShared(expr) &&
          expr.carry.every((c) =>
            c.type !== "f32" && visit(c.init, inLoop) && visit(c.next, true)
          ) && visit(expr.result, inLoop);
      default: {
        const assumed = assumptionOf(facts, expr);
        if (assumed && (inLoop || !facts.isColumn(assumed.count))) return false;
        let all = true;
        mapParts(expr, (part) => {
          all &&= visit(part, inLoop);
          return part;
        });
        return all;
      }
    }
  };
  const isShared = (range: Sum | Loop) =>
    !facts.isVarying(range.first) && !facts.isVarying(range.count);
  return visit(body, false);
}

/** Bytes between neighbours of a load; undefined where they are not evenly spaced. */
function strideOf(
  facts: LaneFacts,
  load: Expr & { kind: "load" },
): number | undefined {
  const inner = facts.kernel.result.shape.length - 1;
  let stride = 0;
  for (const [atom, factor] of affine(load.index[0]).terms) {
    if (!facts.isVarying(atom)) continue;
    if (atom.kind !== "axis" || atom.axis !== inner) return undefined;
    stride = factor;
  }
  return stride >= 0 && stride < 2 ** 24 ? stride : undefined;
}

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
  #memo: Memo;

  constructor(
    readonly emitter: Emitter,
    readonly facts: LaneFacts,
    readonly groups: number,
    /** What `keep` will bring. */
    readonly given?: Expr,
  ) {
    this.#code = emitter.code;
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
    if (!varying) return this.#splat(expr, kindOf(interval));
    const lanes = this.#varying(expr, group);
    this.#memo.lanes[group].set(expr, lanes);
    return lanes;
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
      () => this.emitter.emit(expr),
    );
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
    const kind: LaneKind = sum.type === "i64" ? "i64" : "i32";
    const totals = this.#all((_) =>
      makeLanes(code, kind, () => code.v128(new Uint8Array(16)))
    );
    this.#accumulate(sum, totals);
    totals.forEach((lanes, g) => this.#memo.lanes[g].set(sum, lanes));
  }

  #all<T>(make: (group: number) => T): T[] {
    return Array.from({ length: this.groups }, (_, g) => make(g));
  }

  /** Adds an expression to the totals of all groups; what a shared condition excludes is skipped. */
  #accumulate(expr: Expr, totals: readonly Lanes[]): void {
    const code = this.#code;
    const { facts, emitter } = this;
    if (expr.kind === "sum" && facts.isVarying(expr)) {
      emitter.emitRange(expr, this.#scalarParts(expr.term), () => {
        this.scope(() => this.#accumulate(expr.term, totals));
      });
      return;
    }
    if (expr.kind === "let") {
      this.#define(expr);
      this.#accumulate(expr.body, totals);
      return;
    }
    if (isMask(expr) && !facts.isVarying(expr.args[0])) {
      emitter.emit(expr.args[0]);
      code.if(() => this.scope(() => this.#accumulate(expr.args[1], totals)));
      return;
    }
    totals.forEach((total, g) => {
      const term = this.as(expr, g, total.kind);
      total.vectors.forEach((vector, i) => {
        code.get(vector).get(term.vectors[i]);
        code.op(`${shapeOf[total.kind as "i32"]}.add`).set(vector);
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
      return { ...carry, kind: this.#kindOfCarry(loop, carry.name, variable) };
    });
    const held = carries.map((carry) =>
      this.#all((g) => {
        const init = this.as(carry.init, g, carry.kind);
        return makeLanes(code, carry.kind, (i) => code.get(init.vectors[i]));
      })
    );
    carries.forEach((c, i) => this.#memo.carried.set(c.name, held[i]));
    const parts = loop.carry.flatMap((c) => this.#scalarParts(c.next));
    this.emitter.emitRange(loop, parts, () =>
      this.scope(() => {
        const next = carries.map((carry) =>
          this.#all((g) => this.as(carry.next, g, carry.kind))
        );
        for (const [i, groups] of next.entries()) {
          groups.forEach((lanes, g) =>
            lanes.vectors.forEach((v, j) =>
              next.length === 1
                ? code.get(v).set(held[i][g].vectors[j])
                : code.get(v)
            )
          );
        }
        if (next.length === 1) return;
        // All are read before any is replaced.
        for (const groups of held.toReversed()) {
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
    const use = findVariable(loop, name);
    return use
      ? kindOf(this.facts.of(use).interval)
      : variable.kind === "var" && variable.type === "i64"
      ? "i64"
      : "i32";
  }
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
