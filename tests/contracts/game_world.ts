/**
 * A small model made by hand, and parties that know all of its states: what the tests of the dispute game play with.
 *
 * Every node runs the same MIPS program: leaf j of its result holds j + 1, the iteration and the first word of the root of
 * its first operand, so that one altered leaf changes everything after it. No compiler and no kernel is involved.
 */
import { bytesToHex, type Hex, hexToBytes, keccak256 } from "viem";
import {
  composeInitialState,
  encode,
  leafCountHeight,
  mappedPath,
  MerkleTree,
  packState,
  REGIONS,
  run,
  stateHash,
  tensorRoot,
  treeHeight,
  type VmState,
  zeroHash,
} from "../../fpvm/mod.ts";
import { encodeDescriptor } from "../../compiler/model/descriptor.ts";
import type { Descriptor } from "../../compiler/model/descriptor.ts";

/** The bytes of a result's leaf, from what the program reads; the first word is never zero. */
function leafOf(index: number, iteration: number, root: Uint8Array) {
  const leaf = new Uint8Array(32);
  const view = new DataView(leaf.buffer);
  view.setUint32(0, index + 1, true);
  view.setUint32(4, iteration, true);
  leaf.set(root.subarray(0, 4), 8);
  return leaf;
}

/** How the program ends once it has written its leaf; only `exit` makes the leaf its result. */
export type ProgramEnd = "exit" | "trap" | "never" | "failure";

function assemble(loops: number, end: ProgramEnd): Uint8Array {
  const [v0, a0, t0, t1, t2, t3, t4, t5] = [2, 4, 8, 9, 10, 11, 12, 13];
  const words = [
    encode("lui", { rt: t0, imm: 0x1000 }),
    encode("lw", { rt: t1, rs: t0, imm: 0 }),
    encode("addiu", { rt: t1, rs: t1, imm: 1 }),
    encode("lw", { rt: t2, rs: t0, imm: 4 }),
    encode("lw", { rt: t3, rs: t0, imm: 32 }),
    encode("lui", { rt: t4, imm: 0x2000 }),
    encode("sw", { rt: t1, rs: t4, imm: 0 }),
    encode("sw", { rt: t2, rs: t4, imm: 4 }),
    encode("sw", { rt: t3, rs: t4, imm: 8 }),
    encode("addiu", { rt: t5, rs: 0, imm: loops }),
    encode("addiu", { rt: t5, rs: t5, imm: -1 }),
    encode("bne", { rs: t5, rt: 0, offset: -2 }),
    0,
    // There is no system call 0: it traps.
    encode("addiu", { rt: v0, rs: 0, imm: end === "trap" ? 0 : 4001 }),
    encode("addiu", { rt: a0, rs: 0, imm: end === "failure" ? 1 : 0 }),
    end === "never"
      ? encode("beq", { rs: 0, rt: 0, offset: -1 })
      : encode("syscall"),
    0,
  ];
  const code = new Uint8Array(4 * words.length);
  const view = new DataView(code.buffer);
  words.forEach((word, i) => view.setUint32(4 * i, word, true));
  return code;
}

/** What a world is made of. */
export interface WorldOptions {
  nodes: number;
  slots: number;
  kept: number;
  iterations: number;
  finish: boolean;
  /** Height of every result. */
  height: number;
  whole: boolean;
  /** Rounds of the program's loop, 3 steps each. */
  loops: number;
  stopSlot?: number;
  /** Nodes whose descriptors are void. */
  voidNodes?: number[];
  /** `exit` unless said otherwise. */
  end?: ProgramEnd;
}

/** The model: descriptors, trees, program. */
export class World {
  readonly code: Uint8Array;
  readonly descriptors: Uint8Array[];
  readonly programTree: MerkleTree;
  readonly weightRoots: Uint8Array[];
  readonly weightsTree: MerkleTree;
  readonly slotDepth: number;
  /** Limit of every program. */
  readonly maxSteps: number;

  constructor(readonly options: WorldOptions) {
    const { nodes, slots, height, whole, loops, voidNodes } = options;
    this.code = assemble(loops, options.end ?? "exit");
    this.maxSteps = 2 * (12 + 3 * loops);
    this.weightRoots = [1, 2, 3].map((fill) =>
      tensorRoot(new Uint8Array(64).fill(fill))
    );
    this.weightsTree = MerkleTree.ofLeaves(this.weightRoots);
    this.slotDepth = leafCountHeight(slots);
    const programHeight = treeHeight(this.code.length);
    const programRoot = tensorRoot(this.code);
    this.descriptors = Array.from({ length: nodes }, (_, i) => {
      const descriptor: Descriptor = {
        programRoot,
        programHeight,
        whole,
        resultHeight: height,
        maxSteps: BigInt(this.maxSteps),
        resultSlot: this.resultSlot(i),
        operands: [
          { kind: "slot", index: this.operandSlot(i), height },
          { kind: "weight", index: i % 3, height: 1 },
          { kind: "weights_table", index: 0, height: 2 },
        ],
      };
      const bytes = encodeDescriptor(descriptor);
      if (voidNodes?.includes(i)) bytes[51] = 1;
      return bytes;
    });
    this.programTree = MerkleTree.ofLeaves(
      this.descriptors.map((d) => hexToBytes(keccak256(d))),
    );
  }

