/**
 * A model with every count, height and number of operands at its limit, and parties that dispute a step of it.
 *
 * Nothing of it could be run or even stored: trees are sparse, states made up. Both parties agree on what the contracts do
 * not see, so a dispute comes to its end and every proof in it is as long as it gets.
 */
import { bytesToHex, type Hex } from "viem";
import {
  type Descriptor,
  encodeDescriptor,
  modelRootPreimage,
} from "../../compiler/mod.ts";
import type { Claims, Draw, LeafClaims } from "../../dispute/mod.ts";
import {
  buildWitness,
  cloneState,
  hashPair,
  initialStateHash,
  keccak256,
  mappedPath,
  newProcessor,
  packProcessor,
  REGIONS,
  rootFromPath,
  stateHash,
  STATUS,
  step,
  type VmState,
  zeroHash,
} from "../../fpvm/mod.ts";
import { deepState, drawBytes } from "./deep_states.ts";
import type { StepKind } from "./gas_steps.ts";
import { madeUp, SparseTree } from "./sparse_tree.ts";

const MEMORY_HEIGHT = 27;
const OUTPUT = 0;

/** Limits of a model, or less. */
export interface DeepShape {
  /** Depth of the trees of programs, weights and slots, at most 31. */
  readonly depth: number;
  /** At most 31. */
  readonly operands: number;
  readonly operandKind: "weight" | "slot";
  /** Height of the disputed result, at most 26. */
  readonly height: number;
  /** Length of the disputed run. */
  readonly vmSteps: number;
  /** What the disputed instruction does. */
  readonly instruction: StepKind;
  /** The disputed step is the finish step. */
  readonly finish: boolean;
}

/** The model, and where its dispute ends. */
export class DeepModel {
  readonly preimage: Uint8Array;
  readonly nodes: number;
  readonly descriptor: Descriptor;
  readonly programTree: SparseTree;
  readonly weightsTree: SparseTree;
  readonly initialRoot: Uint8Array;
  /** n, the finish step included. */
  readonly steps: number;
  /** The disputed step, leaf and step of the machine. */
  readonly place: {
    readonly step: number;
    readonly leaf: number;
    readonly vmStep: number;
  };
  readonly resultSlot: number;
  readonly stopSlot: number;
  /** The slots before the disputed step. */
  readonly slotsTree: SparseTree;
  readonly state: VmState;

  constructor(readonly shape: DeepShape, readonly draw: Draw) {
    const { depth, operands, operandKind, height, vmSteps } = shape;
    const count = 2 ** depth - 1;
    this.nodes = count;
    this.steps = count + 1;
    this.place = {
      step: shape.finish ? count : 1 + draw(count - 2),
      leaf: draw(2 ** height),
      vmStep: 1 + draw(vmSteps - 2),
    };
    // Slot 0 is the output.
    const [half, quarter] = [Math.floor(count / 2), Math.floor(count / 4)];
    this.resultSlot = half + draw(quarter);
    this.stopSlot = 1 + draw(quarter);
    const used = new Map<number, Uint8Array>();
    const indices = Array.from(
      { length: operands },
      (_, i) => half + quarter + i,
    );
    for (const index of indices) used.set(index, drawBytes(draw, 32));
    this.descriptor = {
      programRoot: drawBytes(draw, 32),
      programHeight: 19,
      whole: false,
      resultHeight: height,
      maxSteps: BigInt(vmSteps),
      resultSlot: this.resultSlot,
      operands: indices.map((index) => ({
        kind: operandKind,
        index,
        height: 26,
      })),
    };
    const seed = String(draw(2 ** 32));
    const node = this.place.step % count;
    const leaf = keccak256(encodeDescriptor(this.descriptor));
    this.programTree = new SparseTree(
      depth,
      new Map([[node, leaf]]),
      `p${seed}`,
    );
    this.weightsTree = new SparseTree(depth, used, `w${seed}`);
    this.slotsTree = new SparseTree(
      depth,
      new Map([
        ...(operandKind === "slot" ? used : []),
        [OUTPUT, drawBytes(draw, 32)],
        [this.resultSlot, drawBytes(draw, 32)],
        [this.stopSlot, zeroHash(0)],
      ]),
      `s${seed}`,
    );
    this.initialRoot = drawBytes(draw, 32);
    this.state = deepState(shape.instruction, draw);
    this.preimage = modelRootPreimage({
      programRoot: this.programTree.root,
      nodes: count,
      weightsRoot: this.weightsTree.root,
      weights: count,
      initialSlotsRoot: this.initialRoot,
      slots: count,
      schedule: "fixed",
      iterations: 1,
      kept: 1,
      stopSlot: this.stopSlot,
      metadataHash: drawBytes(draw, 32),
      inputs: [],
      outputs: [{ role: "data", slot: OUTPUT, height: 0, byteLength: 32 }],
    });
  }
}

