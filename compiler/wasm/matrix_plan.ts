/**
 * Recognises matrix products with a constant: dense layers and convolutions of any window, stride, group.
 *
 * Seen from the innermost axis, the columns, such a body has a nest of i32 sums, lets and masks around a
 * product of two loads, of which one is the same for all columns and the other a constant that no other
 * axis but batches (groups) moves. The nest's passes are the terms, in order. The constant is packed once
 * for the tile's instruction (see `Pack`); which tile that is, is data: a schedule.
 *
 * A product of f32 adds its terms in order to one total: a sum, or a nest of loops that carry the total.
 * What is multiplied by the constant may be anything that the columns share, also select(inside, x, +0).
 */
import {
  dtypes,
  elementCount,
  type Expr,
  type Kernel,
  type Loop,
  type Sum,
} from "../ir.ts";
import { isMask } from "./contraction.ts";
import { mapParts } from "../kernel/parts.ts";
import { affine, pointerName } from "./flatten.ts";
import type { LaneFacts } from "./lane_facts.ts";
import { holdsDType } from "./lane_value.ts";
import { supportsLanes } from "./lane_support.ts";

/**
 * How products are summed: by pairs of i16 terms; or four i8 terms at a time by the relaxed dot product,
 * whose second operand must be in 0..127: the constant, all of it in -64..63 and shifted by 64, or the
 * computed tensor, with its sign bits in a second pass where it has some. f32 has one way: multiply, round,
 * add, round.
 */
export type Dot = "plain" | "relaxed_constant" | "relaxed_computed" | "f32";

/** Order and size of the work, never its values. */
export interface MatrixSchedule {
  /** Rows of a tile, 1 to 6: with 8 columns, 12 of 16 registers accumulate. */
  readonly rows: number;
  /** Groups of terms in one turn of the innermost loop. */
  readonly unroll: number;
  /** Row tiles that are packed together and share a constant's panel. */
  readonly tiles: number;
  readonly dot: Dot;
}

/** Columns of a tile. */
export const COLUMNS = 8;

/** Bytes of packed rows that a thread keeps: half of a usual first-level cache. */
const SCRATCH = 24 * 1024;
/** Most terms of a product. */
const MOST_TERMS = 2 ** 16;

/** The one layout of a packed constant: [batch][tile][group of terms][8 columns][terms of a group]. */
export interface Pack {
  readonly operand: number;
  /** Bytes of an element. */
  readonly size: 1 | 2 | 4;
  /** Terms of a group: 2, 4 for the relaxed dot product, 1 for f32. */
  readonly group: number;
  /** Added to every byte; 64 or 0. */
  readonly shift: number;
  /** Offsets in bytes of the packed element's batch, column and term; -1 is a gap of zeros. */
  readonly batches: Int32Array;
  readonly columns: Int32Array;
  readonly terms: Int32Array;
  /** Bytes in all. */
  readonly bytes: number;
}

/** One level of the nest around a product. */
export type Step =
  | { readonly kind: "sum"; readonly sum: Sum | Loop; readonly count: number }
  | { readonly kind: "let"; readonly expr: Expr & { kind: "let" } }
  | { readonly kind: "mask"; readonly condition: Expr };

/** A matrix product found in a body. */
export interface MatrixPlan {
  /** The part of the body that is the product. */
  readonly product: Expr;
  readonly steps: readonly Step[];
  /** The factor that all columns share: a load, or for f32 anything. */
  readonly shared: Expr;
  /** Number of terms. */
  readonly terms: number;
  /** Axes of the rows, and of the batches. */
  readonly rowAxes: readonly number[];
  readonly batchAxes: readonly number[];
  readonly rows: number;
  readonly batches: number;
  readonly columns: number;
  /** Whether what surrounds the product is done by lanes. */
  readonly lanes: boolean;
  readonly pack: Pack;
  readonly schedule: MatrixSchedule;
  /** Work is cut by row tiles of each batch, or by column tiles. */
  readonly by: "rows" | "columns";
  readonly units: number;
}

const narrow: readonly string[] = ["i8", "u8", "i16"];

