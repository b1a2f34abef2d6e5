/**
 * From the game's events to views of its disputes: `applyEvent` takes a view and an event to the next view.
 *
 * Pure, and complete: whoever has a dispute's events can continue it without asking the chain for anything else.
 */
import { decodeEventLog, type Hex, keccak256, numberToHex, slice } from "viem";
import { ChainLearnError } from "../fpvm/mod.ts";
import { gameAbi } from "./game_abi.ts";
import {
  type DisputeView,
  endings,
  type GraphView,
  type Interval,
  type LeafView,
  type RoundView,
  type Side,
  transcriptOf,
  type ViewBase,
  ZERO,
} from "./game_view.ts";
import { segmentEnd } from "./segments.ts";
import { sinceOf } from "./turn.ts";

/** A decoded event of the game; every one has its block's time, by itself or in the turn that it leads to. */
export type GameEvent = ReturnType<typeof decodeGameEvent>;

/** The block's time, in seconds. */
const timeOf = ({ args }: GameEvent) =>
  "turn" in args ? sinceOf(args.turn) : args.time;

/** Decodes a log of the game; throws viem's error for a foreign one. */
export function decodeGameEvent(
  log: { topics: readonly Hex[]; data: Hex },
) {
  return decodeEventLog({
    abi: gameAbi,
    topics: [...log.topics] as [Hex, ...Hex[]],
    data: log.data,
  });
}

function unexpected(view: DisputeView | undefined, event: GameEvent): never {
  throw new ChainLearnError(
    `Cannot follow dispute ${event.args.disputeId}: expected an event of the phase ${
      view?.phase ?? "before the opening"
    }, found ${event.eventName}`,
  );
}

/** The part of a view that every move changes in the same way. */
function moved(view: DisputeView, time: number): ViewBase {
  const { disputeId, terms, commitment, turn, clocks, transcript } = view;
  const { transactions } = view;
  const spent = time - clocks.since;
  const by = (side: Side) => clocks[side] - (turn === side ? spent : 0);
  return {
    disputeId,
    terms,
    commitment,
    transcript,
    turn,
    transactions: transactions + (turn === "challenger" ? 1 : 0),
    clocks: {
      since: time,
      challenger: by("challenger"),
      submitter: by("submitter"),
    },
  };
}

/** Sets turn and transcript from the position of `view`. */
function settled<V extends RoundView>(view: V): V {
  const turn = view.posted === null ? "challenger" : "submitter";
  const next = { ...view, turn };
  return { ...next, transcript: transcriptOf(next) };
}

/** A round without inner hashes is none: the challenger goes on. */
const roundOf = (hashes: readonly Hex[]) => hashes.length === 0 ? null : hashes;

function opened(event: GameEvent & { eventName: "Opened" }): DisputeView {
  const { disputeId, terms, commitment } = event.args;
  const time = timeOf(event);
  const view = {
    phase: "reveal",
    disputeId,
    terms,
    commitment,
    turn: "challenger",
    clocks: { since: time, challenger: terms.clock, submitter: terms.clock },
    transactions: 1,
    transcript: ZERO,
  } as const;
  return { ...view, transcript: transcriptOf(view) };
}

/** The segment that an answer picks out of a round. */
function pickSegment(
  { lo, hi, low, high }: Interval,
  posted: readonly Hex[],
  index: number,
  previous: Hex,
): Interval {
  const s = posted.length + 1;
  return {
    previous,
    lo: segmentEnd(lo, hi, s, index),
    hi: segmentEnd(lo, hi, s, index + 1),
    low: index === 0 ? low : posted[index - 1],
    high: index === posted.length ? high : posted[index],
  };
}

function answered(
  view: RoundView,
  posted: readonly Hex[],
  index: number,
  time: number,
): DisputeView {
  const base = moved(view, time);
  const previous = view.transcript;
  if (view.phase === "graph" || view.phase === "instruction") {
    const interval = pickSegment(view.interval, posted, index, previous);
    return settled({ ...view, ...base, interval, posted: null });
  }
  const { descriptor } = view;
  const step = Math.min(view.terms.q, view.branch.level);
  const branch = {
    ...view.branch,
    previous,
    level: view.branch.level - step,
    index: view.branch.index * posted.length + index,
    node: posted[index],
  };
  const phase = branch.level === 0 ? "leaf" : "tensor";
  return settled({ ...base, phase, branch, descriptor, posted: null });
}

