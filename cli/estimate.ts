/** `chainlearn estimate`: what running, proving and disputing a model will take, without executing it. */
import type { Command } from "commander";
import { formatEther, parseGwei } from "viem";
import { phasesOf } from "../compiler/mod.ts";
import {
  DEFAULT_ROUNDS,
  estimateModel,
  sufficientParameters,
} from "../dispute/mod.ts";
import { openBundle } from "./bundles.ts";
import { parseCount } from "./options.ts";
import {
  formatBytes,
  formatCount,
  formatSeconds,
  formatTable,
  printJson,
} from "./terminal.ts";

interface EstimateOptions {
  iterations: number;
  k: number;
  q: number;
  gasPrice: string;
  inclusion: number;
  json?: boolean;
}

async function estimate(path: string, options: EstimateOptions): Promise<void> {
  const commitment = await openBundle(path);
  const found = estimateModel(commitment, options.iterations, {
    k: options.k,
    q: options.q,
  });
  const needed = sufficientParameters(
    found,
    parseGwei(options.gasPrice),
    options.inclusion,
  );
  if (options.json) return printJson({ ...found, ...needed });
  const { dispute } = found;
  const { graph, tensor, instruction } = dispute.rounds;
  console.log(formatTable([
    ["run, one thread", formatSeconds(found.runSeconds)],
    ["memory", formatBytes(found.memoryBytes)],
    ["answer with all states committed", formatSeconds(found.answerSeconds)],
    [
      "dearest node",
      `${dispute.node} "${commitment.model.nodes[dispute.node].name}"`,
    ],
    [
      phasesOf(commitment.model) === 3 ? "  steps of a leaf" : "  steps",
      formatCount(dispute.worstSteps),
    ],
    [
      "  rounds",
      `graph ${graph}, tensor ${tensor}, instruction ${instruction}`,
    ],
    ["  transactions", String(dispute.transactions)],
    ["  gas", formatCount(dispute.gas)],
    [
      `sufficient stake at ${options.gasPrice} gwei`,
      `${formatEther(needed.minStake)} ETH`,
    ],
    ["sufficient clock and challenge period", formatSeconds(needed.clock)],
  ].map((row) => row.map(String))));
}

/** Adds the command's arguments and options. */
export function define(command: Command): void {
  command
    .argument("<bundle>", "a .clm file")
    .option("--iterations <n>", "passes over the nodes", parseCount, 1)
    .option("--k <n>", "segments per round", parseCount, DEFAULT_ROUNDS.k)
    .option("--q <n>", "tree levels per round", parseCount, DEFAULT_ROUNDS.q)
    .option("--gas-price <gwei>", "gas price the stakes must hold for", "30")
    .option(
      "--inclusion <seconds>",
      "time until the chain includes a move",
      parseCount,
      60,
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExample:\n  chainlearn estimate m.clm --gas-price 50",
    )
    .action(estimate);
}
