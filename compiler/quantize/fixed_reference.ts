/**
 * Evaluates a quantized graph exactly, in doubles that hold integers: for accuracy reports.
 *
 * The kernels are the definition; the tests compare this with them bit for bit. It exists because the
 * interpreter would take minutes over a calibration set.
 */
import {
  argmax,
  broadcastStrides,
  contract,
  matmul,
  place,
  poolWindows,
  slice,
  transpose,
  walk,
} from "../graph/float_reference.ts";
import { elementCount } from "../ir.ts";
import type { FixedGraph, FixedNode, FixedOp } from "./fixed_graph.ts";
import { requantizeNumber } from "./multiplier.ts";
import { logOfSum, rowSum, softmaxRow } from "./softmax.ts";

/** Stored integers of every node; `inputs` has one array for each input of the graph. */
export function evaluateFixed(
  graph: FixedGraph,
  inputs: readonly Float64Array[],
): Float64Array[] {
  const values: Float64Array[] = [];
  graph.nodes.forEach((node, id) => {
    const input = graph.inputs.findIndex((i) => i.node === id);
    values.push(
      input >= 0
        ? inputs[input]
        : evaluate(graph, node, node.inputs.map((i) => values[i])),
    );
  });
  return values;
}

function evaluate(
  graph: FixedGraph,
  node: FixedNode,
  inputs: readonly Float64Array[],
): Float64Array {
  const { op, shape } = node;
  const shapes = node.inputs.map((i) => graph.nodes[i].shape);
  const [x] = inputs;
  switch (op.kind) {
    case "input":
      throw new RangeError(`Input "${node.name}" has no value`);
    case "constant":
      return op.data;
    case "view":
    case "copy":
      return x;
    case "contract": {
      const { parameters: p, bounds } = op;
      const acc = contract(
        x,
        shapes[0],
        shape,
        Float64Array.from(op.weight),
        Float64Array.from(p.bias),
        op.windows,
        op.groups,
      );
      return byChannel(
        acc,
        p.m,
        p.s,
        (acc, m, s) => requantizeNumber(acc, m, s, bounds),
      );
    }
    case "matmul": {
      const { preShift, multiplier: { m, s }, bounds } = op;
      let unit = 1;
      for (let i = 0; i < preShift; i++) unit *= 2;
      return matmul(x, inputs[1], shapes[0], shapes[1]).map((acc) =>
        requantizeNumber(Math.floor(acc / unit), m, s, bounds)
      );
    }
    case "affine": {
      const { factor, parameters: p, bounds } = op;
      return x.map((v, i) => {
        const c = Math.floor(i / op.inner) % factor.length;
        const acc = v * factor[c] + p.bias[c];
        return requantizeNumber(acc, p.m[c], p.s[c], bounds);
      });
    }
    case "sum":
    case "product":
    case "quotient":
      return elementwise(op, shape, shapes, inputs);
    case "table":
      return x.map((v) => {
        const at = Math.max(Math.min(v - op.first, op.table.length - 1), 0);
        return op.table[at];
      });
    case "clamp":
      return x.map((v) => Math.min(Math.max(v, op.bounds.lo), op.bounds.hi));
    case "max_pool":
      return poolWindows(x, shapes[0], shape, op.windows, "max");
    case "average_pool": {
      const sums = poolWindows(x, shapes[0], shape, op.windows, "sum");
      const channels = shape[shape.length - 1];
      return sums.map((acc, i) => {
        const at = Math.floor(i / channels) % op.m.length;
        return requantizeNumber(acc, op.m[at], op.s[at], op.bounds);
      });
    }
    case "softmax":
    case "log_softmax":
      return rows(op, x, shape[shape.length - 1]);
    case "argmax":
      return argmax(x, shapes[0], op.last);
    case "transpose":
      return transpose(x, shapes[0], op.perm);
    case "pad":
      return place(
        new Float64Array(elementCount(shape)).fill(op.value),
        shape,
        x,
        shapes[0],
        op.before,
      );
    case "concat": {
      const out = new Float64Array(elementCount(shape));
      const at = shape.map(() => 0);
      inputs.forEach((part, i) => {
        place(out, shape, part, shapes[i], at);
        at[op.axis] += shapes[i][op.axis];
      });
      return out;
    }
    case "slice":
      return slice(x, shapes[0], shape, op.starts);
    default:
      return op satisfies never;
  }
}

function byChannel(
  acc: Float64Array,
  m: Int32Array,
  s: Int32Array,
  fn: (acc: number, m: number, s: number) => number,
): Float64Array {
  const channels = m.length;
  const out = new Float64Array(acc.length);
  for (let i = 0, c = 0; i < acc.length; i++) {
    out[i] = fn(acc[i], m[c], s[c]);
    if (++c === channels) c = 0;
  }
  return out;
}

type Binary = Extract<FixedOp, { kind: "sum" | "product" | "quotient" }>;

function elementwise(
  op: Binary,
  shape: readonly number[],
  shapes: readonly (readonly number[])[],
  inputs: readonly Float64Array[],
): Float64Array {
  const out = new Float64Array(elementCount(shape));
  const strides = shapes.map((s) => broadcastStrides(s, shape));
  walk(shape, strides, (flat, offsets) => {
    out[flat] = combine(op, inputs.map((x, i) => x[offsets[i]]));
  });
  return out;
}

function combine(op: Binary, args: readonly number[]): number {
  const { lo, hi } = op.bounds;
  const clamp = (y: bigint) => Math.max(Math.min(Number(y), hi), lo);
  switch (op.kind) {
    case "sum": {
      let total = op.offset + (1n << BigInt(op.s - 1));
      args.forEach((x, i) => total += BigInt(x) * BigInt(op.multipliers[i]));
      return clamp(total >> BigInt(op.s));
    }
    case "product": {
      const { m, s } = op.multiplier;
      return requantizeNumber(args[0] * args[1], m, s, op.bounds);
    }
    case "quotient": {
      const { m, s } = op.multiplier;
      const scaled = (BigInt(args[0]) * BigInt(m)) << 16n;
      const ratio = args[1] === 0 ? scaled : scaled / BigInt(args[1]);
      if (s + 16 > 63) return clamp(0n);
      return clamp((ratio + (1n << BigInt(s + 15))) >> BigInt(s + 16));
    }
    default:
      return op satisfies never;
  }
}

function rows(
  op: Extract<FixedOp, { kind: "softmax" | "log_softmax" }>,
  x: Float64Array,
  width: number,
): Float64Array {
  const out = new Float64Array(x.length);
  for (let from = 0; from < x.length; from += width) {
    const row = x.subarray(from, from + width);
    out.set(
      op.kind === "softmax" ? softmaxRow(row, op.tables) : logRow(op, row),
      from,
    );
  }
  return out;
}

function logRow(
  op: Extract<FixedOp, { kind: "log_softmax" }>,
  row: Float64Array,
): Float64Array {
  const { max, sum } = rowSum(row, op.tables);
  const ln = logOfSum(sum, op.tables.bits);
  const { lo, hi } = op.bounds;
  return row.map((x) => {
    const d = BigInt(max - x);
    const total = -d * BigInt(op.xFactor) - BigInt(ln) * BigInt(op.logFactor);
    const y = (total + (1n << BigInt(op.s - 1))) >> BigInt(op.s);
    return Math.max(Math.min(Number(y), hi), lo);
  });
}
