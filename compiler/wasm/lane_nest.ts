/**
 * Computes neighbours along the innermost axis together: element-wise chains, pools, depthwise windows.
 *
 * Columns are walked outside the axis before them, so that what depends on the channel alone, such as the
 * parameters of a requantization, is computed once for all places of a row. The last columns of a row
 * that are no multiple of eight are computed together with some before them a second time.
 */
import type { Local } from "../../fpvm/mod.ts";
import { mapParts } from "../kernel/parts.ts";
import { LaneFacts } from "./lane_facts.ts";
import { holdsDType, LANES, storeLanes } from "./lane_value.ts";
import { assumptionsOf, supportsLanes } from "./lane_support.ts";
import { LaneEmitter } from "./lanes.ts";
import { dtypes, type Expr, type Kernel } from "../ir.ts";
import type { Contractions } from "./contraction.ts";
import type { Box, Nest } from "./nest.ts";

/** Most groups of eight lanes that share a pass of a sum or a loop. */
const GROUPS = 4;

/** How a kernel is walked; plain data. */
export interface LanePlan {
  readonly groups: number;
  readonly cut: number;
  readonly units: number;
  readonly grain: number;
}

/** A plan, where lanes can compute the kernel and its sums run along other axes than the lanes. */
export function planLanes(
  kernel: Kernel,
  facts: LaneFacts,
  body: Expr,
  contractions: Contractions,
): LanePlan | undefined {
  const { shape, dtype } = kernel.result;
  const inner = shape.length - 1;
  if (inner < 0 || shape[inner] < LANES || !holdsDType(dtype)) return undefined;
  if (!facts.isVarying(body) || !supportsLanes(facts, body)) return undefined;
  if (hasContraction(facts, body, contractions)) return undefined;
  const most = isHeavy(facts, body) ? GROUPS : 1;
  const eights = Math.floor(shape[inner] / LANES);
  let groups = Math.min(most, eights);
  while (shape[inner] % LANES === 0 && eights % groups !== 0) groups--;
  const outer = shape.slice(0, -1);
  const long = outer.findIndex((size) => size >= 8);
  const cut = long >= 0
    ? long
    : shape[inner] >= 64 || outer.length === 0
    ? inner
    : outer.indexOf(Math.max(...outer));
  return {
    groups,
    cut,
    units: shape[cut],
    grain: cut === inner ? groups * LANES : 1,
  };
}

/** Whether some sum of the body is cheaper along its terms. */
function hasContraction(
  facts: LaneFacts,
  body: Expr,
  contractions: Contractions,
): boolean {
  let found = false;
  const visit = (expr: Expr): Expr => {
    found ||= facts.isVarying(expr) && contractions.of(expr) !== undefined;
    if (!found) mapParts(expr, visit);
    return expr;
  };
  visit(body);
  return found;
}

function isHeavy(facts: LaneFacts, body: Expr): boolean {
  let found = false;
  const visit = (expr: Expr): Expr => {
    found ||= (expr.kind === "sum" || expr.kind === "loop") &&
      facts.isVarying(expr);
    if (!found) mapParts(expr, visit);
    return expr;
  };
  visit(body);
  return found;
}

/** Emits the whole body of `run`. */
export function emitLaneNest(
  nest: Nest,
  facts: LaneFacts,
  { groups }: LanePlan,
): void {
  const boxes = nest.kernel.result.shape.map((_, axis) => nest.box(axis));
  new LaneNest(nest, facts, boxes, groups).outer(0);
}

class LaneNest {
  readonly #inner: number;
  #any: LaneFacts | undefined;

  constructor(
    readonly nest: Nest,
    readonly facts: LaneFacts,
    readonly boxes: readonly Box[],
    readonly groups: number,
  ) {
    this.#inner = boxes.length - 1;
  }

  /** The loops outside the columns. */
  outer(axis: number): void {
    const { nest, boxes } = this;
    const { emitter } = nest;
    emitter.hoist(nest.body);
    emitter.hoist(nest.address);
    if (axis >= this.#inner - 1) {
      this.#columns();
      // The axis before the columns has been walked inside of them.
      if (this.#inner > 0) this.#clearRows();
      return;
    }
    const index = this.#open(axis);
    nest.each(index, boxes[axis].to, 1, () => {
      emitter.nest(() => this.outer(axis + 1));
    });
    if (boxes[axis].end !== undefined) nest.clear(axis, boxes[axis]);
  }

  #open(axis: number): Local {
    const { code, emitter } = this.nest;
    const index = code.local("i32");
    emitter.axes[axis] = index;
    code.get(this.boxes[axis].from).set(index);
    return index;
  }

