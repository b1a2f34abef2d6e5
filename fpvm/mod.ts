/**
 * The fraud-proof machine off chain: a MIPS32 release 2 computer whose state is one hash.
 *
 * `step` is the reference of what one instruction does, mirrored by the contract; `buildWitness` makes
 * the proof from which the contract executes one step, `stepWitness` is the contract's answer to it.
 * `run` repeats `step`; `runTranslated` does the same some ten times as fast, by way of WebAssembly, with the
 * pages it works on in frames that `setFrameLimit` bounds.
 * The machine knows nothing of models or disputes: it runs programs on memory whose parts may be
 * committed tensors, opened when touched. It needs no files, no clock and no network.
 *
 * @example Run a program that exits with code 7, and prove its first step
 * ```ts
 * import { composeInitialState, encode, buildWitness, run, stepWitness } from "./mod.ts";
 *
 * const words = [
 *   encode("ori", { rt: 2, imm: 4001 }), // $v0: exit
 *   encode("ori", { rt: 4, imm: 7 }),
 *   encode("syscall"),
 * ];
 * const state = composeInitialState({
 *   program: new Uint8Array(Uint32Array.from(words).buffer),
 *   programHeight: 1,
 *   leafIndex: 0,
 *   iteration: 0,
 *   operandRoots: [],
 * });
 * const { prestate, poststate } = stepWitness(buildWitness(state));
 * console.log(prestate.toHex(), "->", poststate.toHex());
 * run(state, 100);
 * if (state.exitCode !== 7) throw new Error("Expected exit code 7");
 * ```
 *
 * @module
 */

export { ChainLearnError } from "./errors.ts";
export type { ErrorDetails, ExitCode } from "./errors.ts";
export { concatBytes, equalBytes } from "./bytes.ts";
export { hashedNodes } from "./keccak_wasm.ts";
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
export { Code, WasmModule } from "./wasm_module.ts";
export type {
  FunctionRef,
  Global,
  Label,
  Local,
  MemoryType,
  ValueType,
} from "./wasm_module.ts";
export type {
  LaneMemoryOp,
  LaneOp,
  MemoryOp,
  PlainOp,
} from "./wasm_opcodes.ts";
export {
  decode,
  disassemble,
  encode,
  ENCODINGS,
  REGISTER_NAMES,
} from "./encodings.ts";
export type {
  Encoding,
  FieldName,
  Fields,
  Instruction,
  InstructionKind,
  InstructionName,
} from "./encodings.ts";
export {
  contentKey,
  MemoryContentStore,
  PART_HEIGHT,
} from "./content_store.ts";
export type { ContentStore, KeepingStore } from "./content_store.ts";
export { CODE_END, Memory, MEMORY_HEIGHT, REGIONS } from "./memory.ts";
export type { MachineMemory, RegionName } from "./memory.ts";
export {
  cloneState,
  copyProcessor,
  newProcessor,
  packProcessor,
  packState,
  STATE_BYTES,
  stateHash,
  STATUS,
  TRAP,
  unpackState,
} from "./state.ts";
export type {
  MachineState,
  Processor,
  TrapCode,
  UnpackedState,
  VmState,
} from "./state.ts";
export {
  composeInitialState,
  INITIAL_STACK_POINTER,
  initialStateHash,
} from "./initial_state.ts";
export type { LeafInput } from "./initial_state.ts";
export { mappedPath } from "./mapped_path.ts";
export { loadElf, readElfSymbols } from "./elf.ts";
export type { ElfSymbol } from "./elf.ts";
export { observeStep } from "./effect.ts";
export type {
  RegisterWrite,
  StepEffect,
  SubtreeMove,
  WordWrite,
} from "./effect.ts";
export { MAX_GRAFT_HEIGHT, step, SYSCALL } from "./step.ts";
export { run } from "./run.ts";
export { runTranslated, setFrameLimit } from "./translate.ts";
export { buildWitness, stepWitness } from "./witness.ts";
