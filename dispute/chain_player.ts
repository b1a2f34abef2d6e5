/**
 * One side of one dispute on a chain: reads where it stands, decides, sends, calls time-outs.
 *
 * It keeps nothing between turns but what it has sent: the view is rebuilt from the chain's events at every turn, so a
 * re-organization, a repeated event or a restart changes nothing. Every move is simulated before it is sent. What to
 * claim comes from `Claims`, so a liar is the same player.
 */
import { bytesToHex, type Hex, hexToBytes } from "viem";
import {
  ContractRefusal,
  deriveSalt,
  type DisputeView,
  encodeMove,
  firstMoveCommitment,
  type MarketClient,
  type Move,
  secondsLeft,
  type Side,
} from "../contracts/mod.ts";
import { ChainLearnError, stepWitness } from "../fpvm/mod.ts";
import type { Claims } from "./claims.ts";
import { firstBlockOf, readDispute, viewOf } from "./dispute_log.ts";
import {
  arbitration,
  challengerMove,
  firstMove,
  submitterMove,
} from "./player.ts";

/** Who plays, and with what. */
export interface PlayerOptions {
  /** With the account of the side. */
  readonly market: MarketClient;
  readonly claims: Claims;
  /** 32 bytes that only the account's owner knows; salts derive from it. */
  readonly secret: Hex;
  /** How a liar stops; an honest player has none. */
  readonly manners?: Manners;
}

/** A player who does not play on. */
export interface Manners {
  /** Moves that are still made. */
  readonly moves: number;
  /** Tries the next one after its clock has run out, instead of none. */
  readonly late: boolean;
}

/**
 * What a turn came to; `silent`: this player will not move again, see `ChainPlayer.refusal`. `over`: the dispute has
 * ended, or another one has felled the submission, and this one is to be settled.
 */
export type Turn = "moved" | "waiting" | "silent" | "over";

/** Refusals that say that the dispute is elsewhere by now: read it again. */
const movedOn = new Set([
  "ClockRunning",
  "DisputeNotOpen",
  "NotYourTurn",
  "SubmissionFallen",
  "WrongPhase",
  "WrongTranscript",
]);

/** Turns in a row in which the events may fail to add up before that counts as an error. */
const MAX_GAPS = 20;

/** Opens a dispute against a submission, behind the claims' first move; never against one that took its place. */
export async function openDisputeOnChain(
  { market, claims, secret }: PlayerOptions,
  submissionId: Hex,
): Promise<{ disputeId: Hex; submissionId: Hex }> {
  const { requestId } = await market.submissionState(submissionId);
  const { registrationId } = await market.requestState(requestId);
  const { k } = await market.terms(registrationId);
  const first = firstMove(claims, k);
  const commitment = firstMoveCommitment(
    market.connection.sender(),
    first.claim,
    first.hashes,
    deriveSalt(secret, submissionId),
  );
  const { disputeId } = await market.openDispute(submissionId, commitment);
  return { disputeId, submissionId };
}

/** See the head of this file. */
export class ChainPlayer {
  /** Why it fell silent: the contract or its own claims refused a move. */
  refusal: ChainLearnError | undefined;
  #sent = 0;
  #gaps = 0;

  private constructor(
    private readonly options: PlayerOptions,
    readonly side: Side,
    readonly disputeId: Hex,
    private readonly fromBlock: bigint,
  ) {}

  /** Takes up one side of a dispute of the submission. */
  static async join(
    options: PlayerOptions,
    side: Side,
    dispute: { disputeId: Hex; submissionId: Hex },
  ): Promise<ChainPlayer> {
    const { disputeId, submissionId } = dispute;
    const fromBlock = await firstBlockOf(options.market, submissionId);
    return new ChainPlayer(options, side, disputeId, fromBlock);
  }

  /** The dispute as the chain tells it now; `undefined` where its opening is not on the chain. */
  async view(): Promise<DisputeView | undefined> {
    const { market } = this.options;
    return viewOf(await readDispute(market, this.disputeId, this.fromBlock));
  }

