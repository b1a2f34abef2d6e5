/**
 * What a party must know of a request to make claims about it: its states and the tensors that a dispute opens.
 *
 * `Execution` knows all of them, from a run of the whole model. A view may know less, as long as it has the bytes of the
 * disputed step's operands and result.
 */
import type { Commitment } from "../compiler/mod.ts";
import { ChainLearnError, MerkleTree, zeroHash } from "../fpvm/mod.ts";

/** What the request fixes. */
export interface RequestTerms {
  readonly inputs: readonly Uint8Array[];
  readonly iterations: number;
  /** Whether the last step clears every slot that is not kept. */
  readonly finish: boolean;
}

/** One party's view of a request: states S_0 .. S_n. */
export interface StateView {
  readonly commitment: Commitment;
  readonly terms: RequestTerms;
  /** Steps without the finish step. */
  readonly nodeSteps: number;
  /** n: the index of the last state. */
  readonly steps: number;
  /** Bytes of a slot in S_i; a slot that the finish step cleared is empty. */
  slotBytes(i: number, slot: number): Uint8Array;
  /** Tensor root of a slot in S_i; 32 zero bytes where the finish step cleared it. */
  slotRoot(i: number, slot: number): Uint8Array;
  /** The tree over all slots' roots in S_i. */
  stateTree(i: number): MerkleTree;
  /** S_i, 32 bytes. */
  stateRoot(i: number): Uint8Array;
  /** Bytes of the outputs in S_n, in the model's order. */
  readonly outputs: Uint8Array[];
}

/** The states as they follow from their slots, whatever a view knows of these. */
export abstract class SlotStates implements StateView {
  abstract readonly commitment: Commitment;
  abstract readonly terms: RequestTerms;
  abstract readonly nodeSteps: number;
  readonly #stateRoots = new Map<number, Uint8Array>();

  /** Bytes of a slot in S_i, were there no finish step. */
  protected abstract bytesBefore(i: number, slot: number): Uint8Array;
  /** Its tensor root. */
  protected abstract rootBefore(i: number, slot: number): Uint8Array;

  get steps(): number {
    return this.nodeSteps + (this.terms.finish ? 1 : 0);
  }

  #cleared(i: number, slot: number): boolean {
    return i > this.nodeSteps && slot >= this.commitment.model.kept;
  }

  slotBytes(i: number, slot: number): Uint8Array {
    return this.#cleared(i, slot)
      ? new Uint8Array(0)
      : this.bytesBefore(i, slot);
  }

  slotRoot(i: number, slot: number): Uint8Array {
    return this.#cleared(i, slot) ? zeroHash(0) : this.rootBefore(i, slot);
  }

  stateTree(i: number): MerkleTree {
    if (!(i >= 0 && i <= this.steps)) {
      throw new ChainLearnError(
        `Cannot give state ${i}: expected 0 .. ${this.steps}, found ${i}`,
      );
    }
    const { slots } = this.commitment.model;
    return MerkleTree.ofLeaves(slots.map((_, slot) => this.slotRoot(i, slot)));
  }

  stateRoot(i: number): Uint8Array {
    let root = this.#stateRoots.get(i);
    if (!root) this.#stateRoots.set(i, root = this.stateTree(i).root);
    return root;
  }

  get outputs(): Uint8Array[] {
    return this.commitment.model.outputs.map((o) =>
      this.slotBytes(this.steps, o.slot)
    );
  }
}
