/**
 * What every target is held to: the conformance suite, random kernels, and ways to run one kernel on a target.
 *
 * The suite runs each operation on edge values against edge values, each storage type both ways, and the rules of loops,
 * extents and updates; what must come out does not come from the interpreter. Random kernels are compared with the
 * interpreter. Tests run all of it, and so does `chainlearn bench exactness`.
 *
 * @example A random kernel as WebAssembly
 * ```ts
 * import { interpret } from "../mod.ts";
 * import { Random, randomKernel, runWasm } from "./mod.ts";
 *
 * const { kernel, operands, iteration } = randomKernel(new Random(1));
 * const found = runWasm(kernel, operands, iteration);
 * const expected = interpret(kernel, operands, iteration);
 * if (found.some((byte, i) => byte !== expected[i])) throw new Error("Other bytes");
 * ```
 *
 * @module
 */
export type { ConformanceCase } from "./case.ts";
export { conformanceKernels } from "./suite.ts";
export { Random } from "./random.ts";
export {
  type RandomKernel,
  randomKernel,
  type RandomKernelOptions,
} from "./random_kernel.ts";
export { leafOperands, type LeafRun, runLeaves } from "./run_leaves.ts";
export { runWhole, type WholeRun } from "./run_whole.ts";
export { runWasm } from "./run_wasm.ts";
