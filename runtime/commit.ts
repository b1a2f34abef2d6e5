/**
 * Commitments to a model's state: tensor roots of slots and the state root over them (docs/formats.md, "Trees").
 *
 * Pure functions of bytes. Which states a run goes through is an `Execution`'s matter, in dispute/.
 */
import { type Model, tensorHeight } from "../compiler/mod.ts";
import { MerkleTree, tensorRoot, zeroHash } from "../fpvm/mod.ts";

/** Root over the tensor roots of all slots. */
export function stateRoot(slotRoots: readonly Uint8Array[]): Uint8Array {
  return MerkleTree.ofLeaves(slotRoots).root;
}

/** Tensor root of one slot from its bytes. */
export function slotRoot(
  model: Model,
  slot: number,
  bytes: Uint8Array,
): Uint8Array {
  return tensorRoot(bytes, tensorHeight(model.slots[slot].type));
}

/** Slot roots after the finish step: 32 zero bytes in every slot that is not kept. */
export function finishedSlotRoots(
  model: Model,
  slotRoots: readonly Uint8Array[],
): Uint8Array[] {
  return slotRoots.map((root, i) => i < model.kept ? root : zeroHash(0));
}
