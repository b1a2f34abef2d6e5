/**
 * Computes a matrix product by tiles of a few rows and eight columns, whose sums stay in registers.
 *
 * Rows of the computed tensor are packed into the thread's scratch memory term by term, masked terms as
 * zeros, so that padding, strides and windows cost nothing in the innermost loop: two loads of the
 * constant, one broadcast for each row, and for each row two dot products (36 GMAC/s where a loop along
 * the terms has 26). What surrounds the product is done by lanes while the sums are in registers; where
 * lanes do not apply, the sums go through memory and the rest is done element by element.
 */
import type { Local } from "../../fpvm/mod.ts";
import { LaneFacts } from "./lane_facts.ts";
import { storeLanes } from "./lane_value.ts";
import { assumptionsOf } from "./lane_support.ts";
import { LaneEmitter } from "./lanes.ts";
import {
  COLUMNS,
  groupOf,
  type MatrixPlan,
  packedRowBytes,
} from "./matrix_plan.ts";
import { RowPacker } from "./matrix_rows.ts";
import type { Nest } from "./nest.ts";

/** Bytes of scratch memory that a plan wants. */
export function scratchBytes(plan: MatrixPlan): number {
  return new Areas(plan).end;
}

/** Where things lie in a thread's scratch memory. */
class Areas {
  /** Bytes between packed rows. */
  readonly row: number;
  /** Rows packed at a time. */
  readonly rows: number;
  /** Sums of a tile on their way to the scalar path. */
  readonly sums: number;
  /** Per row: what its accumulators start at. */
  readonly starts: number;
  /** Sign bits of the packed rows. */
  readonly signs: number;
  readonly end: number;

  constructor({ terms, rows, schedule, by }: MatrixPlan) {
    const { dot } = schedule;
    this.row = packedRowBytes(terms, dot);
    this.rows = by === "columns"
      ? Math.ceil(rows / schedule.rows) * schedule.rows
      : schedule.rows * schedule.tiles;
    // Packing writes whole vectors, so up to 16 bytes too far.
    const packed = Math.ceil((this.rows * this.row + 16) / 16) * 16;
    this.sums = packed;
    this.starts = this.sums + 4 * COLUMNS * schedule.rows;
    this.signs = this.starts + 16 * Math.ceil(this.rows / 4);
    this.end = this.signs + (dot === "relaxed_computed" ? packed : 0);
  }
}

/** Emits the whole body of `run`. */
export function emitMatrixNest(
  nest: Nest,
  facts: LaneFacts,
  plan: MatrixPlan,
): void {
  new MatrixNest(nest, facts, plan).emit();
}

class MatrixNest {
  readonly #areas: Areas;
  readonly #packer: RowPacker;
  /** Batch at hand, and the first row of the pass. */
  readonly #batch: Local;
  readonly #first: Local;
  /** Row tiles of the pass. */
  readonly #count: Local;

  constructor(
    readonly nest: Nest,
    readonly facts: LaneFacts,
    readonly plan: MatrixPlan,
  ) {
    const { code } = nest;
    this.#areas = new Areas(plan);
    this.#packer = new RowPacker(nest, facts, plan, this.#areas);
    this.#batch = code.local("i32");
    this.#first = code.local("i32");
    this.#count = code.local("i32");
    nest.kernel.result.shape.forEach((_, axis) => {
      nest.emitter.axes[axis] = code.local("i32");
    });
  }