/** The product with a constant that the body has, if it has one. */
export function planMatrix(
  kernel: Kernel,
  facts: LaneFacts,
  body: Expr,
  constants: readonly number[],
  wanted: Partial<MatrixSchedule>,
): MatrixPlan | undefined {
  const { shape } = kernel.result;
  if (kernel.extents || kernel.update || shape.length === 0) return undefined;
  if (elementCount(shape) === 0) return undefined;
  const found = findProduct(facts, body);
  if (!found) return undefined;
  const { product, steps, shared, own } = found;
  if (!constants.includes(own.operand)) return undefined;
  if (!isOnlyLoad(body, product, own)) return undefined;
  const dtype = kernel.operands[own.operand].dtype;
  const other = shared.kind === "load"
    ? kernel.operands[shared.operand].dtype
    : "f32";
  const isFloat = dtype === "f32";
  if (!isFloat && !(narrow.includes(dtype) && narrow.includes(other))) {
    return undefined;
  }
  const places = placesOf(shape, steps, own);
  const terms = steps.reduce((n, s) => s.kind === "sum" ? n * s.count : n, 1);
  if (!places || terms < 1 || terms > MOST_TERMS) return undefined;
  const inner = shape.length - 1;
  const batchAxes = places.batchAxes;
  const rowAxes = shape.map((_, a) => a).filter((a) =>
    a !== inner && !batchAxes.includes(a)
  );
  const count = (axes: readonly number[]) =>
    elementCount(axes.map((a) => shape[a]));
  const [rows, batches] = [count(rowAxes), count(batchAxes)];
  const relaxes = dtype === "i8" && other === "i8";
  const dot = isFloat ? "f32" : relaxes ? wanted.dot ?? "plain" : "plain";
  const rowBytes = packedRowBytes(terms, dot);
  const height = Math.min(wanted.rows ?? 6, 6);
  const schedule: MatrixSchedule = {
    rows: height,
    unroll: wanted.unroll ?? 4,
    tiles: wanted.tiles ??
      Math.max(1, Math.min(8, Math.floor(SCRATCH / (height * rowBytes)))),
    dot,
  };
  const columns = shape[inner];
  const rowTiles = Math.ceil(rows / height);
  const columnTiles = Math.ceil(columns / COLUMNS);
  const by = batches === 1 && rowTiles < 16 && rowTiles < columnTiles
    ? "columns"
    : "rows";
  return {
    product,
    steps,
    shared,
    terms,
    rowAxes,
    batchAxes,
    rows,
    batches,
    columns,
    lanes: columns >= COLUMNS && holdsDType(kernel.result.dtype) &&
      supportsLanes(facts, body, product),
    pack: packOf(kernel, own.operand, places, columns, terms, dot),
    schedule,
    by,
    units: by === "columns" ? columnTiles : rowTiles * batches,
  };
}

/** Terms that one instruction sums for each column. */
export function groupOf(dot: Dot): number {
  return dot === "plain" ? 2 : dot === "f32" ? 1 : 4;
}

/** Bytes of a packed row: whole groups, in whole vectors where its sum or its signs are wanted. */
export function packedRowBytes(terms: number, dot: Dot): number {
  if (dot === "f32") return 4 * terms;
  return dot === "plain"
    ? 4 * Math.ceil(terms / 2)
    : 16 * Math.ceil(terms / 16);
}

// --- recognition -----------------------------------------------------------------------------------

interface Product {
  readonly product: Expr;
  readonly steps: Step[];
  readonly shared: Expr;
  readonly own: Expr & { kind: "load" };
}

/** The outermost product of a body, outside of other sums and loops. */
function findProduct(facts: LaneFacts, body: Expr): Product | undefined {
  const here = parseProduct(facts, body, []) ?? parseFloat(facts, body);
  if (here) return here.steps.some((s) => s.kind === "sum") ? here : undefined;
  if (body.kind === "sum" || body.kind === "loop") return undefined;
  let found: Product | undefined;
  mapParts(body, (part) => {
    found ??= findProduct(facts, part);
    return part;
  });
  return found;
}

