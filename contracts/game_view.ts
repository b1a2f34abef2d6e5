/**
 * What both sides know of a dispute: terms, position, clocks, and the transcript that the next move continues.
 *
 * The hashes are those of contracts/src/DisputeGame.sol. Views come from events (game_events.ts); moves are
 * encoded from views (game_client.ts). Nothing here reads a chain or decides a move.
 */
import {
  type Address,
  bytesToHex,
  concat,
  encodePacked,
  type Hex,
  hexToBytes,
  keccak256,
  pad,
  size,
  slice,
} from "viem";
import { ChainLearnError, hashPair, MerkleTree } from "../fpvm/mod.ts";
import { packTurn } from "./turn.ts";

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
  /** Position in the order of opening, from 0. */
  readonly index: number;
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
  /** Transactions of the challenger, the opening included. */
  readonly transactions: number;
  /** As the contract stores it; after the end 1 where the challenger has won, else 2. */
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

/** A view of a dispute that goes on. */
export type RunningView = Exclude<DisputeView, ResolvedView>;

/** A view in which a round can be posted and answered. */
export type RoundView = GraphView | TensorView | LeafView | InstructionView;

/** Stands for "no course". */
export const ZERO: Hex = `0x${"00".repeat(32)}`;
const word = (value: bigint): Hex =>
  `0x${value.toString(16).padStart(64, "0")}`;

/** What every move carries: the contract's structure `Head`. */
export function headOf(view: RunningView) {
  const { terms, clocks, turn, phase, transactions } = view;
  return {
    submissionId: terms.submissionId,
    submitter: terms.submitter,
    challenger: terms.challenger,
    turn: packTurn({
      since: clocks.since,
      challengerLeft: clocks.challenger,
      submitterLeft: clocks.submitter,
      transactions,
      phase,
      submitterTurn: turn === "submitter",
      k: terms.k,
      q: terms.q,
      index: terms.index,
    }),
  };
}

/** The terms' part that the first move carries: the contract's structure `Question`. */
export function questionOf(terms: Terms) {
  const { registrationId, start, claim, steps, finish } = terms;
  return { registrationId, start, claim, steps, finish };
}

/** The terms' part that the opening of a step carries: the contract's structure `Course`. */
export function courseOf(terms: Terms) {
  const { registrationId, steps, finish } = terms;
  return { registrationId, steps, finish };
}

const flag = (value: boolean) => word(value ? 1n : 0n);

/** Hash of the course in the phase graph, zero in the phase instruction. */
export function courseHash(phase: "graph" | "instruction", terms: Terms): Hex {
  const { registrationId, steps, finish } = terms;
  return phase === "instruction"
    ? ZERO
    : keccak256(concat([registrationId, word(steps), flag(finish)]));
}

/** Hash of what the denied node belongs to: the model, the opened step, the state before it, the descriptor. */
export function openedHash(terms: Terms, branch: Branch): Hex {
  const { step, state, descriptor } = branch;
  const fields = concat([terms.registrationId, word(step), state]);
  return keccak256(concat([keccak256(fields), descriptor]));
}

/** The segments of a posted round as a tree: leaf j is keccak256 of the hashes at the ends of segment j. */
export function roundTree(
  { low, high }: Interval,
  posted: readonly Hex[],
): MerkleTree {
  const ends = [low, ...posted, high].map((end) => hexToBytes(end));
  return MerkleTree.ofLeaves(
    ends.slice(1).map((end, i) => hashPair(ends[i], end)),
  );
}

/** Hash of a position of the phases graph and instruction. */
function intervalHash(
  phase: "graph" | "instruction",
  terms: Terms,
  interval: Interval,
  posted: readonly Hex[] | null,
): Hex {
  const { previous, lo, hi, low, high } = interval;
  const common = [previous, courseHash(phase, terms), word(lo), word(hi)];
  const ends = posted === null
    ? [low, high]
    : [bytesToHex(roundTree(interval, posted).root)];
  return keccak256(concat([...common, ...ends]));
}

/** Hash of a position of the phases tensor and leaf; a round's nodes are under the denied one already. */
function branchHash(terms: Terms, branch: Branch): Hex {
  const { previous, level, index, node } = branch;
  return keccak256(concat([
    previous,
    openedHash(terms, branch),
    word(BigInt(level)),
    word(BigInt(index)),
    node,
  ]));
}

/** Hash of the position between the opening and the first move. */
function revealHash(terms: Terms, commitment: Hex): Hex {
  const { registrationId, start, claim, steps, finish } = terms;
  const fields = concat([
    registrationId,
    start,
    claim,
    word(steps),
    flag(finish),
  ]);
  return keccak256(concat([keccak256(fields), commitment]));
}

/** What the contract stores of a dispute that goes on: one hash over the head and the position. */
export function transcriptOf(view: RunningView): Hex {
  const { submissionId, submitter, challenger, turn } = headOf(view);
  return keccak256(concat([
    submissionId,
    pad(submitter),
    pad(challenger),
    word(turn),
    positionHash(view),
  ]));
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
      return revealHash(view.terms, view.commitment);
    case "graph":
    case "instruction":
      return intervalHash(view.phase, view.terms, view.interval, view.posted);
    case "tensor":
    case "leaf":
      return branchHash(view.terms, view.branch);
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
