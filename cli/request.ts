/** `chainlearn request`: asks for a model's answer, with a fee in escrow. */
import { type Command, Option } from "commander";
import type { Hex } from "viem";
import type { InputData, MarketClient } from "../contracts/mod.ts";
import { iterationsOf } from "../runtime/mod.ts";
import {
  addChainOptions,
  type ChainOptions,
  ether,
  openMarket,
  parseAmount,
  parseId,
} from "./chain.ts";
import { readInputs } from "./inputs.ts";
import { openModel } from "./model_files.ts";
import { collect, parseCount } from "./options.ts";
import { formatCount, formatTable, note, printJson } from "./terminal.ts";

interface RequestCommandOptions extends ChainOptions {
  readonly input: string[];
  readonly fee: bigint;
  readonly stake?: bigint;
  readonly iterations?: number;
  readonly window: number;
  readonly period?: number;
  readonly nonce?: number;
}

/** Inputs up to this many bytes go with the request; longer ones in chunks before it. */
const MAX_CALLDATA = 32_768;
/** A chunk is 32 << height bytes. */
const CHUNK_HEIGHT = 10;

/** The input as the market takes it; uploads its chunks where it is large. */
async function inputData(
  market: MarketClient,
  bytes: Uint8Array,
): Promise<InputData> {
  if (bytes.length <= MAX_CALLDATA) return { bytes };
  const size = 32 << CHUNK_HEIGHT;
  const chunks: Hex[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = bytes.subarray(at, at + size);
    chunks.push((await market.upload(chunk, CHUNK_HEIGHT)).root);
  }
  return { chunks, chunkHeight: CHUNK_HEIGHT };
}

async function request(
  path: string,
  registrationId: Hex,
  options: RequestCommandOptions,
): Promise<void> {
  const { model } = await openModel(path);
  const inputs = await readInputs(options.input, model);
  const iterations = iterationsOf(model, options.iterations);
  const { market } = await openMarket(options, "request");
  note("The input is public from now on.");
  const data: InputData[] = [];
  for (const [i, input] of model.inputs.entries()) {
    if (input.role === "data") data.push(await inputData(market, inputs[i]));
  }
  const { requestId, gasUsed } = await market.request({
    registrationId,
    inputs: data,
    iterations,
    fee: options.fee,
    submitWindow: options.window,
    stake: options.stake,
    challengePeriod: options.period,
    // Milliseconds tell apart two equal requests of one person.
    nonce: BigInt(options.nonce ?? Date.now()),
  });
  const { stake } = await market.requestState(requestId);
  if (options.json) return printJson({ requestId, stake, gasUsed });
  console.log(formatTable([
    ["request", requestId],
    ["fee", ether(options.fee)],
    ["submitter's stake", ether(stake)],
    ["answer within", `${options.window} s`],
    ["gas", formatCount(gasUsed)],
  ]));
}

/** Adds the command's arguments and options. */
export function define(command: Command): void {
  command
    .argument("<model>", "the bundle that was registered")
    .argument("<registration>", "its id", parseId)
    .requiredOption(
      "-i, --input <file>",
      "an input, once for each (name=file)",
      collect,
      [],
    );
  addChainOptions(command, true)
    .addOption(
      new Option("--fee <ether>", "for the answer").argParser(parseAmount)
        .default(10n ** 15n, "0.001"),
    )
    .option(
      "--stake <ether>",
      "of the submitter (default: the registration's)",
      parseAmount,
    )
    .option("--period <seconds>", "for disputes", parseCount)
    .option("--iterations <n>", "passes over the nodes", parseCount)
    .option("--window <seconds>", "for an answer to come", parseCount, 3600)
    .option("--nonce <n>", "tells equal requests apart", parseCount)
    .addHelpText(
      "after",
      "\nInputs are public, for ever.\n\nExample:\n  chainlearn request m.clm $CHAINLEARN_REGISTRATION --input x.png --fee 0.01",
    )
    .action(request);
}
