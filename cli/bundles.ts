/**
 * Bundles and models as the commands open them.
 */
import {
  type Commitment,
  graphOf,
  readBundle,
  verifyKernel,
} from "../compiler/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import {
  createCpuExecutor,
  createInterpreterExecutor,
  type Executor,
} from "../runtime/mod.ts";
import type { Model } from "../compiler/mod.ts";
import { readFile } from "./files.ts";

/** Reads a bundle and checks all of it. */
export async function openBundle(path: string): Promise<Commitment> {
  const bytes = await readFile(path, "bundle");
  requireBundleName(path);
  return readBundle(bytes, path);
}

/** Throws unless the file is called a bundle. */
export function requireBundleName(path: string): void {
  if (path.endsWith(".clm")) return;
  throw new ChainLearnError(
    `Cannot load bundle ${path}: expected a .clm file, found another ending`,
    { hint: `Convert the model first: chainlearn convert ${path}` },
  );
}

/** Devices that `--device` names in this version. */
export const deviceNames = ["cpu", "interpreter"] as const;
export type DeviceName = (typeof deviceNames)[number];

/** Operations of a run below which starting a thread takes longer (20 ms) than it can save. */
const WORTH_A_THREAD = 3e8;

/** Threads for one run where nobody chose: as many as there are, one where the model is small. */
export function defaultThreads(model: Model, iterations?: number): number {
  const { nodes, kernels, schedule } = graphOf(model);
  const works = kernels.map((kernel) => verifyKernel(kernel).work.total);
  const work = nodes.reduce((sum, { kernel }) => sum + works[kernel], 0);
  const fixed = schedule.kind === "fixed" ? schedule.iterations : 1;
  return work * (iterations ?? fixed) < WORTH_A_THREAD
    ? 1
    : navigator.hardwareConcurrency;
}

/** Makes the executor of a device; close it after use. */
export async function openExecutor(
  model: Model,
  device: DeviceName,
  threads?: number,
): Promise<Executor> {
  return device === "cpu"
    ? await createCpuExecutor(model, {
      threads: threads ?? navigator.hardwareConcurrency,
    })
    : createInterpreterExecutor(model);
}

/** Runs `work` with an executor and closes it. */
export async function withExecutor<T>(
  model: Model,
  device: DeviceName,
  work: (executor: Executor) => Promise<T>,
  threads?: number,
): Promise<T> {
  const executor = await openExecutor(model, device, threads);
  try {
    return await work(executor);
  } finally {
    executor.close();
  }
}
