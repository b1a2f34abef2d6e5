import { assert, assertEquals, assertRejects } from "@std/assert";
import { createPublicClient, type Hex, http, numberToHex, pad } from "viem";
import {
  decodeGameEvent,
  deriveSalt,
  type DisputeView,
  encodeMove,
  firstMoveCommitment,
  type GameEvent,
  viewsOf,
} from "../../contracts/mod.ts";
import { buildWitness, type VmState } from "../../fpvm/mod.ts";
import { vmCases } from "../fpvm/cases.ts";
import { Arena, firstMove, SALT } from "./game_arena.ts";
import { challengerMove, playOut, submitterMove } from "./game_players.ts";
import {
  hex,
  Party,
  type ProgramEnd,
  World,
  type WorldOptions,
} from "./game_world.ts";
import { keys, Place, world as marketWorld } from "./market_fixture.ts";
import { startChain } from "./step_batch.ts";

const SMALL: WorldOptions = {
  nodes: 5,
  slots: 6,
  kept: 2,
  iterations: 1,
  finish: true,
  height: 3,
  whole: false,
  loops: 3,
};
/** The three ways in which a program gives zero instead of its leaf. */
const FAILING: ProgramEnd[] = ["trap", "never", "failure"];

let arena: Arena;
Deno.test.beforeAll(async () => {
  arena = await Arena.start();
});
Deno.test.afterAll(() => arena[Symbol.asyncDispose]());

let disputes = 0;

async function dispute(
  challenger: Party,
  submitter: Party,
): Promise<DisputeView> {
  const { world } = challenger;
  await arena.setShape(world);
  const claim = hex(submitter.stateRoot(world.steps));
  const terms = arena.terms(++disputes, challenger, claim, 4, 2);
  return arena.open(pad(numberToHex(disputes)), terms, challenger);
}

/** Winner and ending of a dispute that is played to its end. */
async function played(challenger: Party, submitter: Party): Promise<string> {
  const view = await playOut(
    arena,
    await dispute(challenger, submitter),
    challenger,
    submitter,
  );
  assert(view.phase === "resolved");
  return `${view.winner} by ${view.ending}`;
}

async function honestWins(truth: Party, liar: Party, ending: string) {
  assertEquals(await played(truth, liar), `challenger by ${ending}`);
  assertEquals(await played(liar, truth), `submitter by ${ending}`);
}

/** Pads the program's run: the state after its real end stays what it is, so more steps are no lie. */
class PaddedParty extends Party {
  override finalState(step: number, leaf: number): {
    state: VmState;
    steps: number;
  } {
    const { state, steps } = super.finalState(step, leaf);
    return { state, steps: steps + 5 };
  }
}

Deno.test("DisputeGame: G8 D9 a program that traps, never stops or fails has one answer, and its denier loses", async () => {
  for (const end of FAILING) {
    for (const whole of [false, true]) {
      const world = new World({ ...SMALL, end, whole });
      const truth = new Party(world);
      assert(truth.result(4).node(0, 0).every((byte) => byte === 0), end);
      const liar = new Party(world, { step: 4, leaf: whole ? 0 : 5 });
      await honestWins(truth, liar, "step");
    }
  }
});

Deno.test("DisputeGame: G8 no phase waits for a program that traps or never stops", async () => {
  for (const end of FAILING) {
    const world = new World({ ...SMALL, end });
    const truth = new Party(world);
    const liar = new Party(world, { step: 3, leaf: 6 });
    const seen = new Set<string>();
    const view = await playOut(
      arena,
      await dispute(truth, liar),
      truth,
      liar,
      (view) => {
        seen.add(`${view.phase} ${view.turn}`);
        return view.phase === "instruction" &&
          view.interval.hi - view.interval.lo === 1n;
      },
    );
    assertEquals(seen.size, 8, `${[...seen]}`);
    // The last instruction is executed in every one of these states.
    const move = challengerMove(truth, view);
    const after = await arena.play(view, arena.challenger, move);
    assert(after.phase === "resolved" && after.winner === "challenger", end);
  }
});

