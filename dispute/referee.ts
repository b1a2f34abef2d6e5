/**
 * The dispute game without a chain: applies a move to a view by the rules of contracts/src/DisputeGame.sol.
 *
 * The same checks in the same order, clocks and accounts apart. `bisect` plays on it, and tests play the same moves
 * on it and on the contract. It decides no move.
 */
import { bytesToHex, type Hex, hexToBytes } from "viem";
import { decodeDescriptor, type Descriptor } from "../compiler/mod.ts";
import {
  type AnswerMove,
  applyEvent,
  type ArbitrateMove,
  type Branch,
  type DisputeView,
  type Ending,
  endings,
  firstMoveCommitment,
  type GameEvent,
  innerEnds,
  type Interval,
  isWhole,
  type Move,
  nodesPerRound,
  type OpenFinishMove,
  type OpenLeafMove,
  type OpenNodeMove,
  type RevealMove,
  type Terms,
} from "../contracts/mod.ts";
import {
  ChainLearnError,
  hashPair,
  initialStateHash,
  keccak256,
  leafCountHeight,
  MEMORY_HEIGHT,
  MerkleTree,
  REGIONS,
  rootFromPath,
  STATE_BYTES,
  STATUS,
  stepWitness,
  zeroHash,
} from "../fpvm/mod.ts";

/** What the model root fixes and a dispute needs: contracts/src/Types.sol. */
export interface ModelShape {
  readonly programRoot: Hex;
  readonly weightsRoot: Hex;
  readonly nodes: number;
  readonly weights: number;
  readonly slots: number;
  readonly kept: number;
  readonly stopSlot?: number;
}

type EventOf<N extends GameEvent["eventName"]> = GameEvent & { eventName: N };

function refuse(expected: string, found: string): never {
  throw new ChainLearnError(
    `Cannot accept the move: expected ${expected}, found ${found}`,
    { exitCode: 1 },
  );
}

function requireRoot(expected: Hex, found: Hex): void {
  if (expected !== found) refuse(`root ${expected}`, found);
}

function requireLength(expected: number, found: number): void {
  if (expected !== found) refuse(`${expected} items`, String(found));
}

/** Root that a node leads to, with exactly `depth` siblings. */
function pathRoot(
  node: Hex,
  index: number,
  path: readonly Hex[],
  depth: number,
): Hex {
  requireLength(depth, path.length);
  return bytesToHex(
    rootFromPath(hexToBytes(node), index, path.map((s) => hexToBytes(s))),
  );
}

/** The view of a dispute that has just been opened. */
export function openDispute(
  disputeId: Hex,
  terms: Terms,
  commitment: Hex,
): DisputeView {
  const args = {
    disputeId,
    submissionId: terms.submissionId,
    terms,
    commitment,
    turn: 0n,
  };
  return applyEvent(
    undefined,
    { eventName: "Opened", args } as EventOf<"Opened">,
  );
}

/** The view after a move at `time`, in seconds; throws where the contract would revert. */
export function applyMove(
  view: DisputeView,
  shape: ModelShape,
  move: Move,
  time: number = view.clocks.since,
): DisputeView {
  const { eventName, args } = outcomeOf(view, shape, move);
  const all = { disputeId: view.disputeId, turn: BigInt(time), ...args };
  return applyEvent(view, { eventName, args: all } as GameEvent);
}

/** The event that the contract would emit for a legal move. */
interface Outcome {
  readonly eventName: GameEvent["eventName"];
  readonly args: object;
}

function resolved(challengerWon: boolean, ending: Ending): Outcome {
  const args = { challengerWon, ending: endings.indexOf(ending) };
  return { eventName: "Resolved", args };
}

function outcomeOf(
  view: DisputeView,
  shape: ModelShape,
  move: Move,
): Outcome {
  switch (move.kind) {
    case "reveal":
      return reveal(view, move);
    case "post":
      checkPost(view, move.hashes);
      return { eventName: "Posted", args: { hashes: move.hashes } };
    case "answer":
      return answer(view, move);
    case "open_node":
      return openNode(view, shape, move);
    case "open_finish":
      return openFinish(view, shape, move);
    case "open_leaf":
      return openLeaf(view, shape, move);
    case "arbitrate":
      return arbitrate(view, move);
    case "time_out":
      return resolved(view.turn === "submitter", "time_out");
    default:
      return move satisfies never;
  }
}

function reveal(view: DisputeView, move: RevealMove): Outcome {
  if (view.phase !== "reveal") {
    refuse("a dispute without first move", view.phase);
  }
  const { terms } = view;
  const { claim, hashes, salt } = move;
  requireRoot(
    view.commitment,
    firstMoveCommitment(terms.challenger, claim, hashes, salt),
  );
  if (claim === terms.claim) return resolved(false, "equal_claim");
  requireLength(innerEnds(0n, terms.steps, terms.k).length, hashes.length);
  return { eventName: "Revealed", args: { claim, hashes } };
}

