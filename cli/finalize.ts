/** `chainlearn finalize`: whatever is due for a request (final, refunded, rejected), then pulls the account's payments. */
import type { Command } from "commander";
import { type Hex, hexToBytes } from "viem";
import type { MarketClient, RequestReport, Sent } from "../contracts/mod.ts";
import { disputesOf, firstBlockOf } from "../dispute/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import {
  addChainOptions,
  type ChainOptions,
  ether,
  openMarket,
  parseId,
} from "./chain.ts";
import { formatTable, printJson } from "./terminal.ts";

/** The call that ends the request's present status; `undefined` where it has ended. */
function dueCall(
  market: MarketClient,
  requestId: Hex,
  { request }: RequestReport,
): Promise<Sent> | undefined {
  switch (request.status) {
    case "open":
      return market.refund(requestId);
    case "committed":
      return market.forfeit(requestId);
    case "revealed":
      return market.finalize(requestId);
    case "final":
    case "refunded":
      return undefined;
    case "none":
      throw new ChainLearnError(
        `Cannot finalize request ${requestId}: expected one that the market knows, found none`,
      );
    default:
      return request.status satisfies never;
  }
}

/** Settles this account's disputes about a submission that another dispute felled. */
async function settleOwn(
  market: MarketClient,
  submissionId: Hex,
): Promise<number> {
  const { status } = await market.submissionState(submissionId);
  if (status !== "fallen") return 0;
  const fromBlock = await firstBlockOf(market, submissionId);
  let settled = 0;
  for (const disputeId of await disputesOf(market, submissionId, fromBlock)) {
    const { status, challenger } = await market.disputeState(disputeId);
    if (status !== "open" || challenger !== market.connection.sender()) {
      continue;
    }
    await market.settleDispute(disputeId);
    settled++;
  }
  return settled;
}

async function finalize(
  requestId: Hex,
  options: ChainOptions & { submission?: Hex },
): Promise<void> {
  const { market } = await openMarket(options, "finalize");
  await dueCall(market, requestId, await market.status(requestId));
  const settled = options.submission === undefined
    ? 0
    : await settleOwn(market, options.submission);
  const credit = await market.credits(market.connection.sender());
  if (credit > 0n) await market.withdraw();
  const { request, outputs } = await market.status(requestId);
  const result = {
    status: request.status,
    outputs: outputs.map(({ data }) => hexToBytes(data)),
    settled,
    withdrawn: credit,
  };
  if (options.json) return printJson(result);
  console.log(formatTable([
    ["request", request.status],
    ...outputs.map(({ root, data }) => [
      "output",
      data === "0x" ? `root ${root}` : data,
    ]),
    ["withdrawn", ether(credit)],
  ]));
}

/** Adds the command's arguments and options. */
export function define(command: Command): void {
  command.argument("<request>", "the request's id", parseId);
  addChainOptions(command, true)
    .option(
      "--submission <id>",
      "also settle own disputes about this fallen submission",
      parseId,
    )
    .addHelpText(
      "after",
      "\nA revealed answer becomes final after its challenge period, a request without an answer is refunded, a commitment without a reveal is rejected. Payments of this account are pulled.\n\nExample:\n  chainlearn finalize 0x...",
    )
    .action(finalize);
}
