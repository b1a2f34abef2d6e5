/**
 * Step witnesses (docs/formats.md, "Step witness"): what the contract must be shown to execute one step.
 *
 * Both directions run the same `step` over another telling of memory: the builder writes down every
 * item that the step asks for, the reader answers from the witness alone and proves each answer.
 * `stepWitness` is the contract's mirror: it accepts exactly what the contract accepts.
 */

import { concatBytes, equalBytes } from "./bytes.ts";
import { ChainLearnError } from "./errors.ts";
import { prepare, type PreparedInstruction } from "./instructions.ts";
import { mappedPath } from "./mapped_path.ts";
import { type MachineMemory, type Memory, MEMORY_HEIGHT } from "./memory.ts";
import {
  copyProcessor,
  packProcessor,
  STATE_BYTES,
  unpackState,
  type VmState,
} from "./state.ts";
import { step } from "./step.ts";
import { hashPair, keccak256, zeroHash } from "./tree.ts";

/** Index of the leaf that holds an address. */
const leafIndex = (address: number) => address >>> 5;

/** Highest bit in which two different leaf indices differ: the level at which their paths join. */
const joinLevel = (a: number, b: number) => 31 - Math.clz32(a ^ b);

/** The word of a leaf that an address names, as i32. */
function wordOf(leaf: Uint8Array, address: number): number {
  const view = new DataView(leaf.buffer, leaf.byteOffset, leaf.length);
  return view.getInt32(address & 28, true);
}

/** Appends what a step reads, in the order of the format, while it executes on a clone. */
class RecordingMemory implements MachineMemory {
  readonly parts: Uint8Array[] = [];
  #instructionLeaf = -1;

  constructor(readonly memory: Memory) {}

  instruction(pc: number): PreparedInstruction | null {
    this.#instructionLeaf = leafIndex(pc);
    this.#add(pc, 0, MEMORY_HEIGHT);
    return this.memory.instruction(pc);
  }

  load32(address: number): number {
    this.#addJoining(address, 0);
    return this.memory.load32(address);
  }

  store32(address: number, value: number): void {
    this.memory.store32(address, value);
  }

  leaf(address: number): Uint8Array {
    this.#addJoining(address, 0);
    return this.memory.leaf(address);
  }

  storeLeaf(address: number, leaf: Uint8Array): void {
    this.#addJoining(address, 0);
    this.memory.storeLeaf(address, leaf);
  }

  graft(address: number, height: number, root: Uint8Array): void {
    this.#addJoining(address, height);
    this.memory.graft(address, height, root);
  }

  save(address: number, height: number): Uint8Array {
    this.#addJoining(address, height);
    return this.memory.save(address, height);
  }

  #addJoining(address: number, height: number): void {
    const leaf = leafIndex(address);
    if (leaf === this.#instructionLeaf) return;
    this.#add(address, height, joinLevel(this.#instructionLeaf, leaf));
  }

  /** A subtree's root and its path up to level `end`, without zero-subtree siblings. */
  #add(address: number, height: number, end: number): void {
    this.parts.push(this.memory.subtreeRoot(address, height));
    const siblings = this.memory.path(address, height).slice(0, end - height);
    this.parts.push(mappedPath(siblings, height));
  }
}

/**
 * The witness of the step that `state` takes next; the state itself does not change.
 *
 * @throws ChainLearnError where the content of a graft that the paths go through is missing.
 */
export function buildWitness(state: VmState): Uint8Array {
  const memory = new RecordingMemory(state.memory.clone());
  memory.parts.push(packProcessor(state.memory.root(), state));
  step({ ...copyProcessor(state), memory });
  return concatBytes(memory.parts);
}

/** Memory of which the witness is all there is; every item is proven against the root when read. */
class WitnessMemory implements MachineMemory {
  #at = STATE_BYTES;
  #root: Uint8Array;
  #instructionLeaf = -1;
  #instructionBytes: Uint8Array = new Uint8Array(32);
  /** The instruction path's siblings by level; a write replaces the one where its path joins. */
  #siblings: Uint8Array[] = [];
  /** The item read last: where a write to it goes. */
  #item = { leaf: -1, height: 0, siblings: [] as Uint8Array[] };
  #itemBytes: Uint8Array = new Uint8Array(32);

  constructor(readonly witness: Uint8Array, memoryRoot: Uint8Array) {
    this.#root = memoryRoot;
  }

