/**
 * Loops over windows, shared by the fixed and the float kernels of contractions and pools.
 *
 * Padding is never stored: an index outside is clamped. Integers replace the sum over the channels behind it
 * by zero as a whole, once for each window element; float contractions, whose order is part of their value,
 * have one total and multiply by +0 outside.
 */
import {
  add,
  axis,
  bind,
  clamp,
  f32,
  loop,
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

/**
 * The sum over window elements and `channels` of `term(indices, offsets, channel)` in one total from +0, in
 * index order; a term gets the condition of being inside where some element may be outside.
 */
export function sumInOrder(
  windows: readonly Window[],
  sizes: readonly number[],
  places: readonly number[],
  channels: number,
  term: (
    indices: Expr[],
    offsets: Expr[],
    channel: Expr,
    inside: Expr | undefined,
  ) => Expr,
): Expr {
  const zero = op("i32.add", 0, 0);
  const loops = [...windows.map((w) => w.size), channels]
    .filter((size) => size > 1).length;
  /** One more term, or all of one more loop's. */
  const each = (
    count: number,
    total: Expr,
    body: (k: Expr, total: Expr) => Expr,
  ): Expr => {
    if (count === 1) return body(zero, total);
    // One loop alone is a sum.
    return loops === 1
      ? sum(count, (k) => body(k, total))
      : loop(count, { total }, (k, [total]) => [body(k, total)]);
  };
  const nest = (
    i: number,
    total: Expr,
    at: Expr[],
    offsets: Expr[],
    inside: Expr | undefined,
  ): Expr => {
    if (i === windows.length) {
      return each(channels, total, (c, total) => {
        const value = term(at, offsets, c, inside);
        return loops === 1 ? value : add(total, value);
      });
    }
    return each(
      windows[i].size,
      total,
      (k, total) =>
        atWindow(windows[i], i, k, sizes[i], places[i], (place) => {
          const both = inside && place.inside
            ? op("i32.and", inside, place.inside)
            : inside ?? place.inside;
          return nest(
            i + 1,
            total,
            [...at, place.index],
            [...offsets, k],
            both,
          );
        }),
    );
  };
  return nest(0, f32(0), [], [], undefined);
}
