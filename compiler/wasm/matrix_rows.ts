/**
 * Packs rows of the computed tensor for the tiles of a matrix product.
 *
 * A row is the list of its terms in the order of the sums around the product: widened to i16, as the
 * bytes that they are for the relaxed dot product, or f32. Rows are written in order, whole vectors at a time;
 * what a vector writes too far is overwritten by the next or lies behind the last row.
 */
import type { Local } from "../../fpvm/mod.ts";
import { type DType, dtypes, type Expr } from "../ir.ts";
import { affine } from "./flatten.ts";
import type { LaneFacts } from "./lane_facts.ts";
import type { Dot, MatrixPlan, Step } from "./matrix_plan.ts";
import type { Nest } from "./nest.ts";

/** Vectors up to which a copy is written out. */
const UNROLL = 16;

/** Bytes of a packed term. */
const sizes = {
  plain: 2,
  relaxed_constant: 1,
  relaxed_computed: 1,
  f32: 4,
} as const satisfies Record<Dot, number>;

/** What the packer knows of the scratch memory; offsets from its start. */
export interface RowAreas {
  /** Bytes between rows. */
  readonly row: number;
  readonly starts: number;
  readonly signs: number;
}

/** Emits the packing of rows. */
export class RowPacker {
  /** Where the next term goes. */
  readonly #to: Local;

  constructor(
    readonly nest: Nest,
    readonly facts: LaneFacts,
    readonly plan: MatrixPlan,
    readonly areas: RowAreas,
  ) {
    this.#to = nest.code.local("i32");
  }

  /** Opens the axes at row `row` + `more` of a batch. */
  openRow(row: Local, more: number, batch: Local): void {
    const { code, emitter } = this.nest;
    const { shape } = this.nest.kernel.result;
    const open = (axes: readonly number[], index: Local, more: number) => {
      const rest = code.local("i32");
      code.get(index).i32(more).op("i32.add").set(rest);
      axes.toReversed().forEach((axis, i) => {
        const isLast = i === axes.length - 1;
        code.get(rest);
        if (!isLast) code.i32(shape[axis]).op("i32.rem_u");
        code.set(emitter.axes[axis]);
        if (isLast) return;
        code.get(rest).i32(shape[axis]).op("i32.div_u").set(rest);
      });
    };
    // Axes of one index never move.
    const long = (axes: readonly number[]) => axes.filter((a) => shape[a] > 1);
    open(long(this.plan.rowAxes), row, more);
    open(long(this.plan.batchAxes), batch, 0);
  }

  /** Packs `count` rows from `first` on; where signs are apart, gives a local that says if there are any. */
  pack(first: Local, count: Local, batch: Local): Local | undefined {
    const { nest, areas, plan: { schedule: { dot } } } = this;
    const { code, emitter } = nest;
    const [row, at, negative] = [
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
    ];
    const signs = code.local("v128");
    code.v128(new Uint8Array(16)).set(signs).i32(0).set(row);
    nest.each(row, count, 1, () => {
      code.get(row).i32(areas.row).op("i32.mul").get(nest.scratch);
      code.op("i32.add").tee(at).set(this.#to);
      emitter.scope(() => {
        const index = code.local("i32");
        code.get(row).get(first).op("i32.add").set(index);
        this.openRow(index, 0, batch);
        this.#steps(this.plan.steps);
      });
      this.#fill(areas.row - this.#rowUsed());
      if (dot === "relaxed_constant") this.#rowStart(at, row);
      if (dot === "relaxed_computed") this.#splitSigns(at, signs);
    });
    if (dot !== "relaxed_computed") return undefined;
    code.get(signs).op("v128.any_true").set(negative);
    return negative;
  }

  /** Bytes of a packed term. */
  get #size(): 1 | 2 | 4 {
    return sizes[this.plan.schedule.dot];
  }

