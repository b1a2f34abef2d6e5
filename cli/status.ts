/** `chainlearn status`: the market's limits, or what an id names and where it stands. */
import type { Command } from "commander";
import type { Hex } from "viem";
import { type MarketClient, secondsLeft } from "../contracts/mod.ts";
import { firstBlockOf, readDispute, viewOf } from "../dispute/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import {
  addChainOptions,
  type ChainOptions,
  ether,
  openReader,
  parseId,
} from "./chain.ts";
import { formatTable, printJson } from "./terminal.ts";

type Facts = Readonly<Record<string, unknown>>;

const asTime = (seconds: number) => new Date(1000 * seconds).toISOString();

async function limitsOf(market: MarketClient): Promise<Facts> {
  return {
    kind: "market",
    ...market.deployment,
    ...await market.limits(),
    burned: await market.burned(),
  };
}

async function registrationOf(
  market: MarketClient,
  id: Hex,
): Promise<Facts> {
  const { modelRoot, registrant } = await market.registration(id);
  return {
    kind: "registration",
    modelRoot,
    registrant,
    ...await market.terms(id),
  };
}

async function requestOf(market: MarketClient, id: Hex): Promise<Facts> {
  const { request, submission, outputs, latestEnd } = await market.status(id);
  return {
    kind: "request",
    ...request,
    submitter: submission?.submitter ?? null,
    claim: submission?.claim ?? null,
    openDisputes: submission?.openDisputes ?? 0,
    outputs: outputs.map(({ root, data }) => data === "0x" ? root : data),
    latestEnd: asTime(latestEnd),
  };
}

async function submissionOf(market: MarketClient, id: Hex): Promise<Facts> {
  const state = await market.submissionState(id);
  return { kind: "submission", ...state, since: asTime(state.since) };
}

async function disputeOf(market: MarketClient, id: Hex): Promise<Facts> {
  const { status, submissionId, challenger } = await market.disputeState(id);
  const fromBlock = await firstBlockOf(market, submissionId);
  const view = viewOf(await readDispute(market, id, fromBlock));
  const { timestamp } = await market.connection.ask(
    "read the chain's time",
    () => market.connection.reader.getBlock(),
  );
  const left = view && secondsLeft(view, Number(timestamp));
  return {
    kind: "dispute",
    status,
    submissionId,
    challenger,
    submitter: view?.terms.submitter ?? null,
    phase: view?.phase ?? null,
    turn: view?.turn ?? null,
    secondsLeft: left ?? null,
  };
}

/** What an id names: each kind is asked for, since ids are hashes of their content and tell nothing. */
async function find(market: MarketClient, id: Hex): Promise<Facts> {
  for (const read of [requestOf, registrationOf, submissionOf, disputeOf]) {
    try {
      return await read(market, id);
    } catch (error) {
      // Unknown here: the next kind. A chain that fails is no such answer.
      if (!(error instanceof ChainLearnError) || error.exitCode === 3) {
        throw error;
      }
    }
  }
  throw new ChainLearnError(
    `Cannot find ${id}: expected a registration, request, submission or dispute, found none`,
    { hint: "Check the id and the chain." },
  );
}

async function status(
  id: Hex | undefined,
  options: ChainOptions,
): Promise<void> {
  const market = await openReader(options, "show a status");
  const facts = id === undefined
    ? await limitsOf(market)
    : await find(market, id);
  if (options.json) return printJson(facts);
  const shown = Object.entries(facts).filter(([, value]) =>
    typeof value !== "object" || Array.isArray(value) || value === null
  );
  const rows = shown.map(([name, value]) => [
    name,
    typeof value === "bigint" && name !== "steps"
      ? ether(value)
      : Array.isArray(value)
      ? value.join(", ")
      : String(value ?? "-"),
  ]);
  console.log(formatTable(rows));
}

/** Adds the command's arguments and options. */
export function define(command: Command): void {
  command.argument(
    "[id]",
    "of a registration, request, submission or dispute",
    parseId,
  );
  addChainOptions(command, false)
    .addHelpText(
      "after",
      "\nWithout an id it shows the market's limits.\n\nExamples:\n  chainlearn status\n  chainlearn status 0x...",
    )
    .action(status);
}
