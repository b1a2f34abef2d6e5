/**
 * Executes models and commits to what happened.
 *
 * An executor runs a model on one device: the CPU by generated WebAssembly (any number of threads) or the
 * reference interpreter. All give the same bytes. `slotRoot` and `stateRoot` turn slots into the commitment that a
 * submission makes. Nothing here reads files or talks to a chain.
 *
 * @example
 * ```ts
 * import type { Model } from "../compiler/mod.ts";
 * import {
 *   createCpuExecutor,
 *   finishedSlotRoots,
 *   slotRoot,
 *   stateRoot,
 * } from "./mod.ts";
 *
 * async function answer(model: Model, input: Uint8Array) {
 *   const executor = await createCpuExecutor(model, { threads: 2 });
 *   try {
 *     const { outputs, slots } = await executor.run([input]);
 *     const roots = slots.map((bytes, i) => slotRoot(model, i, bytes));
 *     const claim = stateRoot(finishedSlotRoots(model, roots));
 *     return { output: outputs[0], claim };
 *   } finally {
 *     executor.close();
 *   }
 * }
 * ```
 *
 * @module
 */
export { type CpuOptions, createCpuExecutor } from "./cpu.ts";
export { isRelaxedFaster } from "./cpu_probe.ts";
export {
  checkInputs,
  type Executor,
  initialSlots,
  isStopped,
  iterationsOf,
  type Keep,
  type OnNode,
  type Run,
  type RunOptions,
} from "./executor.ts";
export { createInterpreterExecutor } from "./interpreter.ts";
export { runKernel } from "./run_kernel.ts";
export { planSlots, type SlotPlan } from "./slot_plan.ts";
export {
  commitRun,
  type CommittedRun,
  finishedSlotRoots,
  finishedState,
  slotRoot,
  stateRoot,
} from "./commit.ts";
export { type NodeWork, nodeWork } from "./node_work.ts";
export {
  type NodeProfile,
  type Profile,
  type ProfileOptions,
  profileRuns,
} from "./profile.ts";
export {
  type Bound,
  boundOf,
  type Limits,
  measureLimits,
} from "./profile_limits.ts";
export {
  createVmExecutor,
  type LeafRun,
  type NodeInVm,
  nodeInVm,
} from "./vm.ts";
export {
  probeBytes,
  probeInput,
  type SelfCheck,
  selfCheck,
} from "./self_check.ts";
