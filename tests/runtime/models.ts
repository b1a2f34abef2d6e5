/** Models for the executors' tests: every way in which a node may touch slots, in few and small nodes. */
import {
  axis,
  clamp,
  defineKernel,
  eq,
  i32,
  iteration,
  type Kernel,
  load,
  min,
  type Model,
  mul,
  type Node,
  type OperandRef,
  operandsOf,
  select,
  shr,
  sub,
  sum,
  type TensorType,
  wholeAxis,
  xor,
} from "../../compiler/mod.ts";
import { Random } from "../random.ts";

export const SIZE = 64;
const matrix: TensorType = { dtype: "i8", shape: [SIZE, SIZE] };
const cache: TensorType = { dtype: "i8", shape: [4, SIZE] };
const word: TensorType = { dtype: "i32", shape: [1] };

/** y[i, j] = the sum of x[i, k] * w[j, k], scaled down and saturated. */
function product(): Kernel {
  const operands = [matrix, matrix];
  const [x, w] = operandsOf(operands);
  const total = sum(SIZE, (k) => mul(load(x, axis(0), k), load(w, axis(1), k)));
  return defineKernel({
    name: "product",
    operands,
    result: matrix,
    body: clamp(shr(total, 8), -128, 127),
  });
}

/** The rows in reverse order. */
function reverse(): Kernel {
  const [x] = operandsOf([matrix]);
  return defineKernel({
    name: "reverse",
    operands: [matrix],
    result: matrix,
    body: load(x, sub(SIZE - 1, axis(0)), axis(1)),
  });
}

/** Row `iteration` of the cache becomes row 0 of x; xor with the old row, read in place or from above. */
function remember(above: number): Kernel {
  const operands = [cache, matrix];
  const [old, x] = operandsOf(operands);
  const row = above === 0 ? axis(0) : sub(3, axis(0));
  return defineKernel({
    name: `remember ${above}`,
    operands,
    result: cache,
    update: {
      operand: 0,
      ranges: [
        { first: min(iteration, 9), count: i32(2) },
        wholeAxis(cache, 1),
      ],
    },
    body: xor(load(old, row, axis(1)), load(x, 0, axis(1))),
  });
}

/** 1 in the given iteration, else 0. */
function stopAt(last: number): Kernel {
  return defineKernel({
    name: "stop",
    operands: [],
    result: word,
    body: select(eq(iteration, last), 1, 0),
  });
}

/** The sum of the weights table's bytes. */
function tableSum(): Kernel {
  const operands: TensorType[] = [{ dtype: "u8", shape: [32] }];
  const [table] = operandsOf(operands);
  return defineKernel({
    name: "table sum",
    operands,
    result: word,
    body: sum(32, (k) => load(table, k)),
  });
}

const slot = (index: number): OperandRef => ({ kind: "slot", index });
const node = (
  kernel: number,
  operands: OperandRef[],
  result: number,
): Node => ({
  name: `node ${kernel}`,
  kernel,
  operands,
  result,
  whole: false,
  lineage: [],
});

/** Reads and writes slots in every way; stops after `stop` iterations if that is below 4. */
export function testModel(stop: number): Model {
  return {
    name: "test",
    mode: "fixed",
    kernels: [
      product(),
      reverse(),
      remember(0),
      remember(1),
      stopAt(stop),
      tableSum(),
    ],
    nodes: [
      node(0, [slot(2), { kind: "weight", index: 0 }], 3),
      node(0, [slot(3), slot(3)], 3),
      node(1, [slot(3)], 3),
      node(2, [slot(0), slot(3)], 0),
      node(3, [slot(0), slot(2)], 0),
      node(2, [slot(0), slot(2)], 4),
      node(5, [{ kind: "weights_table" }], 5),
      node(4, [], 1),
    ],
    constants: [{
      name: "w",
      type: matrix,
      bytes: new Random(11).bytes(SIZE * SIZE),
    }],
    slots: [
      { name: "cache", type: cache, initial: new Random(12).bytes(4 * SIZE) },
      { name: "stop", type: word },
      { name: "x", type: matrix },
      { name: "y", type: matrix },
      { name: "other cache", type: cache },
      { name: "table", type: word },
    ],
    inputs: [{
      name: "x",
      slot: 2,
      role: "data",
      accepts: { kind: "tensor" },
    }],
    outputs: [{ name: "cache", slot: 0, scale: 1 }],
    schedule: { kind: "request", max: 4 },
    kept: 2,
    stopSlot: 1,
  };
}

export const testInput = (): Uint8Array => new Random(13).bytes(SIZE * SIZE);
