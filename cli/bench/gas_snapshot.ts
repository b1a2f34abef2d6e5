/**
 * What every transaction of fixed games costs, so that a change of the contracts' gas shows in review.
 *
 * Keys, salts, faults and the chain's clock are fixed, so that two runs give the same numbers to the last unit.
 * `tools/gas_snapshot.ts` writes them to `contracts/gas_snapshot.json`, a test compares.
 */
import { createPublicClient, createTestClient, type Hex, http } from "viem";
import { foundry } from "viem/chains";
import { type Commitment, resultLeaves } from "../../compiler/mod.ts";
import { gasOfStep, localLimits } from "../../contracts/mod.ts";
import {
  LeafTrace,
  type LocalChain,
  type PlayedDispute,
  startLocalChain,
} from "../../dispute/mod.ts";
import { executeOnce, type Place, playFaultsOn } from "./arena.ts";
import { gasByFunction } from "./gas_by_function.ts";
import { stepKinds, witnessesOf } from "./gas_steps.ts";
import { largest } from "./group.ts";
import { fixedModel, shippedInputs } from "./shipped_models.ts";
import { busiestNode } from "./small.ts";

/** Gas by `Contract.function` (the least and the most where they differ), by kind of step, and by game. */
export type GasSnapshot = Readonly<Record<string, number>>;

/** A time that all blocks count from, 1 January 2030. */
const START = 1_893_456_000;
const SEED = 1;

/** A chain whose blocks are a second apart, however long they take. */
async function startFixedChain(): Promise<LocalChain> {
  const chain = await startLocalChain({ timestamp: START });
  const options = { chain: foundry, transport: http(chain.rpcUrl) };
  const developer = createTestClient({ ...options, mode: "anvil" });
  await developer.setBlockTimestampInterval({ interval: 1 });
  // Deploying took as long as it took: the games begin at a time of their own, which stands in every move's calldata.
  await developer.setNextBlockTimestamp({ timestamp: BigInt(START + 1000) });
  await developer.mine({ blocks: 1 });
  const reader = createPublicClient(options);
  const advance = async (seconds: number) => {
    const { timestamp } = await reader.getBlock();
    const next = timestamp + BigInt(seconds);
    await developer.setNextBlockTimestamp({ timestamp: next });
    await developer.mine({ blocks: 1 });
  };
  return { ...chain, advance };
}

/** The first and the last leaf of the node with the most steps, of the first node and of the last; then a liar who stops. */
function placesOf(commitment: Commitment): Place[] {
  const last = commitment.model.nodes.length - 1;
  const places = [busiestNode(commitment), 0, last].flatMap((step) => {
    const leaf = resultLeaves(commitment.model, step) - 1;
    return leaf > 0 ? [{ step, leaf: 0 }, { step, leaf }] : [{ step, leaf }];
  });
  const silent = { moves: 2, late: false };
  return [...places, { step: last, leaf: 0, manners: silent }];
}

/** Ends the requests whose answers stood, and pays everybody out. */
async function payOut(
  chain: LocalChain,
  games: readonly PlayedDispute[],
): Promise<void> {
  const { market } = await chain.party("honest");
  const requests: Hex[] = [];
  for (const { disputeId, winner } of games) {
    if (winner === "challenger") continue;
    const { submissionId } = await market.disputeState(disputeId);
    requests.push((await market.submissionState(submissionId)).requestId);
  }
  await chain.advance(localLimits.maxChallengePeriod);
  for (const requestId of requests) await market.finalize(requestId);
  await market.withdraw();
}

/** Dearest single step of each kind, of the node with the most steps. */
async function gasOfSteps(
  { rpcUrl, deployment }: LocalChain,
  commitment: Commitment,
  inputs: Uint8Array[],
): Promise<Record<string, number>> {
  const node = busiestNode(commitment);
  const execution = await executeOnce(commitment, inputs);
  const middle = resultLeaves(commitment.model, node) >> 1;
  const trace = new LeafTrace(execution, node, middle);
  const witnesses = witnessesOf(trace.stateAt(0));
  const costs: Record<string, number> = {};
  for (const kind of stepKinds) {
    const list: number[] = [];
    for (const witness of witnesses[kind]) {
      list.push(await gasOfStep(rpcUrl, deployment.machine, witness));
    }
    costs[`step ${kind}`] = largest(list);
  }
  return costs;
}

/** Totals of a dispute; whose lie it was tells which branch the contracts took. */
function gasOfGames(games: readonly PlayedDispute[]): Record<string, number> {
  return Object.fromEntries(games.map(({ gas, liar, fault }) => [
    `game node ${fault.node ?? "-"}, leaf ${
      fault.leaf ?? "-"
    }, the ${liar} lies`,
    gas,
  ]));
}

/** Plays the fixed games over fashion_cnn in the folder of models; some seconds. */
export async function measureGasSnapshot(models: string): Promise<GasSnapshot> {
  const commitment = await fixedModel(models, "fashion_cnn");
  const cases = await shippedInputs(models, commitment, 4);
  await using chain = await startFixedChain();
  const arena = { commitment, cases, seed: SEED };
  const games = await playFaultsOn(chain, arena, placesOf(commitment));
  await payOut(chain, games);
  // Before the steps: these are transactions of the machine, too.
  const functions = await gasByFunction(chain);
  const snapshot: Record<string, number> = {};
  for (const [name, costs] of [...functions].sort()) {
    const [least, most] = [Math.min(...costs), Math.max(...costs)];
    if (least === most) snapshot[name] = most;
    else {
      snapshot[`${name} (least)`] = least;
      snapshot[`${name} (most)`] = most;
    }
  }
  return {
    ...snapshot,
    ...await gasOfSteps(chain, commitment, cases[0]),
    ...gasOfGames(games),
  };
}

/** One line for each number that is another one now, with the difference in gas and per cent; none where all are the same. */
export function compareGas(before: GasSnapshot, now: GasSnapshot): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return names.flatMap((name) => {
    const [old, found] = [before[name], now[name]];
    if (old === found) return [];
    if (old === undefined) return [`${name}: new, ${found}`];
    if (found === undefined) return [`${name}: gone, was ${old}`];
    const difference = found - old;
    const sign = difference > 0 ? "+" : "";
    const percent = (100 * difference / old).toFixed(2);
    return [
      `${name}: ${old} -> ${found} (${sign}${difference}, ${sign}${percent} %)`,
    ];
  });
}