function parseProduct(
  facts: LaneFacts,
  product: Expr,
  steps: Step[],
): Product | undefined {
  let expr = product;
  for (;;) {
    if (expr.kind === "sum") {
      const { first, count } = expr;
      const isFixed = first.kind === "const" && count.kind === "const" &&
        Number(count.value) > 0;
      if (expr.type !== "i32" || !isFixed) return undefined;
      steps.push({ kind: "sum", sum: expr, count: Number(count.value) });
      expr = expr.term;
    } else if (expr.kind === "let") {
      if (facts.isVarying(expr.value)) return undefined;
      steps.push({ kind: "let", expr });
      expr = expr.body;
    } else if (isMask(expr)) {
      if (facts.isVarying(expr.args[0])) return undefined;
      steps.push({ kind: "mask", condition: expr.args[0] });
      expr = expr.args[1];
    } else break;
  }
  if (expr.kind !== "op" || expr.op !== "i32.mul") return undefined;
  const [a, b] = expr.args;
  if (a.kind !== "load" || b.kind !== "load") return undefined;
  if (facts.isVarying(a) === facts.isVarying(b)) return undefined;
  return facts.isVarying(a)
    ? { product, steps, shared: b, own: a }
    : { product, steps, shared: a, own: b };
}

/** A product of f32, its terms in order. */
function parseFloat(facts: LaneFacts, product: Expr): Product | undefined {
  const steps: Step[] = [];
  const term = parseTotal(facts, product, steps);
  if (term?.kind !== "op" || term.op !== "f32.mul") return undefined;
  const [a, b] = term.args;
  const [own, shared] = facts.isVarying(a) ? [a, b] : [b, a];
  if (!facts.isVarying(own) || facts.isVarying(shared)) return undefined;
  if (own.kind !== "load") return undefined;
  const isMasked = shared.kind === "op" && shared.op === "f32.select" &&
    isPlusZero(shared.args[2]);
  if (!isMasked) return { product, steps, shared, own };
  const [condition, inside] = shared.args;
  const place = placeOf(facts, steps, condition);
  steps.splice(place, 0, { kind: "mask", condition });
  return { product, steps, shared: inside, own };
}

/** The term of one total: of a sum, or of loops that hand it inwards, each carrying it alone. */
function parseTotal(
  facts: LaneFacts,
  product: Expr,
  steps: Step[],
): Expr | undefined {
  let total: string | undefined;
  let isSum = false;
  let expr = product;
  for (;;) {
    if (expr.kind === "let") {
      if (facts.isVarying(expr.value)) return undefined;
      steps.push({ kind: "let", expr });
      expr = expr.body;
      continue;
    }
    if (isSum) return expr;
    if (expr.kind !== "sum" && expr.kind !== "loop") break;
    const { first, count } = expr;
    const isFixed = first.kind === "const" && count.kind === "const" &&
      Number(count.value) > 0;
    if (!isFixed) return undefined;
    steps.push({ kind: "sum", sum: expr, count: Number(count.value) });
    if (expr.kind === "sum") {
      isSum = expr.type === "f32" && expr.lanes === 1 && total === undefined;
      if (!isSum) return undefined;
      expr = expr.term;
    } else {
      const [carry] = expr.carry;
      if (expr.carry.length !== 1 || carry.type !== "f32") return undefined;
      const starts = total === undefined
        ? isPlusZero(carry.init)
        : isVariable(carry.init, total);
      if (!starts || !isVariable(expr.result, carry.name)) return undefined;
      total = carry.name;
      expr = carry.next;
    }
  }
  const isTotal = total !== undefined && expr.kind === "op" &&
    expr.op === "f32.add" && isVariable(expr.args[0], total);
  return isTotal && expr.kind === "op" ? expr.args[1] : undefined;
}

/** The outermost place in a nest where a condition can be told. */
function placeOf(
  facts: LaneFacts,
  steps: readonly Step[],
  condition: Expr,
): number {
  const { free } = facts.of(condition);
  return 1 +
    steps.findLastIndex((step) =>
      step.kind !== "sum" || free.has(step.sum.index)
    );
}

const isPlusZero = (expr: Expr) =>
  expr.kind === "const" && Number(expr.value) === 0;

const isVariable = (expr: Expr, name: string) =>
  expr.kind === "var" && expr.name === name;

/** Whether a body reads an operand by one load alone, and that in the product alone: it will be packed. */
function isOnlyLoad(
  body: Expr,
  product: Expr,
  own: Expr & { kind: "load" },
): boolean {
  let only = true;
  const visit = (expr: Expr, isInside: boolean): Expr => {
    if (expr.kind === "load" && expr.operand === own.operand) {
      only &&= expr === own && isInside;
    }
    return mapParts(expr, (part) => visit(part, isInside || part === product));
  };
  visit(body, body === product);
  return only;
}

