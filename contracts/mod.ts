/**
 * The contracts as TypeScript sees them: compiled artifacts, a local chain, and the clients of market and game.
 *
 * `src/` holds the Solidity, `artifacts/` what it compiles to. The game's client is pure: events become views of a
 * dispute, a view and a move become a transaction's data. The market's client deploys, connects and sends: one function
 * a verb, each with its receipt and decoded events.
 *
 * @example
 * ```ts
 * import { innerEnds, segmentCount } from "./mod.ts";
 *
 * console.log(segmentCount(0n, 10n, 4)); // 4
 * console.log(innerEnds(0n, 10n, 4)); // [ 2n, 5n, 7n ]
 * ```
 *
 * @module
 */
export { type Anvil, type AnvilOptions, startAnvil } from "./anvil.ts";
export {
  type Artifact,
  artifact,
  type ArtifactName,
  artifactNames,
} from "./artifacts.ts";
export { gameAbi } from "./game_abi.ts";
export { deployLocally, gasOfStep } from "./gas.ts";
export { gasOfMatmul, matmulOnChain } from "./gas_matmul.ts";
export {
  type AnswerMove,
  type ArbitrateMove,
  encodeMove,
  encodeSettle,
  type Move,
  type OpenFinishMove,
  type OpenLeafMove,
  type OpenNodeMove,
  type PostMove,
  type RevealMove,
  type TimeOutMove,
} from "./game_client.ts";
export {
  applyEvent,
  decodeGameEvent,
  type GameEvent,
  viewsOf,
} from "./game_events.ts";
export {
  type Branch,
  type Clocks,
  type DisputeView,
  type Ending,
  endings,
  firstMoveCommitment,
  type GraphView,
  headOf,
  type InstructionView,
  type Interval,
  isWhole,
  type LeafView,
  positionHash,
  type ResolvedView,
  type RevealView,
  type RoundView,
  secondsLeft,
  type Side,
  type TensorView,
  type Terms,
  transcriptOf,
} from "./game_view.ts";
export {
  innerEnds,
  nodesPerRound,
  segmentCount,
  segmentEnd,
} from "./segments.ts";
export { ContractRefusal } from "./chain_error.ts";
export {
  type ChainEvent,
  connect,
  type MarketClient,
  type Revelation,
  type Sent,
} from "./client.ts";
export { deriveSalt, submissionCommitment } from "./commitment.ts";
export { type Connection, type ConnectionOptions } from "./connection.ts";
export {
  deploy,
  type Deployment,
  type DeploymentGas,
  localLimits,
} from "./deploy.ts";
export { marketAbi, registryAbi } from "./market_abi.ts";
export { type MarketReader } from "./market_reader.ts";
export {
  type DisputeState,
  disputeStatuses,
  type InputData,
  type Limits,
  type OutputData,
  type RegistrationTerms,
  type RequestOptions,
  type RequestReport,
  type RequestState,
  requestStatuses,
  type SubmissionState,
  submissionStatuses,
} from "./market_types.ts";
export {
  registrationProof,
  revealProof,
  slotsSiblings,
} from "./slots_proof.ts";
export { foundryBinary } from "./npm_binary.ts";
