/**
 * Commitments to a model's state: tensor roots of slots and the state root over them (docs/formats.md, "Trees").
 *
 * A submission needs the last state alone, of which the finish step has cleared all but the kept slots:
 * `finishedState` hashes those and no others. `commitRun` hashes every state while the run goes on.
 */
import { type Model, tensorHeight } from "../compiler/mod.ts";
import {
  hashPair,
  leafCountHeight,
  MerkleTree,
  tensorRoot,
  zeroHash,
} from "../fpvm/mod.ts";
import {
  checkInputs,
  type Executor,
  type Run,
  type RunOptions,
} from "./executor.ts";

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

/** The tree of the state after the finish step, from the bytes of all slots; hashes those that are kept. */
export function finishedState(
  model: Model,
  slots: readonly Uint8Array[],
): MerkleTree {
  return MerkleTree.ofLeaves(
    slots.map((bytes, slot) =>
      slot < model.kept ? slotRoot(model, slot, bytes) : zeroHash(0)
    ),
  );
}

/** The root over a number of leaves of which one changes at a time: one hash for each level, then. */
class GrowingTree {
  /** From the leaves up; each level padded to whole pairs. */
  readonly #levels: Uint8Array[][] = [];

  constructor(leaves: readonly Uint8Array[]) {
    const height = leafCountHeight(Math.max(1, leaves.length));
    let level = [...leaves];
    for (let h = 0; h < height; h++) {
      if (level.length % 2 === 1) level.push(zeroHash(h));
      this.#levels.push(level);
      level = Array.from(
        { length: level.length / 2 },
        (_, i) => hashPair(level[2 * i], level[2 * i + 1]),
      );
    }
    this.#levels.push(level);
  }

  get root(): Uint8Array {
    return this.#levels[this.#levels.length - 1][0];
  }

  set(index: number, leaf: Uint8Array): void {
    this.#levels[0][index] = leaf;
    for (let h = 0; h + 1 < this.#levels.length; h++) {
      index >>= 1;
      const below = this.#levels[h];
      this.#levels[h + 1][index] = hashPair(
        below[2 * index],
        below[2 * index + 1],
      );
    }
  }
}

/** Roots of all slots in S_0; of a slot that is zero nothing is hashed. Throws as `checkInputs` does. */
function initialSlotRoots(
  model: Model,
  inputs: readonly Uint8Array[],
): Uint8Array[] {
  checkInputs(model, inputs);
  const given = model.slots.map((slot) => slot.initial);
  model.inputs.forEach(({ slot }, i) => given[slot] = inputs[i]);
  return given.map((bytes, slot) =>
    slotRoot(model, slot, bytes ?? new Uint8Array(0))
  );
}

/** A run and the roots of all its states but the finish step's. */
export interface CommittedRun {
  readonly run: Run;
  /** S_0, and the state after each node of each iteration. */
  readonly stateRoots: readonly Uint8Array[];
}

/**
 * Runs a model and hashes what each node wrote as soon as it is there, while it lies in the cache; the path above it in
 * the state's tree is all that is hashed besides. `onNode` of the options is called first, and may change
 * the node's result; whoever looks at more than that asks for "all" slots to be kept.
 */
export async function commitRun(
  model: Model,
  executor: Executor,
  inputs: readonly Uint8Array[],
  options: RunOptions = {},
): Promise<CommittedRun> {
  const tree = new GrowingTree(initialSlotRoots(model, inputs));
  const stateRoots = [tree.root];
  // A stopped step looks at a result that was written long before; otherwise it is there right after its node.
  const keep = model.stopSlot === undefined ? "model" : "all";
  const run = await executor.run(inputs, {
    keep,
    ...options,
    async onNode(step, node, slots) {
      await options.onNode?.(step, node, slots);
      const { result } = model.nodes[node];
      tree.set(result, slotRoot(model, result, slots[result]));
      stateRoots.push(tree.root);
    },
  });
  return { run, stateRoots };
}