Deno.test("DisputeGame: G7 a run padded past its real end is no lie, and hides none", async () => {
  const world = new World(SMALL);
  const truth = new PaddedParty(world);
  const liar = new PaddedParty(world, { step: 1, leaf: 4 });
  await honestWins(truth, liar, "step");
  assertEquals(
    await played(truth, new Party(world, { step: 1, leaf: 4 })),
    [
      "challenger by step",
    ].join(),
  );
});

Deno.test("DisputeGame: G7 who agrees to a boundary cannot deny what lies inside it", async () => {
  const world = new World(SMALL);
  const truth = new Party(world);
  const liar = new Party(world, { step: 2, leaf: 1 });
  const view = await playOut(
    arena,
    await dispute(truth, liar),
    truth,
    liar,
    (view) => view.phase === "graph" && view.turn === "submitter",
  );
  assert(view.phase === "graph");
  // He agrees to every hash that was posted and is left with the last segment, in which both ends are true.
  const last = view.posted!.length;
  const next = await arena.play(view, arena.submitter, {
    kind: "answer",
    index: last,
  });
  assert(next.phase === "graph");
  assertEquals(next.interval.low, view.posted![last - 1]);
  const end = await playOut(arena, next, truth, liar);
  assert(end.phase === "resolved" && end.winner === "challenger");
});

Deno.test("DisputeGame: D13 the stop slot may be set by the very step disputed, also the last one before the finish", async () => {
  const options = { ...SMALL, height: 0, kept: 4, iterations: 2 };
  for (const [stopSlot, step] of [[2, 2], [0, 4]]) {
    const world = new World({ ...options, stopSlot });
    const truth = new Party(world);
    assertEquals(truth.stateRoot(step + 1), truth.stateRoot(10));
    // Another word in it stops as well; zero claims that the model goes on.
    const other = new Party(world, { step, leaf: 0 });
    await honestWins(truth, other, "step");
    const runsOn = new Party(world, { step, leaf: 0, fill: 0 });
    await honestWins(truth, runsOn, "step");
  }
  const stopsAtLast = new World({ ...options, iterations: 1, stopSlot: 0 });
  const truth = new Party(stopsAtLast);
  assert(hex(truth.stateRoot(5)) !== hex(truth.stateRoot(6)), "finish step");
  await honestWins(truth, new Party(stopsAtLast, { step: 4, leaf: 0 }), "step");
});

Deno.test("DisputeGame: D1 openings of one level more or less are refused with the true states", async () => {
  const world = new World(SMALL);
  const truth = new Party(world);
  const liar = new Party(world, { step: 2, leaf: 1 });
  const single = await playOut(
    arena,
    await dispute(truth, liar),
    truth,
    liar,
    (view) =>
      view.phase === "graph" && view.turn === "challenger" &&
      view.interval.hi - view.interval.lo === 1n,
  );
  const node = challengerMove(truth, single);
  assert(node.kind === "open_node");
  const refused = (move: typeof node, error: string) =>
    assertRejects(
      () => arena.play(single, arena.challenger, move),
      Error,
      error,
    );
  const deeper = (path: readonly Hex[]) => [...path, path[path.length - 1]];
  const { slotPath, programPath } = node;
  await refused({ ...node, slotPath: slotPath.slice(1) }, "WrongLength");
  await refused({ ...node, slotPath: deeper(slotPath) }, "WrongLength");
  await refused({ ...node, programPath: deeper(programPath) }, "WrongLength");
  const leafView = await playOut(
    arena,
    single,
    truth,
    liar,
    (view) => view.phase === "leaf",
  );
  const leaf = challengerMove(truth, leafView);
  assert(leaf.kind === "open_leaf");
  for (
    const change of [(p: readonly Hex[]) => p.slice(1), deeper]
  ) {
    const [slot, weight] = leaf.operands;
    await assertRejects(() =>
      arena.play(leafView, arena.challenger, {
        ...leaf,
        operands: [{ ...slot, path: change(slot.path) }, weight],
      })
    );
  }
  const end = await playOut(arena, leafView, truth, liar);
  assert(end.phase === "resolved" && end.winner === "challenger");
});

