/**
 * Loops over windows, shared by the fixed and the float kernels of contractions and pools.
 *
 * Padding is never stored: an index outside is clamped, and the sum over the channels behind it is
 * replaced by zero as a whole, once for each window element.
 */
import {
  add,
  axis,
  bind,
  clamp,
  mul,
  op,
  select,
  sub,
  sum,
} from "../kernel/build.ts";
import type { Window } from "../graph/graph.ts";
import type { Expr } from "../ir.ts";

/** Where a window element lies along one axis: a proven index, and whether it is inside the input. */
interface Place {
  readonly index: Expr;
  /** Absent where it always is. */
  readonly inside?: Expr;
}

/** Whether some element of some window of an axis lies outside. */
function leaves(w: Window, size: number, places: number): boolean {
  const last = (places - 1) * w.stride + (w.size - 1) * w.dilation;
  return w.padBefore > 0 || last - w.padBefore >= size;
}

/**
 * Continues with the place of window element k along spatial axis i; the index is clamped where the
 * window may leave the input, since a select does not make a load legal.
 */
export function atWindow(
  w: Window,
  i: number,
  k: Expr | number,
  size: number,
  places: number,
  next: (place: Place) => Expr,
): Expr {
  const start = places === 1 ? undefined : mul(axis(i + 1), w.stride);
  const step = typeof k === "number" ? k * w.dilation : mul(k, w.dilation);
  const sum = start
    ? add(start, step)
    : typeof step === "number"
    ? op("i32.add", step, 0)
    : step;
  const raw = sub(sum, w.padBefore);
  if (!leaves(w, size, places)) return next({ index: raw });
  return bind(
    "at",
    raw,
    (at) =>
      bind(
        "index",
        clamp(at, 0, size - 1),
        (index) => next({ index, inside: op("i32.lt_u", at, size) }),
      ),
  );
}

/** Sum over all window elements of `term(indices)`, elements outside counting as zero. */
export function sumWindows(
  windows: readonly Window[],
  sizes: readonly number[],
  places: readonly number[],
  zero: Expr,
  term: (indices: Expr[], offsets: Expr[]) => Expr,
): Expr {
  const nest = (i: number, indices: Expr[], offsets: Expr[]): Expr => {
    if (i === windows.length) return term(indices, offsets);
    const w = windows[i];
    const at = (k: Expr) =>
      atWindow(w, i, k, sizes[i], places[i], ({ index, inside }) => {
        const inner = nest(i + 1, [...indices, index], [...offsets, k]);
        return inside ? select(inside, inner, zero) : inner;
      });
    return w.size === 1 ? at(op("i32.add", 0, 0)) : sum(w.size, at);
  };
  return nest(0, [], []);
}