function answer(view: DisputeView, move: AnswerMove): Outcome {
  if (
    view.phase === "reveal" || view.phase === "resolved" ||
    view.posted === null
  ) refuse("a round", view.phase);
  const choices = view.posted.length + (view.phase === "tensor" ? 0 : 1);
  if (!(move.index >= 0 && move.index < choices)) {
    refuse(`an index below ${choices}`, String(move.index));
  }
  return { eventName: "Answered", args: { index: BigInt(move.index) } };
}

function openNode(
  view: DisputeView,
  shape: ModelShape,
  move: OpenNodeMove,
): Outcome {
  const interval = singleStep(view, false);
  if (!checkOpenNode(interval, shape, move, view.terms.q)) {
    return resolved(interval.high === interval.low, "identity");
  }
  const { descriptor, newRoot, nodes } = move;
  return { eventName: "NodeOpened", args: { descriptor, newRoot, nodes } };
}

function openFinish(
  view: DisputeView,
  shape: ModelShape,
  move: OpenFinishMove,
): Outcome {
  const interval = singleStep(view, true);
  const depth = leafCountHeight(shape.slots);
  const height = leafCountHeight(shape.kept);
  requireRoot(interval.low, pathRoot(move.kept, 0, move.path, depth - height));
  const finished = joinZeros(move.kept, height, depth);
  return resolved(interval.high === finished, "finish");
}

function openLeaf(
  view: DisputeView,
  shape: ModelShape,
  move: OpenLeafMove,
): Outcome {
  if (view.phase !== "leaf") refuse("a denied leaf", view.phase);
  const opened = checkOpenLeaf(view.branch, view.descriptor, shape, move);
  const { steps, hashes } = move;
  requireLength(innerEnds(0n, steps, view.terms.k).length, hashes.length);
  return { eventName: "LeafOpened", args: { ...opened, steps, hashes } };
}

function arbitrate(view: DisputeView, move: ArbitrateMove): Outcome {
  if (view.phase !== "instruction" || view.posted !== null) {
    refuse("a single instruction", view.phase);
  }
  const { lo, hi, low, high } = view.interval;
  if (hi - lo !== 1n) refuse("a single instruction", "an interval");
  const { prestate, poststate } = stepWitness(hexToBytes(move.witness));
  requireRoot(low, bytesToHex(prestate));
  return resolved(bytesToHex(poststate) === high, "step");
}

function checkPost(view: DisputeView, hashes: readonly Hex[]): void {
  if (view.phase === "graph" || view.phase === "instruction") {
    const { lo, hi } = view.interval;
    if (view.posted !== null || hi - lo === 1n) {
      refuse("a round over more than one step", "none");
    }
    requireLength(innerEnds(lo, hi, view.terms.k).length, hashes.length);
  } else if (view.phase === "tensor" && view.posted === null) {
    checkNodes(view.branch.level, view.branch.node, hashes, view.terms.q);
  } else {
    refuse("a round", view.phase);
  }
}

function checkNodes(
  level: number,
  node: Hex,
  nodes: readonly Hex[],
  q: number,
): void {
  requireLength(nodesPerRound(q, level), nodes.length);
  requireRoot(
    node,
    bytesToHex(MerkleTree.ofLeaves(nodes.map((n) => hexToBytes(n))).root),
  );
}

/** The interval of a step that may be opened now, of the kind that is opened. */
function singleStep(view: DisputeView, finish: boolean): Interval {
  if (view.phase !== "graph" || view.posted !== null) {
    refuse("an agreed step", view.phase);
  }
  const { lo, hi } = view.interval;
  if (hi - lo !== 1n) refuse("a single step", `${hi - lo} steps`);
  if (finish !== (view.terms.finish && lo === view.terms.steps - 1n)) {
    refuse("the other kind of step", `step ${lo}`);
  }
  return view.interval;
}

/** Whether the step changes the state; the proofs are checked as far as the contract reads them. */
function checkOpenNode(
  interval: Interval,
  shape: ModelShape,
  move: OpenNodeMove,
  q: number,
): boolean {
  const slots = leafCountHeight(shape.slots);
  if (shape.stopSlot !== undefined) {
    const { leaf, path } = move.stop ?? refuse("the stop slot's proof", "none");
    requireRoot(interval.low, pathRoot(leaf, shape.stopSlot, path, slots));
    if (hexToBytes(leaf).subarray(0, 4).some((b) => b !== 0)) return false;
  } else if (move.stop) requireLength(0, move.stop.path.length);
  const bytes = hexToBytes(move.descriptor);
  const node = Number(interval.lo % BigInt(shape.nodes));
  const leaf = bytesToHex(keccak256(bytes));
  requireRoot(
    shape.programRoot,
    pathRoot(leaf, node, move.programPath, leafCountHeight(shape.nodes)),
  );
  const descriptor = decodeDescriptor(bytes, shape);
  if (!descriptor) return false;
  requireRoot(
    interval.low,
    pathRoot(move.oldRoot, descriptor.resultSlot, move.slotPath, slots),
  );
  requireRoot(
    interval.high,
    pathRoot(move.newRoot, descriptor.resultSlot, move.slotPath, slots),
  );
  if (descriptor.resultHeight === 0 || descriptor.whole) {
    requireLength(0, move.nodes.length);
  } else checkNodes(descriptor.resultHeight, move.newRoot, move.nodes, q);
  return true;
}