  /** Zeros behind the extents of the columns, row by row, and of the rows. */
  #clearRows(): void {
    const { nest, boxes } = this;
    const row = this.#inner - 1;
    if (boxes[this.#inner].end !== undefined) {
      const index = this.#open(row);
      nest.each(index, boxes[row].to, 1, () => {
        nest.clear(this.#inner, boxes[this.#inner]);
      });
    }
    if (boxes[row].end !== undefined) nest.clear(row, boxes[row]);
  }

  #columns(): void {
    const { nest, boxes } = this;
    const { code, emitter, kernel } = nest;
    const { from, to, end } = boxes[this.#inner];
    const column = this.#open(this.#inner);
    const isWhole = nest.cut !== this.#inner && end === undefined &&
      !kernel.update?.ranges[this.#inner];
    const width = kernel.result.shape[this.#inner];
    const wide = LANES * this.groups;
    nest.each(column, to, wide, () => this.#pass(this.groups));
    if (!isWhole || width % wide !== 0) {
      if (this.groups > 1) {
        nest.each(column, to, LANES, () => this.#pass(1));
      }
      code.get(column).get(to).op("i32.lt_s").if(() => {
        code.get(to).get(from).op("i32.sub").i32(LANES).op("i32.ge_s");
        // An update in place would read what it has written.
        if (kernel.update) code.op("drop").i32(0);
        code.if(
          () => {
            code.get(to).i32(LANES).op("i32.sub").set(column);
            this.#pass(1);
          },
          () => this.#scalars(column, to),
        );
      });
    }
    if (this.#inner === 0 && end !== undefined) nest.clear(0, boxes[0]);
    emitter.axes[this.#inner] = column;
  }

  /** One element after another, up to a column. */
  #scalars(column: Local, to: Local): void {
    const { nest } = this;
    nest.each(column, to, 1, () => {
      nest.emitter.nest(() => this.#rows(() => nest.element()));
    });
  }

  /** The axis before the columns, if there is one. */
  #rows(body: () => void): void {
    const { nest, boxes } = this;
    if (this.#inner === 0) {
      body();
      return;
    }
    const row = this.#open(this.#inner - 1);
    nest.each(row, boxes[this.#inner - 1].to, 1, () => {
      nest.emitter.nest(body);
    });
  }

  /** Columns from `column` on, at all places of a row. */
  #pass(groups: number): void {
    const { nest, facts } = this;
    const { code, emitter, body } = nest;
    const rows = (lanes: LaneEmitter) =>
      lanes.scope(() => this.#rows(() => this.#store(lanes, groups)));
    const lanes = new LaneEmitter(emitter, facts, groups);
    emitter.nest(() =>
      lanes.scope(() => {
        lanes.hoistColumns(body);
        const assumptions = assumptionsOf(facts, body);
        if (assumptions.length === 0) {
          rows(lanes);
          return;
        }
        lanes.check(assumptions);
        code.if(() => rows(lanes), () => {
          const any = new LaneEmitter(emitter, this.#anyFacts(), groups);
          any.scope(() => {
            any.hoistColumns(body);
            rows(any);
          });
        });
      })
    );
  }

  /** Facts that assume nothing. */
  #anyFacts(): LaneFacts {
    const { kernel, body } = this.nest;
    return this.#any ??= new LaneFacts(kernel, body, false);
  }

  /** Computes and stores the lanes of one place. */
  #store(lanes: LaneEmitter, groups: number): void {
    const { nest } = this;
    const { code, emitter, kernel: { result: { dtype } } } = nest;
    lanes.scope(() => {
      const address = code.local("i32");
      emitter.emit(nest.address);
      code.set(address);
      for (let g = 0; g < groups; g++) {
        const offset = g * LANES * dtypes[dtype].bytes;
        storeLanes(code, dtype, lanes.exact(nest.body, g), address, offset);
      }
    });
  }
}
