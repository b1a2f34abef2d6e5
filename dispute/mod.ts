/**
 * Both sides of a dispute: what to claim, what to answer, when.
 *
 * An `Execution` is one party's view of a request; a `Party` makes claims over it; `challengerMove` and `submitterMove`
 * turn claims into moves. `playLocally` plays without a chain under the same rules as the contracts. Honest players and
 * liars differ in their claims alone.
 *
 * On a chain a `ChainPlayer` plays one side of a dispute, a `Defence` all disputes of a submission; `startLocalChain`,
 * `playDispute` and `playCampaign` are for demonstrations and measurements.
 *
 * @example
 * ```ts
 * import type { Execution, Party as Liar } from "./mod.ts";
 * import { Party, playLocally, shapeOf } from "./mod.ts";
 *
 * function whoWins(truth: Execution, liar: Liar): string {
 *   const shape = shapeOf(truth.commitment);
 *   return playLocally(shape, liar, new Party(truth), true).winner; // "submitter"
 * }
 * ```
 *
 * @module
 */
export type { Claims, LeafClaims } from "./claims.ts";
export { Execution, type RequestTerms, type StepResult } from "./execution.ts";
export type { StateView } from "./state_view.ts";
export { type DisputedStep, SyntheticView } from "./synthetic_view.ts";
export { LeafTrace } from "./leaf_trace.ts";
export { Party } from "./party.ts";
export { type Forgery, type ForgeryKind } from "./forgery.ts";
export {
  type Fault,
  type FaultKind,
  faultKinds,
  faultyParty,
  parseFault,
  partyOf,
} from "./faults.ts";
export {
  arbitration,
  challengerMove,
  firstMove,
  submitterMove,
} from "./player.ts";
export { applyMove, type ModelShape, openDispute } from "./referee.ts";
export {
  arbitratedStep,
  DEFAULT_ROUNDS,
  type LocalResult,
  type PlayedMove,
  playLocally,
  type Rounds,
  shapeOf,
} from "./local_game.ts";
export {
  type ClaimFile,
  parseClaim,
  parseWitness,
  partyOfClaim,
  type WitnessFile,
  writeClaim,
  writeWitness,
} from "./claim_file.ts";
export {
  type DisputeEstimate,
  estimateDispute,
  estimateModel,
  intervalRounds,
  type ModelEstimate,
  moveGas,
  type Stakes,
  sufficientParameters,
} from "./estimate.ts";
export {
  answerRequest,
  type Contestant,
  playDispute,
  type PlayedDispute,
  registerLocally,
  requestLocally,
} from "./chain_game.ts";
export {
  ChainPlayer,
  type Manners,
  openDisputeOnChain,
  type PlayerOptions,
  type Sight,
  type Turn,
} from "./chain_player.ts";
export {
  disputesOf,
  firstBlockOf,
  historyOf,
  inOrder,
  type LoggedEvent,
  newestTime,
  readDispute,
  viewOf,
} from "./dispute_log.ts";
export { type Patience, persist, sendOrFind } from "./patience.ts";
export {
  type DisputeReport,
  type Instruction,
  instructionOf,
  reportDispute,
  type ReportedMove,
} from "./dispute_report.ts";
export { readRequestTerms } from "./request_terms.ts";
export { commitAnswer, Defence, revealAnswer } from "./submission.ts";
export {
  advanceTime,
  fund,
  leastTerms,
  type LocalChain,
  localKey,
  type LocalParty,
  startLocalChain,
} from "./local_chain.ts";
export {
  type FaultWish,
  findFault,
  type Liar,
  parseFaultWish,
} from "./fault_choice.ts";
export { type Draw, drawsFrom } from "./seeded.ts";
export {
  type CampaignGame,
  type CampaignModel,
  type CampaignOptions,
  type CampaignResult,
  playCampaign,
} from "./campaign.ts";
