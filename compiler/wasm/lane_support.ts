/**
 * Which bodies lanes can compute, and what of it they assume of varying shift counts.
 *
 * Only an analysis: `lanes.ts` emits.
 */
import type { Expr, Loop, Sum } from "../ir.ts";
import { mapParts } from "../kernel/parts.ts";
import { affine } from "./flatten.ts";
import { type LaneFacts, SHIFT_ONE_LEFT, SHIFT_RIGHT } from "./lane_facts.ts";
import { holdsDType } from "./lane_value.ts";

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

/**
 * Whether lanes can do a body: no calls, sums in index order, ranges and conditions of sums shared by all
 * neighbours. What is `given` is not looked into.
 */
export function supportsLanes(
  facts: LaneFacts,
  body: Expr,
  given?: Expr,
): boolean {
  const { operands } = facts.kernel;
  const visit = (expr: Expr, inLoop: boolean): boolean => {
    if (expr === given || !facts.isVarying(expr)) return true;
    switch (expr.kind) {
      case "call":
        return false;
      case "load":
        return holdsDType(operands[expr.operand].dtype) &&
          (strideOf(facts, expr) !== undefined ||
            !inLoop && visit(expr.index[0], inLoop));
      case "sum":
        return isShared(expr) && !(expr.type === "f32" && expr.lanes === 4) &&
          visit(expr.term, true);
      case "loop":
        return isShared(expr) &&
          expr.carry.every((c) =>
            visit(c.init, inLoop) && visit(c.next, true)
          ) &&
          visit(expr.result, inLoop);
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
export function strideOf(
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
