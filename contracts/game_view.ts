/**
 * What both sides know of a dispute: terms, position, clocks, and the transcript that the next move continues.
 *
 * The hashes are those of contracts/src/DisputeGame.sol. Views come from events (game_events.ts); moves are
 * encoded from views (game_client.ts). Nothing here reads a chain or decides a move.
 */
import {
  type Address,
  concat,
  encodeAbiParameters,
  encodePacked,
  getAbiItem,
  type Hex,
  keccak256,
  size,
  slice,
} from "viem";
import { ChainLearnError } from "../fpvm/mod.ts";
import { gameAbi } from "./game_abi.ts";

/** What is fixed when a dispute opens: contracts/src/Types.sol. */
export interface Terms {
  readonly registrationId: Hex;
  readonly submissionId: Hex;
  readonly submitter: Address;
  readonly challenger: Address;
  /** S_0 */
  readonly start: Hex;
  /** S_n as the submitter revealed it. */
  readonly claim: Hex;
  /** n */
  readonly steps: bigint;
  readonly finish: boolean;
  readonly k: number;
  readonly q: number;
  /** Seconds per side, total. */
  readonly clock: number;
}

/** Both agree on `low` at `lo`; the challenger claims `high` at `hi`, the submitter denies it. */
export interface Interval {
  readonly previous: Hex;
  readonly lo: bigint;
  readonly hi: bigint;
  readonly low: Hex;
  readonly high: Hex;
}

/** The denied node of the opened step's result; level 0 is the leaves. */
export interface Branch {
  readonly previous: Hex;
  readonly step: bigint;
  /** The state root before the step. */
  readonly state: Hex;
  /** keccak256 of the descriptor. */
  readonly descriptor: Hex;
  readonly level: number;
  readonly index: number;
  readonly node: Hex;
}

export type Side = "challenger" | "submitter";

/** In the order of the contract's enumeration. */
export const endings = [
  "equal_claim",
  "identity",
  "finish",
  "step",
  "time_out",
] as const;
export type Ending = (typeof endings)[number];

/** Seconds left to each side at the time `since`, when the running clock was started. */
export interface Clocks {
  readonly since: number;
  readonly challenger: number;
  readonly submitter: number;
}

/** What every view has. */
export interface ViewBase {
  readonly disputeId: Hex;
  readonly terms: Terms;
  readonly commitment: Hex;
  /** Whose clock runs; null after the end. */
  readonly turn: Side | null;
  readonly clocks: Clocks;
  /** As the contract stores it; zero after the end. */
  readonly transcript: Hex;
}

/** The challenger owes his first move. */
export interface RevealView extends ViewBase {
  readonly phase: "reveal";
}

/** A round over the steps of the model. */
export interface GraphView extends ViewBase {
  readonly phase: "graph";
  readonly interval: Interval;
  /** The hashes that the submitter has to answer; null where it is the challenger's turn. */
  readonly posted: readonly Hex[] | null;
}

/** What of the model has been opened. */
interface Opened {
  /** In the phase instruction: the denied leaf, or whole result. */
  readonly branch: Branch;
  /** The descriptor's bytes. */
  readonly descriptor: Hex;
}

/** A round down the opened node's result. */
export interface TensorView extends ViewBase, Opened {
  readonly phase: "tensor";
  readonly posted: readonly Hex[] | null;
}

/** The challenger owes the program's start and end. */
export interface LeafView extends ViewBase, Opened {
  readonly phase: "leaf";
  readonly posted: null;
}

/** A round over the steps of the machine. */
export interface InstructionView extends ViewBase, Opened {
  readonly phase: "instruction";
  readonly interval: Interval;
  readonly posted: readonly Hex[] | null;
}

export interface ResolvedView extends ViewBase {
  readonly phase: "resolved";
  readonly winner: Side;
  readonly ending: Ending;
}

export type DisputeView =
  | RevealView
  | GraphView
  | TensorView
  | LeafView
  | InstructionView
  | ResolvedView;

