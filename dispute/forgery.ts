/**
 * False claims about a program's run: what a liar says once the game has reached his leaf.
 *
 * Every forgery ends in a final state that gives the claimed result, as the rules demand of it; where it cannot,
 * the contract refuses the move and the liar loses by time. Used by tests, campaigns and the demo.
 */
import { bytesToHex } from "viem";
import type { Descriptor } from "../compiler/mod.ts";
import {
  cloneState,
  mappedPath,
  packState,
  REGIONS,
  stateHash,
  STATUS,
  type VmState,
} from "../fpvm/mod.ts";
import type { LeafClaims, OperandProof } from "./claims.ts";
import type { LeafTrace } from "./leaf_trace.ts";

/** How a liar's run ends. */
export type ForgeryKind =
  /** True up to `step`, then with the claimed result in memory. */
  | "consistent"
  /** Random hashes from `step` on, a forged final state. */
  | "random"
  /** As consistent, with the length one too small. */
  | "too_short"
  /** As consistent, longer than the program runs. */
  | "too_long"
  /** A trap that did not happen: the result is zero. */
  | "fake_trap"
  /** Still running at the limit: the result is zero. */
  | "fake_timeout";

export interface Forgery {
  readonly kind: ForgeryKind;
  /** First step of the machine whose result is claimed falsely, or null for the last one. */
  readonly step: number | null;
}

/** What the forged run must show. */
export interface ForgedResult {
  /** The result's subtree root, 32 bytes; at level 0 the leaf itself. */
  readonly claimed: Uint8Array;
  readonly level: number;
  readonly operands: readonly OperandProof[];
  readonly descriptor: Descriptor;
}

/** Claims of a run that yields `result.claimed` although the program yields something else. */
export function forgeLeaf(
  trace: LeafTrace,
  forgery: Forgery,
  result: ForgedResult,
): LeafClaims {
  const length = forgedLength(trace, forgery.kind, result.descriptor);
  const from = Math.min(forgery.step ?? length, length);
  const forgedState = (m: number): VmState => {
    const state = cloneState(trace.stateAt(Math.min(m, trace.length)));
    if (m >= from) forge(state, forgery.kind, result, m === length);
    return state;
  };
  const final = forgedState(length);
  const succeeded = final.status === STATUS.exited && final.exitCode === 0;
  return {
    opening: {
      operands: result.operands,
      finalState: bytesToHex(packState(final)),
      steps: BigInt(length),
      outputPath: succeeded
        ? bytesToHex(
          mappedPath(
            final.memory.path(REGIONS.output.base, result.level),
            result.level,
          ),
        )
        : "0x",
    },
    stateHash: (m) => {
      const hash = stateHash(forgedState(Number(m)));
      // A hash without a preimage, the same one at every call.
      if (forgery.kind === "random" && m >= from && m < length) hash[0] ^= 0xa5;
      return bytesToHex(hash);
    },
    witness: (m) => bytesToHex(trace.witnessAt(Number(m))),
  };
}

function forgedLength(
  trace: LeafTrace,
  kind: ForgeryKind,
  descriptor: Descriptor,
): number {
  const limit = Math.max(1, Number(descriptor.maxSteps));
  switch (kind) {
    case "too_short":
      return Math.max(1, trace.length - 1);
    case "too_long":
      return Math.min(limit, trace.length + 1);
    case "fake_timeout":
      return limit;
    case "consistent":
    case "random":
    case "fake_trap":
      return trace.length;
    default:
      return kind satisfies never;
  }
}

/** Bends a true state so that it carries, or ends with, the claimed result. */
function forge(
  state: VmState,
  kind: ForgeryKind,
  result: ForgedResult,
  last: boolean,
): void {
  if (kind === "fake_trap" || kind === "fake_timeout") {
    state.hi ^= 1;
    state.exitCode = 0;
    state.status = STATUS.running;
    if (last && kind === "fake_trap") {
      state.status = STATUS.trapped;
      state.exitCode = 5;
    }
    return;
  }
  if (last) {
    state.status = STATUS.exited;
    state.exitCode = 0;
  }
  if (result.level === 0) {
    state.memory.storeLeaf(REGIONS.output.base, result.claimed);
  } else state.memory.graft(REGIONS.output.base, result.level, result.claimed);
}
