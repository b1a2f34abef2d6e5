/**
 * Compiles WebAssembly by V8's optimizing compiler at once.
 *
 * V8 starts a module in its baseline compiler and cannot replace a function while it runs, so that the
 * first long call of a kernel would run wholly in code several times slower.
 */
import { setFlagsFromString } from "node:v8";

/** Modules at work; the flags hold as long as there are some. */
let pending = 0;

/** A compiled module, optimized where the engine lets one ask for it. */
export async function compileOptimized(
  bytes: Uint8Array<ArrayBuffer>,
): Promise<WebAssembly.Module> {
  if (pending++ === 0) {
    setFlagsFromString("--no-liftoff");
    setFlagsFromString("--no-wasm-lazy-compilation");
  }
  try {
    return await WebAssembly.compile(bytes);
  } finally {
    if (--pending === 0) {
      setFlagsFromString("--liftoff");
      setFlagsFromString("--wasm-lazy-compilation");
    }
  }
}
