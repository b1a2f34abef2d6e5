/** The referee and the contract, move for move: what one accepts the other accepts, and both come to the same place. */
import { assert, assertEquals } from "@std/assert";
import type { Hex } from "viem";
import {
  type DisputeView,
  encodeMove,
  type MarketClient,
  type Move,
} from "../../contracts/mod.ts";
import {
  answerRequest,
  applyMove,
  challengerMove,
  type FaultKind,
  firstBlockOf,
  openDisputeOnChain,
  Party,
  readDispute,
  registerLocally,
  requestLocally,
  shapeOf,
  startLocalChain,
  submitterMove,
  viewOf,
} from "../../dispute/mod.ts";
import { deriveSalt } from "../../contracts/mod.ts";
import { Random } from "../random.ts";
import { liarOf, smallTruth } from "./arena.ts";

const SEED = 77;

function flip(hex: Hex, random: Random): Hex {
  if (hex.length <= 2) return `${hex}00`;
  const at = 2 + random.below(hex.length - 2);
  const digit = (Number.parseInt(hex[at], 16) ^ (1 + random.below(15)))
    .toString(16);
  return `${hex.slice(0, at)}${digit}${hex.slice(at + 1)}` as Hex;
}

function bentLists(list: readonly Hex[], random: Random): Hex[][] {
  const zero: Hex = `0x${"00".repeat(32)}`;
  const at = random.below(Math.max(1, list.length));
  return [
    list.slice(0, -1),
    [...list, zero],
    list.map((h, i) => i === at ? flip(h, random) : h),
  ];
}

/** Variations of a move: some legal, most not. */
function bent(move: Move, view: DisputeView, random: Random): Move[] {
  switch (move.kind) {
    case "reveal":
      return [
        ...bentLists(move.hashes, random).map((hashes) => ({
          ...move,
          hashes,
        })),
        { ...move, claim: flip(move.claim, random) },
        { ...move, salt: flip(move.salt, random) },
      ];
    case "post":
      return bentLists(move.hashes, random).map((hashes) => ({
        ...move,
        hashes,
      }));
    case "answer":
      return view.phase === "tensor"
        ? []
        : [move.index + 1, move.index + 16, 2 ** 40].map((index) => ({
          ...move,
          index,
        }));
    case "open_node":
      return [
        ...bentLists(move.programPath, random).map((programPath) => ({
          ...move,
          programPath,
        })),
        ...bentLists(move.slotPath, random).map((slotPath) => ({
          ...move,
          slotPath,
        })),
        ...bentLists(move.nodes, random).map((nodes) => ({ ...move, nodes })),
        { ...move, oldRoot: flip(move.oldRoot, random) },
        { ...move, newRoot: flip(move.newRoot, random) },
        { ...move, newRoot: move.oldRoot },
        { ...move, descriptor: flip(move.descriptor, random) },
        ...(move.stop
          ? bentLists(move.stop.path, random).map((path) => ({
            ...move,
            stop: { leaf: move.stop!.leaf, path },
          }))
          : []),
        { kind: "open_finish", kept: move.oldRoot, path: move.slotPath },
      ];
    case "open_finish":
      return [
        ...bentLists(move.path, random).map((path) => ({ ...move, path })),
        { ...move, kept: flip(move.kept, random) },
      ];
    case "open_leaf":
      return [
        ...[move.steps - 1n, move.steps + 1n, 0n, 2n ** 63n].map((steps) => ({
          ...move,
          steps,
        })),
        ...bentLists(move.hashes, random).map((hashes) => ({
          ...move,
          hashes,
        })),
        { ...move, operands: move.operands.slice(1) },
        {
          ...move,
          operands: move.operands.map((o, i) =>
            i === 0 ? { ...o, root: flip(o.root, random) } : o
          ),
        },
        { ...move, finalState: flip(move.finalState, random) },
        { ...move, finalState: `${move.finalState}00` },
        { ...move, outputPath: flip(move.outputPath, random) },
        { ...move, outputPath: "0x" },
      ];
    case "arbitrate":
      return [
        ...Array.from({ length: 12 }, () => ({
          ...move,
          witness: flip(move.witness, random),
        })),
        { ...move, witness: move.witness.slice(0, -2) as Hex },
        { ...move, witness: `${move.witness}00` },
      ];
    case "time_out":
      return [];
    default:
      return move satisfies never;
  }
}

