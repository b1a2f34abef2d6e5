/**
 * The moves of a dispute as transactions' data, encoded from the view that they continue.
 *
 * A player decides on a `Move`; everything else that the contract wants (terms, position, posted hashes) comes from
 * the view. Whether a move is wise, and who sends it, is not decided here: dispute/ does.
 */
import { bytesToHex, encodeFunctionData, type Hex, hexToBytes } from "viem";
import { ChainLearnError, MerkleTree } from "../fpvm/mod.ts";
import { gameAbi } from "./game_abi.ts";
import {
  courseHash,
  courseOf,
  type DisputeView,
  type GraphView,
  headOf,
  type InstructionView,
  type LeafView,
  openedHash,
  positionHash,
  questionOf,
  roundTree,
  type TensorView,
} from "./game_view.ts";

/** The first move, to which the opening was committed. */
export interface RevealMove {
  readonly kind: "reveal";
  readonly claim: Hex;
  /** Hashes at the inner segment ends of [0, n]. */
  readonly hashes: readonly Hex[];
  readonly salt: Hex;
}

/** A round of the challenger: hashes at the inner segment ends, or nodes below the denied one. */
export interface PostMove {
  readonly kind: "post";
  readonly hashes: readonly Hex[];
}

/** The submitter's answer: the first segment whose end, or the first node, that he denies. */
export interface AnswerMove {
  readonly kind: "answer";
  readonly index: number;
}

/** Opens a node of the graph; fields that the contract does not reach may be empty. */
export interface OpenNodeMove {
  readonly kind: "open_node";
  /** The stop slot's 32 bytes and path under the agreed state, where the model has one. */
  readonly stop?: { readonly leaf: Hex; readonly path: readonly Hex[] };
  readonly descriptor: Hex;
  readonly programPath: readonly Hex[];
  readonly oldRoot: Hex;
  readonly newRoot: Hex;
  readonly slotPath: readonly Hex[];
  /** The first round of the phase tensor. */
  readonly nodes: readonly Hex[];
}

/** Opens the finish step: the kept subtree and its path under the agreed state. */
export interface OpenFinishMove {
  readonly kind: "open_finish";
  readonly kept: Hex;
  readonly path: readonly Hex[];
}

/** Opens a leaf, or a whole result, and claims how its program ends. */
export interface OpenLeafMove {
  readonly kind: "open_leaf";
  /** Per operand its root and its path; nothing for the weights table. */
  readonly operands: readonly {
    readonly root: Hex;
    readonly path: readonly Hex[];
  }[];
  /** F, 178 bytes. */
  readonly finalState: Hex;
  /** m */
  readonly steps: bigint;
  /** Mapped path of the result under F's memory root; `0x` where F gives zero. */
  readonly outputPath: Hex;
  /** The first round of the phase instruction. */
  readonly hashes: readonly Hex[];
}

/** Executes the disputed instruction; either side may send it. */
export interface ArbitrateMove {
  readonly kind: "arbitrate";
  readonly witness: Hex;
}

/** Ends a dispute whose clock has run out; anyone may send it. */
export interface TimeOutMove {
  readonly kind: "time_out";
}

export type Move =
  | RevealMove
  | PostMove
  | AnswerMove
  | OpenNodeMove
  | OpenFinishMove
  | OpenLeafMove
  | ArbitrateMove
  | TimeOutMove;

const ZERO_LEAF: Hex = `0x${"00".repeat(32)}`;

function misplaced(view: DisputeView, move: Move): never {
  throw new ChainLearnError(
    `Cannot play "${move.kind}" in dispute ${view.disputeId}: expected a move of the phase ${view.phase}, found another's`,
  );
}

/** The data of the transaction that plays `move` on the game's contract; throws where the phase has no such move. */
export function encodeMove(view: DisputeView, move: Move): Hex {
  switch (move.kind) {
    case "reveal":
      return encodeReveal(view, move);
    case "post":
      return encodePost(view, move);
    case "answer":
      return encodeAnswer(view, move);
    case "open_node":
      return encodeOpenNode(view, move);
    case "open_finish":
      return encodeOpenFinish(view, move);
    case "open_leaf":
      return encodeOpenLeaf(view, move);
    case "arbitrate":
      return encodeArbitrate(view, move);
    case "time_out":
      return view.phase === "resolved"
        ? misplaced(view, move)
        : encodeFunctionData({
          abi: gameAbi,
          functionName: "timeOut",
          args: [view.disputeId, headOf(view), positionHash(view)],
        });
    default:
      return move satisfies never;
  }
}

/** The data that takes back the stake of a dispute whose submission another one has felled. */
export function encodeSettle(view: DisputeView): Hex {
  if (view.phase === "resolved") {
    throw new ChainLearnError(
      `Cannot settle dispute ${view.disputeId}: expected one that goes on, found its end`,
    );
  }
  return encodeFunctionData({
    abi: gameAbi,
    functionName: "settle",
    args: [view.disputeId, headOf(view), positionHash(view)],
  });
}

function encodeReveal(view: DisputeView, move: RevealMove): Hex {
  if (view.phase !== "reveal") return misplaced(view, move);
  const { disputeId, terms } = view;
  const { claim, hashes, salt } = move;
  return encodeFunctionData({
    abi: gameAbi,
    functionName: "reveal",
    args: [disputeId, headOf(view), questionOf(terms), claim, hashes, salt],
  });
}

