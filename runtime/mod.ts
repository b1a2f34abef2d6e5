/**
 * Executes models and commits to what happened.
 *
 * An executor runs a model on one device: the CPU by generated WebAssembly (any number of threads) or the
 * reference interpreter. All give the same bytes. `commitRun` adds the state roots that a submission and a
 * dispute need. Nothing here reads files or talks to a chain.
 *
 * @example
 * ```ts
 * import type { Model } from "../compiler/mod.ts";
 * import { commitRun, createCpuExecutor } from "./mod.ts";
 *
 * async function answer(model: Model, input: Uint8Array) {
 *   const executor = await createCpuExecutor(model, { threads: 2 });
 *   try {
 *     const trace = await commitRun(model, executor, [input]);
 *     return { output: trace.run.outputs[0], claim: trace.states.at(-1) };
 *   } finally {
 *     executor.close();
 *   }
 * }
 * ```
 *
 * @module
 */
export { type CpuOptions, createCpuExecutor } from "./cpu.ts";
export {
  checkInputs,
  type Executor,
  isStopped,
  iterationsOf,
  type OnNode,
  type Run,
  type RunOptions,
} from "./executor.ts";
export { createInterpreterExecutor } from "./interpreter.ts";
export {
  type CommitOptions,
  commitRun,
  finishedSlotRoots,
  initialSlotRoots,
  slotRoot,
  stateRoot,
  type StateTrace,
} from "./commit.ts";
export {
  createVmExecutor,
  type LeafRun,
  type NodeInVm,
  nodeInVm,
} from "./vm.ts";
export { probeBytes, type SelfCheck, selfCheck } from "./self_check.ts";
