/**
 * State commitments of a run: the roots S_0 .. S_n that a dispute bisects (docs/formats.md, "Trees").
 *
 * Every step writes one slot, so only that slot is hashed again. The trace keeps 64 bytes per step and
 * can give the tree of any state; tensors themselves come from running again.
 */
import { byteLength, type Model } from "../compiler/mod.ts";
import {
  hashPair,
  MerkleTree,
  tensorRoot,
  treeHeight,
  zeroHash,
} from "../fpvm/mod.ts";
import {
  checkInputs,
  type Executor,
  isStopped,
  iterationsOf,
  resetSlots,
  type Run,
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
  return tensorRoot(bytes, treeHeight(byteLength(model.slots[slot].type)));
}

/** Slot roots of S_0: initial slots with the inputs written in. */
export function initialSlotRoots(
  model: Model,
  inputs: readonly Uint8Array[],
): Uint8Array[] {
  checkInputs(model, inputs);
  const slots = model.slots.map((slot) =>
    new Uint8Array(byteLength(slot.type))
  );
  resetSlots(model, inputs, slots);
  return slots.map((bytes, i) => slotRoot(model, i, bytes));
}

/** Slot roots after the finish step: 32 zero bytes in every slot that is not kept. */
export function finishedSlotRoots(
  model: Model,
  slotRoots: readonly Uint8Array[],
): Uint8Array[] {
  return slotRoots.map((root, i) => i < model.kept ? root : zeroHash(0));
}

/** All commitments of a run. */
export interface StateTrace {
  readonly run: Run;
  readonly iterations: number;
  /** S_0 .. S_n; the last is after the finish step where the run has one. */
  readonly states: readonly Uint8Array[];
  /** Per step (without the finish step) the root of the slot its node wrote. */
  readonly resultRoots: readonly Uint8Array[];
  readonly finish: boolean;
  /** Slot roots of S_i. */
  slotRoots(state: number): Uint8Array[];
}

/** What a commitment of a run may choose. */
export interface CommitOptions {
  readonly iterations?: number;
  /** Whether the schedule ends with the finish step; default true. */
  readonly finish?: boolean;
}

/** Runs a model and commits to every state on the way. */
export async function commitRun(
  model: Model,
  executor: Executor,
  inputs: readonly Uint8Array[],
  options: CommitOptions = {},
): Promise<StateTrace> {
  const iterations = iterationsOf(model, options.iterations);
  const finish = options.finish ?? true;
  const initial = initialSlotRoots(model, inputs);
  const tree = new SlotTree(initial);
  const states = [tree.root];
  const resultRoots: Uint8Array[] = [];
  let stopped = false;
  const run = await executor.run(inputs, {
    iterations,
    onNode(_step, node, slots) {
      const slot = model.nodes[node].result;
      if (!stopped) tree.set(slot, slotRoot(model, slot, slots[slot]));
      stopped = isStopped(model, slots);
      resultRoots.push(tree.slotRoots[slot]);
      states.push(tree.root);
    },
  });
  if (finish) {
    states.push(stateRoot(finishedSlotRoots(model, tree.slotRoots)));
  }
  return {
    run,
    iterations,
    states,
    resultRoots,
    finish,
    slotRoots(state) {
      const roots = initial.slice();
      const steps = Math.min(state, resultRoots.length);
      for (let step = 0; step < steps; step++) {
        roots[model.nodes[step % model.nodes.length].result] =
          resultRoots[step];
      }
      return state > resultRoots.length
        ? finishedSlotRoots(model, roots)
        : roots;
    },
  };
}

/** The state tree with one slot changing at a time: log2(slots) hashes per change. */
class SlotTree {
  readonly slotRoots: Uint8Array[];
  /** Per level from the slots up. */
  readonly #levels: Uint8Array[][];

  constructor(slotRoots: readonly Uint8Array[]) {
    this.slotRoots = slotRoots.slice();
    const tree = MerkleTree.ofLeaves(slotRoots);
    this.#levels = Array.from(
      { length: tree.height + 1 },
      (_, level) =>
        Array.from(
          { length: 2 ** (tree.height - level) },
          (_, index) => tree.node(level, index),
        ),
    );
  }

  get root(): Uint8Array {
    return this.#levels[this.#levels.length - 1][0];
  }

  set(slot: number, root: Uint8Array): void {
    this.slotRoots[slot] = root;
    this.#levels[0][slot] = root;
    for (let level = 1, at = slot >> 1; level < this.#levels.length; level++) {
      const below = this.#levels[level - 1];
      this.#levels[level][at] = hashPair(below[2 * at], below[2 * at + 1]);
      at >>= 1;
    }
  }
}