  /** Makes the move that is due, if one is. Throws where chain or node fail. */
  async turn(): Promise<Turn> {
    const view = await this.#follow();
    if (view === undefined) return "waiting";
    if (view.phase === "resolved" || await this.#fallen(view)) return "over";
    const expired = await this.#expired(view);
    if (view.turn !== this.side) {
      if (expired) return await this.#send(view, { kind: "time_out" });
      const witness = this.#winningArbitration(view);
      return witness ? await this.#send(view, witness) : "waiting";
    }
    if (this.refusal) return "silent";
    const { manners } = this.options;
    if (manners && this.#sent >= manners.moves) {
      if (!manners.late) return "silent";
      if (!expired) return "waiting";
    }
    const move = this.#decide(view);
    return move ? await this.#send(view, move) : "silent";
  }

  /**
   * Plays until the dispute is over; `poll` milliseconds between questions. Throws the refusal of an own move.
   * A view that is not `resolved` at the end says that another dispute was faster.
   */
  async play(poll: number, onMove?: (view: DisputeView) => void) {
    for (;;) {
      const turn = await this.turn();
      if (this.refusal) throw this.refusal;
      const view = await this.view();
      if (turn === "moved" && view) onMove?.(view);
      if (view && (turn === "over" || view.phase === "resolved")) return view;
      if (turn !== "moved") {
        await new Promise((resolve) => setTimeout(resolve, poll));
      }
    }
  }

  /** The view, or `undefined` while a node shows only some of the events. */
  async #follow(): Promise<DisputeView | undefined> {
    try {
      const view = await this.view();
      this.#gaps = 0;
      return view;
    } catch (error) {
      const gap = error instanceof ChainLearnError && error.exitCode !== 3;
      if (!gap || ++this.#gaps > MAX_GAPS) throw error;
      return undefined;
    }
  }

  async #fallen({ terms }: DisputeView): Promise<boolean> {
    const { market } = this.options;
    const { status } = await market.submissionState(terms.submissionId);
    return status === "fallen";
  }

  async #expired(view: DisputeView): Promise<boolean> {
    const { connection } = this.options.market;
    const { timestamp } = await connection.ask(
      "read the chain's time",
      () => connection.reader.getBlock(),
    );
    const left = secondsLeft(view, Number(timestamp));
    return left !== null && left < 0;
  }

  #decide(view: DisputeView): Move | undefined {
    const { claims, secret } = this.options;
    try {
      return this.side === "challenger"
        ? challengerMove(
          view,
          claims,
          deriveSalt(secret, view.terms.submissionId),
        )
        : submitterMove(view, claims);
    } catch (error) {
      if (!(error instanceof ChainLearnError)) throw error;
      this.refusal = error;
      return undefined;
    }
  }

  /** The submitter sends the one instruction himself where it shows the claim false, and need not wait. */
  #winningArbitration(view: DisputeView): Move | undefined {
    if (
      this.side !== "submitter" || view.phase !== "instruction" ||
      view.interval.hi - view.interval.lo !== 1n
    ) return undefined;
    const move = arbitration(view, this.options.claims);
    if (move.kind !== "arbitrate") return undefined;
    const { prestate, poststate } = stepWitness(hexToBytes(move.witness));
    const { low, high } = view.interval;
    return bytesToHex(prestate) === low && bytesToHex(poststate) !== high
      ? move
      : undefined;
  }

  async #send(view: DisputeView, move: Move): Promise<Turn> {
    try {
      // The client executes a call before it sends it: a refused move costs nothing.
      await this.options.market.move(encodeMove(view, move));
    } catch (error) {
      if (!(error instanceof ContractRefusal)) throw error;
      if (movedOn.has(error.errorName)) return "waiting";
      this.refusal = error;
      return "silent";
    }
    if (move.kind !== "time_out") this.#sent++;
    return "moved";
  }
}