/** What two views must have in common; clocks and block times aside. */
function essence(view: DisputeView) {
  const { clocks: _, ...rest } = view;
  return JSON.stringify(
    rest,
    (_, v) => typeof v === "bigint" ? v.toString() : v,
  );
}

async function acceptedByContract(
  market: MarketClient,
  data: Hex,
): Promise<boolean> {
  const { reader } = market.connection;
  try {
    await reader.call({
      account: market.connection.sender(),
      to: market.deployment.game,
      data,
    });
    return true;
  } catch {
    return false;
  }
}

function accepted<T>(attempt: () => T): T | undefined {
  try {
    return attempt();
  } catch {
    return undefined;
  }
}

Deno.test("applyMove: accepts what the contract accepts and comes to the same view", async () => {
  const random = new Random(SEED);
  await using chain = await startLocalChain();
  const accounts = {
    challenger: await chain.party("challenger"),
    submitter: await chain.party("submitter"),
  };
  const truth = await smallTruth(9);
  const shape = shapeOf(truth.commitment);
  const { registrationId } = await registerLocally(
    accounts.submitter.market,
    truth.commitment,
  );
  // Both updates in place, and the stop slot.
  const games: [FaultKind, number, "challenger" | "submitter"][] = [
    ["consistent", 12, "challenger"],
    ["fake_timeout", 19, "submitter"],
    ["random", 7, "challenger"],
  ];
  let compared = 0;
  for (const [kind, step, liarSide] of games) {
    const liar = await liarOf(truth, kind, step, 0, 40);
    assert(liar, `${kind} at ${step} does not reach the final state`);
    const honest = new Party(truth);
    const [challenger, submitter] = liarSide === "challenger"
      ? [liar, honest]
      : [honest, liar];
    const { requestId } = await requestLocally(
      accounts.submitter.market,
      registrationId,
      truth.terms,
      { nonce: BigInt(step), fee: 1n },
    );
    const { submissionId } = await answerRequest(requestId, {
      account: accounts.submitter,
      party: submitter,
    });
    const { market, secret } = accounts.challenger;
    const { disputeId } = await openDisputeOnChain(
      { market, claims: challenger, secret },
      submissionId,
    );
    const fromBlock = await firstBlockOf(market, submissionId);
    const salt = deriveSalt(secret, submissionId);
    const read = async () =>
      viewOf(await readDispute(market, disputeId, fromBlock))!;
    let view = await read();
    while (view.phase !== "resolved") {
      const side = view.turn!;
      const move = side === "challenger"
        ? challengerMove(view, challenger, salt)
        : submitterMove(view, submitter);
      const mover = accounts[side].market;
      for (const other of bent(move, view, random)) {
        // An answer beside the round cannot even be proven.
        const data = accepted(() => encodeMove(view, other));
        const expected = data !== undefined &&
          await acceptedByContract(mover, data);
        const found = accepted(() => applyMove(view, shape, other)) !==
          undefined;
        assertEquals(
          found,
          expected,
          `seed ${SEED}, ${kind}: ${view.phase}, ${
            JSON.stringify(
              other,
              (_, v) => typeof v === "bigint" ? String(v) : v,
            ).slice(0, 300)
          }`,
        );
        compared++;
      }
      const before = view;
      await mover.move(encodeMove(before, move));
      view = await read();
      // The block's time is part of the turn, and so of the transcript.
      const expected = applyMove(before, shape, move, view.clocks.since);
      assertEquals(essence(view), essence(expected));
    }
    assertEquals(view.winner === liarSide, false);
  }
  assert(compared > 100, `only ${compared} bent moves`);
});
