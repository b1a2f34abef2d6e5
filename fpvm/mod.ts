/**
 * The fraud-proof VM off chain: hash trees, memory, the machine, witnesses, fast execution.
 *
 * The lowest folder of the house: everything else may import it, it imports nothing of the project. It
 * mirrors the contracts step by step; formats are in docs/formats.md.
 *
 * @example
 * ```ts
 * import { MerkleTree, rootFromPath, tensorRoot } from "./fpvm/mod.ts";
 *
 * const bytes = new Uint8Array(100).fill(7);
 * const tree = MerkleTree.ofBytes(bytes);
 * const root = rootFromPath(tree.node(0, 3), 3, tree.path(3));
 * console.log(root.every((byte, i) => byte === tensorRoot(bytes)[i])); // true
 * ```
 *
 * @module
 */
export { ChainLearnError, type ErrorDetails, type ExitCode } from "./errors.ts";
export {
  hashPair,
  keccak256,
  LEAF_BYTES,
  leafCountHeight,
  MAX_HEIGHT,
  MerkleTree,
  rootFromPath,
  tensorRoot,
  treeHeight,
  zeroHash,
} from "./tree.ts";
export {
  Code,
  type FunctionRef,
  type Global,
  type Label,
  type Local,
  type MemoryType,
  type ValueType,
  WasmModule,
} from "./wasm_module.ts";
export type {
  LaneMemoryOp,
  LaneOp,
  MemoryOp,
  PlainOp,
} from "./wasm_opcodes.ts";