/** A view in which a round can be posted and answered. */
export type RoundView = GraphView | TensorView | LeafView | InstructionView;

/** Stands for "nothing posted" and "no transcript". */
export const ZERO: Hex = `0x${"00".repeat(32)}`;
const phaseNumbers = {
  reveal: 1,
  graph: 2,
  tensor: 3,
  leaf: 4,
  instruction: 5,
} as const;

const openFunction = getAbiItem({ abi: gameAbi, name: "open" });

/** keccak256 of the terms' eleven words. */
export function termsHash(terms: Terms): Hex {
  return keccak256(encodeAbiParameters([openFunction.inputs[1]], [terms]));
}

const word = (value: bigint): Hex =>
  `0x${value.toString(16).padStart(64, "0")}`;

const phaseWord = (phase: keyof typeof phaseNumbers) =>
  word(BigInt(phaseNumbers[phase]));

/** keccak256 of what was posted and waits for an answer; zero where nothing does. */
export function postedHash(posted: readonly Hex[] | null): Hex {
  return posted === null ? ZERO : keccak256(concat(posted));
}

/** Hash of a position of the phases graph and instruction. */
export function intervalHash(
  phase: "graph" | "instruction",
  { previous, lo, hi, low, high }: Interval,
  posted: readonly Hex[] | null,
): Hex {
  const fields = concat([previous, word(lo), word(hi), low, high]);
  return keccak256(
    concat([phaseWord(phase), keccak256(fields), postedHash(posted)]),
  );
}

/** Hash of a position of the phases tensor and leaf; a round's nodes are under the denied one already. */
export function branchHash(
  phase: "tensor" | "leaf",
  branch: Branch,
): Hex {
  const { previous, step, state, descriptor, level, index, node } = branch;
  const fields = concat([
    previous,
    word(step),
    state,
    descriptor,
    word(BigInt(level)),
    word(BigInt(index)),
    node,
  ]);
  return keccak256(concat([phaseWord(phase), keccak256(fields)]));
}

/** Hash of the position between the opening and the first move. */
export function revealHash(commitment: Hex): Hex {
  return keccak256(concat([phaseWord("reveal"), commitment]));
}

/** What the contract stores: one hash over terms and position. */
export function transcriptOf(terms: Terms, positionHash: Hex): Hex {
  return keccak256(concat([termsHash(terms), positionHash]));
}

/** The commitment with which a dispute is opened: keccak256(challenger | claim | hashes | salt). */
export function firstMoveCommitment(
  challenger: Address,
  claim: Hex,
  hashes: readonly Hex[],
  salt: Hex,
): Hex {
  return keccak256(
    encodePacked(["address", "bytes32", "bytes32[]", "bytes32"], [
      challenger,
      claim,
      hashes,
      salt,
    ]),
  );
}

/** Hash of the position in which a dispute is; throws after its end. */
export function positionHash(view: DisputeView): Hex {
  switch (view.phase) {
    case "reveal":
      return revealHash(view.commitment);
    case "graph":
    case "instruction":
      return intervalHash(view.phase, view.interval, view.posted);
    case "tensor":
    case "leaf":
      return branchHash(view.phase, view.branch);
    case "resolved":
      throw new ChainLearnError(
        `Cannot continue dispute ${view.disputeId}: expected one that goes on, found one won by the ${view.winner}`,
      );
    default:
      return view satisfies never;
  }
}

/** Seconds left to the side whose turn it is, negative once a time-out may be called; null after the end. */
export function secondsLeft(view: DisputeView, now: number): number | null {
  return view.turn === null
    ? null
    : view.clocks[view.turn] - (now - view.clocks.since);
}

/** Whether a descriptor has the bit *whole*. */
export function isWhole(descriptor: Hex): boolean {
  return size(descriptor) > 33 && Number(slice(descriptor, 33, 34)) === 1;
}
