/**
 * Computes a result element by element; neighbours share the pass of a contraction along its terms.
 *
 * This is the way for whatever the vector nests do not know: floats, and products of two computed tensors.
 */
import type { Local } from "../../fpvm/mod.ts";
import type { Expr } from "../ir.ts";
import type { Contractions } from "./contraction.ts";
import type { Box, Nest } from "./nest.ts";
import { Accumulators } from "./vector.ts";

/** Neighbours along the innermost axis that share a pass. */
export const TILE = 8;

/** The outermost axis long enough to share out, else the longest; -1 for a scalar. */
export function scalarCut(shape: readonly number[]): number {
  const long = shape.findIndex((size) => size >= 16);
  return long >= 0 ? long : shape.indexOf(Math.max(...shape));
}

/** Emits the whole body of `run`; `tile` is the part that neighbours share a pass for. */
export function emitScalarNest(
  nest: Nest,
  contractions: Contractions,
  tile: Expr | undefined,
): void {
  const { shape } = nest.kernel.result;
  if (nest.cut < 0) {
    const { code } = nest;
    code.get(nest.begin).get(nest.end).op("i32.lt_s").if(() => nest.element());
    return;
  }
  const boxes = shape.map((_, axis) => nest.box(axis));
  emitLoop(nest, contractions, tile, boxes, 0);
}

/** Emits one axis' loop and what is inside. */
function emitLoop(
  nest: Nest,
  contractions: Contractions,
  tile: Expr | undefined,
  boxes: readonly Box[],
  axis: number,
): void {
  const { code, emitter } = nest;
  if (axis === boxes.length) {
    nest.element();
    return;
  }
  emitter.hoist(nest.body);
  emitter.hoist(nest.address);
  const { from, to, end } = boxes[axis];
  const index = code.local("i32");
  emitter.axes[axis] = index;
  code.get(from).set(index);
  if (axis === boxes.length - 1 && tile) {
    const width = Math.min(TILE, nest.kernel.result.shape[axis]);
    if (width > 1) emitSteps(nest, contractions, tile, index, to, width);
    emitSteps(nest, contractions, tile, index, to, 1);
  } else {
    nest.each(index, to, 1, () => {
      emitter.nest(() => emitLoop(nest, contractions, tile, boxes, axis + 1));
    });
  }
  if (end !== undefined) nest.clear(axis, boxes[axis]);
}

/** The innermost axis while `width` elements are left: one pass of the contraction for all of them. */
function emitSteps(
  nest: Nest,
  contractions: Contractions,
  tile: Expr,
  index: Local,
  to: Local,
  width: number,
): void {
  const { code, emitter } = nest;
  const type = emitter.typeOf(tile) === "f32" ? "f32" : "i32";
  const sums = new Accumulators(emitter, contractions, type, width);
  const value = code.local(type);
  const whole = () =>
    code.get(index).i32(width).op("i32.add").get(to).op("i32.le_s");
  whole().if(() =>
    code.loop((again) => {
      emitter.nest(() => {
        sums.clear();
        sums.add(tile);
      });
      for (let output = 0; output < width; output++) {
        sums.total(output);
        if (type === "f32") emitter.emitCanonicalNan();
        code.set(value);
        emitter.nest(() => {
          emitter.keep(tile, value);
          nest.element();
        });
        code.get(index).i32(1).op("i32.add").set(index);
      }
      whole().brIf(again);
    })
  );
}
