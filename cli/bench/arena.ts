/** Disputes of a shipped model on a chain of its own, one fault after the other, for the groups that count gas. */
import type { Hex } from "viem";
import type { Side } from "../../contracts/mod.ts";
import {
  answerRequest,
  type Contestant,
  type Draw,
  drawsFrom,
  Execution,
  type FaultWish,
  findFault,
  type Liar,
  type LocalChain,
  type LocalParty,
  type Manners,
  Party,
  playDispute,
  type PlayedDispute,
  registerLocally,
  requestLocally,
  type RequestTerms,
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
  { commitment, cases, seed }: ArenaOptions,
  places: readonly Place[],
): Promise<PlayedDispute[]> {
  const executor = await createCpuExecutor(commitment.model);
  try {
    const arena = await openArena(chain);
    const { market } = arena.honest;
    const truths: Execution[] = [];
    for (const inputs of cases) {
      truths.push(await Execution.run(commitment, onceOver(inputs), executor));
    }
    const { registrationId } = await registerLocally(market, commitment);
    const played: PlayedDispute[] = [];
    for (const [game, { manners, ...where }] of places.entries()) {
      // Not every leaf matters for every input.
      const first = (seed + game) % truths.length;
      const tried = [...truths.slice(first), ...truths.slice(0, first)];
      const wish: FaultWish = { kind: "consistent", ...where };
      const found = await findLie(
        tried,
        executor,
        wish,
        drawsFrom(seed + game),
      );
      played.push(
        await playLie(arena, {
          name: `node ${found.fault.step}, leaf ${found.fault.leaf}`,
          registrationId,
          game,
          truth: new Party(found.truth),
          lie: found.party,
          liar: game % 2 === 0 ? "submitter" : "challenger",
          manners,
        }),
      );
    }
    return played;
  } finally {
    executor.close();
  }
}

/** A chain with an account for each side. */
export interface Arena {
  readonly chain: LocalChain;
  readonly honest: LocalParty;
  readonly liar: LocalParty;
}

/** Makes the accounts. */
export async function openArena(chain: LocalChain): Promise<Arena> {
  const honest = await chain.party("honest");
  return { chain, honest, liar: await chain.party("liar") };
}

/** What two parties are to dispute. */
export interface Quarrel {
  /** What it is about, for the error. */
  readonly name: string;
  readonly registrationId: Hex;
  /** Number of the request under the registration. */
  readonly game: number;
  readonly truth: Contestant["party"];
  readonly lie: Contestant["party"];
  readonly liar: Side;
  /** How the liar stops; by default he plays to the end. */
  readonly manners?: Manners;
}

/** Requests, answers and disputes on the chain; throws where the liar wins. */
export async function playLie(
  { chain, honest, liar }: Arena,
  quarrel: Quarrel,
): Promise<PlayedDispute> {
  const { truth, lie, manners } = quarrel;
  const lying = { account: liar, party: lie, manners };
  const right = { account: honest, party: truth };
  const sides = quarrel.liar === "challenger"
    ? { challenger: lying, submitter: right }
    : { challenger: right, submitter: lying };
  const { requestId } = await requestLocally(
    honest.market,
    quarrel.registrationId,
    truth.execution.terms,
    { nonce: BigInt(quarrel.game), fee: 1n },
  );
  await answerRequest(requestId, sides.submitter);
  const played = await playDispute(chain, requestId, sides, quarrel.liar);
  if (played.winner === quarrel.liar) {
    throw new ChainLearnError(
      `Cannot trust the dispute about ${quarrel.name}: expected the honest side to win, found the lying ${quarrel.liar}`,
      { exitCode: 1 },
    );
  }
  return played;
}

/** A fault that changes the answer, in the first of the executions that has one. */
export async function findLie(
  truths: Iterable<Execution> | AsyncIterable<Execution>,
  executor: Executor,
  wish: FaultWish,
  draw: Draw,
): Promise<Liar & { readonly truth: Execution }> {
  let refusal: unknown;
  for await (const truth of truths) {
    try {
      return { truth, ...await findFault(truth, executor, wish, draw) };
    } catch (error) {
      if (!(error instanceof ChainLearnError)) throw error;
      refusal = error;
    }
  }
  throw refusal;
}

/** The terms of one run over the inputs. */
export const onceOver = (inputs: readonly Uint8Array[]): RequestTerms => ({
  inputs,
  iterations: 1,
  finish: true,
});

/** One run over the inputs on the CPU, which keeps no thread after it. */
export async function executeOnce(
  commitment: Commitment,
  inputs: readonly Uint8Array[],
): Promise<Execution> {
  const executor = await createCpuExecutor(commitment.model);
  return await Execution.run(commitment, onceOver(inputs), executor)
    .finally(() => executor.close());
}