Deno.test("step: O4 no instruction needs more gas than a small part of a block", async () => {
  const chain = await startChain();
  try {
    const dearest = { name: "", gas: 0 };
    for (const { name, state } of vmCases()) {
      const gas = await chain.gas(buildWitness(state));
      if (gas > dearest.gas) Object.assign(dearest, { name, gas });
    }
    assert(dearest.gas > 21_000, "nothing was executed");
    assert(dearest.gas <= 150_000, `${dearest.name}: ${dearest.gas}`);
  } finally {
    await chain.stop();
  }
});

/** Plays a dispute between two accounts of a market to its end. */
async function playInMarket(
  { challenger, submitter, deployment }: Place,
  requestId: Hex,
  mine: Party,
  his: Party,
): Promise<Hex> {
  const log: GameEvent[] = [];
  const keep = ({ events }: Awaited<ReturnType<typeof challenger.move>>) => {
    for (const { address, log: entry } of events) {
      if (address.toLowerCase() === deployment.game.toLowerCase()) {
        log.push(decodeGameEvent(entry));
      }
    }
  };
  const { submissionId, steps } = await challenger.requestState(requestId);
  const { claim, hashes } = firstMove(mine, { steps, k: 16 });
  const opened = await challenger.openDispute(
    submissionId,
    firstMoveCommitment(
      challenger.connection.sender(),
      claim,
      hashes,
      SALT,
    ),
  );
  keep(opened);
  for (let moves = 0; moves < 60; moves++) {
    const view = viewsOf(log).get(opened.disputeId)!;
    if (view.phase === "resolved") return opened.disputeId;
    const [player, move] = view.turn === "challenger"
      ? [challenger, challengerMove(mine, view)]
      : [submitter, submitterMove(his, view)];
    keep(await player.move(encodeMove(view, move)));
  }
  throw new Error("no end within 60 moves");
}

Deno.test("Market: B money is conserved where both sides lie", async () => {
  await using place = await Place.start();
  const { requester, submitter, challenger, deployment, anvil } = place;
  const chain = createPublicClient({ transport: http(anvil.rpcUrl) });
  const owed = async () => {
    const credits = await Promise.all(
      [requester, submitter, challenger].map((party) =>
        requester.credits(party.connection.sender())
      ),
    );
    return credits.reduce((sum, credit) => sum + credit) +
      await requester.burned();
  };
  const liar = (step: number, leaf: number, fill: number) =>
    new Party(marketWorld, { step, leaf, fill });
  // The challenger lies later, earlier, and about the same leaf.
  const pairs: [Party, Party, string][] = [
    [liar(5, 3, 0x11), liar(2, 1, 0x22), "won"],
    [liar(2, 1, 0x33), liar(5, 3, 0x44), "lost"],
    [liar(4, 2, 0x55), liar(4, 2, 0x66), "lost"],
  ];
  for (const [mine, his, expected] of pairs) {
    const requestId = await place.ask();
    await place.submit(requestId, his, deriveSalt(keys[1], requestId));
    const id = await playInMarket(place, requestId, mine, his);
    const { status } = await requester.disputeState(id);
    assertEquals(status, expected);
    if (status === "lost") {
      await place.pass(601);
      await requester.finalize(requestId);
    } else {
      await place.pass(201);
      await requester.refund(requestId);
    }
    const held = await chain.getBalance({ address: deployment.market });
    assertEquals(await owed(), held, "every wei is credited or burned");
  }
});

Deno.test("Market: B no contract asks for tx.origin, or for its balance", async () => {
  const folder = new URL("../../contracts/src/", import.meta.url);
  let read = 0;
  for await (const { name } of Deno.readDir(folder)) {
    const text = await Deno.readTextFile(new URL(name, folder));
    const code = text.replaceAll(/\/\/.*$/gm, "");
    assert(!/tx\s*\.\s*origin|selfbalance|\.balance\b/.test(code), name);
    read++;
  }
  assert(read > 10);
});
