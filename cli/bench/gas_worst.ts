/**
 * The dearest transaction of every function, searched at the limits of models, games and witnesses.
 *
 * Disputes between parties that make up everything (deep_claims.ts), and single steps with the longest witnesses
 * (deep_states.ts). What a caller may make as long as he likes and pays alone (an upload, a registration) is taken at the
 * length that the contracts allow or the client uses.
 */
import { bytesToHex, type Hex } from "viem";
import {
  deriveSalt,
  gasOfStep,
  type MarketClient,
  revealProof,
  type Side,
} from "../../contracts/mod.ts";
import {
  ChainPlayer,
  type Draw,
  drawsFrom,
  leastTerms,
  type LocalChain,
  type LocalParty,
  openDisputeOnChain,
  startLocalChain,
} from "../../dispute/mod.ts";
import { ChainLearnError, stepWitness } from "../../fpvm/mod.ts";
import { formatCount, formatTable } from "../terminal.ts";
import { DeepClaims, DeepModel, type DeepShape } from "./deep_claims.ts";
import { deepWitness } from "./deep_states.ts";
import { gasByFunction } from "./gas_by_function.ts";
import { playWideRequests } from "./gas_market.ts";
import { type StepKind, stepKinds } from "./gas_steps.ts";
import { type BenchContext, largest, type Measures } from "./group.ts";

/** Gas of a block of the main chain since November 2025. */
const BLOCK_GAS = 60e6;
/** What a block is to have room for. */
const SPARE = 10;
const STEPS_OF_A_KIND = 24;
const GAMES = 10;
const MAX_TURNS = 1000;

interface DeepGame {
  readonly shape: DeepShape;
  readonly k: number;
  readonly q: number;
  /** The challenger claims the truth about the disputed instruction. */
  readonly right: boolean;
  /** Moves after which the submitter falls silent. */
  readonly silentAfter?: number;
}

/** Everything at its limit, each ending and kind of instruction in turn; then drawn ones. */
function drawGame(game: number, draw: Draw): DeepGame {
  const extreme = game < 6;
  const pick = <T>(first: T, ...rest: T[]) =>
    extreme ? first : [first, ...rest][draw(rest.length + 1)];
  return {
    k: pick(32, 2, 3, 16),
    q: pick(5, 1, 2, 4),
    right: game % 2 === 1,
    silentAfter: game === 5 ? 1 : undefined,
    shape: {
      depth: pick(31, 20, 8),
      operands: pick(31, 1, 0),
      operandKind: game % 2 === 0 ? "weight" : "slot",
      height: pick(26, 9, 1),
      vmSteps: pick(2 ** 28 - 1, 1000, 17),
      instruction: stepKinds[game % stepKinds.length],
      finish: game === 4,
    },
  };
}

/** Plays one dispute from registration to verdict. */
async function playDeepGame(
  chain: LocalChain,
  sides: Readonly<Record<Side, LocalParty>>,
  { shape, k, q, right, silentAfter }: DeepGame,
  draw: Draw,
): Promise<void> {
  const model = new DeepModel(shape, draw);
  const { market, secret } = sides.submitter;
  const terms = leastTerms(await market.limits(), { k, q });
  const { registrationId } = await market.register(
    { preimage: model.preimage, initialSlotRoots: [] },
    terms,
  );
  const { requestId } = await market.request({
    registrationId,
    inputs: [],
    iterations: 1,
    submitWindow: 3600,
    fee: 1n,
  });
  const claims = {
    submitter: new DeepClaims(model, "submitter", !right),
    challenger: new DeepClaims(model, "challenger", right),
  };
  await answer(market, requestId, model, claims.submitter, secret);
  const { submissionId } = await market.requestState(requestId);
  const options = (side: Side) => ({
    market: sides[side].market,
    claims: claims[side],
    secret: sides[side].secret,
    ...(side === "submitter" && silentAfter !== undefined
      ? { manners: { moves: silentAfter, late: false } }
      : {}),
  });
  const dispute = await openDisputeOnChain(options("challenger"), submissionId);
  // A second one, which has nothing left to dispute once the first has felled the submission.
  const second = silentAfter === undefined
    ? undefined
    : await openDisputeOnChain(
      { ...options("challenger"), ...sides.submitter },
      submissionId,
    );
  const challenger = await ChainPlayer.join(
    options("challenger"),
    "challenger",
    dispute,
  );
  const submitter = await ChainPlayer.join(
    options("submitter"),
    "submitter",
    dispute,
  );
  for (let turns = 0; turns < MAX_TURNS; turns++) {
    const turn = await challenger.turn();
    const refusal = challenger.refusal ?? submitter.refusal;
    if (refusal) throw refusal;
    if (turn === "over") {
      if (second) await market.settleDispute(second.disputeId);
      return;
    }
    if (turn === "moved") continue;
    if (await submitter.turn() !== "moved" && silentAfter !== undefined) {
      await chain.advance(terms.clock + 1);
    }
  }
  throw new ChainLearnError(
    `Cannot end dispute ${dispute.disputeId}: expected an end within ${MAX_TURNS} turns`,
  );
}

