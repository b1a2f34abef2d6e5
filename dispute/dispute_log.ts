/**
 * What the chain says about a dispute: the game's events in order, and the view that they add up to.
 *
 * Every read starts from the logs again, so that a re-organization needs no undoing: events that are no longer on the
 * chain are simply not read. It decides nothing and sends nothing.
 */
import {
  encodeEventTopics,
  type Hex,
  hexToBigInt,
  hexToNumber,
  numberToHex,
} from "viem";
import {
  applyEvent,
  decodeGameEvent,
  type DisputeView,
  gameAbi,
  type GameEvent,
  type MarketClient,
} from "../contracts/mod.ts";

/** An event of the game with its place on the chain. */
export interface LoggedEvent {
  readonly event: GameEvent;
  readonly block: bigint;
  /** Position among the block's logs. */
  readonly index: number;
  readonly transaction: Hex;
  /** True where the chain took it back. */
  readonly removed: boolean;
}

/** Blocks before a submission's reveal from which its disputes are read: a re-organization may move it. */
const REORGANIZED_BLOCKS = 64n;

/** Each event once, in the chain's order, without those that were taken back. */
export function inOrder(events: readonly LoggedEvent[]): LoggedEvent[] {
  const byPlace = new Map<string, LoggedEvent>();
  for (const event of events) {
    const place = `${event.block}/${event.index}`;
    if (!event.removed) byPlace.set(place, event);
  }
  return [...byPlace.values()].sort((a, b) =>
    a.block === b.block ? a.index - b.index : a.block < b.block ? -1 : 1
  );
}

/** The view after all events of one dispute; `undefined` before its opening. Throws where one is missing. */
export function viewOf(
  events: readonly LoggedEvent[],
): DisputeView | undefined {
  let view: DisputeView | undefined;
  for (const { event } of inOrder(events)) view = applyEvent(view, event);
  return view;
}

/** The views of a dispute, one after each of its events. */
export function historyOf(events: readonly LoggedEvent[]): DisputeView[] {
  let view: DisputeView | undefined;
  return inOrder(events).map(({ event }) => view = applyEvent(view, event));
}

/** All events of one dispute. */
export async function readDispute(
  market: MarketClient,
  disputeId: Hex,
  fromBlock: bigint,
): Promise<LoggedEvent[]> {
  return inOrder(await readLogs(market, [null, disputeId], fromBlock));
}

/** All events of several disputes, in one question; a dispute without events has an empty list. */
export async function readDisputes(
  market: MarketClient,
  disputeIds: readonly Hex[],
  fromBlock: bigint,
): Promise<Map<Hex, LoggedEvent[]>> {
  const found = new Map(disputeIds.map((id) => [id, [] as LoggedEvent[]]));
  if (found.size === 0) return found;
  const events = await readLogs(market, [null, [...disputeIds]], fromBlock);
  for (const logged of inOrder(events)) {
    found.get(logged.event.args.disputeId)?.push(logged);
  }
  return found;
}

/** Ids of all disputes of a submission, in the order of their opening. */
export async function disputesOf(
  market: MarketClient,
  submissionId: Hex,
  fromBlock: bigint,
): Promise<Hex[]> {
  const [opened] = encodeEventTopics({ abi: gameAbi, eventName: "Opened" });
  const topics = [opened, null, submissionId];
  const events = await readLogs(market, topics, fromBlock);
  return inOrder(events).map(({ event }) => event.args.disputeId);
}

/** The block from which a submission's disputes are to be read. */
export async function firstBlockOf(
  market: MarketClient,
  submissionId: Hex,
): Promise<bigint> {
  const { sinceBlock } = await market.submissionState(submissionId);
  const early = BigInt(sinceBlock) - REORGANIZED_BLOCKS;
  const deployed = BigInt(market.deployment.block);
  return early > deployed ? early : deployed;
}

/** Time of the newest block, in seconds. */
export async function newestTime(
  { connection }: MarketClient,
): Promise<number> {
  const { timestamp } = await connection.ask(
    "read the chain's time",
    () => connection.reader.getBlock(),
  );
  return Number(timestamp);
}

async function readLogs(
  market: MarketClient,
  topics: (Hex | Hex[] | null)[],
  fromBlock: bigint,
): Promise<LoggedEvent[]> {
  const { connection, deployment } = market;
  const logs = await connection.ask(
    "read the game's events",
    () =>
      connection.reader.request({
        method: "eth_getLogs",
        params: [{
          address: deployment.game,
          topics,
          fromBlock: numberToHex(fromBlock),
        }],
      }),
  );
  return logs.flatMap((log) =>
    // A pending log has no place yet.
    log.blockNumber === null || log.logIndex === null ||
      log.transactionHash === null
      ? []
      : [{
        event: decodeGameEvent(log),
        block: hexToBigInt(log.blockNumber),
        index: hexToNumber(log.logIndex),
        transaction: log.transactionHash,
        removed: log.removed,
      }]
  );
}
