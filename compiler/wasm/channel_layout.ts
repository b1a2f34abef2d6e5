/**
 * Lays out a constant so that neighbours along the result's innermost axis find theirs side by side.
 *
 * The weights of a depthwise window are stored channel by channel, each with its taps; lanes are channels
 * and want them tap by tap. Which constant and which dimension follow from the kernel alone.
 */
import { dtypes, elementCount, type Expr, type Kernel } from "../ir.ts";
import { mapParts } from "../kernel/parts.ts";
import { COLUMNS, type Pack } from "./matrix_plan.ts";

/** Most elements of a constant that is laid out anew. */
const MOST = 2 ** 20;

/** The kernel with one constant laid out for lanes, and how; undefined where none gains by it. */
export function layOutForLanes(
  kernel: Kernel,
  constants: readonly number[],
): { kernel: Kernel; pack: Pack } | undefined {
  const inner = kernel.result.shape.length - 1;
  for (const operand of constants) {
    const type = kernel.operands[operand];
    const size = dtypes[type.dtype].bytes;
    const count = elementCount(type.shape);
    if (type.layout || size > 4 || count > MOST) continue;
    const dimension = laneDimension(kernel, operand, inner);
    if (dimension === undefined) continue;
    const step = elementCount(type.shape.slice(dimension + 1));
    if (step === 1) continue;
    const lanes = type.shape[dimension];
    const padded = COLUMNS * Math.ceil(lanes / COLUMNS);
    const others = type.shape.map((_, d) => d).filter((d) => d !== dimension);
    const layout = [
      ...others.map((axis) => ({ axis, size: type.shape[axis] })),
      { axis: dimension, size: padded },
    ];
    const offsets = others.reduce((all, d) => {
      const stride = elementCount(type.shape.slice(d + 1)) * size;
      return all.flatMap((offset) =>
        Array.from({ length: type.shape[d] }, (_, i) => offset + i * stride)
      );
    }, [0]);
    return {
      kernel: {
        ...kernel,
        operands: kernel.operands.map((o, i) =>
          i === operand ? { ...o, layout } : o
        ),
      },
      pack: {
        operand,
        size: size as 1 | 2 | 4,
        group: 1,
        shift: 0,
        batches: Int32Array.from(offsets),
        columns: Int32Array.from(
          { length: padded },
          (_, i) => i < lanes ? i * step * size : -1,
        ),
        terms: Int32Array.of(0),
        bytes: offsets.length * padded * size,
      },
    };
  }
  return undefined;
}

/** The dimension that every load of an operand indexes by the innermost axis, and no other dimension. */
function laneDimension(
  kernel: Kernel,
  operand: number,
  inner: number,
): number | undefined {
  const found = new Set<number | undefined>();
  const visit = (expr: Expr): Expr => {
    if (expr.kind === "load" && expr.operand === operand) {
      const own = expr.index.flatMap((e, d) =>
        e.kind === "axis" && e.axis === inner ? [d] : []
      );
      const isPlain = own.length === 1 &&
        expr.index.every((e, d) => d === own[0] || !mentions(e, inner));
      found.add(isPlain ? own[0] : undefined);
    }
    return mapParts(expr, visit);
  };
  visit(kernel.body);
  return found.size === 1 ? [...found][0] : undefined;
}

/** Whether an index has the axis in it, or a variable that might. */
function mentions(expr: Expr, axis: number): boolean {
  let found = expr.kind === "axis" && expr.axis === axis;
  mapParts(expr, (part) => {
    found ||= mentions(part, axis);
    return part;
  });
  return found;
}
