/**
 * A whole dispute between two parties without a chain: what `bisect` runs.
 *
 * The referee refuses what the contract would refuse; a side that has no legal move loses, as it would by time.
 */
import { type Address, bytesToHex, type Hex, hexToBytes } from "viem";
import type { Commitment } from "../compiler/mod.ts";
import {
  type DisputeView,
  firstMoveCommitment,
  type Move,
  type Side,
  type Terms,
} from "../contracts/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import type { Claims } from "./claims.ts";
import { challengerMove, firstMove, submitterMove } from "./player.ts";
import { applyMove, type ModelShape, openDispute } from "./referee.ts";

/** Width of rounds: segments, and levels of the phase tensor. */
export interface Rounds {
  readonly k: number;
  readonly q: number;
}

/**
 * The cheapest widths in gas for a small classifier (docs/protocol.md, *Measured*). 26^6 is above 2^28, the most steps
 * of a leaf program, so six rounds find any instruction.
 */
export const DEFAULT_ROUNDS: Rounds = { k: 26, q: 5 };

/** One move as it was played. */
export interface PlayedMove {
  readonly side: Side;
  readonly move: Move;
  /** The view that it led to. */
  readonly view: DisputeView;
}

export interface LocalResult {
  readonly winner: Side;
  readonly moves: readonly PlayedMove[];
  /** Why a side had no legal move; absent when the game was played to its end. */
  readonly refused?: string;
}

/** Most moves any dispute can have; a guard against a referee that does not end. */
const MAX_MOVES = 1000;
const SALT: Hex = `0x${"11".repeat(32)}`;

/** The shape of a model as the market proves it at registration. */
export function shapeOf(commitment: Commitment): ModelShape {
  const { model, programTree, weightsTree } = commitment;
  return {
    programRoot: bytesToHex(programTree.root),
    weightsRoot: bytesToHex(weightsTree.root),
    nodes: model.nodes.length,
    weights: model.constants.length,
    slots: model.slots.length,
    kept: model.kept,
    stopSlot: model.stopSlot,
  };
}

function addressOf(digit: string): Address {
  return `0x${digit.repeat(40)}`;
}

/** Plays a dispute to its end; `shape` is of the model both claim to have run. */
export function playLocally(
  shape: ModelShape,
  challenger: Claims,
  submitter: Claims,
  finish: boolean,
  rounds: Rounds = DEFAULT_ROUNDS,
): LocalResult {
  const terms: Terms = {
    registrationId: `0x${"00".repeat(32)}`,
    submissionId: `0x${"00".repeat(32)}`,
    submitter: addressOf("1"),
    challenger: addressOf("2"),
    start: submitter.stateRoot(0n),
    claim: submitter.stateRoot(submitter.steps),
    steps: submitter.steps,
    finish,
    ...rounds,
    clock: 3600,
    index: 0,
  };
  const first = firstMove(challenger, rounds.k);
  const commitment = firstMoveCommitment(
    terms.challenger,
    first.claim,
    first.hashes,
    SALT,
  );
  let view = openDispute(`0x${"00".repeat(32)}`, terms, commitment);
  const moves: PlayedMove[] = [];
  while (view.phase !== "resolved") {
    if (moves.length > MAX_MOVES) {
      throw new ChainLearnError(
        "Cannot end the game: expected an end within 1000 moves",
      );
    }
    const side: Side = view.turn ?? "challenger";
    try {
      const move = side === "challenger"
        ? challengerMove(view, challenger, SALT)
        : submitterMove(view, submitter);
      view = applyMove(view, shape, move);
      moves.push({ side, move, view });
    } catch (error) {
      if (!(error instanceof ChainLearnError)) throw error;
      return {
        winner: side === "challenger" ? "submitter" : "challenger",
        moves,
        refused: error.message,
      };
    }
  }
  return { winner: view.winner, moves };
}

/** The arbitrated step of a game that got that far. */
export function arbitratedStep(result: LocalResult) {
  const last = result.moves.at(-1);
  const before = result.moves.at(-2);
  if (last?.move.kind !== "arbitrate" || before?.view.phase !== "instruction") {
    return null;
  }
  const { interval, branch } = before.view;
  return { branch, interval, witness: hexToBytes(last.move.witness) };
}
