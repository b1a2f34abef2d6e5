/**
 * Many disputes with one random fault each, on one local chain: does the honest side win all of them?
 *
 * Every kind of fault, either side lying, silence and late moves; the same seed plays the same games. Counts come from
 * the chain's verdicts.
 */
import type { Hex } from "viem";
import type { Side } from "../contracts/mod.ts";
import type { Commitment } from "../compiler/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import { createCpuExecutor, type Executor } from "../runtime/mod.ts";
import {
  answerRequest,
  playDispute,
  type PlayedDispute,
  registerLocally,
  requestLocally,
} from "./chain_game.ts";
import type { Manners } from "./chain_player.ts";
import { Execution } from "./execution.ts";
import { findFault } from "./fault_choice.ts";
import { type Fault, type FaultKind, faultKinds } from "./faults.ts";
import {
  type LocalChain,
  type LocalParty,
  startLocalChain,
} from "./local_chain.ts";
import { Party } from "./party.ts";
import { type Draw, drawsFrom } from "./seeded.ts";

/** A model and the inputs that its games are about. */
export interface CampaignModel {
  readonly commitment: Commitment;
  /** Bytes of every input, once per case; at least one case. */
  readonly cases: readonly (readonly Uint8Array[])[];
}

/** One game of a campaign. */
export interface CampaignGame extends PlayedDispute {
  readonly model: string;
  readonly lie: Fault;
  /** Whether the liar tried to move after his time. */
  readonly late: boolean;
}

export interface CampaignOptions {
  readonly games: number;
  readonly seed: number;
  readonly models: readonly CampaignModel[];
  /** Called after every game. */
  readonly onGame?: (game: CampaignGame) => void;
}

export interface CampaignResult {
  readonly games: number;
  readonly honestWins: number;
  /** The games that the liar won: each one is a hole. */
  readonly lost: readonly CampaignGame[];
}

/** Liars that stop in the middle stop after fewer moves than this. */
const MOST_MOVES = 6;

/** A model that is registered, with its true executions. */
interface Stage {
  readonly registrationId: Hex;
  readonly executor: Executor;
  readonly truths: readonly Execution[];
}

/** Plays the games one after the other on a chain of its own. Throws where the honest side has a move refused. */
export async function playCampaign(
  options: CampaignOptions,
): Promise<CampaignResult> {
  await using chain = await startLocalChain();
  const accounts = {
    honest: await chain.party("honest"),
    liar: await chain.party("liar"),
  };
  const draw = drawsFrom(options.seed);
  const stages: Stage[] = [];
  try {
    for (const model of options.models) {
      stages.push(await openStage(accounts.honest, model));
    }
    const lost: CampaignGame[] = [];
    for (let game = 0; game < options.games; game++) {
      const stage = stages[game % stages.length];
      const played = await playGame(chain, stage, accounts, game, draw);
      if (played.winner === played.liar) lost.push(played);
      options.onGame?.(played);
    }
    return {
      games: options.games,
      honestWins: options.games - lost.length,
      lost,
    };
  } finally {
    for (const { executor } of stages) executor.close();
  }
}

async function openStage(
  { market }: LocalParty,
  { commitment, cases }: CampaignModel,
): Promise<Stage> {
  if (cases.length === 0) {
    throw new ChainLearnError(
      `Cannot play "${commitment.model.name}": expected inputs of at least one case, found none`,
    );
  }
  const executor = await createCpuExecutor(commitment.model, { threads: 1 });
  const truths: Execution[] = [];
  for (const inputs of cases) {
    const terms = { inputs, iterations: 1, finish: true };
    truths.push(await Execution.run(commitment, terms, executor));
  }
  const { registrationId } = await registerLocally(market, commitment);
  return { registrationId, executor, truths };
}

/** Every kind in turn, so that a short campaign has them all; the rest is drawn. */
function wishOf(game: number, draw: Draw) {
  const kind: FaultKind = faultKinds[Math.floor(game / 2) % faultKinds.length];
  const stops = kind === "silence" || draw(8) === 0;
  const manners: Manners | undefined = stops
    ? { moves: draw(MOST_MOVES), late: draw(2) === 1 }
    : undefined;
  return { kind, manners };
}

async function playGame(
  chain: LocalChain,
  { registrationId, executor, truths }: Stage,
  accounts: { honest: LocalParty; liar: LocalParty },
  game: number,
  draw: Draw,
): Promise<CampaignGame> {
  const truth = truths[draw(truths.length)];
  const liar: Side = draw(2) === 0 ? "challenger" : "submitter";
  const { kind, manners } = wishOf(game, draw);
  const moves = manners?.moves ?? 0;
  const lie = await findFault(truth, executor, { kind, moves }, draw);
  const honest = { account: accounts.honest, party: new Party(truth) };
  const lying = { account: accounts.liar, party: lie.party, manners };
  const sides = liar === "challenger"
    ? { challenger: lying, submitter: honest }
    : { challenger: honest, submitter: lying };
  const { requestId } = await requestLocally(
    accounts.honest.market,
    registrationId,
    truth.terms,
    { nonce: BigInt(game), fee: 1n },
  );
  await answerRequest(requestId, sides.submitter);
  const played = await playDispute(chain, requestId, sides, liar);
  const model = truth.commitment.model.name;
  const late = manners?.late ?? false;
  return { ...played, model, lie: lie.fault, late };
}
