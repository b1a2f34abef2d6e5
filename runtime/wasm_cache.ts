/**
 * Compiled kernels of this process by content: whoever runs a model again, or a kernel that another has, waits for none.
 *
 * The key is everything that code depends on: the kernel but for its name, and the target. Emitting and compiling a
 * kernel takes 5 to 15 ms, the key 0.1 ms.
 */
import {
  compileWasm,
  type Kernel,
  kernelToJson,
  type WasmKernel,
  type WasmTarget,
} from "../compiler/mod.ts";

/** A kernel's code. */
export interface CompiledKernel {
  readonly kernel: WasmKernel;
  readonly module: WebAssembly.Module;
}

/** Kernels that are kept, the latest used: more than a network has. */
const MOST = 512;

const kept = new Map<string, Promise<CompiledKernel>>();

/** What tells one kernel's code from another's. */
export function codeKey(kernel: Kernel, target: WasmTarget): string {
  return JSON.stringify([kernelToJson({ ...kernel, name: "" }), target]);
}

/** Code of a verified kernel, from those compiled before where it is among them. */
export function compiledKernel(
  kernel: Kernel,
  target: WasmTarget,
  key = codeKey(kernel, target),
): Promise<CompiledKernel> {
  const known = kept.get(key) ?? compile(kernel, target);
  kept.delete(key);
  kept.set(key, known);
  // A failure is told to whoever asked, and tried again by the next.
  known.catch(() => kept.delete(key));
  if (kept.size > MOST) kept.delete(kept.keys().next().value!);
  return known;
}

async function compile(
  kernel: Kernel,
  target: WasmTarget,
): Promise<CompiledKernel> {
  const compiled = compileWasm(kernel, target);
  return {
    kernel: compiled,
    module: await WebAssembly.compile(compiled.module),
  };
}
