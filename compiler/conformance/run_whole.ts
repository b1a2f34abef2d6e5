/**
 * Runs a kernel's whole program in the machine, with poisoned padding as `run_leaves.ts` does.
 *
 * The step count of such a program is computed for the whole result: a test compares it with what was measured.
 */
import {
  ChainLearnError,
  composeInitialState,
  MemoryContentStore,
  REGIONS,
  run,
  STATUS,
  treeHeight,
} from "../../fpvm/mod.ts";
import { byteLength, type Kernel } from "../ir.ts";
import { emitWholeProgram } from "../mips/mod.ts";
import type { LeafProgram } from "../model/model.ts";
import { leafOperands } from "./run_leaves.ts";

/** What one run of a whole program gives. */
export interface WholeRun {
  readonly program: LeafProgram;
  readonly result: Uint8Array;
  readonly steps: number;
}

/** Throws where the program does not exit with code 0, or writes past the result's end. */
export function runWhole(
  kernel: Kernel,
  operands: readonly Uint8Array[],
  iteration: number,
): WholeRun {
  const shapes = leafOperands(kernel);
  const program = emitWholeProgram(kernel, shapes);
  const store = new MemoryContentStore();
  const operandRoots = operands.map((bytes, i) => {
    const padded = new Uint8Array(32 << shapes[i].height).fill(0xff);
    padded.set(bytes.subarray(0, byteLength(kernel.operands[i])));
    return store.put(padded);
  });
  const state = composeInitialState({
    program: program.code,
    programHeight: treeHeight(program.code.length),
    leafIndex: 0,
    iteration,
    operandRoots,
    store,
  });
  const steps = run(state, program.worstSteps + 1);
  const { status, exitCode, pc, memory } = state;
  if (status !== STATUS.exited || exitCode !== 0) {
    throw new ChainLearnError(
      `Cannot run "${kernel.name}" whole: expected exit code 0, found status ${status}, code ${exitCode} at pc ${pc}`,
      { exitCode: 1 },
    );
  }
  const length = byteLength(kernel.result);
  const result = new Uint8Array(32 << treeHeight(length));
  for (let at = 0; at < result.length; at += 32) {
    result.set(memory.leaf(REGIONS.output.base + at), at);
  }
  if (result.subarray(length).some((byte) => byte !== 0)) {
    throw new ChainLearnError(
      `Cannot run "${kernel.name}" whole: expected zeros past the result's end, found other bytes`,
      { exitCode: 1 },
    );
  }
  return { program, result: result.subarray(0, length), steps };
}
