/**
 * Integer softmax and log-softmax: kernels over rows [rows, width].
 *
 * A row's maximum, sum and reciprocal depend on the first axis alone, so every target computes them once
 * for each row. `quantize/softmax.ts` has the tables and the same arithmetic in plain numbers.
 */
import {
  add,
  and,
  axis,
  bind,
  clamp,
  div,
  i32,
  i64,
  load,
  loop,
  max,
  mul,
  op,
  type Operand,
  shl,
  shr,
  shrU,
  sub,
  sum,
  widen,
  wrap,
} from "../kernel/build.ts";
import type { Expr } from "../ir.ts";
import type { ExpTables, FixedOp } from "../quantize/fixed_graph.ts";
import { LN2_FIXED, logTable, TABLE_BITS } from "../quantize/softmax.ts";
import { constantOperand, type FixedPlace, type Lowering } from "./lowering.ts";
import { rowsOf } from "./rows.ts";

/** e^(-d * scale) for d >= 0 with `bits` fraction bits, from tables [2, 256]. */
function fixedExp(d: Expr, tables: Operand, bits: number): Expr {
  return bind("d", clamp(d, 0, 65535), (d) => {
    const high = load(tables, 0, shr(d, 8));
    const low = load(tables, 1, and(d, 255));
    const product = op("i32.mul_wide_s", high, low);
    return wrap(shr(product, 2 * TABLE_BITS - bits));
  });
}

const tableOperand = ({ high, low }: ExpTables) =>
  constantOperand("exponentials", [...high, ...low], "i32", [2, 256]);

/** softmax or its logarithm along the last axis. */
export function lowerSoftmax(
  place: FixedPlace,
  node: Extract<FixedOp, { kind: "softmax" | "log_softmax" }>,
): Lowering {
  const shape = rowsOf(place.node.shape);
  const [, width] = shape;
  const { bits } = node.tables;
  const logs = constantOperand("logarithms", logTable, "i32", [257]);
  return {
    title: node.kind,
    operands: [
      place.operand(0, shape),
      tableOperand(node.tables),
      ...(node.kind === "log_softmax" ? [logs] : []),
    ],
    result: place.result(shape),
    body: ([x, tables, logarithms]) => {
      const at = (k: Expr) => load(x, axis(0), k);
      const largest = loop(
        width,
        { largest: i32(-32768) },
        (k, [best]) => [max(best, at(k))],
      );
      return bind("largest", largest, (largest) => {
        const term = (k: Expr) => fixedExp(sub(largest, at(k)), tables, bits);
        return bind(
          "total",
          sum(width, term),
          (total) =>
            node.kind === "softmax"
              ? probability(term(axis(1)), total, bits)
              : logProbability(
                sub(largest, at(axis(1))),
                total,
                logarithms,
                node,
              ),
        );
      });
    },
  };
}

/** term / total with 15 fraction bits, by one reciprocal for each row. */
function probability(term: Expr, total: Expr, bits: number): Expr {
  const numerator = i64(1n << BigInt(bits + TABLE_BITS));
  return bind("reciprocal", div(numerator, widen(total)), (reciprocal) => {
    const shift = bits + 15;
    const product = mul(widen(term), reciprocal);
    const rounded = shr(add(product, i64(1n << BigInt(shift - 1))), shift);
    return wrap(clamp(rounded, 0, 32767));
  });
}

/** -d * scale - ln(total) in the result's scale. */
function logProbability(
  d: Expr,
  total: Expr,
  logarithms: Operand,
  node: Extract<FixedOp, { kind: "log_softmax" }>,
): Expr {
  const { xFactor, logFactor, s, bounds, tables } = node;
  return bind("ln", logOfSum(total, logarithms, tables.bits), (ln) => {
    const wide = (a: Expr, b: number) => op("i32.mul_wide_s", a, i32(b));
    const negative = add(wide(d, -xFactor), wide(ln, -logFactor));
    const rounded = shr(add(negative, i64(1n << BigInt(s - 1))), s);
    return wrap(clamp(rounded, bounds.lo, bounds.hi));
  });
}

/** Natural logarithm of a positive sum with `bits` fraction bits, by interpolation. */
function logOfSum(total: Expr, table: Operand, bits: number): Expr {
  return bind(
    "zeros",
    op("i32.clz", total),
    (zeros) =>
      bind(
        "mantissa",
        shl(total, zeros),
        (mantissa) =>
          bind("index", and(shrU(mantissa, 23), 255), (index) => {
            const fraction = and(shrU(mantissa, 8), 0x7fff);
            const here = load(table, index);
            const step = sub(load(table, add(index, 1)), here);
            const exponent = sub(i32(31 - bits), zeros);
            const rest = shr(mul(step, fraction), 15);
            return add(add(mul(exponent, LN2_FIXED), here), rest);
          }),
      ),
  );
}
