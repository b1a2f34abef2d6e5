/**
 * The WebAssembly target: kernels as modules that compute a part of a result in one linear memory.
 *
 * It decides nothing about values: the interpreter defines them, and every kernel gives the same bytes
 * here, whatever it recognises for SIMD. Running modules, memory and threads are `runtime/`'s.
 *
 * @example
 * ```ts
 * import { compileWasm } from "./mod.ts";
 *
 * const { module, units } = compileWasm({
 *   name: "twice",
 *   operands: [{ dtype: "i32", shape: [4] }],
 *   result: { dtype: "i32", shape: [4] },
 *   functions: [],
 *   body: {
 *     kind: "op",
 *     op: "i32.mul",
 *     args: [
 *       { kind: "load", operand: 0, index: [{ kind: "axis", axis: 0 }] },
 *       { kind: "const", type: "i32", value: 2 },
 *     ],
 *   },
 * });
 * const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
 * const instance = new WebAssembly.Instance(new WebAssembly.Module(module), { env: { memory } });
 * const words = new Int32Array(memory.buffer);
 * words.set([1, 2, 3, 4], 4);
 * (instance.exports.run as (...args: number[]) => void)(16, 64, 0, 0, units);
 * console.log(words.slice(16, 20)); // [2, 4, 6, 8]
 * ```
 *
 * @module
 */
export { compileWasm, type WasmKernel, type WasmTarget } from "./compile.ts";
export {
  type Dot,
  fitsSevenBits,
  type MatrixSchedule,
  type Pack,
  packConstant,
} from "./matrix_plan.ts";
