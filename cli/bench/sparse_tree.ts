/** A Merkle tree of any height of which only some leaves are given; all others are one leaf that follows from a seed. */
import { equalBytes, hashPair, keccak256 } from "../../fpvm/mod.ts";

/** A hash without preimage. */
export const madeUp = (...parts: readonly (string | number | bigint)[]) =>
  keccak256(new TextEncoder().encode(`made up: ${parts.join(" ")}`));

/** See the head of this file. */
export class SparseTree {
  readonly #nodes = new Map<string, Uint8Array>();
  /** Roots of the subtrees without a given leaf, by level. */
  readonly #fillers: Uint8Array[];

  constructor(
    readonly height: number,
    readonly leaves: ReadonlyMap<number, Uint8Array>,
    private readonly seed: string,
  ) {
    this.#fillers = [madeUp("filler", seed)];
    for (const [index, leaf] of leaves) this.#nodes.set(`0 ${index}`, leaf);
  }

  /** The node at a level (0 is the leaves) and index from the left. */
  node(level: number, index: number): Uint8Array {
    const key = `${level} ${index}`;
    let node = this.#nodes.get(key);
    if (!node) {
      const size = 2 ** level;
      const holds = [...this.leaves.keys()].some((leaf) =>
        Math.floor(leaf / size) === index
      );
      node = holds
        ? hashPair(
          this.node(level - 1, 2 * index),
          this.node(level - 1, 2 * index + 1),
        )
        : this.#filler(level);
      this.#nodes.set(key, node);
    }
    return node;
  }

  #filler(level: number): Uint8Array {
    while (this.#fillers.length <= level) {
      const below = this.#fillers[this.#fillers.length - 1];
      this.#fillers.push(hashPair(below, below));
    }
    return this.#fillers[level];
  }

  get root(): Uint8Array {
    return this.node(this.height, 0);
  }

  /** Siblings of a node, bottom-up to the root. */
  path(index: number, level = 0): Uint8Array[] {
    const siblings: Uint8Array[] = [];
    for (let h = level; h < this.height; h++) {
      const at = Math.floor(index / 2 ** (h - level));
      siblings.push(this.node(h, at % 2 === 0 ? at + 1 : at - 1));
    }
    return siblings;
  }

  /** The same tree with one leaf changed. */
  with(index: number, leaf: Uint8Array): SparseTree {
    const old = this.leaves.get(index);
    if (old && equalBytes(old, leaf)) return this;
    const leaves = new Map(this.leaves).set(index, leaf);
    return new SparseTree(this.height, leaves, this.seed);
  }
}