async function answer(
  market: MarketClient,
  requestId: Hex,
  model: DeepModel,
  claims: DeepClaims,
  secret: Hex,
): Promise<void> {
  const claim = claims.stateRoot(claims.steps);
  const salt = deriveSalt(secret, requestId, 0);
  await market.commit(requestId, claim, salt);
  const { siblings } = revealProof(model.preimage, [claims.output], true);
  await market.reveal(requestId, {
    claim,
    salt,
    outputs: [claims.output],
    siblings: siblings.map((s) => bytesToHex(s)),
  });
}

/** Sends steps with the longest witnesses; gas by kind, and the longest witness. */
async function sendDeepSteps(
  { rpcUrl, deployment }: LocalChain,
  draw: Draw,
): Promise<{ gas: Map<StepKind, number>; bytes: number }> {
  const gas = new Map<StepKind, number>();
  let bytes = 0;
  for (const kind of stepKinds) {
    for (let i = 0; i < STEPS_OF_A_KIND; i++) {
      const witness = deepWitness(kind, draw);
      stepWitness(witness);
      bytes = Math.max(bytes, witness.length);
      const cost = await gasOfStep(rpcUrl, deployment.machine, witness);
      gas.set(kind, Math.max(gas.get(kind) ?? 0, cost));
    }
  }
  return { gas, bytes };
}

/** Prints the table, says which functions fill more than a tenth of a block, and gives the longest witness' length. */
export async function measureWorst(
  { seed, say }: BenchContext,
): Promise<Measures> {
  const draw = drawsFrom(seed);
  await using chain = await startLocalChain();
  const sides = {
    submitter: await chain.party("submitter"),
    challenger: await chain.party("challenger"),
  };
  for (let game = 0; game < GAMES; game++) {
    await playDeepGame(chain, sides, drawGame(game, draw), draw);
  }
  await playWideRequests(chain, sides.submitter, draw);
  const { gas, bytes } = await sendDeepSteps(chain, draw);
  const costs = await gasByFunction(chain);
  const worst = [...costs].map(([name, list]) => [name, largest(list)] as const)
    .filter(([name]) => !name.endsWith(".constructor"))
    .sort(([, a], [, b]) => b - a);
  const rows = [
    ...worst,
    ...[...gas].map(([kind, cost]) => [`one step: ${kind}`, cost] as const),
  ].map(([name, cost]) => [
    name,
    formatCount(cost),
    (BLOCK_GAS / cost).toFixed(0),
  ]);
  formatTable(rows, ["dearest transaction", "gas", "in a block"])
    .split("\n").forEach(say);
  say(`Longest witness: ${bytes} bytes`);
  for (const [name, most] of worst) {
    if (most * SPARE <= BLOCK_GAS) continue;
    say(
      `${name}: a block of ${
        formatCount(BLOCK_GAS)
      } gas has room for fewer than ${SPARE}`,
    );
  }
  return { "witness.maxBytes": bytes };
}
