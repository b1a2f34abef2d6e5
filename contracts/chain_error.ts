/**
 * Turns what goes wrong between a client and a chain into one named error.
 *
 * A refusal by a contract keeps the custom error's name and arguments and gets a hint; everything that the machine or
 * the network is to blame for has exit code 3.
 */
import {
  BaseError,
  ContractFunctionRevertedError,
  ContractFunctionZeroDataError,
  HttpRequestError,
  InsufficientFundsError,
  RpcRequestError,
  TimeoutError,
} from "viem";
import { ChainLearnError } from "../fpvm/mod.ts";

/** A contract refused a call: which custom error, with which arguments. */
export class ContractRefusal extends ChainLearnError {
  override name = "ContractRefusal";

  constructor(
    action: string,
    readonly errorName: string,
    readonly errorArgs: readonly unknown[],
    cause: unknown,
  ) {
    const found = `${errorName}(${errorArgs.map(String).join(", ")})`;
    super(
      `Cannot ${action}: expected the contract to accept, found ${found}`,
      { exitCode: 2, hint: hints[errorName], cause },
    );
  }
}

/** What to try next, by custom error; errors that explain themselves have none. */
const hints: Record<string, string> = {
  AboveCeiling: "Lower the parameter to the market's ceiling.",
  AlreadyRegistered: "Use the registration as it is, or change a parameter.",
  ArityOutOfRange: "Choose k in 2..32 and q in 1..5.",
  BelowFloor:
    "Raise the parameter: `chainlearn status` prints the market's floors.",
  ClockExpired: "The clock ran out; the other side may now claim the dispute.",
  CommitmentMismatch:
    "Reveal with the state and the salt of the commit; both derive from the key and the request.",
  DisputesOpen: "Wait until every dispute has ended.",
  InitialSlotsMismatch:
    "The slots do not belong to this model root: convert the model again.",
  InputLength: "Give the input in exactly the registered number of bytes.",
  NoAnswer: "Check the address: there is no such contract.",
  NotExpired: "Wait until the deadline has passed.",
  NotSubmitter: "Use the account that committed.",
  NotYourTurn: "Wait for the other side's move.",
  OutputsNotInState:
    "The outputs are not those of the committed state: run the model again.",
  RequestExists: "Ask again with another nonce.",
  SameBlock: "Try again in the next block.",
  SharesExceedHalf:
    "Raise the stake, or lower share and compensation: both together stay below half.",
  SubmissionExists: "Commit with another salt.",
  TooLate: "The window is over.",
  TooLittleGas: "Send the transaction with a higher gas limit.",
  UnknownChunk: "Upload the chunk first.",
  UnknownRegistration:
    "Check the id and the chain: ids differ between registrants.",
  UnknownRequest: "Check the id and the chain.",
  WrongStatus: "Ask for the request's status: somebody else was first.",
  WrongTranscript: "The dispute has moved on: read its events again.",
  WrongValue: "Send exactly the amount that the contract names.",
};

/** The environment failed: unreachable, gone, or not the chain that was meant. */
export function chainFailure(
  action: string,
  expected: string,
  found: string,
  details: { hint?: string; cause?: unknown } = {},
): ChainLearnError {
  return new ChainLearnError(
    `Cannot ${action}: expected ${expected}, found ${found}`,
    { exitCode: 3, ...details },
  );
}

/** The named error for whatever viem threw while doing `action` over `rpcUrl`. */
export function chainError(
  error: unknown,
  action: string,
  rpcUrl: string,
): ChainLearnError {
  if (error instanceof ChainLearnError) return error;
  if (!(error instanceof BaseError)) {
    return chainFailure(action, `an answer from ${rpcUrl}`, String(error), {
      cause: error,
    });
  }
  const reverted = error.walk((e) =>
    e instanceof ContractFunctionRevertedError
  );
  if (reverted instanceof ContractFunctionRevertedError) {
    return new ContractRefusal(
      action,
      reverted.data?.errorName ?? reverted.signature ?? "no reason",
      reverted.data?.args ?? (reverted.reason ? [reverted.reason] : []),
      error,
    );
  }
  if (error.walk((e) => e instanceof ContractFunctionZeroDataError)) {
    return new ContractRefusal(action, "NoAnswer", [], error);
  }
  if (error.walk((e) => e instanceof InsufficientFundsError)) {
    return chainFailure(
      action,
      "enough ether for the amount and the gas",
      "too little",
      { cause: error, hint: "Fund the account, or use another one." },
    );
  }
  const unreachable = error.walk((e) =>
    e instanceof HttpRequestError || e instanceof TimeoutError
  );
  if (unreachable) {
    return chainFailure(action, `an answer from ${rpcUrl}`, "none", {
      cause: error,
      hint: "Check that the node runs and that the address is right.",
    });
  }
  const refused = error.walk((e) => e instanceof RpcRequestError);
  const found = refused instanceof BaseError
    ? refused.details
    : error.shortMessage;
  return chainFailure(action, "the node to accept", found, { cause: error });
}
