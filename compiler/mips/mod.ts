/**
 * The MIPS32 target: compiles a kernel to the program that the fraud-proof machine runs for one leaf.
 *
 * A kernel becomes a graph of 32-bit words (lower, graph, fold), the graph an order (schedule, address,
 * accumulate), the order instructions over virtual registers (select, leaf), and these machine code
 * (allocate, delay_slots, assemble). Steps are counted from the finished code.
 *
 * @example Double eight integers
 * ```ts
 * import { emitLeafProgram, printLeafProgram } from "./mod.ts";
 *
 * const program = emitLeafProgram({
 *   name: "double",
 *   operands: [{ dtype: "i32", shape: [8] }],
 *   result: { dtype: "i32", shape: [8] },
 *   functions: [],
 *   body: {
 *     kind: "op",
 *     op: "i32.shl",
 *     args: [
 *       { kind: "load", operand: 0, index: [{ kind: "axis", axis: 0 }] },
 *       { kind: "const", type: "i32", value: 1 },
 *     ],
 *   },
 * }, [{ height: 0, constant: false }]);
 * console.log(printLeafProgram(program));
 * ```
 *
 * @module
 */

export { emitLeafProgram } from "./emit.ts";
export { printLeafProgram } from "./listing.ts";
export { emitWholeProgram } from "./whole.ts";
export { emitModelProgram } from "./whole_model.ts";
export type { LeafOperand } from "./windows.ts";
