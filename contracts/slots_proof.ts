/**
 * Proofs in slots trees as the registry takes them: the values of some slots, and the siblings that the rest needs.
 *
 * Siblings go level by level upwards and from left to right, one for every computed node whose neighbour is not itself
 * computed (docs/formats.md, "Slots proof"). The contract walks the same way in TensorTree.sol.
 */
import { parseModelRootPreimage } from "../compiler/mod.ts";
import {
  ChainLearnError,
  hashPair,
  leafCountHeight,
  MerkleTree,
} from "../fpvm/mod.ts";

/** Siblings of `slots` in the tree over `leaves`, padded by 32 zero bytes to 2^depth; slots in any order. */
export function slotsSiblings(
  leaves: readonly Uint8Array[],
  slots: readonly number[],
  depth = leafCountHeight(leaves.length),
): Uint8Array[] {
  const tree = MerkleTree.ofLeaves([...leaves], depth);
  const siblings: Uint8Array[] = [];
  let known = new Set(slots);
  for (let level = 0; known.size > 0 && level < depth; level++) {
    const sorted = [...known].sort((a, b) => a - b);
    for (const index of sorted) {
      if (!known.has(index ^ 1)) siblings.push(tree.node(level, index ^ 1));
    }
    known = new Set(sorted.map((index) => index >>> 1));
  }
  return siblings;
}

/** What `register` takes beside the preimage: the input slots' initial values and their siblings. */
export function registrationProof(
  preimage: Uint8Array,
  initialSlotRoots: readonly Uint8Array[],
): { values: Uint8Array[]; siblings: Uint8Array[] } {
  const { inputs, slots } = parseModelRootPreimage(preimage);
  // Without inputs S_0 is the root in the preimage.
  if (inputs.length === 0) return { values: [], siblings: [] };
  if (initialSlotRoots.length !== slots) {
    throw new ChainLearnError(
      `Cannot prove the input slots: expected ${slots} slots, found ${initialSlotRoots.length}`,
    );
  }
  const indices = inputs.map((input) => input.slot);
  return {
    values: indices.map((slot) => initialSlotRoots[slot]),
    siblings: slotsSiblings(initialSlotRoots, indices),
  };
}

/**
 * What `reveal` takes beside the outputs: S_n and the siblings of the output slots. `slotRoots` are the slots after
 * the last node; with a finish step only the kept ones are used.
 */
export function revealProof(
  preimage: Uint8Array,
  slotRoots: readonly Uint8Array[],
  finish: boolean,
): { claim: Uint8Array; siblings: Uint8Array[] } {
  const { outputs, kept, slots } = parseModelRootPreimage(preimage);
  const depth = leafCountHeight(slots);
  const indices = outputs.map((output) => output.slot);
  if (!finish) {
    return {
      claim: MerkleTree.ofLeaves([...slotRoots], depth).root,
      siblings: slotsSiblings(slotRoots, indices, depth),
    };
  }
  const survivors = slotRoots.slice(0, kept);
  const proven = leafCountHeight(kept);
  let claim = MerkleTree.ofLeaves([...survivors], proven).root;
  let zero: Uint8Array = MerkleTree.ofLeaves([new Uint8Array(32)], proven).root;
  for (let level = proven; level < depth; level++) {
    claim = hashPair(claim, zero);
    zero = hashPair(zero, zero);
  }
  return { claim, siblings: slotsSiblings(survivors, indices, proven) };
}
