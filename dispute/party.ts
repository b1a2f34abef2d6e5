/**
 * Claims over an execution: true ones over a true execution.
 *
 * A party whose execution was altered cannot prove its disputed leaf by running the program; with a `Forgery`
 * it claims a false run instead, true up to a chosen step. Without one it refuses: an honest party whose native
 * result is not what the program computes must stop, not stake.
 */
import { bytesToHex, type Hex } from "viem";
import {
  ChainLearnError,
  equalBytes,
  mappedPath,
  MerkleTree,
} from "../fpvm/mod.ts";
import { type Descriptor, tensorHeight } from "../compiler/mod.ts";
import type { Claims, LeafClaims, OperandProof } from "./claims.ts";
import type { Execution } from "./execution.ts";
import { forgeLeaf, type Forgery } from "./forgery.ts";
import { descriptorProof, LeafTrace } from "./leaf_trace.ts";
import type { StateView } from "./state_view.ts";

const OUTPUT_ROOT_LEVEL = 0;

/** See the head of this file. */
export class Party<View extends StateView = Execution> implements Claims {
  readonly #trees = new Map<number, MerkleTree>();
  readonly #leaves = new Map<string, LeafClaims>();

  constructor(readonly execution: View, readonly forgery?: Forgery) {}

  get steps(): bigint {
    return BigInt(this.execution.steps);
  }

  stateRoot(i: bigint): Hex {
    return bytesToHex(this.execution.stateRoot(Number(i)));
  }

  isFinish(step: bigint): boolean {
    return Number(step) >= this.execution.nodeSteps;
  }

  openNode(step: bigint) {
    const { execution } = this;
    const { commitment } = execution;
    const { stopSlot } = commitment.model;
    const i = Number(step);
    const node = i % commitment.model.nodes.length;
    const state = execution.stateTree(i);
    const slot = commitment.model.nodes[node].result;
    const { bytes, path } = descriptorProof(commitment, node);
    return {
      ...(stopSlot === undefined ? {} : {
        stop: {
          leaf: bytesToHex(execution.slotRoot(i, stopSlot)),
          path: state.path(stopSlot).map((s) => bytesToHex(s)),
        },
      }),
      descriptor: bytesToHex(bytes),
      programPath: path.map((s) => bytesToHex(s)),
      oldRoot: bytesToHex(execution.slotRoot(i, slot)),
      newRoot: bytesToHex(execution.slotRoot(i + 1, slot)),
      slotPath: state.path(slot).map((s) => bytesToHex(s)),
    };
  }

  openFinish(step: bigint) {
    const { execution } = this;
    const state = execution.stateTree(Number(step));
    const level = Math.log2(execution.commitment.model.kept);
    return {
      kept: bytesToHex(state.node(level, 0)),
      path: state.path(0, level).map((s) => bytesToHex(s)),
    };
  }

  /** Tree over the result of the step from S_step. */
  resultTree(step: bigint): MerkleTree {
    const i = Number(step);
    let tree = this.#trees.get(i);
    if (!tree) {
      const { model } = this.execution.commitment;
      const slot = model.nodes[i % model.nodes.length].result;
      tree = MerkleTree.ofBytes(
        this.execution.slotBytes(i + 1, slot),
        tensorHeight(model.slots[slot].type),
      );
      this.#trees.set(i, tree);
    }
    return tree;
  }

  resultNode(step: bigint, level: number, index: number): Hex {
    return bytesToHex(this.resultTree(step).node(level, index));
  }

  /** The descriptor of the node that the step from S_step executes. */
  #descriptor(step: bigint): Descriptor {
    const { descriptors } = this.execution.commitment;
    return descriptors[Number(step) % descriptors.length];
  }

  leaf(step: bigint, index: number): LeafClaims {
    const key = `${step}/${index}`;
    let claims = this.#leaves.get(key);
    if (!claims) this.#leaves.set(key, claims = this.#traceLeaf(step, index));
    return claims;
  }

  #traceLeaf(step: bigint, index: number): LeafClaims {
    const trace = new LeafTrace(this.execution, Number(step), index);
    const descriptor = this.#descriptor(step);
    const level = descriptor.whole
      ? descriptor.resultHeight
      : OUTPUT_ROOT_LEVEL;
    const claimed = this.resultTree(step).node(level, index);
    const operands = this.#operands(step);
    if (!equalBytes(claimed, trace.resultRoot(level))) {
      if (this.forgery) {
        return forgeLeaf(trace, this.forgery, {
          claimed,
          level,
          operands,
          descriptor,
        });
      }
      const { model } = this.execution.commitment;
      throw new ChainLearnError(
        `Cannot defend leaf ${index} of node "${
          model.nodes[Number(step) % model.nodes.length].name
        }": expected what its program computes, found another native result`,
        {
          exitCode: 1,
          hint:
            "Do not stake on this bundle: run chainlearn verify and report the model",
        },
      );
    }
    return {
      opening: {
        operands,
        finalState: bytesToHex(trace.final),
        steps: BigInt(trace.length),
        outputPath: trace.succeeded
          ? bytesToHex(mappedPath(trace.outputPath(level), level))
          : "0x",
      },
      stateHash: (m) => bytesToHex(trace.hashAt(Number(m))),
      witness: (m) => bytesToHex(trace.witnessAt(Number(m))),
    };
  }

  /** Roots and paths of the operands under S_step and the weights root, in the descriptor's order. */
  #operands(step: bigint): OperandProof[] {
    const { execution } = this;
    const state = execution.stateTree(Number(step));
    const { weightsTree } = execution.commitment;
    return this.#descriptor(step).operands.flatMap(({ kind, index }) => {
      if (kind === "weights_table") return [];
      const tree = kind === "weight" ? weightsTree : state;
      return [{
        root: bytesToHex(tree.node(0, index)),
        path: tree.path(index).map((s) => bytesToHex(s)),
      }];
    });
  }
}
