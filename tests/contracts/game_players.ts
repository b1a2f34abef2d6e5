/**
 * Both sides of a dispute over a `World`, for tests of the game's rules: each answers from the states of its party.
 *
 * Independent of dispute/: the rules are told here a second time.
 */
import type { Hex } from "viem";
import {
  type DisputeView,
  innerEnds,
  type Interval,
  type Move,
  nodesPerRound,
} from "../../contracts/mod.ts";
import {
  buildWitness,
  type MerkleTree,
  packState,
  stateHash,
} from "../../fpvm/mod.ts";
import { type Arena, firstMove, SALT } from "./game_arena.ts";
import {
  hex,
  hexes,
  outputPath,
  type Party,
  type World,
} from "./game_world.ts";

/** What `party` claims as the state hash after `steps` of the program of a leaf. */
function machineHash(party: Party, step: number, leaf: number, steps: number) {
  const end = party.finalState(step, leaf);
  return steps >= end.steps
    ? hex(stateHash(end.state))
    : hex(stateHash(party.machineAt(step, leaf, steps)));
}

const isSingle = ({ lo, hi }: Interval) => hi - lo === 1n;

/** How a party knows the hash at a position of the phases graph and instruction. */
function hashAt(party: Party, view: DisputeView): (i: bigint) => Hex {
  if (view.phase === "graph") return (i) => hex(party.stateRoot(Number(i)));
  if (view.phase !== "instruction") throw new Error(view.phase);
  const { step, index } = view.branch;
  return (i) => machineHash(party, Number(step), index, Number(i));
}

/** The move of the challenger whose states are `party`'s. */
export function challengerMove(party: Party, view: DisputeView): Move {
  const { terms } = view;
  switch (view.phase) {
    case "reveal":
      return { kind: "reveal", ...firstMove(party, terms), salt: SALT };
    case "graph": {
      const { lo, hi } = view.interval;
      if (isSingle(view.interval)) return openStep(party, Number(lo), terms.q);
      const hashes = innerEnds(lo, hi, terms.k).map(hashAt(party, view));
      return { kind: "post", hashes };
    }
    case "tensor": {
      const { step, level, index } = view.branch;
      return {
        kind: "post",
        hashes: nodesBelow(party, Number(step), level, index, terms.q),
      };
    }
    case "leaf":
      return openLeaf(party, view);
    case "instruction": {
      const { lo, hi } = view.interval;
      return isSingle(view.interval) ? arbitration(party, view) : {
        kind: "post",
        hashes: innerEnds(lo, hi, terms.k).map(hashAt(party, view)),
      };
    }
    default:
      throw new Error(`nothing to do in ${view.phase}`);
  }
}

/** The witness for the one instruction that is left. */
export function arbitration(party: Party, view: DisputeView): Move {
  if (view.phase !== "instruction") throw new Error(view.phase);
  const { step, index } = view.branch;
  const state = party.machineAt(Number(step), index, Number(view.interval.lo));
  return { kind: "arbitrate", witness: hex(buildWitness(state)) };
}

/** The answer of the submitter whose states are `party`'s: the first hash that is not his own. */
export function submitterMove(party: Party, view: DisputeView): Move {
  if (view.phase === "graph" || view.phase === "instruction") {
    const { lo, hi } = view.interval;
    const own = innerEnds(lo, hi, view.terms.k).map(hashAt(party, view));
    const at = view.posted!.findIndex((hash, i) => hash !== own[i]);
    return { kind: "answer", index: at < 0 ? own.length : at };
  }
  if (view.phase !== "tensor") throw new Error(view.phase);
  const { step, level, index } = view.branch;
  const own = nodesBelow(party, Number(step), level, index, view.terms.q);
  return {
    kind: "answer",
    index: view.posted!.findIndex((hash, i) => hash !== own[i]),
  };
}

function nodesBelow(
  party: Party,
  step: number,
  level: number,
  index: number,
  q: number,
): Hex[] {
  const count = nodesPerRound(q, level);
  const tree = party.result(step);
  return Array.from(
    { length: count },
    (_, i) => hex(tree.node(level - Math.min(q, level), index * count + i)),
  );
}

function stopProof(world: World, slots: MerkleTree) {
  const { stopSlot } = world.options;
  return stopSlot === undefined ? {} : {
    stop: {
      leaf: hex(slots.node(0, stopSlot)),
      path: hexes(slots.path(stopSlot)),
    },
  };
}

/** Opens step `step` as `party` sees it. */
export function openStep(party: Party, step: number, q: number): Move {
  const { world } = party;
  const { nodes, finish, kept, height, whole } = world.options;
  const slots = party.slotTree(step);
  if (finish && step === world.steps - 1) {
    const level = Math.log2(kept);
    return {
      kind: "open_finish",
      kept: hex(slots.node(level, 0)),
      path: hexes(slots.path(0, level)),
    };
  }
  const node = step % nodes;
  const slot = world.resultSlot(node);
  return {
    kind: "open_node",
    ...stopProof(world, slots),
    descriptor: hex(world.descriptors[node]),
    programPath: hexes(world.programTree.path(node)),
    oldRoot: hex(slots.node(0, slot)),
    newRoot: hex(party.slotTree(step + 1).node(0, slot)),
    slotPath: hexes(slots.path(slot)),
    nodes: whole || height === 0 || party.trees[step] === null
      ? []
      : nodesBelow(party, step, height, 0, q),
  };
}

function openLeaf(party: Party, view: DisputeView): Move {
  if (view.phase !== "leaf") throw new Error(view.phase);
  const { world } = party;
  const { step, index, level } = view.branch;
  const node = Number(step) % world.options.nodes;
  const slots = party.slotTree(Number(step));
  const operand = world.operandSlot(node);
  const weight = node % 3;
  const { state, steps } = party.finalState(Number(step), index);
  return {
    kind: "open_leaf",
    operands: [
      {
        root: hex(slots.node(0, operand)),
        path: hexes(slots.path(operand)),
      },
      {
        root: hex(world.weightRoots[weight]),
        path: hexes(world.weightsTree.path(weight)),
      },
    ],
    finalState: hex(packState(state)),
    steps: BigInt(steps),
    outputPath: state.status === 1 && state.exitCode === 0
      ? hex(outputPath(state, level))
      : "0x",
    hashes: innerEnds(0n, BigInt(steps), view.terms.k)
      .map((m) => machineHash(party, Number(step), index, Number(m))),
  };
}

/** Plays until `stop` holds or the end; returns the last view. */
export async function playOut(
  arena: Arena,
  view: DisputeView,
  challenger: Party,
  submitter: Party,
  stop: (view: DisputeView) => boolean = () => false,
): Promise<DisputeView> {
  while (view.phase !== "resolved" && !stop(view)) {
    view = view.turn === "challenger"
      ? await arena.play(
        view,
        arena.challenger,
        challengerMove(challenger, view),
      )
      : await arena.play(view, arena.submitter, submitterMove(submitter, view));
  }
  return view;
}