const hexes = (list: readonly Uint8Array[]): Hex[] =>
  list.map((bytes) => bytesToHex(bytes));

/** What one party says; `mark` tells its made-up hashes from the other's. */
export class DeepClaims implements Claims {
  readonly steps: bigint;
  /** The output in S_n. */
  readonly output: Uint8Array;
  readonly #result: SparseTree;
  readonly #leafClaims: LeafClaims;

  constructor(
    readonly model: DeepModel,
    readonly mark: string,
    /** Claims what the disputed instruction really does. */
    readonly right: boolean,
  ) {
    const { shape, place } = model;
    this.steps = BigInt(model.steps);
    this.output = madeUp("output", mark);
    const leaf = madeUp("leaf", mark);
    const seed = `result ${model.initialRoot.toHex()}`;
    this.#result = new SparseTree(
      shape.height,
      new Map([[place.leaf, leaf]]),
      seed,
    );
    this.#leafClaims = this.#claimLeaf(leaf);
  }

  stateRoot(i: bigint): Hex {
    return bytesToHex(this.#stateRoot(Number(i)));
  }

  #stateRoot(i: number): Uint8Array {
    const { model, mark } = this;
    const { step } = model.place;
    if (i === 0) return model.initialRoot;
    // Where the last step is disputed, what both have before it is the same.
    if (i === model.steps) return this.#finished();
    if (i < step) return madeUp("state", i);
    if (i === step) return model.slotsTree.root;
    if (i === step + 1) return this.#after().root;
    return madeUp("state", i, mark);
  }

  #after(): SparseTree {
    return this.model.slotsTree.with(this.model.resultSlot, this.#result.root);
  }

  /** S_n: the output alone. */
  #finished(): Uint8Array {
    let node: Uint8Array = this.output;
    for (let h = 0; h < this.model.shape.depth; h++) {
      node = hashPair(node, zeroHash(h));
    }
    return node;
  }

  isFinish(step: bigint): boolean {
    return Number(step) === this.model.steps - 1;
  }

  openNode(step: bigint) {
    const { slotsTree, stopSlot, resultSlot, descriptor, programTree, nodes } =
      this.model;
    return {
      stop: {
        leaf: bytesToHex(slotsTree.node(0, stopSlot)),
        path: hexes(slotsTree.path(stopSlot)),
      },
      descriptor: bytesToHex(encodeDescriptor(descriptor)),
      programPath: hexes(programTree.path(Number(step) % nodes)),
      oldRoot: bytesToHex(slotsTree.node(0, resultSlot)),
      newRoot: bytesToHex(this.#result.root),
      slotPath: hexes(slotsTree.path(resultSlot)),
    };
  }

  openFinish() {
    const { slotsTree } = this.model;
    return {
      kept: bytesToHex(slotsTree.node(0, OUTPUT)),
      path: hexes(slotsTree.path(OUTPUT)),
    };
  }

  resultNode(_: bigint, level: number, index: number): Hex {
    return bytesToHex(this.#result.node(level, index));
  }

  leaf(): LeafClaims {
    return this.#leafClaims;
  }

  #claimLeaf(leaf: Uint8Array): LeafClaims {
    const { model, mark, right } = this;
    const { descriptor, place, shape, weightsTree, slotsTree, state } = model;
    const tree = shape.operandKind === "weight" ? weightsTree : slotsTree;
    const siblings = Array.from(
      { length: MEMORY_HEIGHT },
      (_, i) => madeUp("memory", i),
    );
    const memoryRoot = rootFromPath(leaf, REGIONS.output.base / 32, siblings);
    const final = packProcessor(memoryRoot, {
      ...newProcessor(),
      status: STATUS.exited,
    });
    const initial = initialStateHash({
      programRoot: descriptor.programRoot,
      programHeight: descriptor.programHeight,
      leafIndex: place.leaf,
      iteration: 0,
      operandRoots: descriptor.operands.map(({ index }) => tree.node(0, index)),
    });
    const next = cloneState(state);
    step(next);
    const hashAt = (m: number): Uint8Array => {
      if (m === 0) return initial;
      if (m === shape.vmSteps) return keccak256(final);
      if (m < place.vmStep) return madeUp("machine", m);
      if (m === place.vmStep) return stateHash(state);
      if (m === place.vmStep + 1 && right) return stateHash(next);
      return madeUp("machine", m, mark);
    };
    return {
      opening: {
        operands: descriptor.operands.map(({ index }) => ({
          root: bytesToHex(tree.node(0, index)),
          path: hexes(tree.path(index)),
        })),
        finalState: bytesToHex(final),
        steps: BigInt(shape.vmSteps),
        outputPath: bytesToHex(mappedPath(siblings, 0)),
      },
      stateHash: (m) => bytesToHex(hashAt(Number(m))),
      witness: () => bytesToHex(buildWitness(state)),
    };
  }
}