function posted(
  view: DisputeView,
  event: GameEvent & { eventName: "Posted" },
): DisputeView {
  const { hashes } = event.args;
  const time = timeOf(event);
  const previous = view.transcript;
  switch (view.phase) {
    case "graph":
    case "instruction":
      return settled({
        ...view,
        ...moved(view, time),
        interval: { ...view.interval, previous },
        posted: hashes,
      });
    case "tensor":
      return settled({
        ...view,
        ...moved(view, time),
        branch: { ...view.branch, previous },
        posted: hashes,
      });
    default:
      return unexpected(view, event);
  }
}

function nodeOpened(
  view: GraphView,
  event: GameEvent & { eventName: "NodeOpened" },
): DisputeView {
  const { descriptor, newRoot, nodes } = event.args;
  const opened = {
    ...moved(view, timeOf(event)),
    descriptor,
    branch: {
      previous: view.transcript,
      step: view.interval.lo,
      state: view.interval.low,
      descriptor: keccak256(descriptor),
      level: Number(slice(descriptor, 34, 35)),
      index: 0,
      node: newRoot,
    },
  };
  return nodes.length === 0
    ? settled({ ...opened, phase: "leaf", posted: null })
    : settled({ ...opened, phase: "tensor", posted: nodes });
}

function leafOpened(
  view: LeafView,
  event: GameEvent & { eventName: "LeafOpened" },
): DisputeView {
  const { args } = event;
  return settled({
    ...moved(view, timeOf(event)),
    phase: "instruction",
    interval: {
      previous: view.transcript,
      lo: 0n,
      hi: args.steps,
      low: args.initialState,
      high: args.finalState,
    },
    posted: roundOf(args.hashes),
    branch: view.branch,
    descriptor: view.descriptor,
  });
}

function resolved(
  view: DisputeView,
  event: GameEvent & { eventName: "Resolved" },
): DisputeView {
  const { args } = event;
  const ending = endings[args.ending];
  const base = moved(view, timeOf(event));
  return {
    ...base,
    // A time-out takes nothing from a clock that has run out.
    clocks: ending === "time_out" ? view.clocks : base.clocks,
    phase: "resolved",
    turn: null,
    transcript: numberToHex(args.challengerWon ? 1 : 2, { size: 32 }),
    winner: args.challengerWon ? "challenger" : "submitter",
    ending,
  };
}

/**
 * The view after one event; `undefined` before the opening.
 * Throws where the event cannot follow, for example when one was left out.
 */
export function applyEvent(
  view: DisputeView | undefined,
  event: GameEvent,
): DisputeView {
  if (event.eventName === "Opened") {
    return view === undefined ? opened(event) : unexpected(view, event);
  }
  if (view === undefined || view.phase === "resolved") {
    return unexpected(view, event);
  }
  const time = timeOf(event);
  switch (event.eventName) {
    case "Revealed": {
      if (view.phase !== "reveal") return unexpected(view, event);
      const { terms } = view;
      return settled({
        ...moved(view, time),
        phase: "graph",
        interval: {
          previous: view.transcript,
          lo: 0n,
          hi: terms.steps,
          low: terms.start,
          high: event.args.claim,
        },
        posted: roundOf(event.args.hashes),
      });
    }
    case "Posted":
      return posted(view, event);
    case "Answered":
      return view.phase === "reveal" || view.posted === null
        ? unexpected(view, event)
        : answered(view, view.posted, Number(event.args.index), time);
    case "NodeOpened":
      return view.phase === "graph"
        ? nodeOpened(view, event)
        : unexpected(view, event);
    case "LeafOpened":
      return view.phase === "leaf"
        ? leafOpened(view, event)
        : unexpected(view, event);
    case "Resolved":
      return resolved(view, event);
    case "Returned":
      // Another dispute has felled the submission: this one stays where it stood.
      return view;
    default:
      return event satisfies never;
  }
}

/** All disputes of a list of events in the chain's order, by id. */
export function viewsOf(
  events: Iterable<GameEvent>,
): Map<Hex, DisputeView> {
  const views = new Map<Hex, DisputeView>();
  for (const event of events) {
    const { disputeId } = event.args;
    views.set(disputeId, applyEvent(views.get(disputeId), event));
  }
  return views;
}
