/**
 * Bundles and models as the commands open them.
 */
import { type Commitment, readBundle } from "../compiler/mod.ts";
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
  if (!path.endsWith(".clm")) {
    throw new ChainLearnError(
      `Cannot load bundle ${path}: expected a .clm file, found another ending`,
      {
        hint: `Convert the model first: chainlearn convert ${path}`,
      },
    );
  }
  return readBundle(bytes, path);
}

/** Devices that `--device` names in this version. */
export const deviceNames = ["cpu", "interpreter"] as const;
export type DeviceName = (typeof deviceNames)[number];

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