  #rowUsed(): number {
    return this.plan.terms * this.#size;
  }

  /** What is left of the nest, from one step inwards. */
  #steps(steps: readonly Step[]): void {
    const { code, emitter } = this.nest;
    const [step, ...rest] = steps;
    if (!step) {
      this.#term();
      return;
    }
    switch (step.kind) {
      case "let":
        emitter.define(step.expr);
        this.#steps(rest);
        return;
      case "mask": {
        const count = rest.reduce(
          (n, s) => s.kind === "sum" ? n * s.count : n,
          1,
        );
        emitter.emit(step.condition);
        code.if(
          () => emitter.scope(() => this.#steps(rest)),
          () => this.#fill(count * this.#size),
        );
        return;
      }
      case "sum": {
        if (rest.length === 0 && this.#isContiguous(step.sum.index)) {
          const index = code.local("i32");
          emitter.emit(step.sum.first);
          code.set(index);
          emitter.withIndex(step.sum, index, () => {
            this.#copy(step.count);
          });
          return;
        }
        const { shared } = this.plan;
        const parts = shared.kind === "load" ? [shared.index[0]] : [shared];
        const open = steps.flatMap((s) => s.kind === "sum" ? s.sum.index : []);
        for (const s of rest) {
          if (s.kind === "mask") parts.push(s.condition);
          // What is hoisted may use it.
          if (s.kind === "let" && this.#isBound(s.expr.value, open)) {
            emitter.define(s.expr);
          }
        }
        emitter.emitRange(step.sum, parts, () => this.#steps(rest));
        return;
      }
      default:
        step satisfies never;
    }
  }

  /** Whether a value depends on none of these loops. */
  #isBound(value: Expr, open: readonly string[]): boolean {
    const { free } = this.facts.of(value);
    return !open.some((name) => free.has(name));
  }

  /** The shared factor, where its elements can be copied as they are, or widened. */
  get #source(): { address: Expr; dtype: DType } | undefined {
    const { shared } = this.plan;
    if (shared.kind !== "load") return undefined;
    const { dtype } = this.nest.kernel.operands[shared.operand];
    if (this.#size === 4 && dtype !== "f32") return undefined;
    return { address: shared.index[0], dtype };
  }

  /** Whether neighbours along a sum lie one behind the other. */
  #isContiguous(index: string): boolean {
    const source = this.#source;
    if (!source) return false;
    let step = 0;
    for (const [atom, factor] of affine(source.address).terms) {
      if (atom.kind === "var" && atom.name === index) step = factor;
      else if (atom.kind !== "axis" && atom.kind !== "var") return false;
    }
    return step === dtypes[source.dtype].bytes;
  }

  /** One term. */
  #term(): void {
    const { code, emitter } = this.nest;
    code.get(this.#to);
    // A NaN is multiplied: its bits do not matter.
    emitter.emit(this.plan.shared);
    const stores = {
      1: "i32.store8",
      2: "i32.store16",
      4: "f32.store",
    } as const;
    code.memory(stores[this.#size]);
    this.#advance(this.#size);
  }

  #advance(bytes: number): void {
    const { code } = this.nest;
    code.get(this.#to).i32(bytes).op("i32.add").set(this.#to);
  }

  /** Terms that lie one behind the other, from the innermost sum's first on. */
  #copy(count: number): void {
    const { nest } = this;
    const { code } = nest;
    const from = code.local("i32");
    const { address, dtype } = this.#source!;
    nest.emitter.emit(address);
    code.set(from);
    const bytes = dtypes[dtype].bytes;
    const perVector = 16 / this.#size;
    const name = this.#size === bytes
      ? "v128.load"
      : dtype === "u8"
      ? "v128.load8x8_u"
      : "v128.load8x8_s";
    this.#vectors(count, perVector, (offset) => {
      code.get(this.#to).get(from).memory(name, offset * bytes, 0);
      code.memory("v128.store", offset * this.#size, 0);
    }, () => {
      code.get(from).i32(perVector * bytes).op("i32.add").set(from);
    });
  }

  /** Zeros. */
  #fill(bytes: number): void {
    if (bytes === 0) return;
    const { code } = this.nest;
    this.#vectors(bytes / this.#size, 16 / this.#size, (offset) => {
      code.get(this.#to).v128(new Uint8Array(16));
      code.memory("v128.store", offset * this.#size, 0);
    }, () => {});
  }

  /** Writes `count` terms a vector at a time, and advances by them. */
  #vectors(
    count: number,
    perVector: number,
    write: (offset: number) => void,
    next: () => void,
  ): void {
    const { code } = this.nest;
    const vectors = Math.ceil(count / perVector);
    if (vectors <= UNROLL) {
      for (let i = 0; i < vectors; i++) write(i * perVector);
      this.#advance(count * this.#size);
      return;
    }
    const left = code.local("i32");
    code.i32(vectors).set(left).loop((again) => {
      write(0);
      next();
      this.#advance(16);
      code.get(left).i32(-1).op("i32.add").tee(left).brIf(again);
    });
    this.#advance((count - vectors * perVector) * this.#size);
  }

  /** Accumulators start at -64 times the row's sum, because the constant is 64 too great. */
  #rowStart(at: Local, row: Local): void {
    const { nest, areas } = this;
    const { code } = nest;
    const [sum, from, left] = [
      code.local("v128"),
      code.local("i32"),
      code.local("i32"),
    ];
    code.v128(new Uint8Array(16)).set(sum).get(at).set(from);
    code.i32(areas.row / 16).set(left).loop((again) => {
      code.get(from).memory("v128.load", 0, 0);
      code.op("i16x8.extadd_pairwise_i8x16_s");
      code.op("i32x4.extadd_pairwise_i16x8_s");
      code.get(sum).op("i32x4.add").set(sum);
      code.get(from).i32(16).op("i32.add").set(from);
      code.get(left).i32(-1).op("i32.add").tee(left).brIf(again);
    });
    code.get(row).i32(4).op("i32.mul").get(nest.scratch).op("i32.add");
    for (let lane = 0; lane < 4; lane++) {
      code.get(sum).lane("i32x4.extract_lane", lane);
      if (lane > 0) code.op("i32.add");
    }
    code.i32(-64).op("i32.mul").memory("i32.store", areas.starts);
  }

  /** Moves a row's sign bits into a row of their own. */
  #splitSigns(at: Local, signs: Local): void {
    const { areas } = this;
    const { code } = this.nest;
    const [from, left] = [code.local("i32"), code.local("i32")];
    const [x, sign] = [code.local("v128"), code.local("v128")];
    code.get(at).set(from).i32(areas.row / 16).set(left).loop((again) => {
      code.get(from).memory("v128.load", 0, 0).tee(x);
      code.i32(7).op("i8x16.shr_u").set(sign);
      code.get(from).get(sign).memory("v128.store", areas.signs, 0);
      code.get(signs).get(sign).op("v128.or").set(signs);
      code.get(from).get(x).v128(new Uint8Array(16).fill(127));
      code.op("v128.and").memory("v128.store", 0, 0);
      code.get(from).i32(16).op("i32.add").set(from);
      code.get(left).i32(-1).op("i32.add").tee(left).brIf(again);
    });
  }
}
