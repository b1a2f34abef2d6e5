/**
 * The submitter's side of a request on a chain: commit, reveal with the outputs' proofs, and the defence.
 *
 * The claim is what an execution says; whether that is the truth is not this file's matter.
 */
import { bytesToHex, type Hex } from "viem";
import {
  deriveSalt,
  type MarketClient,
  revealProof,
  type Sent,
} from "../contracts/mod.ts";
import { ChainPlayer, type PlayerOptions, type Turn } from "./chain_player.ts";
import {
  disputesOf,
  firstBlockOf,
  newestTime,
  readDisputes,
} from "./dispute_log.ts";
import type { StateView } from "./state_view.ts";

/** Outputs longer than this are revealed by their root alone, as the registry allows. */
const SMALL_OUTPUT_BYTES = 4096;

/** Commits to the execution's final state; the salt derives from secret, request and its reopenings. */
export async function commitAnswer(
  market: MarketClient,
  requestId: Hex,
  execution: StateView,
  secret: Hex,
): Promise<Sent & { submissionId: Hex }> {
  const { reopenings } = await market.requestState(requestId);
  const claim = bytesToHex(execution.stateRoot(execution.steps));
  const salt = deriveSalt(secret, requestId, reopenings);
  return await market.commit(requestId, claim, salt);
}

/** Reveals what {@linkcode commitAnswer} committed to; a block must lie between them. */
export async function revealAnswer(
  market: MarketClient,
  requestId: Hex,
  execution: StateView,
  secret: Hex,
): Promise<Sent> {
  const { reopenings } = await market.requestState(requestId);
  const { commitment, terms, nodeSteps } = execution;
  const { model, preimage } = commitment;
  const roots = model.slots.map((_, slot) =>
    execution.slotRoot(nodeSteps, slot)
  );
  const { siblings } = revealProof(preimage, roots, terms.finish);
  return await market.reveal(requestId, {
    claim: bytesToHex(execution.stateRoot(execution.steps)),
    salt: deriveSalt(secret, requestId, reopenings),
    outputs: execution.outputs.map((bytes, i) =>
      bytes.length > SMALL_OUTPUT_BYTES
        ? { root: bytesToHex(roots[model.outputs[i].slot]) }
        : bytes
    ),
    siblings: siblings.map((s) => bytesToHex(s)),
  });
}

/** Defends one submission against all of its disputes, also those that open while it runs. */
export class Defence {
  readonly players = new Map<Hex, ChainPlayer>();

  constructor(
    private readonly options: PlayerOptions,
    readonly submissionId: Hex,
  ) {}

  /**
   * One turn in every dispute; `over` once the submission is final or has fallen.
   *
   * All answers are on their way before the first receipt is waited for, so that a turn lasts about a block however
   * many disputes there are. Where some cannot be sent, the others are; then the first failure is thrown.
   */
  async turn(): Promise<Turn> {
    const { market } = this.options;
    const { status } = await market.submissionState(this.submissionId);
    if (status !== "revealed") return "over";
    const fromBlock = await firstBlockOf(market, this.submissionId);
    const ids = await disputesOf(market, this.submissionId, fromBlock);
    const logs = await readDisputes(market, ids, fromBlock);
    const time = await newestTime(market);
    const outcomes = await Promise.allSettled(
      [...logs].map(async ([disputeId, events]) => {
        const player = await this.#player(disputeId, fromBlock);
        return await player.turnOn({ events, fallen: false, time });
      }),
    );
    const turns = outcomes.map((outcome) => {
      if (outcome.status === "rejected") throw outcome.reason;
      return outcome.value;
    });
    return turns.includes("moved")
      ? "moved"
      : turns.includes("silent")
      ? "silent"
      : "waiting";
  }

  async #player(disputeId: Hex, fromBlock: bigint): Promise<ChainPlayer> {
    let player = this.players.get(disputeId);
    if (!player) {
      const dispute = {
        disputeId,
        submissionId: this.submissionId,
        fromBlock,
      };
      player = await ChainPlayer.join(this.options, "submitter", dispute);
      this.players.set(disputeId, player);
    }
    return player;
  }
}
