/**
 * The strategy of both sides: from what a dispute shows and what a party claims to the next move.
 *
 * Pure: no chain, no clock, no key. An honest player and a liar run the same code over different claims. The
 * challenger posts hashes and opens; the submitter points at the first hash it denies.
 */
import type { Hex } from "viem";
import {
  type DisputeView,
  innerEnds,
  type Interval,
  isWhole,
  type Move,
  nodesPerRound,
  segmentCount,
  segmentEnd,
} from "../contracts/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import type { Claims } from "./claims.ts";

/** The challenger's first move: its final state and the hashes of the first round over [0, n]. */
export function firstMove(
  claims: Claims,
  k: number,
): { claim: Hex; hashes: Hex[] } {
  return {
    claim: claims.stateRoot(claims.steps),
    hashes: innerEnds(0n, claims.steps, k).map((i) => claims.stateRoot(i)),
  };
}

/** Hash at a point of the interval phases. */
function hashAt(view: DisputeView, claims: Claims): (i: bigint) => Hex {
  if (view.phase === "graph") return (i) => claims.stateRoot(i);
  if (view.phase === "instruction") {
    const leaf = claims.leaf(view.branch.step, view.branch.index);
    return (m) => leaf.stateHash(m);
  }
  throw new ChainLearnError(
    `Cannot play a round: expected a phase over steps, found "${view.phase}"`,
  );
}

/** Nodes of the next round below the one denied. */
function nodesBelow(
  claims: Claims,
  step: bigint,
  level: number,
  index: number,
  q: number,
): Hex[] {
  const count = nodesPerRound(q, level);
  const below = level - Math.min(q, level);
  return Array.from(
    { length: count },
    (_, i) => claims.resultNode(step, below, index * count + i),
  );
}

/** The next move of the challenger in a view in which it is its turn; the salt is of its opening. */
export function challengerMove(
  view: DisputeView,
  claims: Claims,
  salt: Hex,
): Move {
  const { k, q } = view.terms;
  switch (view.phase) {
    case "reveal":
      return { kind: "reveal", ...firstMove(claims, k), salt };
    case "graph":
      return isSingle(view.interval) ? openStep(claims, view.interval.lo, q) : {
        kind: "post",
        hashes: innerEnds(view.interval.lo, view.interval.hi, k).map(
          hashAt(view, claims),
        ),
      };
    case "tensor": {
      const { step, level, index } = view.branch;
      return {
        kind: "post",
        hashes: nodesBelow(claims, step, level, index, q),
      };
    }
    case "leaf": {
      const leaf = claims.leaf(view.branch.step, view.branch.index);
      const hashes = innerEnds(0n, leaf.opening.steps, k).map((m) =>
        leaf.stateHash(m)
      );
      return { kind: "open_leaf", ...leaf.opening, hashes };
    }
    case "instruction":
      return isSingle(view.interval) ? arbitration(view, claims) : {
        kind: "post",
        hashes: innerEnds(view.interval.lo, view.interval.hi, k).map(
          hashAt(view, claims),
        ),
      };
    case "resolved":
      throw new ChainLearnError(
        `Cannot move in dispute ${view.disputeId}: expected one that goes on, found its end`,
      );
    default:
      return view satisfies never;
  }
}

const isSingle = ({ lo, hi }: Interval) => hi - lo === 1n;

function openStep(claims: Claims, step: bigint, q: number): Move {
  if (claims.isFinish(step)) {
    return { kind: "open_finish", ...claims.openFinish(step) };
  }
  const opening = claims.openNode(step);
  const height = Number.parseInt(
    opening.descriptor.slice(2 + 2 * 34, 4 + 2 * 34),
    16,
  );
  const nodes = height === 0 || isWhole(opening.descriptor)
    ? []
    : nodesBelow(claims, step, height, 0, q);
  return { kind: "open_node", ...opening, nodes };
}

/** The one instruction, proven; either side may send it. */
export function arbitration(
  view: DisputeView & { phase: "instruction" },
  claims: Claims,
): Move {
  const leaf = claims.leaf(view.branch.step, view.branch.index);
  return { kind: "arbitrate", witness: leaf.witness(view.interval.lo) };
}

/** The answer of the submitter in a view in which it is its turn: the first hash that is not its own. */
export function submitterMove(view: DisputeView, claims: Claims): Move {
  if (view.phase === "tensor" && view.posted !== null) {
    const { step, level, index } = view.branch;
    const own = nodesBelow(claims, step, level, index, view.terms.q);
    const first = view.posted.findIndex((node, i) => node !== own[i]);
    // Only a liar finds no difference below a node it denied.
    return { kind: "answer", index: Math.max(0, first) };
  }
  if (
    (view.phase === "graph" || view.phase === "instruction") &&
    view.posted !== null
  ) {
    const { lo, hi } = view.interval;
    const s = segmentCount(lo, hi, view.terms.k);
    const own = hashAt(view, claims);
    const first = view.posted.findIndex((hash, i) =>
      hash !== own(segmentEnd(lo, hi, s, i + 1))
    );
    return { kind: "answer", index: first < 0 ? s - 1 : first };
  }
  throw new ChainLearnError(
    `Cannot answer in dispute ${view.disputeId}: expected a posted round, found phase "${view.phase}"`,
  );
}
