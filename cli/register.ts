/** `chainlearn register`: a model under one's own stakes, clocks and widths of rounds. */
import { type Command, InvalidArgumentError } from "commander";
import { parseGwei } from "viem";
import type { MarketClient, RegistrationTerms } from "../contracts/mod.ts";
import type { Commitment } from "../compiler/mod.ts";
import {
  DEFAULT_ROUNDS,
  estimateModel,
  leastTerms,
  startLocalChain,
  sufficientParameters,
} from "../dispute/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
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
  readonly gasPrice?: bigint;
  readonly inclusion: number;
  readonly k: number;
  readonly q: number;
}

function parseGasPrice(text: string): bigint {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) {
    throw new InvalidArgumentError(`expected gwei, found "${text}"`);
  }
  return parseGwei(text);
}

/** What the chain's limits and the model's longest dispute both demand. */
async function neededTerms(
  market: MarketClient,
  commitment: Commitment,
  options: RegisterOptions,
): Promise<RegistrationTerms> {
  const least = leastTerms(await market.limits(), options);
  const price = options.gasPrice ?? await market.gasPrice();
  const { schedule } = commitment.model;
  const iterations = schedule.kind === "fixed"
    ? schedule.iterations
    : schedule.max;
  const needed = sufficientParameters(
    estimateModel(commitment, iterations, options),
    price,
    options.inclusion,
  );
  const larger = (a: bigint, b: bigint) => a > b ? a : b;
  return {
    ...least,
    minStake: larger(least.minStake, needed.minStake),
    challengerStake: larger(least.challengerStake, needed.challengerStake),
    share: larger(least.share, needed.share),
    compensation: larger(least.compensation, needed.compensation),
    challengePeriod: Math.max(least.challengePeriod, needed.challengePeriod),
    clock: Math.max(least.clock, needed.clock),
  };
}

/** The needed terms, with what the options raise; throws where they are below. */
async function termsOf(
  market: MarketClient,
  commitment: Commitment,
  options: RegisterOptions,
): Promise<RegistrationTerms> {
  const needed = await neededTerms(market, commitment, options);
  const problems: string[] = [];
  const atLeast = <T extends bigint | number>(
    option: string,
    given: T | undefined,
    least: T,
    show: (value: T) => string,
  ): T => {
    if (given !== undefined && given < least) {
      problems.push(
        `${option}: expected at least ${show(least)}, found ${show(given)}`,
      );
    }
    return given ?? least;
  };
  const seconds = (value: number) => `${value} s`;
  const share = atLeast("--share", options.share, needed.share, ether);
  const compensation = atLeast(
    "--compensation",
    options.compensation,
    needed.compensation,
    ether,
  );
  const stake = 2n * (share + 16n * compensation);
  const { minStake, challengerStake } = needed;
  const terms: RegistrationTerms = {
    ...needed,
    share,
    compensation,
    minStake: atLeast(
      "--stake",
      options.stake,
      stake > minStake ? stake : minStake,
      ether,
    ),
    challengerStake: atLeast(
      "--challenger-stake",
      options.challengerStake,
      2n * share > challengerStake ? 2n * share : challengerStake,
      ether,
    ),
    challengePeriod: atLeast(
      "--period",
      options.period,
      needed.challengePeriod,
      seconds,
    ),
    clock: atLeast("--clock", options.clock, needed.clock, seconds),
    revealWindow: options.revealWindow ?? needed.revealWindow,
    maxReopenings: options.reopenings ?? needed.maxReopenings,
    k: options.k,
    q: options.q,
  };
  if (problems.length > 0) {
    throw new ChainLearnError(
      "Cannot register: expected terms that pay for the model's longest dispute, found too little",
      {
        problems,
        hint:
          "See chainlearn estimate; --gas-price and --inclusion say what the terms must hold for",
      },
    );
  }
  return terms;
}

async function register(path: string, options: RegisterOptions): Promise<void> {
  const commitment = await openModel(path);
  const named = rpcUrlOf(options) !== undefined;
  await using chain = named ? undefined : await startLocalChain();
  const { market } = chain
    ? await chain.party("registrant")
    : await openMarket(options, "register");
  const terms = await termsOf(market, commitment, options);
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
    .option(
      "--gas-price <gwei>",
      "that the terms must hold for (default: the chain's, now)",
      parseGasPrice,
    )
    .option(
      "--inclusion <seconds>",
      "until the chain includes a move",
      parseCount,
      60,
    )
    .option("--k <n>", "segments per round", parseCount, DEFAULT_ROUNDS.k)
    .option("--q <n>", "tree levels per round", parseCount, DEFAULT_ROUNDS.q)
    .addHelpText(
      "after",
      "\nWhat is left out is the least that the market allows and that pays for the longest dispute of the model. Anyone may register any model: consumers pin the registration's id.\n\nExample:\n  chainlearn register m.clm --stake 0.05 --period 7200",
    )
    .action(register);
}
