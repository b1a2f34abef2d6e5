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
  verifyKernel,
} from "../compiler/mod.ts";
import { ChainLearnError, LEAF_BYTES } from "../fpvm/mod.ts";
import { type Executor, resetSlots } from "./executor.ts";
import { nodeInVm } from "./vm.ts";
import { weightsTable } from "./weights_table.ts";

/** Operations up to which every leaf is compared: 2 GMAC, two operations each. */
const WHOLE_MODEL_WORK = 4e9;
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
 * differ. `progress` is called after every node.
 */
export async function selfCheck(
  commitment: Commitment,
  executor: Executor,
  inputs: readonly Uint8Array[],
  progress?: (done: number, total: number) => void,
): Promise<SelfCheck> {
  const { model } = commitment;
  const work = model.kernels.map((kernel) => verifyKernel(kernel).work.total);
  const whole =
    model.nodes.reduce((sum, n) => sum + work[n.kernel], 0) <= WHOLE_MODEL_WORK;
  const table = weightsTable(model);
  // A node may write a slot that it reads: the machine gets what the slots held before it.
  const before = model.slots.map((slot) =>
    new Uint8Array(byteLength(slot.type))
  );
  resetSlots(model, inputs, before);
  let [leaves, steps] = [0, 0];
  await executor.run(inputs, {
    iterations: 1,
    onNode(_, index, slots) {
      const node = model.nodes[index];
      const vm = nodeInVm(commitment, index, 0, before, table);
      const result = slots[node.result];
      const { shape, dtype } = model.slots[node.result].type;
      const rowBytes = (shape.at(-1) ?? 1) * dtypes[dtype].bytes;
      const compared = whole
        ? Array.from({ length: vm.leaves }, (_, i) => i)
        : sampledLeaves(vm.leaves, rowBytes, index + 1);
      for (const leaf of compared) {
        const run = vm.run(leaf);
        steps += run.steps;
        const expected = result.subarray(
          LEAF_BYTES * leaf,
          LEAF_BYTES * (leaf + 1),
        );
        if (
          !expected.every((b, i) => b === run.leaf[i]) ||
          run.leaf.subarray(expected.length).some((b) => b !== 0)
        ) {
          throw new ChainLearnError(
            `Self-check failed in leaf ${leaf} of node "${node.name}": expected ${expected.toHex()} as on ${executor.device}, found ${run.leaf.toHex()} in the machine`,
            {
              exitCode: 1,
              hint:
                "This is a defect of the compiler: do not stake on this model, report it",
            },
          );
        }
      }
      leaves += compared.length;
      before[node.result] = result.slice();
      progress?.(index + 1, model.nodes.length);
    },
  });
  return { leaves, steps, whole };
}