/** Where the constant's elements lie, in bytes. */
interface Places {
  readonly batchAxes: readonly number[];
  readonly batches: Int32Array;
  readonly columnStep: number;
  readonly terms: Int32Array;
  readonly start: number;
}

/** Offsets by batch, column and term; undefined where the address is no sum of the three. */
function placesOf(
  shape: readonly number[],
  steps: readonly Step[],
  own: Expr & { kind: "load" },
): Places | undefined {
  const { constant, terms } = affine(own.index[0]);
  const axisSteps = new Map<number, number>();
  const sumSteps = new Map<string, number>();
  const names = steps.flatMap((s) => s.kind === "sum" ? [s.sum.index] : []);
  let pointers = 0;
  for (const [atom, factor] of terms) {
    if (atom.kind === "axis") axisSteps.set(atom.axis, factor);
    else if (atom.kind !== "var") return undefined;
    else if (names.includes(atom.name)) sumSteps.set(atom.name, factor);
    else if (atom.name !== pointerName(own.operand) || factor !== 1) {
      return undefined;
    } else pointers++;
  }
  if (pointers !== 1) return undefined;
  const inner = shape.length - 1;
  const batchAxes = [...axisSteps.keys()].filter((a) => a !== inner).sort();
  let offsets = [0];
  for (const step of steps) {
    if (step.kind !== "sum") continue;
    const first = Number((step.sum.first as Expr & { kind: "const" }).value);
    const factor = sumSteps.get(step.sum.index) ?? 0;
    offsets = offsets.flatMap((offset) =>
      Array.from(
        { length: step.count },
        (_, i) => offset + (first + i) * factor,
      )
    );
    if (offsets.length > MOST_TERMS) return undefined;
  }
  const batches = batchAxes.reduce(
    (all, axis) =>
      all.flatMap((offset) =>
        Array.from(
          { length: shape[axis] },
          (_, i) => offset + i * axisSteps.get(axis)!,
        )
      ),
    [0],
  );
  return {
    batchAxes,
    batches: Int32Array.from(batches),
    columnStep: axisSteps.get(inner) ?? 0,
    terms: Int32Array.from(offsets),
    start: constant,
  };
}

// --- packing ---------------------------------------------------------------------------------------

/** First column of a tile: the last one may repeat columns of the one before it. */
export function columnOfTile(columns: number, tile: number): number {
  return Math.max(0, Math.min(tile * COLUMNS, columns - COLUMNS));
}

function packOf(
  kernel: Kernel,
  operand: number,
  places: Places,
  columns: number,
  terms: number,
  dot: Dot,
): Pack {
  const group = groupOf(dot);
  const tiles = Math.ceil(columns / COLUMNS);
  const size = dtypes[kernel.operands[operand].dtype].bytes as 1 | 2 | 4;
  const starts = Array.from({ length: tiles * COLUMNS }, (_, i) => {
    const column = columnOfTile(columns, Math.floor(i / COLUMNS)) +
      i % COLUMNS;
    return column < columns ? places.start + column * places.columnStep : -1;
  });
  const padded = Math.ceil(terms / group) * group;
  const offsets = new Int32Array(padded).fill(-1);
  offsets.set(places.terms);
  return {
    operand,
    size,
    group,
    shift: dot === "relaxed_constant" ? 64 : 0,
    batches: places.batches,
    columns: Int32Array.from(starts),
    terms: offsets,
    bytes: places.batches.length * starts.length * padded * size,
  };
}

/** Bytes of a constant as its tiles want them. */
export function packConstant(pack: Pack, source: Uint8Array): Uint8Array {
  const { size, group, shift, batches, columns, terms } = pack;
  const packed = new Uint8Array(pack.bytes);
  let at = 0;
  for (const batch of batches) {
    for (let tile = 0; tile < columns.length; tile += COLUMNS) {
      for (let term = 0; term < terms.length; term += group) {
        for (let c = tile; c < tile + COLUMNS; c++) {
          for (let k = term; k < term + group; k++, at += size) {
            if (columns[c] < 0 || terms[k] < 0) continue;
            const from = batch + columns[c] + terms[k];
            packed[at] = source[from] + shift;
            for (let i = 1; i < size; i++) packed[at + i] = source[from + i];
          }
        }
      }
    }
  }
  return packed;
}

/** Whether the relaxed dot product is exact with a constant of i8 shifted by 64: all bytes are in -64..63. */
export function fitsSevenBits(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte < 64 || byte >= 192);
}