  /** The last node writes slot 0, which is always kept. */
  resultSlot(node: number): number {
    return (this.options.nodes - 1 - node) % this.options.slots;
  }

  /** What the node before wrote. */
  operandSlot(node: number): number {
    return (this.resultSlot(node) + 1) % this.options.slots;
  }

  /** n of a request. */
  get steps(): number {
    const { iterations, nodes, finish } = this.options;
    return iterations * nodes + (finish ? 1 : 0);
  }
}

/** What a party does otherwise than the model says: leaf `leaf` of step `step`'s result gets other bytes. */
export interface Fault {
  step: number;
  leaf: number;
  /** The byte that fills the false leaf; 0xaa unless said otherwise. */
  fill?: number;
}

/** Someone who has run the whole model, rightly or with a fault. */
export class Party {
  /** Slots' roots before each step, and after the last. */
  readonly slotRoots: Uint8Array[][] = [];
  readonly trees: (MerkleTree | null)[] = [];
  readonly #ends = new Map<string, { state: VmState; steps: number }>();

  constructor(readonly world: World, readonly fault?: Fault) {
    const { slots, height, stopSlot } = world.options;
    let roots = Array.from(
      { length: slots },
      (_, i) => i === stopSlot ? zeroHash(0) : zeroHash(height),
    );
    this.slotRoots.push(roots);
    for (let step = 0; step < world.steps; step++) {
      roots = this.#next(step, roots);
      this.slotRoots.push(roots);
    }
  }

  #next(step: number, roots: Uint8Array[]): Uint8Array[] {
    const { nodes, finish, kept, stopSlot, voidNodes } = this.world.options;
    this.trees.push(null);
    if (finish && step === this.world.steps - 1) {
      return roots.map((root, i) => i < kept ? root : zeroHash(0));
    }
    const stopped = stopSlot !== undefined &&
      roots[stopSlot].subarray(0, 4).some((byte) => byte !== 0);
    const next = [...roots];
    if (!stopped && !voidNodes?.includes(step % nodes)) {
      const tree = this.#result(step, roots);
      this.trees[step] = tree;
      next[this.world.resultSlot(step % nodes)] = tree.root;
    } else if (this.fault?.step === step) {
      // Movement where there is none.
      next[0] = new Uint8Array(32).fill(0xbb);
    }
    return next;
  }

  #result(step: number, roots: Uint8Array[]): MerkleTree {
    const { nodes, height, whole, end = "exit" } = this.world.options;
    const iteration = Math.floor(step / nodes);
    const operand = roots[this.world.operandSlot(step % nodes)];
    const leaves = Array.from(
      { length: whole ? 1 : 2 ** height },
      (_, j) =>
        end === "exit" ? leafOf(j, iteration, operand) : new Uint8Array(32),
    );
    if (this.fault?.step === step) {
      leaves[this.fault.leaf].fill(this.fault.fill ?? 0xaa);
    }
    return MerkleTree.ofLeaves(leaves, height);
  }

  slotTree(step: number): MerkleTree {
    return MerkleTree.ofLeaves(this.slotRoots[step], this.world.slotDepth);
  }

  stateRoot(step: number): Uint8Array {
    return this.slotTree(step).root;
  }

  result(step: number): MerkleTree {
    const tree = this.trees[step];
    if (tree === null) throw new Error(`step ${step} has no result`);
    return tree;
  }

  /** The true state of the machine after `steps` of the program of leaf `leaf`. */
  machineAt(step: number, leaf: number, steps: number): VmState {
    const { nodes } = this.world.options;
    const node = step % nodes;
    const state = composeInitialState({
      program: this.world.code,
      programHeight: treeHeight(this.world.code.length),
      leafIndex: leaf,
      iteration: Math.floor(step / nodes),
      operandRoots: [
        this.slotRoots[step][this.world.operandSlot(node)],
        this.world.weightRoots[node % 3],
        this.world.weightsTree.root,
      ],
    });
    run(state, steps);
    return state;
  }

  /** F and m as this party claims them: true, or with the altered result stored over the true one. */
  finalState(
    step: number,
    leaf: number,
  ): { state: VmState; steps: number } {
    const key = `${step} ${leaf}`;
    const known = this.#ends.get(key);
    if (known) return known;
    const state = this.machineAt(step, leaf, 0);
    const steps = run(state, this.world.maxSteps);
    if (this.fault?.step === step && this.fault.leaf === leaf) {
      const { fill = 0xaa } = this.fault;
      for (let word = 0; word < 8; word++) {
        state.memory.store32(
          REGIONS.output.base + 4 * word,
          (fill * 0x01010101) | 0,
        );
      }
      // Whatever the program did: he claims that it succeeded.
      state.status = 1;
      state.exitCode = 0;
    }
    this.#ends.set(key, { state, steps });
    return { state, steps };
  }
}

/** The mapped path of the result under a machine's memory: siblings from `height` up, zeros left out. */
export function outputPath(state: VmState, height: number): Uint8Array {
  return mappedPath(state.memory.path(REGIONS.output.base, height), height);
}

export const hex = (bytes: Uint8Array): Hex => bytesToHex(bytes);
export const hexes = (list: Uint8Array[]): Hex[] =>
  list.map((bytes) => bytesToHex(bytes));
export { packState, stateHash };
