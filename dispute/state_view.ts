/**
 * What a party must know of a request to make claims about it: its states and the tensors that a dispute opens.
 *
 * `Execution` knows all of them, from a run of the whole model. A view may know less, as long as it has the bytes of the
 * disputed step's operands and result.
 */
import type { Commitment } from "../compiler/mod.ts";
import type { MerkleTree } from "../fpvm/mod.ts";

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
