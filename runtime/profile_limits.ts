/**
 * What this machine can do at most, measured in the same process and through the same executor as the profile that is
 * held against it.
 *
 * The limit of arithmetic is a square product of the node's own element types that stays in the cache, of 7-bit values
 * where the CPU is faster so. The limit of memory is a kernel that reads each word once and writes it once, of about as
 * many bytes as the node moves: a small node works in the cache. A node is held against the slower of the two.
 */
import {
  axis,
  defineKernel,
  type DType,
  dtypes,
  elementCount,
  type Expr,
  type Kernel,
  load,
  type Model,
  mul,
  type Node,
  operandsOf,
  sum,
  type TensorType,
  toF32,
  widen,
  xor,
} from "../compiler/mod.ts";
import { type CpuOptions, createCpuExecutor } from "./cpu.ts";
import type { NodeWork } from "./node_work.ts";
import { type NodeProfile, type Profile, profileRuns } from "./profile.ts";

/** Rows, columns and terms of the product. */
const PRODUCT = 384;
/** Bytes moved by the memory probes, ascending; a larger node takes the last. */
const TRAFFIC = [2 ** 15, 2 ** 19, 2 ** 23, 2 ** 26];

/** Highest measured rates, by what they are of. */
export interface Limits {
  /** Multiply-accumulates per second, by the two factors' element types: "i8 i8". */
  readonly macs: Readonly<Record<string, number>>;
  /** Bytes per second, by bytes moved. */
  readonly traffic: Readonly<Record<number, number>>;
}

/** What holds a node back, and how near to it the node comes. */
export interface Bound {
  /** The limit: arithmetic of these element types, or memory at this many bytes. */
  readonly limit: "arithmetic" | "memory";
  /** Rate of the limit: multiply-accumulates or bytes per second. */
  readonly rate: number;
  /** Time that the limit alone would take, over the node's own; may be above 1 by what timing cannot tell. */
  readonly share: number;
}

const keyOf = (factors: readonly DType[]) => factors.join(" ");
const trafficOf = ({ bytes }: NodeWork) =>
  TRAFFIC.find((size) => size >= bytes) ?? TRAFFIC[TRAFFIC.length - 1];

/** Measures the limits that the profile's nodes need, with the options that its executor had. */
export async function measureLimits(
  profile: Profile,
  options: CpuOptions,
): Promise<Limits> {
  const works = profile.nodes.map((node) => node.work);
  const pairs = new Map(
    works.flatMap(({ factors }) => factors ? [[keyOf(factors), factors]] : []),
  );
  const sizes = [...new Set(works.map(trafficOf))];
  const macs: Record<string, number> = {};
  for (const [key, factors] of pairs) {
    const [{ seconds, work }] = await timesOf(productModel(factors), options);
    macs[key] = work.macs / seconds;
  }
  const traffic: Record<number, number> = {};
  for (const size of sizes) {
    const [{ seconds, work }] = await timesOf(trafficModel(size), options);
    traffic[size] = work.bytes / seconds;
  }
  return { macs, traffic };
}

/** What bounds a node. */
export function boundOf({ work, seconds }: NodeProfile, limits: Limits): Bound {
  const bandwidth = limits.traffic[trafficOf(work)];
  const memory = work.bytes / bandwidth;
  const speed = work.factors && limits.macs[keyOf(work.factors)];
  const arithmetic = speed ? work.macs / speed : 0;
  return speed && arithmetic > memory
    ? { limit: "arithmetic", rate: speed, share: arithmetic / seconds }
    : { limit: "memory", rate: bandwidth, share: memory / seconds };
}

async function timesOf(
  model: Model,
  options: CpuOptions,
): Promise<readonly NodeProfile[]> {
  const executor = await createCpuExecutor(model, options);
  try {
    const [{ slot }] = model.inputs;
    const { dtype, shape } = model.slots[slot].type;
    const input = probeValues(dtype, elementCount(shape));
    return (await profileRuns(model, executor, [input], {
      warmUp: 0.1,
      seconds: 0.15,
    })).nodes;
  } finally {
    executor.close();
  }
}

/** Integers of 0 .. 63, floats that are no subnormals: what no way of multiplying is slow with. */
function probeValues(dtype: DType, count: number): Uint8Array {
  const { bytes: width, scalar } = dtypes[dtype];
  const bytes = new Uint8Array(count * width);
  for (let i = 0; i < count; i++) {
    // The top byte 0x3f gives 0.5 .. 2 in f32 and bf16, 1.75 .. 2 in f16.
    if (scalar === "f32") bytes[(i + 1) * width - 1] = 0x3f;
    else bytes[i * width] = i * 31 % 64;
  }
  return bytes;
}

/** y = x w with one row of w for each column of y, as fully connected layers are stored. */
function productModel(factors: readonly [DType, DType]): Model {
  const [a, b] = factors.map((dtype): TensorType => ({
    dtype,
    shape: [PRODUCT, PRODUCT],
  }));
  const scalars = factors.map((dtype) => dtypes[dtype].scalar);
  const type = (["f32", "i64", "i32"] as const).find((t) =>
    scalars.includes(t)
  )!;
  const [x, w] = operandsOf([a, b]);
  /** An element in the type that the sum has. */
  const factor = (element: Expr, i: number) =>
    scalars[i] === type
      ? element
      : type === "f32"
      ? toF32(element)
      : widen(element);
  const kernel = defineKernel({
    name: "product",
    operands: [a, b],
    result: { dtype: type, shape: [PRODUCT, PRODUCT] },
    body: sum(
      PRODUCT,
      (k) =>
        mul(factor(load(x, axis(0), k), 0), factor(load(w, axis(1), k), 1)),
    ),
  });
  const bytes = probeValues(b.dtype, PRODUCT * PRODUCT);
  return probeModel(kernel, [{ name: "w", type: b, bytes }]);
}

/** Reads so many bytes and writes as many, half of `size` each. */
function trafficModel(size: number): Model {
  const type: TensorType = { dtype: "i32", shape: [size / 8 / 1024, 1024] };
  const [x] = operandsOf([type]);
  const kernel = defineKernel({
    name: "traffic",
    operands: [type],
    result: type,
    body: xor(load(x, axis(0), axis(1)), 1),
  });
  return probeModel(kernel, []);
}

/** The model of one node: slot 0 from slot 1 and the constants. */
function probeModel(kernel: Kernel, constants: Model["constants"]): Model {
  const node: Node = {
    name: kernel.name,
    kernel: 0,
    operands: [
      { kind: "slot", index: 1 },
      ...constants.map((_, index) => ({ kind: "weight", index } as const)),
    ],
    result: 0,
    whole: false,
    lineage: [],
  };
  return {
    name: kernel.name,
    mode: "fixed",
    kernels: [kernel],
    nodes: [node],
    constants,
    slots: [
      { name: "y", type: kernel.result },
      { name: "x", type: kernel.operands[0] },
    ],
    inputs: [{ name: "x", slot: 1, role: "data", accepts: { kind: "tensor" } }],
    outputs: [{ name: "y", slot: 0, scale: 1 }],
    schedule: { kind: "fixed", iterations: 1 },
    kept: 1,
  };
}
