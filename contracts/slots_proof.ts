/**
 * Proofs in slots trees as the registry takes them: the values of some slots, and the siblings that the rest needs.
 *
 * Siblings go level by level upwards and from left to right, one for every computed node whose neighbour is not itself
 * computed (docs/formats.md, "Slots proof"). The contract walks the same way in TensorTree.sol.
 */
import {
  ChainLearnError,
  hashPair,
  leafCountHeight,
  MerkleTree,
} from "../fpvm/mod.ts";

/** Where an input or output lies, as the model root's preimage tells it. */
export interface PreimagePort {
  readonly role: "data" | "seed" | "sampling";
  readonly height: number;
  readonly slot: number;
  readonly byteLength: number;
}

/** What a client needs of a model root's preimage. */
export interface PreimageFields {
  readonly nodes: number;
  readonly slots: number;
  readonly kept: number;
  readonly schedule: "fixed" | "request";
  readonly iterations: bigint;
  readonly inputs: readonly PreimagePort[];
  readonly outputs: readonly PreimagePort[];
}

const HEADER_BYTES = 165;
const PORT_BYTES = 14;
const roles = ["data", "seed", "sampling"] as const;

/** Parses a preimage; throws where its length is not what its counts give. The contract checks the rest. */
export function parsePreimage(preimage: Uint8Array): PreimageFields {
  const view = new DataView(
    preimage.buffer,
    preimage.byteOffset,
    preimage.byteLength,
  );
  const ports = preimage.length < HEADER_BYTES
    ? 0
    : view.getUint16(161) + view.getUint16(163);
  const expected = HEADER_BYTES + PORT_BYTES * ports;
  if (preimage.length !== expected) {
    throw new ChainLearnError(
      `Cannot read the model root's preimage: expected ${expected} bytes, found ${preimage.length}`,
    );
  }
  const port = (index: number): PreimagePort => {
    const at = HEADER_BYTES + PORT_BYTES * index;
    return {
      role: roles[preimage[at]],
      height: preimage[at + 1],
      slot: view.getUint32(at + 2),
      byteLength: Number(view.getBigUint64(at + 6)),
    };
  };
  const inputs = view.getUint16(161);
  const all = Array.from({ length: ports }, (_, i) => port(i));
  return {
    nodes: view.getUint32(36),
    slots: view.getUint32(108),
    kept: view.getUint32(121),
    schedule: preimage[112] === 0 ? "fixed" : "request",
    iterations: view.getBigUint64(113),
    inputs: all.slice(0, inputs),
    outputs: all.slice(inputs),
  };
}

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
  const { inputs, slots } = parsePreimage(preimage);
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
  const { outputs, kept, slots } = parsePreimage(preimage);
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
