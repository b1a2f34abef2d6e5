/** Disputes of a shipped model on a chain of its own, one fault after the other, for the groups that count gas. */
import type { Hex } from "viem";
import type { Side } from "../../contracts/mod.ts";
import {
  answerRequest,
  drawsFrom,
  Execution,
  type FaultWish,
  findFault,
  type LocalChain,
  type LocalParty,
  type Manners,
  Party,
  playDispute,
  type PlayedDispute,
  registerLocally,
  requestLocally,
  startLocalChain,
} from "../../dispute/mod.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import { createCpuExecutor, type Executor } from "../../runtime/mod.ts";
import type { Commitment } from "../../compiler/mod.ts";

/** Where a fault is put; the parts that are left out are drawn. */
export interface Place {
  readonly step?: number;
  readonly leaf?: number;
  /** How the liar stops; by default he plays to the end. */
  readonly manners?: Manners;
}

export interface ArenaOptions {
  readonly commitment: Commitment;
  readonly cases: readonly (readonly Uint8Array[])[];
  readonly seed: number;
}

/** One dispute for each place, the sides lying in turn, on a chain of their own. */
export async function playFaults(
  options: ArenaOptions,
  places: readonly Place[],
): Promise<PlayedDispute[]> {
  await using chain = await startLocalChain();
  return await playFaultsOn(chain, options, places);
}

/** As {@linkcode playFaults}, on a chain without registrations. */
export async function playFaultsOn(
  chain: LocalChain,
  options: ArenaOptions,
  places: readonly Place[],
): Promise<PlayedDispute[]> {
  const { commitment, cases, seed } = options;
  const executor = await createCpuExecutor(commitment.model);
  try {
    const honest = await chain.party("honest");
    const liar = await chain.party("liar");
    const truths: Execution[] = [];
    for (const inputs of cases) {
      const terms = { inputs, iterations: 1, finish: true };
      truths.push(await Execution.run(commitment, terms, executor));
    }
    const { registrationId } = await registerLocally(honest.market, commitment);
    const arena = { chain, honest, liar, executor, truths, registrationId };
    const played: PlayedDispute[] = [];
    for (const [game, place] of places.entries()) {
      played.push(await playFault(arena, place, game, seed));
    }
    return played;
  } finally {
    executor.close();
  }
}

interface Arena {
  readonly chain: LocalChain;
  readonly honest: LocalParty;
  readonly liar: LocalParty;
  readonly executor: Executor;
  readonly truths: readonly Execution[];
  readonly registrationId: Hex;
}

async function playFault(
  arena: Arena,
  place: Place,
  game: number,
  seed: number,
): Promise<PlayedDispute> {
  const { chain, honest, liar, registrationId } = arena;
  const { truth, lie } = await findLie(arena, place, seed + game);
  const side: Side = game % 2 === 0 ? "submitter" : "challenger";
  const { manners } = place;
  const lying = { account: liar, party: lie.party, manners };
  const right = { account: honest, party: new Party(truth) };
  const sides = side === "challenger"
    ? { challenger: lying, submitter: right }
    : { challenger: right, submitter: lying };
  const { requestId } = await requestLocally(
    honest.market,
    registrationId,
    truth.terms,
    { nonce: BigInt(game), fee: 1n },
  );
  await answerRequest(requestId, sides.submitter);
  const played = await playDispute(chain, requestId, sides, side);
  if (played.winner === side) {
    throw new ChainLearnError(
      `Cannot trust the dispute about node ${lie.fault.step}, leaf ${lie.fault.leaf}: expected the honest side to win, found the lying ${side}`,
      { exitCode: 1 },
    );
  }
  return played;
}

/** A fault at the place that changes the answer to some input; not every leaf matters for every input. */
async function findLie(
  { truths, executor }: Arena,
  place: Place,
  seed: number,
) {
  const { manners: _, ...where } = place;
  const wish: FaultWish = { kind: "consistent", ...where };
  const draw = drawsFrom(seed);
  let refusal: unknown;
  for (let i = 0; i < truths.length; i++) {
    const truth = truths[(seed + i) % truths.length];
    try {
      return { truth, lie: await findFault(truth, executor, wish, draw) };
    } catch (error) {
      if (!(error instanceof ChainLearnError)) throw error;
      refusal = error;
    }
  }
  throw refusal;
}
