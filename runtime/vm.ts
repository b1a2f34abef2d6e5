/**
 * The fraud-proof machine as a device: every node leaf by leaf, or whole, by the programs that a dispute would run.
 *
 * Slow, and the reason to believe the others: `convert` compares it with the CPU before it writes a bundle. Also the
 * place where one leaf of a node is run in the machine, from plain bytes.
 */
import { byteLength, type Commitment, resultLeaves } from "../compiler/mod.ts";
import {
  ChainLearnError,
  composeInitialState,
  LEAF_BYTES,
  MemoryContentStore,
  REGIONS,
  runTranslated,
  STATUS,
} from "../fpvm/mod.ts";
import { type Executor, executorOf } from "./executor.ts";
import { tableOfRoots } from "./weights_table.ts";

/** What the machine did for one leaf. */
export interface LeafRun {
  /** The 32 bytes at the output region; of a *whole* node all leaves of its result. */
  readonly leaf: Uint8Array;
  /** Steps, the exit included. */
  readonly steps: number;
}

/** Runs the leaves of one node over fixed operands. */
export interface NodeInVm {
  /** Leaves of the node's result; 1 where it is *whole*. */
  readonly leaves: number;
  /** Throws where the program does not exit with code 0 within its computed worst case. */
  run(leafIndex: number): LeafRun;
}

/** Prepares a node whose operands are taken from `slots`; the operands are hashed once. */
export function nodeInVm(
  commitment: Commitment,
  index: number,
  iteration: number,
  slots: readonly Uint8Array[],
): NodeInVm {
  const { model, descriptors, programs, nodePrograms } = commitment;
  const node = model.nodes[index];
  const program = programs[nodePrograms[index]];
  const store = new MemoryContentStore();
  const operandRoots = descriptors[index].operands.map(
    ({ kind, index, height }) => {
      if (kind === "weight") {
        return store.put(model.constants[index].bytes, height);
      }
      if (kind === "slot") return store.put(slots[index].slice(), height);
      model.constants.forEach((constant) => store.put(constant.bytes));
      return store.put(tableOfRoots(commitment.weightRoots), height);
    },
  );
  const leaves = resultLeaves(model, index);
  return {
    leaves: node.whole ? 1 : leaves,
    run(leafIndex) {
      const state = composeInitialState({
        program: program.code,
        programHeight: program.height,
        leafIndex,
        iteration,
        operandRoots,
        store,
      });
      const steps = runTranslated(state, program.worstSteps);
      if (state.status !== STATUS.exited || state.exitCode !== 0) {
        throw new ChainLearnError(
          `Cannot run leaf ${leafIndex} of node "${node.name}" in the machine: expected exit code 0 within ${program.worstSteps} steps, found status ${state.status}, exit code ${state.exitCode} at pc ${state.pc} after ${steps} steps`,
          { exitCode: 1 },
        );
      }
      const leaf = new Uint8Array(LEAF_BYTES * (node.whole ? leaves : 1));
      for (let at = 0; at < leaf.length; at += LEAF_BYTES) {
        leaf.set(state.memory.leaf(REGIONS.output.base + at), at);
      }
      return { leaf, steps };
    },
  };
}

/** Runs a whole model in the machine, in this thread. */
export function createVmExecutor(commitment: Commitment): Executor {
  const { model } = commitment;
  const slots = model.slots.map((slot) =>
    new Uint8Array(byteLength(slot.type))
  );
  return executorOf(model, {
    name: "vm",
    slots,
    runNode(index, iteration) {
      const node = nodeInVm(commitment, index, iteration, slots);
      const result = slots[model.nodes[index].result];
      for (let leaf = 0; leaf < node.leaves; leaf++) {
        const at = LEAF_BYTES * leaf;
        result.set(node.run(leaf).leaf.subarray(0, result.length - at), at);
      }
    },
    close() {},
  });
}
