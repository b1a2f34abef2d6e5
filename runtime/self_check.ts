/**
 * The check before a bundle is written or staked on: the machine against the CPU, leaf by leaf.
 *
 * A back end that computes another byte would cost an honest submitter his stake. Small models are compared whole, large
 * ones in the first, the last, the row-straddling and some random leaves of every node.
 */
import {
  byteLength,
  type Commitment,
  dtypes,
  graphOf,
  type TensorType,
  verifyKernel,
} from "../compiler/mod.ts";
import { ChainLearnError, LEAF_BYTES } from "../fpvm/mod.ts";
import { type Executor, isStopped, resetSlots } from "./executor.ts";
import { nodeInVm } from "./vm.ts";

/** Operations up to which every leaf is compared: 2 GMAC, two operations each; floats take 30 times the steps. */
const WHOLE_MODEL_WORK = { fixed: 4e9, float: 1.3e8 };
const RANDOM_LEAVES = 64;

/** What was compared. */
export interface SelfCheck {
  readonly leaves: number;
  /** Steps of the machine, over all compared leaves. */
  readonly steps: number;
  /** Whether every leaf of every node was compared. */
  readonly whole: boolean;
}

/** Bytes that look random and are the same for the same length everywhere (a 32-bit LCG, Numerical Recipes). */
export function probeBytes(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let x = seed;
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    bytes[i] = x >>> 24;
  }
  return bytes;
}

/**
 * Probe bytes of an input: numbers in [-1, 1) where it holds f32, since among random bits are NaNs, which would spread.
 */
export function probeInput(type: TensorType): Uint8Array {
  const bytes = probeBytes(byteLength(type));
  if (type.dtype !== "f32") return bytes;
  const words = new Int32Array(bytes.buffer);
  const numbers = new Float32Array(bytes.buffer);
  words.forEach((word, i) => numbers[i] = (word >> 8) / 2 ** 23);
  return bytes;
}

/** Leaves that a large node is compared in. */
function sampledLeaves(
  leaves: number,
  rowBytes: number,
  seed: number,
): number[] {
  const chosen = new Set([0, leaves - 1]);
  // The first leaf that holds the end of one row and the start of the next.
  if (rowBytes % LEAF_BYTES !== 0 && rowBytes < leaves * LEAF_BYTES) {
    chosen.add(Math.floor(rowBytes / LEAF_BYTES));
  }
  const words = new DataView(probeBytes(4 * RANDOM_LEAVES, seed).buffer);
  for (let i = 0; i < RANDOM_LEAVES; i++) {
    chosen.add(words.getUint32(4 * i) % leaves);
  }
  return [...chosen].sort((a, b) => a - b);
}

/**
 * Runs the model on `executor` and every compared leaf in the machine; throws naming node and leaf where they
 * differ. A model whose request chooses the iterations runs once. `progress` is called after every step.
 */
export async function selfCheck(
  commitment: Commitment,
  executor: Executor,
  inputs: readonly Uint8Array[],
  progress?: (done: number, total: number) => void,
): Promise<SelfCheck> {
  const { model } = commitment;
  const { nodes, schedule } = model;
  const iterations = schedule.kind === "fixed" ? schedule.iterations : 1;
  const graph = graphOf(model);
  const work = graph.kernels.map((kernel) => verifyKernel(kernel).work.total);
  // A program that gives a whole result cannot be run in part.
  const whole = nodes.every((node) => node.whole) ||
    iterations * graph.nodes.reduce((n, { kernel }) => n + work[kernel], 0) <=
      WHOLE_MODEL_WORK[model.mode];
  // A node may write a slot that it reads: the machine gets what the slots held before it.
  const before = model.slots.map((slot) =>
    new Uint8Array(byteLength(slot.type))
  );
  resetSlots(model, inputs, before);
  let [leaves, steps] = [0, 0];
  await executor.run(inputs, {
    iterations,
    onNode(step, index, slots) {
      if (isStopped(model, before)) return;
      const { result } = nodes[index];
      const iteration = Math.floor(step / nodes.length);
      const vm = nodeInVm(commitment, index, iteration, before);
      const compared = whole
        ? Array.from({ length: vm.leaves }, (_, i) => i)
        : sampledLeaves(
          vm.leaves,
          rowBytes(model.slots[result].type),
          step + 1,
        );
      for (const leaf of compared) {
        const run = vm.run(leaf);
        steps += run.steps;
        for (let at = 0; at < run.leaf.length; at += LEAF_BYTES) {
          compareLeaf(
            nodes[index].name,
            leaf + at / LEAF_BYTES,
            run.leaf.subarray(at, at + LEAF_BYTES),
            slots[result],
            executor,
          );
          leaves++;
        }
      }
      before[result] = slots[result].slice();
      progress?.(step + 1, iterations * nodes.length);
    },
  });
  return { leaves, steps, whole };
}

const rowBytes = ({ shape, dtype }: TensorType) =>
  (shape.at(-1) ?? 1) * dtypes[dtype].bytes;

/** Throws unless the machine's leaf is the result's, and zero beyond its end. */
function compareLeaf(
  node: string,
  leaf: number,
  found: Uint8Array,
  result: Uint8Array,
  { device }: Executor,
): void {
  const expected = new Uint8Array(LEAF_BYTES);
  expected.set(result.subarray(LEAF_BYTES * leaf, LEAF_BYTES * (leaf + 1)));
  if (expected.every((byte, i) => byte === found[i])) return;
  throw new ChainLearnError(
    `Self-check failed in leaf ${leaf} of node "${node}": expected ${expected.toHex()} as on ${device}, found ${found.toHex()} in the machine`,
    {
      exitCode: 1,
      hint:
        "This is a defect of the compiler: do not stake on this model, report it",
    },
  );
}
