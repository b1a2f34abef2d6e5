/**
 * Whole disputes of two players on a local chain, as fast as it mines: request, answer, dispute, verdict.
 *
 * The players are those of any chain (chain_player.ts); this file only gives them turns one after the other and turns
 * the chain's clock when neither moves. What comes out is read from the chain.
 */
import type { Hex } from "viem";
import {
  type MarketClient,
  type RegistrationTerms,
  secondsLeft,
  type Side,
} from "../contracts/mod.ts";
import type { Commitment } from "../compiler/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import {
  ChainPlayer,
  type Manners,
  openDisputeOnChain,
  type PlayerOptions,
} from "./chain_player.ts";
import { type DisputeReport, reportDispute } from "./dispute_report.ts";
import { leastTerms, type LocalChain, type LocalParty } from "./local_chain.ts";
import type { Party } from "./party.ts";
import type { RequestTerms, StateView } from "./state_view.ts";
import { commitAnswer, revealAnswer } from "./submission.ts";

/** An account, and what it claims. */
export interface Contestant {
  readonly account: LocalParty;
  readonly party: Party<StateView>;
  readonly manners?: Manners;
}

/** A dispute that has been played. */
export interface PlayedDispute extends DisputeReport {
  readonly liar: Side;
  /** From the opening to the verdict. */
  readonly seconds: number;
}

/** Turns without an end: a guard against a game that does not end. */
const MAX_TURNS = 2000;

/** Registers a model on a local chain, under the least terms unless others are given. */
export async function registerLocally(
  market: MarketClient,
  { preimage, initialSlotRoots }: Commitment,
  terms?: RegistrationTerms,
): Promise<{ registrationId: Hex; gasUsed: bigint }> {
  return await market.register(
    { preimage, initialSlotRoots },
    terms ?? leastTerms(await market.limits()),
  );
}

/** Asks for a result with the inputs' bytes in calldata. */
export async function requestLocally(
  market: MarketClient,
  registrationId: Hex,
  { inputs, iterations, finish }: RequestTerms,
  details: { nonce: bigint; fee: bigint },
): Promise<{ requestId: Hex; gasUsed: bigint }> {
  return await market.request({
    registrationId,
    inputs: inputs.map((bytes) => ({ bytes })),
    iterations,
    finish,
    submitWindow: 3600,
    ...details,
  });
}

/** Commits and reveals what the contestant claims. */
export async function answerRequest(
  requestId: Hex,
  { account, party }: Contestant,
): Promise<{ gasUsed: bigint; submissionId: Hex }> {
  const { market, secret } = account;
  const { execution } = party;
  const first = await commitAnswer(market, requestId, execution, secret);
  const second = await revealAnswer(market, requestId, execution, secret);
  return {
    gasUsed: first.gasUsed + second.gasUsed,
    submissionId: first.submissionId,
  };
}

/** Plays a dispute about the request's live submission to its end. The honest side's refusal is an error. */
export async function playDispute(
  chain: LocalChain,
  requestId: Hex,
  sides: Readonly<Record<Side, Contestant>>,
  liar: Side,
): Promise<PlayedDispute> {
  const started = performance.now();
  const options = (side: Side): PlayerOptions => ({
    market: sides[side].account.market,
    claims: sides[side].party,
    secret: sides[side].account.secret,
    manners: sides[side].manners,
  });
  const { market } = sides.challenger.account;
  const { submissionId } = await market.requestState(requestId);
  const dispute = await openDisputeOnChain(options("challenger"), submissionId);
  const join = (side: Side) => ChainPlayer.join(options(side), side, dispute);
  const honest = await join(liar === "challenger" ? "submitter" : "challenger");
  await playOut(chain, honest, await join(liar));
  const seconds = (performance.now() - started) / 1000;
  const report = await reportDispute(market, dispute.disputeId);
  return { ...report, liar, seconds };
}

async function playOut(
  chain: LocalChain,
  honest: ChainPlayer,
  liar: ChainPlayer,
): Promise<void> {
  for (let turns = 0; turns < MAX_TURNS; turns++) {
    const turn = await honest.turn();
    if (honest.refusal) throw honest.refusal;
    if (turn === "over") return;
    if (turn === "moved") continue;
    if (await liar.turn() === "moved") continue;
    const view = await honest.view();
    if (view === undefined || view.phase === "resolved") continue;
    // Nobody moves, so time does; who comes too late may try.
    await chain.advance(1 + (secondsLeft(view, view.clocks.since) ?? 0));
    await liar.turn();
  }
  throw new ChainLearnError(
    `Cannot end dispute ${honest.disputeId}: expected an end within ${MAX_TURNS} turns`,
  );
}
