/**
 * The run of one leaf's program in the fraud-proof VM, with the state hash at any step.
 *
 * What "state at step m" costs is bounded in program_run.ts. The machine itself is in `fpvm/`; this file only composes
 * the initial state from an execution.
 */
import { type Commitment, encodeDescriptor } from "../compiler/mod.ts";
import {
  buildWitness,
  composeInitialState,
  concatBytes,
  initialStateHash,
  MemoryContentStore,
  packState,
  REGIONS,
  STATUS,
  type VmState,
  zeroHash,
} from "../fpvm/mod.ts";
import { ProgramRun, type RunLimits } from "./program_run.ts";
import type { StateView } from "./state_view.ts";

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
      commitment.model.constants.forEach((constant) =>
        store.put(constant.bytes)
      );
      return store.put(concatBytes(commitment.weightRoots), height);
    },
  );
}

/** See the head of this file. */
export class LeafTrace {
  readonly #run: ProgramRun;
  readonly initialHash: Uint8Array;
  /** Steps until it stopped, at most maxSteps, at least 1. */
  readonly length: number;
  /** Roots of the operands, in the descriptor's order. */
  readonly operandRoots: readonly Uint8Array[];

  /** Runs the program of node `step mod nodes` for one leaf (0 for a *whole* node) from S_step, once. */
  constructor(
    execution: StateView,
    readonly step: number,
    readonly leafIndex: number,
    limits: Partial<RunLimits> = {},
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
    this.#run = new ProgramRun(state, maxSteps, program.worstSteps, limits);
    this.length = this.#run.length;
  }

  /** The machine after m steps, a copy. */
  stateAt(m: number): VmState {
    return this.#run.stateAt(m);
  }

  /** State hash after m steps. */
  hashAt(m: number): Uint8Array {
    return this.#run.hashAt(m);
  }

  /** Steps executed so far, the first run included: what answers cost. */
  get executedSteps(): number {
    return this.#run.executedSteps;
  }

  /** Bytes of the pages that kept states hold, what they share counted once. */
  get heldBytes(): number {
    return this.#run.heldBytes;
  }

  /** The final state: its 178 bytes. */
  get final(): Uint8Array {
    return packState(this.#end);
  }

  get #end(): VmState {
    return this.#run.end;
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
