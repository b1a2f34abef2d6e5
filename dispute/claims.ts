/**
 * What a party says about a computation: the only thing in which an honest player and a liar differ.
 *
 * A player asks its claims for hashes and proofs and follows one and the same strategy (player.ts). `party.ts`
 * implements these claims over an execution, `faults.ts` bends them.
 */
import type { Hex } from "viem";
import type {
  OpenFinishMove,
  OpenLeafMove,
  OpenNodeMove,
} from "../contracts/mod.ts";

/** One party's view of a request, hashes as hex. */
export interface Claims {
  /** n: index of the last state. */
  readonly steps: bigint;
  /** S_i as this party says it is. */
  stateRoot(i: bigint): Hex;
  /** True if the party holds that the step from S_i is the finish step. */
  isFinish(step: bigint): boolean;
  /** The proofs that open the step from S_step, without the first round of nodes. */
  openNode(step: bigint): Omit<OpenNodeMove, "kind" | "nodes">;
  openFinish(step: bigint): Omit<OpenFinishMove, "kind">;
  /** Node of the tree over the step's result; level 0 is the leaves. */
  resultNode(step: bigint, level: number, index: number): Hex;
  /** The run of the program of one leaf, or of the whole result (index 0). */
  leaf(step: bigint, index: number): LeafClaims;
}

/** One party's view of one program's run. */
export interface LeafClaims {
  /** Operands' proofs, final state and its length. */
  readonly opening: Omit<OpenLeafMove, "kind" | "hashes">;
  /** Hash of the machine's state after m steps. */
  stateHash(m: bigint): Hex;
  /** Witness of the step from state m; true, since a false one is refused. */
  witness(m: bigint): Hex;
}

/** An operand's root with its siblings, bottom-up. */
export interface OperandProof {
  readonly root: Hex;
  readonly path: readonly Hex[];
}
