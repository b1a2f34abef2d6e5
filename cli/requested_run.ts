/**
 * Runs what a request asks for, from the chain's own data: what `submit` and `challenge` start with.
 */
import { bytesToHex, type Hex } from "viem";
import type { MarketClient } from "../contracts/mod.ts";
import {
  drawsFrom,
  Execution,
  findFault,
  parseFaultWish,
  Party,
  type Patience,
  readRequestTerms,
} from "../dispute/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import { withExecutor } from "./bundles.ts";
import { readInputs } from "./inputs.ts";
import { openModel } from "./model_files.ts";
import { note } from "./terminal.ts";

/** Milliseconds between questions to the chain. */
export const POLL = 500;

export interface RunRequestOptions {
  /** Files of inputs whose root alone is on the chain. */
  readonly input: string[];
  /** Lies on purpose, as `prove --fault`. */
  readonly fault?: string;
}

/** What the request's answer is, as one party claims it; checked against S_0 on the chain. */
export async function runRequest(
  market: MarketClient,
  path: string,
  requestId: Hex,
  options: RunRequestOptions,
): Promise<Party> {
  const commitment = await openModel(path);
  const given = options.input.length > 0
    ? await readInputs(options.input, commitment.model)
    : [];
  const terms = await readRequestTerms(market, requestId, commitment, given);
  const { start } = await market.requestState(requestId);
  return await withExecutor(commitment.model, "cpu", async (executor) => {
    const truth = await Execution.run(commitment, terms, executor);
    const found = bytesToHex(truth.stateRoot(0));
    if (found !== start) {
      throw new ChainLearnError(
        `Cannot run request ${requestId}: expected inputs of state ${start}, found ${found}`,
        { hint: "The given input is not the one that was asked about." },
      );
    }
    if (options.fault === undefined) return new Party(truth);
    const wish = parseFaultWish(options.fault);
    return (await findFault(truth, executor, wish, drawsFrom(1))).party;
  });
}

/** Patience of `seconds` with a node, and a note of each failure. */
export function patienceOf(seconds: number): Patience {
  return {
    seconds,
    onFailure: ({ message, hint }, wait) =>
      note(
        `${message}${hint ? ` (${hint})` : ""}; asking again in ${
          wait / 1000
        } s`,
      ),
  };
}

/** Waits until the next question. */
export function pause(milliseconds = POLL): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
