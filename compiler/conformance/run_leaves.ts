/**
 * Runs a kernel's leaf program in the reference machine: every leaf, some past the end, poisoned padding.
 *
 * Operands are committed with 0xff in every byte that their tree has beyond their length, so that a
 * program whose result depends on padding is found out.
 */
import { byteLength, type Kernel } from "../ir.ts";
import { emitLeafProgram, type LeafOperand } from "../mips/mod.ts";
import type { LeafProgram } from "../model/model.ts";
import {
  ChainLearnError,
  composeInitialState,
  MemoryContentStore,
  REGIONS,
  run,
  STATUS,
  treeHeight,
} from "../../fpvm/mod.ts";

/** What a run of all leaves gives. */
export interface LeafRun {
  readonly program: LeafProgram;
  readonly result: Uint8Array;
  /** Steps of each leaf. */
  readonly steps: readonly number[];
}

/** How a kernel's operands are committed; odd operands count as constants of the model. */
export function leafOperands(kernel: Kernel): LeafOperand[] {
  return kernel.operands.map((type, i) => ({
    height: treeHeight(byteLength(type)),
    constant: i % 2 === 1,
  }));
}

const isZero = (bytes: Uint8Array) => bytes.every((byte) => byte === 0);

function requireThat(ok: boolean, at: string, found: string): void {
  if (ok) return;
  throw new ChainLearnError(
    `Cannot run ${at}: expected exit code 0 and zeros past the end, found ${found}`,
    { exitCode: 1 },
  );
}

/**
 * Runs the leaf program for every leaf of the result, or for the given ones. Throws where it does not exit with code 0,
 * or leaves a byte past the result's end that is not zero.
 */
export function runLeaves(
  kernel: Kernel,
  operands: readonly Uint8Array[],
  iteration: number,
  leaves?: readonly number[],
): LeafRun {
  const program = emitLeafProgram(kernel, leafOperands(kernel));
  const store = new MemoryContentStore();
  const operandRoots = operands.map((bytes, i) => {
    const padded = new Uint8Array(32 << leafOperands(kernel)[i].height);
    padded.fill(0xff);
    padded.set(bytes.subarray(0, byteLength(kernel.operands[i])));
    return store.put(padded);
  });
  const length = byteLength(kernel.result);
  const count = Math.ceil(length / 32);
  const result = new Uint8Array(32 * count);
  const steps: number[] = [];
  const past = [count, count + 1, 2 ** 27 - 1, 2 ** 32 - 1];
  for (const leaf of leaves ?? [...Array(count).keys(), ...past]) {
    const state = composeInitialState({
      program: program.code,
      programHeight: treeHeight(program.code.length),
      leafIndex: leaf,
      iteration,
      operandRoots,
      store,
    });
    const taken = run(state, program.worstSteps + 1);
    const at = `leaf ${leaf} of "${kernel.name}"`;
    const exited = state.status === STATUS.exited && state.exitCode === 0;
    requireThat(exited, at, `status ${state.status}, code ${state.exitCode}`);
    const bytes = state.memory.leaf(REGIONS.output.base);
    if (leaf < count) {
      result.set(bytes, 32 * leaf);
      steps.push(taken);
    } else {
      requireThat(isZero(bytes), at, "other bytes past the last leaf");
    }
  }
  if (!leaves) {
    const tail = result.subarray(length);
    requireThat(isZero(tail), `"${kernel.name}"`, "other bytes in the last");
  }
  return { program, result: result.subarray(0, length), steps };
}
