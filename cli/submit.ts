/** `chainlearn submit`: runs a request's model and answers with a stake; --defend stays for the disputes. */
import type { Command } from "commander";
import { bytesToHex, type Hex } from "viem";
import { ContractRefusal, type MarketClient } from "../contracts/mod.ts";
import {
  commitAnswer,
  Defence,
  newestTime,
  type Party,
  persist,
  revealAnswer,
  sendOrFind,
  type Turn,
} from "../dispute/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import {
  addChainOptions,
  type ChainOptions,
  openMarket,
  parseId,
} from "./chain.ts";
import { answerText } from "./demo_story.ts";
import { collect } from "./options.ts";
import {
  patienceOf,
  pause,
  runRequest,
  type RunRequestOptions,
} from "./requested_run.ts";
import { formatTable, note, printJson } from "./terminal.ts";

interface SubmitOptions extends ChainOptions, RunRequestOptions {
  readonly defend?: boolean;
}

type Signer = Awaited<ReturnType<typeof openMarket>>;

async function submit(
  path: string,
  requestId: Hex,
  options: SubmitOptions,
): Promise<void> {
  const signer = await openMarket(options, "submit");
  const { market } = signer;
  const party = await runRequest(market, path, requestId, options);
  const { execution } = party;
  await answer(signer, requestId, party);
  const { submissionId } = await market.requestState(requestId);
  const result = {
    submissionId,
    claim: bytesToHex(execution.stateRoot(execution.steps)),
    outputs: execution.outputs,
    label: answerText(execution.commitment, execution.outputs),
  };
  if (options.json) printJson(result);
  else {
    console.log(formatTable([
      ["submission", submissionId],
      ["final state", result.claim],
      ["answer", result.label],
    ]));
  }
  if (options.defend) return await defend(signer, requestId, party);
  note(
    "Whoever disputes it is answered by --defend alone: run this again with it.",
  );
}

/** Commits and reveals, or goes on where it was interrupted. */
async function answer(
  { market, secret }: Signer,
  requestId: Hex,
  { execution }: Party,
): Promise<void> {
  const { status, registrationId } = await market.requestState(requestId);
  const { revealWindow } = await market.terms(registrationId);
  // A stake is behind the commitment: whoever does not reveal in the window loses it.
  const patience = patienceOf(revealWindow);
  if (status === "open") {
    await sendOrFind(
      () => commitAnswer(market, requestId, execution, secret),
      () => ownAnswer(market, requestId),
      patience,
    );
  } else await requireOwn(market, requestId, status);
  await persist(async () => {
    const { status } = await market.requestState(requestId);
    if (status === "revealed") return;
    await reveal(() => revealAnswer(market, requestId, execution, secret));
  }, patience);
}

/** The submission, if it is this account's. */
async function ownAnswer(market: MarketClient, requestId: Hex) {
  const { submission } = await market.status(requestId);
  const own = submission?.submitter === market.connection.sender();
  return own ? submission : undefined;
}

/** Reveals as soon as a block lies behind the commitment. */
async function reveal(attempt: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      const early = error instanceof ContractRefusal &&
        error.errorName === "SameBlock";
      if (!early) throw error;
      await pause();
    }
  }
}

async function requireOwn(
  market: MarketClient,
  requestId: Hex,
  status: string,
): Promise<void> {
  const { submission } = await market.status(requestId);
  const own = market.connection.sender();
  const live = status === "committed" || status === "revealed";
  if (live && submission?.submitter === own) return;
  throw new ChainLearnError(
    `Cannot answer request ${requestId}: expected an open one, found one that is ${status}${
      submission ? ` by ${submission.submitter}` : ""
    }`,
  );
}

/** Answers every dispute until none can come any more. */
async function defend(
  { market, secret }: Signer,
  requestId: Hex,
  claims: Party,
): Promise<void> {
  const { submissionId, challengePeriod, clock } = await market.requestState(
    requestId,
  );
  // A dispute that opens in the period's last second has ended after both clocks.
  const patience = patienceOf(challengePeriod + 2 * clock);
  const defence = new Defence({ market, claims, secret }, submissionId);
  note("Defending; Ctrl-C stops, the same command goes on.");
  while (
    await persist(() => stands(defence, market, challengePeriod), patience)
  ) {
    await pause();
  }
  note("The challenge period is over: finalize makes the answer final.");
}

/** Makes every move that is due; false once no dispute is open and none can come any more. */
async function stands(
  defence: Defence,
  market: MarketClient,
  challengePeriod: number,
): Promise<boolean> {
  let turn: Turn;
  do {
    turn = await defence.turn();
    for (const { refusal } of defence.players.values()) {
      if (refusal) throw refusal;
    }
  } while (turn === "moved");
  const { submissionId } = defence;
  const { status, since, openDisputes } = await market.submissionState(
    submissionId,
  );
  if (status === "fallen") {
    throw new ChainLearnError(
      `Cannot defend submission ${submissionId}: expected it to stand, found it rejected`,
      { exitCode: 1 },
    );
  }
  const over = await newestTime(market) > since + challengePeriod;
  return status !== "final" && !(over && openDisputes === 0);
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
    .option("--defend", "answer disputes until the challenge period is over")
    .option("--fault <place>", "lie on purpose: node=N,leaf=N,step=N,kind=K")
    .addHelpText(
      "after",
      "\nIt runs the model on the request's own input, commits, reveals in a later block, and can be repeated after an interruption.\n\nExample:\n  chainlearn submit m.clm 0x... --defend",
    )
    .action(submit);
}