  /** Root after the step. @throws where the step did not read the whole witness. */
  finish(): Uint8Array {
    if (this.#at !== this.witness.length) {
      throw this.#invalid(
        `${this.#at} bytes`,
        `${this.witness.length} bytes`,
      );
    }
    return this.#root;
  }

  instruction(pc: number): PreparedInstruction | null {
    this.#instructionLeaf = leafIndex(pc);
    this.#instructionBytes = this.#bytes(32);
    this.#siblings = this.#path(0, MEMORY_HEIGHT);
    if (!equalBytes(this.#computeRoot(), this.#root)) {
      throw this.#invalid("an instruction path to the memory root", "another");
    }
    return prepare(wordOf(this.#instructionBytes, pc));
  }

  load32(address: number): number {
    return wordOf(this.leaf(address), address);
  }

  store32(address: number, value: number): void {
    const leaf = this.#itemBytes.slice();
    new DataView(leaf.buffer).setInt32(address & 28, value, true);
    this.#write(leaf);
  }

  leaf(address: number): Uint8Array {
    return leafIndex(address) === this.#instructionLeaf
      ? this.#instructionBytes
      : this.#read(address, 0);
  }

  storeLeaf(address: number, leaf: Uint8Array): void {
    this.#read(address, 0);
    this.#write(leaf);
  }

  graft(address: number, height: number, root: Uint8Array): void {
    this.#read(address, height);
    this.#write(root);
  }

  save(address: number, height: number): Uint8Array {
    const root = this.#read(address, height);
    this.#write(zeroHash(height));
    return root;
  }

  #invalid(expected: string, found: string): ChainLearnError {
    return new ChainLearnError(
      `Cannot execute a witness: expected ${expected}, found ${found}`,
      { exitCode: 1 },
    );
  }

  #bytes(count: number): Uint8Array {
    const end = this.#at + count;
    if (end > this.witness.length) {
      throw this.#invalid(
        `at least ${end} bytes`,
        `${this.witness.length} bytes`,
      );
    }
    const bytes = this.witness.slice(this.#at, end);
    this.#at = end;
    return bytes;
  }

  /** The siblings at levels from `start` to below `end`. */
  #path(start: number, end: number): Uint8Array[] {
    const map = new DataView(this.#bytes(4).buffer).getUint32(0);
    if (map % 2 ** start !== 0 || map >= 2 ** end) {
      throw this.#invalid(
        `a path map with bits ${start} to ${end - 1}`,
        `0x${map.toString(16)}`,
      );
    }
    const siblings: Uint8Array[] = [];
    for (let level = start; level < end; level++) {
      const isSent = ((map >>> level) & 1) === 1;
      siblings.push(isSent ? this.#bytes(32) : zeroHash(level));
    }
    return siblings;
  }

  /** Reads a subtree's root and proves it by the instruction path's sibling where the paths join. */
  #read(address: number, height: number): Uint8Array {
    const leaf = leafIndex(address);
    const join = joinLevel(this.#instructionLeaf, leaf);
    const root = this.#bytes(32);
    this.#item = { leaf, height, siblings: this.#path(height, join) };
    this.#itemBytes = root;
    if (!equalBytes(this.#climb(root), this.#siblings[join])) {
      throw this.#invalid(
        `a path that joins the instruction's at level ${join}`,
        "another hash",
      );
    }
    return root;
  }

  /** Replaces the subtree read last. */
  #write(root: Uint8Array): void {
    const join = joinLevel(this.#instructionLeaf, this.#item.leaf);
    this.#siblings[join] = this.#climb(root);
    this.#root = this.#computeRoot();
  }

  #climb(root: Uint8Array): Uint8Array {
    const { leaf, height, siblings } = this.#item;
    return climb(root, leaf, height, siblings);
  }

  #computeRoot(): Uint8Array {
    return climb(
      this.#instructionBytes,
      this.#instructionLeaf,
      0,
      this.#siblings,
    );
  }
}

/** The node above all `siblings`, which start at level `height`, on the way up from a leaf index. */
function climb(
  node: Uint8Array,
  leaf: number,
  height: number,
  siblings: Uint8Array[],
): Uint8Array {
  siblings.forEach((sibling, i) => {
    node = (leaf >>> (height + i)) & 1
      ? hashPair(sibling, node)
      : hashPair(node, sibling);
  });
  return node;
}

/**
 * Executes one step from a witness alone and returns the state hashes before and after it, 32 bytes each.
 *
 * @throws ChainLearnError for every invalid witness, whatever is wrong with it.
 */
export function stepWitness(
  witness: Uint8Array,
): { prestate: Uint8Array; poststate: Uint8Array } {
  const packed = witness.slice(0, STATE_BYTES);
  const { memoryRoot, ...processor } = unpackState(packed);
  const memory = new WitnessMemory(witness, memoryRoot);
  const state = { ...processor, memory };
  step(state);
  const rootAfter = memory.finish();
  return {
    prestate: keccak256(packed),
    poststate: keccak256(packProcessor(rootAfter, state)),
  };
}
