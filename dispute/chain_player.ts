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
import {
  firstBlockOf,
  type LoggedEvent,
  newestTime,
  readDispute,
  viewOf,
} from "./dispute_log.ts";
import { type Patience, persist } from "./patience.ts";
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

/** What a turn is decided on, read from the chain at the turn's start. */
export interface Sight {
  /** The dispute's events in order. */
  readonly events: readonly LoggedEvent[];
  /** Whether another dispute has felled the submission. */
  readonly fallen: boolean;
  /** Time of the newest block, in seconds. */
  readonly time: number;
}

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
    private readonly dispute: {
      readonly disputeId: Hex;
      readonly submissionId: Hex;
      readonly fromBlock: bigint;
    },
  ) {}

  get disputeId(): Hex {
    return this.dispute.disputeId;
  }

  /** Takes up one side of a dispute of the submission; `fromBlock` is looked up unless it is known. */
  static async join(
    options: PlayerOptions,
    side: Side,
    dispute: { disputeId: Hex; submissionId: Hex; fromBlock?: bigint },
  ): Promise<ChainPlayer> {
    const fromBlock = dispute.fromBlock ??
      await firstBlockOf(options.market, dispute.submissionId);
    return new ChainPlayer(options, side, { ...dispute, fromBlock });
  }

  /** The dispute as the chain tells it now; `undefined` where its opening is not on the chain. */
  async view(): Promise<DisputeView | undefined> {
    return viewOf(await this.#events());
  }

  /** Makes the move that is due, if one is. Throws where chain or node fail. */
  async turn(): Promise<Turn> {
    const { market } = this.options;
    const events = await this.#events();
    const [{ status }, time] = await Promise.all([
      market.submissionState(this.dispute.submissionId),
      newestTime(market),
    ]);
    return await this.turnOn({ events, fallen: status === "fallen", time });
  }

  /** As `turn`, on what the caller has read for several disputes at once. */
  async turnOn({ events, fallen, time }: Sight): Promise<Turn> {
    const view = this.#follow(events);
    if (view === undefined) return "waiting";
    if (view.phase === "resolved" || fallen) return "over";
    const left = secondsLeft(view, time);
    const expired = left !== null && left < 0;
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
   * A node that fails is asked again as long as `patience` has it; without one its first failure is thrown.
   * A view that is not `resolved` at the end says that another dispute was faster.
   */
  async play(
    poll: number,
    { patience = { seconds: 0 }, onMove }: {
      patience?: Patience;
      onMove?: (view: DisputeView) => void;
    } = {},
  ): Promise<DisputeView> {
    for (;;) {
      const turn = await persist(() => this.turn(), patience);
      if (this.refusal) throw this.refusal;
      const view = await persist(() => this.view(), patience);
      if (turn === "moved" && view) onMove?.(view);
      if (view && (turn === "over" || view.phase === "resolved")) return view;
      if (turn !== "moved") {
        await new Promise((resolve) => setTimeout(resolve, poll));
      }
    }
  }

  #events(): Promise<LoggedEvent[]> {
    const { disputeId, fromBlock } = this.dispute;
    return readDispute(this.options.market, disputeId, fromBlock);
  }

  /** The view, or `undefined` while a node shows only some of the events. */
  #follow(events: readonly LoggedEvent[]): DisputeView | undefined {
    try {
      const view = viewOf(events);
      this.#gaps = 0;
      return view;
    } catch (error) {
      const gap = error instanceof ChainLearnError;
      if (!gap || ++this.#gaps > MAX_GAPS) throw error;
      return undefined;
    }
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
