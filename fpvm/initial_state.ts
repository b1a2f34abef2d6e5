/**
 * The state in which a leaf's program starts: composed from roots, never uploaded.
 *
 * All zero but the program's subtree, the input leaves, pc 0, nextPc 4 and $sp. The hash needs the
 * roots alone, which is how the contract derives it.
 */

import type { ContentStore } from "./content_store.ts";
import { ChainLearnError } from "./errors.ts";
import { Memory, MEMORY_HEIGHT, REGIONS } from "./memory.ts";
import { newProcessor, packProcessor, type VmState } from "./state.ts";
import { hashPair, keccak256, MerkleTree, zeroHash } from "./tree.ts";

/** $sp of the initial state; the 16 bytes of home area above it stay inside the stack region. */
export const INITIAL_STACK_POINTER = 0x3fff_ffe0;

const MAX_OPERANDS = 31;

/** What the input region says. */
export interface LeafInput {
  /** Which 32-byte leaf of the result to compute, u32. */
  leafIndex: number;
  /** u32. */
  iteration: number;
  /** Tensor roots of the operands, at most 31, 32 bytes each. */
  operandRoots: Uint8Array[];
}

/** Leaf 0 of the input region, then one per operand. */
function inputLeaves(input: LeafInput): Uint8Array[] {
  const { leafIndex, iteration, operandRoots } = input;
  if (operandRoots.length > MAX_OPERANDS) {
    throw new ChainLearnError(
      `Cannot compose an initial state: expected at most ${MAX_OPERANDS} operands, found ${operandRoots.length}`,
    );
  }
  const first = new Uint8Array(32);
  const view = new DataView(first.buffer);
  view.setUint32(0, leafIndex, true);
  view.setUint32(4, iteration, true);
  return [first, ...operandRoots];
}

function initialProcessor() {
  const processor = newProcessor();
  processor.registers[29] = INITIAL_STACK_POINTER;
  return processor;
}

/** The initial state of a program; bytes of operands are read from `store` when touched. */
export function composeInitialState(
  { program, programHeight, store, ...input }: LeafInput & {
    program: Uint8Array;
    /** Height of the program's subtree, 0..19. */
    programHeight: number;
    store?: ContentStore;
  },
): VmState {
  const memory = new Memory(store);
  memory.graftBytes(REGIONS.program.base, programHeight, program);
  inputLeaves(input).forEach((leaf, i) =>
    memory.storeLeaf(REGIONS.input.base + 32 * i, leaf)
  );
  return { ...initialProcessor(), memory };
}

/** Root of the subtree `to` levels high whose leftmost part is `node`, the rest zero. */
function padRight(node: Uint8Array, from: number, to: number): Uint8Array {
  for (let height = from; height < to; height++) {
    node = hashPair(node, zeroHash(height));
  }
  return node;
}

/** Hash of the initial state, from roots alone; equals `stateHash` of the composed state. */
export function initialStateHash(
  { programRoot, programHeight, ...input }: LeafInput & {
    programRoot: Uint8Array;
    programHeight: number;
  },
): Uint8Array {
  /** The program and the input meet at the node above 2^28 bytes each. */
  const meeting = 23;
  const inputRoot =
    MerkleTree.ofLeaves(inputLeaves(input), REGIONS.input.height).root;
  const both = hashPair(
    padRight(programRoot, programHeight, meeting),
    padRight(inputRoot, REGIONS.input.height, meeting),
  );
  const memoryRoot = padRight(both, meeting + 1, MEMORY_HEIGHT);
  return keccak256(packProcessor(memoryRoot, initialProcessor()));
}
