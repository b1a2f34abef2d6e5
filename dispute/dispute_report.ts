/**
 * A dispute that has ended, as its events and receipts tell it: who won, where, at what cost.
 *
 * Everything is read from the chain; nothing is remembered from playing.
 */
import { decodeFunctionData, type Hex, hexToBytes } from "viem";
import {
  type DisputeView,
  type Ending,
  gameAbi,
  type MarketClient,
  type Side,
} from "../contracts/mod.ts";
import {
  ChainLearnError,
  disassemble,
  STATE_BYTES,
  unpackState,
} from "../fpvm/mod.ts";
import {
  firstBlockOf,
  historyOf,
  type LoggedEvent,
  readDispute,
} from "./dispute_log.ts";

/** One transaction of a dispute. */
export interface ReportedMove {
  /** The called function's name; `openDispute` is the market's. */
  readonly move: string;
  readonly by: Side | "anyone";
  readonly gas: number;
  readonly transaction: Hex;
}

/** An executed instruction of the machine. */
export interface Instruction {
  readonly pc: number;
  readonly word: number;
  readonly text: string;
}

export interface DisputeReport {
  readonly disputeId: Hex;
  readonly winner: Side;
  readonly ending: Ending;
  /** The step of the model, the leaf of its result and the step of the machine; null where the game ended before. */
  readonly fault: {
    readonly node: number | null;
    readonly leaf: number | null;
    readonly step: number | null;
  };
  readonly rounds: {
    readonly graph: number;
    readonly tensor: number;
    readonly instruction: number;
  };
  /** What there was to search: steps of the model, leaves of the result, steps of the machine; 0 where not reached. */
  readonly widths: {
    readonly graph: number;
    readonly tensor: number;
    readonly instruction: number;
  };
  readonly transactions: number;
  readonly gas: number;
  /** Gas by function, summed. */
  readonly gasByMove: Readonly<Record<string, number>>;
  readonly moves: readonly ReportedMove[];
  /** What the contract executed in the end, where it came to that. */
  readonly instruction: Instruction | null;
}

const callers: Readonly<Record<string, ReportedMove["by"]>> = {
  answer: "submitter",
  answerNodes: "submitter",
  timeOut: "anyone",
  arbitrate: "anyone",
};

/** Reads all of it; throws while the dispute goes on. */
export async function reportDispute(
  market: MarketClient,
  disputeId: Hex,
): Promise<DisputeReport> {
  const { submissionId, status } = await market.disputeState(disputeId);
  const fromBlock = await firstBlockOf(market, submissionId);
  const events = await readDispute(market, disputeId, fromBlock);
  const views = historyOf(events);
  const last = views.at(-1);
  if (last?.phase !== "resolved") {
    throw new ChainLearnError(
      `Cannot report dispute ${disputeId}: expected one that has ended, found phase "${
        last?.phase ?? "none"
      }"`,
    );
  }
  const { moves, witness } = await readMoves(market, events);
  const gasByMove: Record<string, number> = {};
  for (const { move, gas } of moves) {
    gasByMove[move] = (gasByMove[move] ?? 0) + gas;
  }
  return {
    disputeId,
    // The market's word on who gets the money; the game's events said the same to it.
    winner: status === "won" ? "challenger" : "submitter",
    ending: last.ending,
    fault: placeOf(views.at(-2)),
    rounds: roundsOf(events, views),
    widths: widthsOf(views),
    transactions: moves.length,
    gas: moves.reduce((sum, { gas }) => sum + gas, 0),
    gasByMove,
    moves,
    instruction: witness && instructionOf(witness),
  };
}

/** Where a dispute stood. */
function placeOf(view: DisputeView | undefined): DisputeReport["fault"] {
  const place = { node: null, leaf: null, step: null };
  switch (view?.phase) {
    case "graph": {
      const { lo, hi } = view.interval;
      return hi - lo === 1n ? { ...place, node: Number(lo) } : place;
    }
    case "tensor":
      return { ...place, node: Number(view.branch.step) };
    case "leaf":
    case "instruction": {
      const { step, index } = view.branch;
      const at = view.phase === "instruction" &&
          view.interval.hi - view.interval.lo === 1n
        ? Number(view.interval.lo)
        : null;
      return { node: Number(step), leaf: index, step: at };
    }
    default:
      return place;
  }
}

/** Rounds that the submitter answered, by phase. */
function roundsOf(
  events: readonly LoggedEvent[],
  views: readonly DisputeView[],
): DisputeReport["rounds"] {
  const rounds = { graph: 0, tensor: 0, instruction: 0 };
  events.forEach(({ event }, i) => {
    const phase = i > 0 ? views[i - 1].phase : "reveal";
    if (event.eventName !== "Answered") return;
    if (phase === "graph" || phase === "tensor" || phase === "instruction") {
      rounds[phase]++;
    }
  });
  return rounds;
}

function widthsOf(views: readonly DisputeView[]): DisputeReport["widths"] {
  const widths = { graph: 0, tensor: 0, instruction: 0 };
  for (const view of views) {
    if (view.phase === "graph") widths.graph = Number(view.terms.steps);
    if (view.phase === "tensor" || view.phase === "leaf") {
      widths.tensor ||= 2 ** view.branch.level;
    }
    if (view.phase === "instruction") {
      widths.instruction ||= Number(view.interval.hi - view.interval.lo);
    }
  }
  return widths;
}

async function readMoves(
  market: MarketClient,
  events: readonly LoggedEvent[],
): Promise<{ moves: ReportedMove[]; witness: Uint8Array | null }> {
  const { connection } = market;
  const hashes = [...new Set(events.map((event) => event.transaction))];
  let witness: Uint8Array | null = null;
  const moves: ReportedMove[] = [];
  for (const hash of hashes) {
    const [receipt, { input }] = await connection.ask(
      "read a move's receipt",
      () =>
        Promise.all([
          connection.reader.getTransactionReceipt({ hash }),
          connection.reader.getTransaction({ hash }),
        ]),
    );
    const call = callOf(input);
    if (call?.functionName === "arbitrate") {
      witness = hexToBytes(call.args[3]);
    }
    const move = call?.functionName ?? "openDispute";
    moves.push({
      move,
      by: callers[move] ?? "challenger",
      gas: Number(receipt.gasUsed),
      transaction: hash,
    });
  }
  return { moves, witness };
}

/** The call of the game in a transaction's data; the market's opening is none. */
function callOf(input: Hex) {
  try {
    return decodeFunctionData({ abi: gameAbi, data: input });
  } catch {
    return undefined;
  }
}

/** The instruction that a witness carries; null where the machine had stopped. */
export function instructionOf(witness: Uint8Array): Instruction | null {
  if (witness.length <= STATE_BYTES) return null;
  const pc = unpackState(witness.subarray(0, STATE_BYTES)).pc >>> 0;
  const word = new DataView(
    witness.buffer,
    witness.byteOffset + STATE_BYTES + (pc & 28),
  ).getUint32(0, true);
  return { pc, word, text: disassemble(word, pc) };
}