/** Root of the tree of `depth` whose leftmost node at `height` is given and all else 32 zero bytes. */
function joinZeros(node: Hex, height: number, depth: number): Hex {
  let bytes: Uint8Array = hexToBytes(node);
  for (let h = height; h < depth; h++) bytes = hashPair(bytes, zeroHash(h));
  return bytesToHex(bytes);
}

/** The composed initial state and the claimed final one; throws where the claim breaks a rule. */
function checkOpenLeaf(
  branch: Branch,
  descriptorHex: Hex,
  shape: ModelShape,
  move: OpenLeafMove,
) {
  const descriptor = decodeDescriptor(hexToBytes(descriptorHex), shape) ??
    refuse("a valid descriptor", "a void one");
  const proofs = [...move.operands];
  const operandRoots = descriptor.operands.map(({ kind, index }) => {
    if (kind === "weights_table") return hexToBytes(shape.weightsRoot);
    const proof = proofs.shift() ?? refuse("a proof of every operand", "fewer");
    const [root, count] = kind === "weight"
      ? [shape.weightsRoot, shape.weights]
      : [branch.state, shape.slots];
    requireRoot(
      root,
      pathRoot(proof.root, index, proof.path, leafCountHeight(count)),
    );
    return hexToBytes(proof.root);
  });
  requireLength(0, proofs.length);
  checkFinalState(
    branch,
    descriptor,
    isWhole(descriptorHex) ? descriptor.resultHeight : 0,
    move,
  );
  return {
    initialState: bytesToHex(initialStateHash({
      programRoot: descriptor.programRoot,
      programHeight: descriptor.programHeight,
      leafIndex: branch.index,
      iteration: Number((branch.step / BigInt(shape.nodes)) & 0xffffffffn),
      operandRoots,
    })),
    finalState: bytesToHex(keccak256(hexToBytes(move.finalState))),
  };
}

/** The rules of the final-state claim (F, m): docs/protocol.md. */
function checkFinalState(
  branch: Branch,
  { maxSteps }: Descriptor,
  height: number,
  move: OpenLeafMove,
): void {
  const packed = hexToBytes(move.finalState);
  requireLength(STATE_BYTES, packed.length);
  const limit = maxSteps === 0n ? 1n : maxSteps;
  if (move.steps < 1n || move.steps > limit) {
    refuse(`1 .. ${limit} steps`, String(move.steps));
  }
  const status = packed[48];
  if (status === STATUS.running && move.steps !== limit) {
    refuse(`${limit} steps of a program that runs`, String(move.steps));
  }
  if (status === STATUS.exited && packed[49] === 0) {
    const path = expandPath(hexToBytes(move.outputPath), height);
    const index = REGIONS.output.base / 32 / 2 ** height;
    const root = rootFromPath(hexToBytes(branch.node), index, path);
    // As the contract reads it: a state that no machine has is a claim like any other, and a false one.
    requireRoot(bytesToHex(packed.subarray(0, 32)), bytesToHex(root));
  } else {
    requireLength(0, move.outputPath.length - 2);
    requireRoot(bytesToHex(zeroHash(height)), branch.node);
  }
}

/** All siblings of a mapped path that starts at level `from`. */
function expandPath(bytes: Uint8Array, from: number): Uint8Array[] {
  if (bytes.length < 4) refuse("a mapped path", `${bytes.length} bytes`);
  const map = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  if (map >>> MEMORY_HEIGHT !== 0 || (map & (2 ** from - 1)) !== 0) {
    refuse("a map of the levels above", map.toString(2));
  }
  let at = 4;
  const path: Uint8Array[] = [];
  for (let level = from; level < MEMORY_HEIGHT; level++) {
    if ((map >>> level) & 1) {
      if (at + 32 > bytes.length) {
        refuse(`${at + 32} bytes of path`, String(bytes.length));
      }
      path.push(bytes.slice(at, at + 32));
      at += 32;
    } else path.push(zeroHash(level));
  }
  requireLength(at, bytes.length);
  return path;
}