/** The interval of a view as the contract takes it. */
function intervalOf(view: GraphView | InstructionView) {
  const course = courseHash(view.phase, view.terms);
  return { ...view.interval, course };
}

/** The branch of a view as the contract takes it. */
function branchOf({ terms, branch }: TensorView | LeafView) {
  const { previous, level, index, node } = branch;
  return { previous, opened: openedHash(terms, branch), level, index, node };
}

function encodePost(view: DisputeView, move: PostMove): Hex {
  const { disputeId } = view;
  if (view.phase === "graph" || view.phase === "instruction") {
    return encodeFunctionData({
      abi: gameAbi,
      functionName: "post",
      args: [disputeId, headOf(view), intervalOf(view), move.hashes],
    });
  }
  if (view.phase !== "tensor") return misplaced(view, move);
  return encodeFunctionData({
    abi: gameAbi,
    functionName: "postNodes",
    args: [disputeId, headOf(view), branchOf(view), move.hashes],
  });
}

function wrongChoice(view: DisputeView, count: number, index: number): never {
  throw new ChainLearnError(
    `Cannot answer in dispute ${view.disputeId}: expected the index of one of ${count} posted ${
      view.phase === "tensor" ? "nodes" : "segments"
    }, found ${index}`,
  );
}

function encodeAnswer(view: DisputeView, move: AnswerMove): Hex {
  if (view.phase === "graph" || view.phase === "instruction") {
    return encodeAnswerInterval(view, move);
  }
  if (view.phase !== "tensor") return misplaced(view, move);
  const nodes = (view.posted ?? []).map((node) => hexToBytes(node));
  if (nodes[move.index] === undefined) {
    return wrongChoice(view, nodes.length, move.index);
  }
  const path = MerkleTree.ofLeaves(nodes).path(move.index);
  return encodeFunctionData({
    abi: gameAbi,
    functionName: "answerNodes",
    args: [
      view.disputeId,
      headOf(view),
      branchOf(view),
      BigInt(move.index),
      bytesToHex(nodes[move.index]),
      path.map((sibling) => bytesToHex(sibling)),
    ],
  });
}

function encodeAnswerInterval(
  view: GraphView | InstructionView,
  { index }: AnswerMove,
): Hex {
  const { interval, terms, phase } = view;
  const posted = view.posted ?? [];
  const ends = [interval.low, ...posted, interval.high];
  if (ends[index] === undefined || ends[index + 1] === undefined) {
    return wrongChoice(view, ends.length - 1, index);
  }
  const tree = roundTree(interval, posted);
  const { previous, lo, hi } = interval;
  const course = courseHash(phase, terms);
  return encodeFunctionData({
    abi: gameAbi,
    functionName: "answer",
    args: [
      view.disputeId,
      headOf(view),
      { previous, course, lo, hi, root: bytesToHex(tree.root) },
      BigInt(index),
      ends[index],
      ends[index + 1],
      tree.path(index).map((sibling) => bytesToHex(sibling)),
    ],
  });
}

function encodeOpenNode(view: DisputeView, move: OpenNodeMove): Hex {
  if (view.phase !== "graph") return misplaced(view, move);
  const { descriptor, programPath, oldRoot, newRoot, slotPath, nodes } = move;
  return encodeFunctionData({
    abi: gameAbi,
    functionName: "openNode",
    args: [
      view.disputeId,
      headOf(view),
      intervalOf(view),
      courseOf(view.terms),
      {
        stopLeaf: move.stop?.leaf ?? ZERO_LEAF,
        stopPath: move.stop?.path ?? [],
        descriptor,
        programPath,
        oldRoot,
        newRoot,
        slotPath,
        nodes,
      },
    ],
  });
}

function encodeOpenFinish(view: DisputeView, move: OpenFinishMove): Hex {
  if (view.phase !== "graph") return misplaced(view, move);
  return encodeFunctionData({
    abi: gameAbi,
    functionName: "openFinish",
    args: [
      view.disputeId,
      headOf(view),
      intervalOf(view),
      courseOf(view.terms),
      move.kept,
      move.path,
    ],
  });
}

function encodeOpenLeaf(view: DisputeView, move: OpenLeafMove): Hex {
  if (view.phase !== "leaf") return misplaced(view, move);
  const { finalState, steps, outputPath, hashes } = move;
  const { registrationId } = view.terms;
  const { step, state } = view.branch;
  return encodeFunctionData({
    abi: gameAbi,
    functionName: "openLeaf",
    args: [
      view.disputeId,
      headOf(view),
      branchOf(view),
      { registrationId, step, state },
      {
        descriptor: view.descriptor,
        operands: move.operands.flatMap(({ root, path }) => [root, ...path]),
        finalState,
        steps,
        outputPath,
        hashes,
      },
    ],
  });
}

function encodeArbitrate(view: DisputeView, move: ArbitrateMove): Hex {
  if (view.phase !== "instruction") return misplaced(view, move);
  return encodeFunctionData({
    abi: gameAbi,
    functionName: "arbitrate",
    args: [view.disputeId, headOf(view), intervalOf(view), move.witness],
  });
}
