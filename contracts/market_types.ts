/**
 * The market's structures as TypeScript sees them; amounts in wei, durations in seconds.
 *
 * The words and their order are those of contracts/src/MarketTypes.sol; the client's calls are checked against the ABI.
 */
import type { Address, Hex } from "viem";

/** Bounds of one deployment, fixed by the registry's constructor. */
export interface Limits {
  readonly minStake: bigint;
  readonly minChallengerStake: bigint;
  readonly maxChallengerStake: bigint;
  readonly minShare: bigint;
  readonly minCompensation: bigint;
  /** Flat gas that a compensation counts for one transaction of a challenger. */
  readonly transactionGas: number;
  readonly minChallengePeriod: number;
  readonly minClock: number;
  readonly minRevealWindow: number;
  readonly maxChallengePeriod: number;
  readonly maxClock: number;
  readonly maxRevealWindow: number;
  readonly maxSubmitWindow: number;
  readonly maxCallbackGas: number;
  readonly maxReopenings: number;
}

/** The terms of a registration, without the attention challenge's, which are zero. */
export interface RegistrationTerms {
  readonly minStake: bigint;
  readonly challengerStake: bigint;
  /** Of the loser's stake, to the winner. */
  readonly share: bigint;
  /** At most this to each of the first 16 other open disputes. */
  readonly compensation: bigint;
  readonly challengePeriod: number;
  readonly clock: number;
  readonly revealWindow: number;
  readonly maxReopenings: number;
  /** Segments per round of the phases graph and instruction, 2..32. */
  readonly k: number;
  /** Levels per round of the phase tensor, 1..5. */
  readonly q: number;
}

/** One data input: its bytes, the roots of uploaded chunks, or a root that makes the request unbacked. */
export type InputData =
  | { readonly bytes: Uint8Array }
  | { readonly chunks: readonly Hex[]; readonly chunkHeight: number }
  | { readonly root: Hex };

/** A request; what is left out is zero, and stake, period and clock are then the registration's. */
export interface RequestOptions {
  readonly registrationId: Hex;
  /** Data inputs in the model's order. */
  readonly inputs: readonly InputData[];
  readonly iterations: bigint | number;
  /** Seconds for an answer to be committed, from now and from each reopening. */
  readonly submitWindow: number;
  readonly fee: bigint;
  readonly seed?: Hex;
  /** 16.16 fixed. */
  readonly temperature?: number;
  readonly topK?: number;
  /** 0.32 fixed. */
  readonly topP?: number;
  readonly stake?: bigint;
  readonly challengePeriod?: number;
  readonly clock?: number;
  /** Whether a last step clears all slots but the kept ones; true unless told otherwise. */
  readonly finish?: boolean;
  readonly nonce?: bigint;
}

/** One output as revealed: its bytes, or the root alone where it is longer than 4,096 bytes. */
export type OutputData = Uint8Array | { readonly root: Hex };

/** Names of the request's statuses, by number. */
export const requestStatuses = [
  "none",
  "open",
  "committed",
  "revealed",
  "final",
  "refunded",
] as const;

/** Names of the submission's statuses, by number. */
export const submissionStatuses = [
  "none",
  "committed",
  "revealed",
  "fallen",
  "final",
] as const;

/** Names of a dispute's statuses. */
export const disputeStatuses = [
  "none",
  "open",
  "won",
  "lost",
  "returned",
] as const;

/** Where a request stands. */
export interface RequestState {
  readonly status: typeof requestStatuses[number];
  readonly registrationId: Hex;
  readonly requester: Address;
  /** S_0. */
  readonly start: Hex;
  /** n, the finish step included. */
  readonly steps: bigint;
  readonly finish: boolean;
  readonly backed: boolean;
  readonly fee: bigint;
  readonly stake: bigint;
  readonly challengePeriod: number;
  readonly clock: number;
  readonly submitWindow: number;
  readonly openedAt: number;
  readonly reopenings: number;
  /** Of the live or final submission; zero where there is none. */
  readonly submissionId: Hex;
}

/** Where a submission stands. */
export interface SubmissionState {
  readonly status: typeof submissionStatuses[number];
  readonly requestId: Hex;
  readonly submitter: Address;
  /** S_n, once revealed. */
  readonly claim: Hex;
  /** Time and block of the commit, then of the reveal. */
  readonly since: number;
  readonly sinceBlock: number;
  readonly disputes: number;
  readonly openDisputes: number;
}

/** Where a dispute's money stands. */
export interface DisputeState {
  readonly status: typeof disputeStatuses[number];
  readonly submissionId: Hex;
  readonly challenger: Address;
  /** Position in the order of opening, from 0. */
  readonly index: number;
}

/** Everything about a request at one block. */
export interface RequestReport {
  readonly request: RequestState;
  /** The live or final submission. */
  readonly submission?: SubmissionState;
  /** The outputs of that submission; to be used only where `request.status` is `final`. */
  readonly outputs: readonly { root: Hex; data: Hex }[];
  /** Time after which the request is final or refundable, whatever anybody does. */
  readonly latestEnd: number;
}
