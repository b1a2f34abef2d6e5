/**
 * The run of one leaf's program in the fraud-proof VM, with the state hash at any step.
 *
 * Snapshots at even distances bound what "state at step m" costs. The machine itself is in `fpvm/`; this file only
 * composes the initial state from an execution and remembers where it has been.
 */
import { type Commitment, encodeDescriptor } from "../compiler/mod.ts";
import {
  buildWitness,
  cloneState,
  composeInitialState,
  initialStateHash,
  MemoryContentStore,
  packState,
  REGIONS,
  run,
  stateHash,
  STATUS,
  type VmState,
  zeroHash,
} from "../fpvm/mod.ts";
import type { StateView } from "./state_view.ts";

/** Snapshots kept over a whole run. */
const SNAPSHOTS = 64;

/** Roots of a node's operands in S_step, with the bytes behind them put into `store`. */
function operandRoots(
  execution: StateView,
  step: number,
  store: MemoryContentStore,
): Uint8Array[] {
  const { commitment } = execution;
  const node = step % commitment.model.nodes.length;
  return commitment.descriptors[node].operands.map(
    ({ kind, index, height }) => {
      if (kind === "slot") {
        return store.put(execution.slotBytes(step, index), height);
      }
      if (kind === "weight") {
        return store.put(commitment.model.constants[index].bytes, height);
      }
      const table = new Uint8Array(32 * commitment.weightRoots.length);
      commitment.weightRoots.forEach((root, i) => table.set(root, 32 * i));
      commitment.model.constants.forEach((constant) =>
        store.put(constant.bytes)
      );
      return store.put(table, height);
    },
  );
}

/** See the head of this file. */
export class LeafTrace {
  readonly #snapshots: { step: number; state: VmState }[] = [];
  readonly #interval: number;
  readonly initialHash: Uint8Array;
  /** Steps until it stopped, at most maxSteps, at least 1. */
  readonly length: number;
  /** Roots of the operands, in the descriptor's order. */
  readonly operandRoots: readonly Uint8Array[];

  /** Runs the program of node `step mod nodes` for one leaf (0 for a *whole* node) from S_step. */
  constructor(
    execution: StateView,
    readonly step: number,
    readonly leafIndex: number,
  ) {
    const { commitment } = execution;
    const node = step % commitment.model.nodes.length;
    const program = commitment.programs[commitment.nodePrograms[node]];
    const iteration = Math.floor(step / commitment.model.nodes.length);
    const store = new MemoryContentStore();
    this.operandRoots = operandRoots(execution, step, store);
    const input = {
      leafIndex,
      iteration,
      operandRoots: [...this.operandRoots],
    };
    this.initialHash = initialStateHash({
      ...input,
      programRoot: program.root,
      programHeight: program.height,
    });
    const state = composeInitialState({
      ...input,
      program: program.code,
      programHeight: program.height,
      store,
    });
    const maxSteps = Math.max(1, Number(commitment.descriptors[node].maxSteps));
    this.#interval = Math.max(1, Math.ceil(program.worstSteps / SNAPSHOTS));
    this.length = this.#runToEnd(state, maxSteps);
  }

  #runToEnd(state: VmState, maxSteps: number): number {
    let done = 0;
    while (state.status === STATUS.running && done < maxSteps) {
      this.#snapshots.push({ step: done, state: cloneState(state) });
      done += run(state, Math.min(this.#interval, maxSteps - done));
    }
    this.#snapshots.push({ step: done, state });
    return done;
  }

  /** The machine after m steps, a copy. */
  stateAt(m: number): VmState {
    const nearest = this.#snapshots.findLast((s) => s.step <= m) ??
      this.#snapshots[0];
    const state = cloneState(nearest.state);
    run(state, m - nearest.step);
    return state;
  }

  /** State hash after m steps. */
  hashAt(m: number): Uint8Array {
    return stateHash(this.stateAt(m));
  }

  /** The final state: its 178 bytes. */
  get final(): Uint8Array {
    return packState(this.#end);
  }

  get #end(): VmState {
    return this.#snapshots[this.#snapshots.length - 1].state;
  }

  /** Whether the program exited with code 0. */
  get succeeded(): boolean {
    return this.#end.status === STATUS.exited && this.#end.exitCode === 0;
  }

  /** Siblings of the output region's subtree of that height under the final memory root, bottom-up. */
  outputPath(height = 0): Uint8Array[] {
    return this.#end.memory.path(REGIONS.output.base, height);
  }

  /** What the run yields: the output's subtree of that height, or the zero subtree unless it succeeded. */
  resultRoot(height = 0): Uint8Array {
    return this.succeeded
      ? this.#end.memory.subtreeRoot(REGIONS.output.base, height)
      : zeroHash(height);
  }

  /** Witness of the step from state m to m + 1. */
  witnessAt(m: number): Uint8Array {
    return buildWitness(this.stateAt(m));
  }
}

/** The descriptor's bytes and its path under the program root. */
export function descriptorProof(commitment: Commitment, node: number) {
  return {
    bytes: encodeDescriptor(commitment.descriptors[node]),
    path: commitment.programTree.path(node),
  };
}
