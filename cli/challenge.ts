/** `chainlearn challenge`: re-runs a submission and, where it is false, disputes it to the end. */
import type { Command } from "commander";
import { bytesToHex, type Hex } from "viem";
import type { DisputeView, MarketClient } from "../contracts/mod.ts";
import {
  ChainPlayer,
  type DisputeReport,
  disputesOf,
  firstBlockOf,
  openDisputeOnChain,
  type Patience,
  persist,
  type PlayerOptions,
  readDispute,
  reportDispute,
  sendOrFind,
  viewOf,
} from "../dispute/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import {
  addChainOptions,
  type ChainOptions,
  openMarket,
  parseId,
} from "./chain.ts";
import { collect } from "./options.ts";
import {
  patienceOf,
  POLL,
  runRequest,
  type RunRequestOptions,
} from "./requested_run.ts";
import {
  formatCount,
  formatTable,
  note,
  paint,
  printJson,
} from "./terminal.ts";

type ChallengeOptions = ChainOptions & RunRequestOptions;

async function challenge(
  path: string,
  requestId: Hex,
  options: ChallengeOptions,
): Promise<void> {
  const { market, secret } = await openMarket(options, "challenge");
  const { request, submission } = await market.status(requestId);
  if (request.status !== "revealed" || !submission) {
    throw new ChainLearnError(
      `Cannot challenge request ${requestId}: expected a revealed submission, found one that is ${request.status}`,
    );
  }
  const claims = await runRequest(market, path, requestId, options);
  const { execution } = claims;
  const own = bytesToHex(execution.stateRoot(execution.steps));
  if (own === submission.claim) {
    if (options.json) return printJson({ submission: "true", claim: own });
    console.log(
      paint.green("The submission is true: there is nothing to dispute."),
    );
    return;
  }
  note(`The submission is false: it claims ${submission.claim}, not ${own}.`);
  // Both sides' clocks have run out after that time, whoever moved last.
  const patience = patienceOf(2 * request.clock);
  const { submissionId } = request;
  const player = { market, claims, secret };
  const dispute = await ownDispute(market, submissionId) ??
    await sendOrFind(
      () => openDisputeOnChain(player, submissionId),
      () => ownDispute(market, submissionId),
      patience,
    );
  const { disputeId } = dispute;
  const last = await play(player, dispute, patience);
  if (last.phase === "resolved") {
    const report = await persist(
      () => reportDispute(market, disputeId),
      patience,
    );
    return show(report, options.json);
  }
  await persist(() => settle(market, disputeId), patience);
  if (options.json) return printJson({ submission: "false", settled: true });
  console.log(
    "Another dispute rejected the submission first: the stake is back, finalize pays it out.",
  );
}

/** Takes the stake back, unless an attempt whose answer was lost has done so. */
async function settle(market: MarketClient, disputeId: Hex): Promise<void> {
  const { status } = await market.disputeState(disputeId);
  if (status === "open") await market.settleDispute(disputeId);
}

/** The dispute that this account has opened already, before an interruption. */
async function ownDispute(market: MarketClient, submissionId: Hex) {
  const fromBlock = await firstBlockOf(market, submissionId);
  for (const disputeId of await disputesOf(market, submissionId, fromBlock)) {
    const view = viewOf(await readDispute(market, disputeId, fromBlock));
    const own = view?.terms.challenger === market.connection.sender();
    if (own && view.phase !== "resolved") return { disputeId, submissionId };
  }
  return undefined;
}

async function play(
  options: PlayerOptions,
  dispute: { disputeId: Hex; submissionId: Hex },
  patience: Patience,
): Promise<DisputeView> {
  note(`Dispute ${dispute.disputeId}; the same command goes on after Ctrl-C.`);
  const player = await persist(
    () => ChainPlayer.join(options, "challenger", dispute),
    patience,
  );
  const onMove = (view: DisputeView) => note(`  ${view.phase}`);
  return await player.play(POLL, { onMove, patience });
}

function show(report: DisputeReport, json?: boolean): void {
  const { winner, ending, fault, instruction, transactions, gas } = report;
  if (winner === "submitter") Deno.exitCode = 1;
  if (json) return printJson({ submission: "false", ...report });
  const place = [fault.node, fault.leaf, fault.step];
  console.log(formatTable([
    ["winner", winner],
    ["ending", ending],
    ["node, leaf, step", place.map((n) => n ?? "-").join(", ")],
    ["instruction", instruction?.text ?? "-"],
    ["transactions", String(transactions)],
    ["gas", formatCount(gas)],
  ]));
}

/** Adds the command's arguments and options. */
export function define(command: Command): void {
  command
    .argument("<model>", "the bundle that was registered")
    .argument("<request>", "the request's id", parseId);
  addChainOptions(command, true)
    .option(
      "-i, --input <file>",
      "an input that the chain has by its root alone",
      collect,
      [],
    )
    .option("--fault <place>", "lie on purpose: node=N,leaf=N,step=N,kind=K")
    .addHelpText(
      "after",
      "\nExit code 0 if the submission is true or the dispute is won, 1 if it is lost.\n\nExample:\n  chainlearn challenge m.clm 0x...",
    )
    .action(challenge);
}
