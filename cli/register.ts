/** `chainlearn register`: a model under one's own stakes, clocks and widths of rounds. */
import type { Command } from "commander";
import type { MarketClient, RegistrationTerms } from "../contracts/mod.ts";
import { DEFAULT_ROUNDS, leastTerms, startLocalChain } from "../dispute/mod.ts";
import {
  addChainOptions,
  type ChainOptions,
  ether,
  openMarket,
  parseAmount,
  rpcUrlOf,
} from "./chain.ts";
import { openModel } from "./model_files.ts";
import { parseCount } from "./options.ts";
import {
  formatCount,
  formatTable,
  note,
  printJson,
  toHex,
} from "./terminal.ts";

interface RegisterOptions extends ChainOptions {
  readonly stake?: bigint;
  readonly challengerStake?: bigint;
  readonly share?: bigint;
  readonly compensation?: bigint;
  readonly period?: number;
  readonly clock?: number;
  readonly revealWindow?: number;
  readonly reopenings?: number;
  readonly k: number;
  readonly q: number;
}

/** The market's least terms, with what the options change. */
async function termsOf(
  market: MarketClient,
  options: RegisterOptions,
): Promise<RegistrationTerms> {
  const least = leastTerms(await market.limits(), options);
  return {
    minStake: options.stake ?? least.minStake,
    challengerStake: options.challengerStake ?? least.challengerStake,
    share: options.share ?? least.share,
    compensation: options.compensation ?? least.compensation,
    challengePeriod: options.period ?? least.challengePeriod,
    clock: options.clock ?? least.clock,
    revealWindow: options.revealWindow ?? least.revealWindow,
    maxReopenings: options.reopenings ?? least.maxReopenings,
    k: options.k,
    q: options.q,
  };
}

async function register(path: string, options: RegisterOptions): Promise<void> {
  const commitment = await openModel(path);
  const named = rpcUrlOf(options) !== undefined;
  await using chain = named ? undefined : await startLocalChain();
  const { market } = chain
    ? await chain.party("registrant")
    : await openMarket(options, "register");
  const terms = await termsOf(market, options);
  const { registrationId, gasUsed } = await market.register(commitment, terms);
  const { modelRoot } = commitment;
  if (options.json) {
    printJson({ registrationId, modelRoot, gasUsed, terms });
  } else {
    console.log(formatTable([
      ["registration", registrationId],
      ["model root", toHex(modelRoot)],
      ["submitter's stake", ether(terms.minStake)],
      ["challenger's stake", ether(terms.challengerStake)],
      ["winner's share", ether(terms.share)],
      ["challenge period", `${terms.challengePeriod} s`],
      ["clock per side", `${terms.clock} s`],
      ["rounds", `k = ${terms.k}, q = ${terms.q}`],
      ["gas", formatCount(gasUsed)],
    ]));
  }
  if (!named) {
    note(
      "No chain was named: this one was local and is gone. Name one with --rpc-url.",
    );
  }
}

/** Adds the command's arguments and options. */
export function define(command: Command): void {
  command.argument("<model>", "a bundle, or an ONNX file");
  addChainOptions(command, true)
    .option("--stake <ether>", "least stake of a submitter", parseAmount)
    .option("--challenger-stake <ether>", "stake of a challenger", parseAmount)
    .option(
      "--share <ether>",
      "of the loser's stake, to the winner",
      parseAmount,
    )
    .option(
      "--compensation <ether>",
      "at most, to each other open dispute",
      parseAmount,
    )
    .option("--period <seconds>", "for disputes after the reveal", parseCount)
    .option("--clock <seconds>", "per side and dispute, total", parseCount)
    .option("--reveal-window <seconds>", "from commit to reveal", parseCount)
    .option("--reopenings <n>", "after false answers", parseCount)
    .option("--k <n>", "segments per round", parseCount, DEFAULT_ROUNDS.k)
    .option("--q <n>", "tree levels per round", parseCount, DEFAULT_ROUNDS.q)
    .addHelpText(
      "after",
      "\nWhat is left out is the least that the market allows. Anyone may register any model: consumers pin the registration's id.\n\nExample:\n  chainlearn register m.clm --stake 0.05 --period 7200",
    )
    .action(register);
}