  emit(): void {
    const { by } = this.plan;
    this.#inside(() => {
      if (by === "columns") this.#byColumns();
      else this.#byRows();
    });
  }

  /** All axes count as open: nothing is hoisted by the scalar emitter. */
  #inside(body: () => void, depth = this.nest.kernel.result.shape.length) {
    if (depth === 0) body();
    else this.nest.emitter.nest(() => this.#inside(body, depth - 1));
  }

  /** All rows, for the column tiles from begin to end. */
  #byColumns(): void {
    const { code, begin, end } = this.nest;
    const { rows, schedule } = this.plan;
    const full = Math.floor(rows / schedule.rows);
    const rest = rows % schedule.rows;
    const pass = (count: number, height: number) => {
      code.i32(count).set(this.#count);
      this.#pass(height, begin, end);
    };
    if (full > 0) {
      code.i32(0).set(this.#first);
      pass(full, schedule.rows);
    }
    if (rest > 0) {
      code.i32(full * schedule.rows).set(this.#first);
      pass(1, rest);
    }
  }

  /** Row tiles from begin to end, some of them at a time, for all columns. */
  #byRows(): void {
    const { code, begin, end } = this.nest;
    const { rows, batches, columns, schedule } = this.plan;
    const tiles = Math.ceil(rows / schedule.rows);
    const full = Math.floor(rows / schedule.rows);
    const rest = rows % schedule.rows;
    const [unit, tile] = [code.local("i32"), code.local("i32")];
    const [from, to] = [code.local("i32"), code.local("i32")];
    const limit = code.local("i32");
    code.i32(0).set(from).i32(Math.ceil(columns / COLUMNS)).set(to);
    const least = (most: () => void) => {
      most();
      code.tee(limit).get(this.#count).get(limit).get(this.#count);
      code.op("i32.lt_s", "select").set(this.#count);
    };
    code.get(begin).set(unit).get(unit).get(end).op("i32.lt_s").if(() =>
      code.loop((again) => {
        code.get(unit);
        if (batches > 1) {
          code.i32(tiles).op("i32.div_u").set(this.#batch);
          code.get(unit).i32(tiles).op("i32.rem_u");
        }
        code.tee(tile).i32(schedule.rows).op("i32.mul").set(this.#first);
        const partial = () => {
          code.i32(1).set(this.#count);
          this.#pass(rest, from, to);
        };
        const whole = () => {
          code.i32(full).get(tile).op("i32.sub").set(this.#count);
          least(() => code.get(end).get(unit).op("i32.sub"));
          least(() => code.i32(schedule.tiles));
          this.#pass(schedule.rows, from, to);
        };
        if (rest > 0 && full > 0) {
          code.get(tile).i32(full).op("i32.eq").if(partial, whole);
        } else if (rest > 0) partial();
        else whole();
        code.get(unit).get(this.#count).op("i32.add").tee(unit);
        code.get(end).op("i32.lt_s").brIf(again);
      })
    );
  }

  /** Packs rows and computes them for the column tiles [from, to). */
  #pass(height: number, from: Local, to: Local): void {
    const { nest, plan: { columns, product, pack, terms, schedule, lanes } } =
      this;
    const { code, emitter, body } = nest;
    const rows = code.local("i32");
    code.get(this.#count).i32(height).op("i32.mul").set(rows);
    const negative = this.#packer.pack(this.#first, rows, this.#batch);
    const [tile, panel] = [code.local("i32"), code.local("i32")];
    const group = groupOf(schedule.dot);
    const panelBytes = COLUMNS * pack.size * group * Math.ceil(terms / group);
    const column = emitter.axes[emitter.axes.length - 1];
    code.get(from).set(tile);
    nest.each(tile, to, 1, () => {
      code.get(tile).i32(COLUMNS).op("i32.mul").set(column);
      if (columns > COLUMNS && columns % COLUMNS !== 0) {
        const last = columns - COLUMNS;
        code.get(column).i32(last).get(column).i32(last);
        code.op("i32.lt_s", "select").set(column);
      }
      code.get(this.#batch).i32(Math.ceil(columns / COLUMNS)).op("i32.mul");
      code.get(tile).op("i32.add").i32(panelBytes).op("i32.mul");
      code.get(pack.operand).op("i32.add").set(panel);
      if (!lanes) {
        this.#rowTiles(height, panel, negative, (sums, row) => {
          this.#scalarRest(sums, row);
        });
        return;
      }
      const anyFacts = new LaneFacts(nest.kernel, body, false);
      const emitLanes = new LaneEmitter(emitter, this.facts, 1, product);
      emitLanes.scope(() => {
        emitLanes.hoistColumns(body);
        const assumptions = assumptionsOf(this.facts, body);
        const fast = code.local("i32");
        if (assumptions.length > 0) emitLanes.check(assumptions);
        else code.i32(1);
        code.set(fast);
        this.#rowTiles(height, panel, negative, (sums, row) => {
          const vector = () => this.#laneRest(emitLanes, sums, row);
          if (assumptions.length === 0) vector();
          else {
            code.get(fast).if(vector, () => {
              const any = new LaneEmitter(emitter, anyFacts, 1, product);
              any.scope(() => {
                any.hoistColumns(body);
                this.#laneRest(any, sums, row);
              });
            });
          }
        });
      });
    });
  }

  /** Each tile of the pass: its sums, then the rest of the body. */
  #rowTiles(
    height: number,
    panel: Local,
    negative: Local | undefined,
    rest: (sums: readonly Local[], row: Local) => void,
  ): void {
    const { nest } = this;
    const { code } = nest;
    const [tile, packed, row] = [
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
    ];
    code.i32(0).set(tile);
    nest.each(tile, this.#count, 1, () => {
      code.get(tile).i32(height).op("i32.mul").tee(row);
      code.i32(this.#areas.row).op("i32.mul").get(nest.scratch);
      code.op("i32.add").set(packed);
      const sums = this.#start(height, row);
      this.#products(height, sums, packed, panel);
      if (negative !== undefined) {
        code.get(negative).if(() => {
          this.#subtractSigns(height, sums, packed, panel);
        });
      }
      code.get(row).get(this.#first).op("i32.add").set(row);
      rest(sums, row);
    });
  }

  /** Accumulators, two for each row, at their first values. */
  #start(height: number, row: Local): Local[] {
    const { nest: { code, scratch }, plan: { schedule } } = this;
    const sums = Array.from({ length: 2 * height }, () => code.local("v128"));
    sums.forEach((sum, i) => {
      if (schedule.dot === "relaxed_constant") {
        code.get(row).i32(4).op("i32.mul").get(scratch).op("i32.add");
        code.memory("v128.load32_splat", this.#areas.starts + 4 * (i >> 1));
      } else code.v128(new Uint8Array(16));
      code.set(sum);
    });
    return sums;
  }

  /** Adds all products of a tile. */
  #products(
    height: number,
    sums: readonly Local[],
    packed: Local,
    panel: Local,
  ): void {
    const { code } = this.nest;
    const { terms, pack, schedule: { dot, unroll } } = this.plan;
    const group = groupOf(dot);
    const groups = Math.ceil(terms / group);
    const step = COLUMNS * pack.size * group;
    const [a, b, left] = [
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
    ];
    code.get(packed).set(a).get(panel).set(b);
    const turns = Math.floor(groups / unroll);
    if (turns > 0) {
      code.i32(turns).set(left);
      code.loop((again) => {
        for (let i = 0; i < unroll; i++) {
          this.#group(height, sums, [a, 4 * i], [b, step * i]);
        }
        code.get(a).i32(4 * unroll).op("i32.add").set(a);
        code.get(b).i32(step * unroll).op("i32.add").set(b);
        code.get(left).i32(-1).op("i32.add").tee(left).brIf(again);
      });
    }
    for (let i = 0; i < groups % unroll; i++) {
      this.#group(height, sums, [a, 4 * i], [b, step * i]);
    }
  }

  /** One group of terms: two vectors of the constant against a broadcast for each row. */
  #group(
    height: number,
    sums: readonly Local[],
    [a, aOffset]: readonly [Local, number],
    [b, bOffset]: readonly [Local, number],
  ): void {
    const { code } = this.nest;
    const { pack, schedule: { dot } } = this.plan;
    const dtype = this.nest.kernel.operands[pack.operand].dtype;
    const bytes = dot === "plain" && pack.size === 1 ? 8 : 16;
    const own = [0, 1].map((half) => {
      const local = code.local("v128");
      const name = bytes === 16
        ? "v128.load"
        : dtype === "i8"
        ? "v128.load8x8_s"
        : "v128.load8x8_u";
      code.get(b).memory(name, bOffset + half * bytes, 0).set(local);
      return local;
    });
    const row = code.local("v128");
    for (let r = 0; r < height; r++) {
      code.get(a).memory(
        "v128.load32_splat",
        aOffset + r * this.#areas.row,
        0,
      ).set(row);
      own.forEach((half, i) => {
        const sum = sums[2 * r + i];
        if (dot === "f32") {
          code.get(sum).get(row).get(half).op("f32x4.mul", "f32x4.add");
        } else if (dot === "plain") {
          code.get(row).get(half).op("i32x4.dot_i16x8_s");
          code.get(sum).op("i32x4.add");
        } else {
          if (dot === "relaxed_constant") code.get(row).get(half);
          else code.get(half).get(row);
          code.get(sum).op("i32x4.relaxed_dot_i8x16_i7x16_add_s");
        }
        code.set(sum);
      });
    }
  }

  /** x = (x & 127) - 128 * its sign bit: what the sign bits weigh goes off. */
  #subtractSigns(
    height: number,
    sums: readonly Local[],
    packed: Local,
    panel: Local,
  ): void {
    const { code } = this.nest;
    const signs = sums.map(() => code.local("v128"));
    for (const sum of signs) code.v128(new Uint8Array(16)).set(sum);
    const at = code.local("i32");
    code.get(packed).i32(this.#areas.signs).op("i32.add").set(at);
    this.#products(height, signs, at, panel);
    sums.forEach((sum, i) => {
      code.get(sum).get(signs[i]).i32(7).op("i32x4.shl", "i32x4.sub").set(sum);
    });
  }

  /** The rest of the body by lanes, row by row. */
  #laneRest(lanes: LaneEmitter, sums: readonly Local[], row: Local): void {
    const { nest, plan: { product, schedule } } = this;
    const { code, emitter, kernel: { result: { dtype } } } = nest;
    const isFloat = schedule.dot === "f32";
    const address = code.local("i32");
    for (let r = 0; 2 * r < sums.length; r++) {
      this.#packer.openRow(row, r, this.#batch);
      lanes.scope(() => {
        lanes.keep(product, 0, {
          kind: isFloat ? "f32" : "i32",
          vectors: [sums[2 * r], sums[2 * r + 1]],
          anyNan: isFloat,
        });
        emitter.emit(nest.address);
        code.set(address);
        storeLanes(code, dtype, lanes.exact(nest.body, 0), address, 0);
      });
    }
  }

  /** The rest of the body element by element. */
  #scalarRest(sums: readonly Local[], row: Local): void {
    const { nest, plan: { product, columns, schedule } } = this;
    const { code, emitter, scratch } = nest;
    const type = schedule.dot === "f32" ? "f32" : "i32";
    const column = emitter.axes[emitter.axes.length - 1];
    sums.forEach((sum, i) => {
      code.get(scratch).get(sum);
      code.memory("v128.store", this.#areas.sums + 16 * i, 0);
    });
    const [r, at, start, stop] = Array.from(
      { length: 4 },
      () => code.local("i32"),
    );
    const value = code.local(type);
    code.get(column).tee(start).i32(Math.min(columns, COLUMNS)).op("i32.add");
    code.set(stop).get(scratch).set(at).i32(sums.length >> 1).set(r);
    code.get(r).get(row).op("i32.add").set(r);
    const from = code.local("i32");
    code.get(row).set(from);
    nest.each(from, r, 1, () => {
      this.#packer.openRow(from, 0, this.#batch);
      code.get(start).set(column);
      nest.each(column, stop, 1, () => {
        code.get(column).get(start).op("i32.sub").i32(4).op("i32.mul");
        code.get(at).op("i32.add").memory(`${type}.load`, this.#areas.sums);
        if (type === "f32") emitter.emitCanonicalNan();
        code.set(value);
        emitter.scope(() => {
          emitter.keep(product, value);
          nest.element();
        });
      });
      code.get(at).i32(4 * COLUMNS).op("i32.add").set(at);
    });
    code.get(start).set(column);
  }
}
