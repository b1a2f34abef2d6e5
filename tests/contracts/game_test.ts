import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type Hex, numberToHex, pad } from "viem";
import {
  artifact,
  type DisputeView,
  encodeMove,
  gameAbi,
  type Move,
  viewsOf,
} from "../../contracts/mod.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import { Arena } from "./game_arena.ts";
import {
  arbitration,
  challengerMove,
  openStep,
  playOut,
  submitterMove,
} from "./game_players.ts";
import {
  type Fault,
  hex,
  Party,
  World,
  type WorldOptions,
} from "./game_world.ts";

const SMALL: WorldOptions = {
  nodes: 5,
  slots: 6,
  kept: 2,
  iterations: 1,
  finish: true,
  height: 3,
  whole: false,
  loops: 8,
};

let arena: Arena;
Deno.test.beforeAll(async () => {
  arena = await Arena.start();
});
Deno.test.afterAll(() => arena[Symbol.asyncDispose]());

let disputes = 0;

/** Opens a dispute between two parties; each gives the states that its side claims. */
async function dispute(
  challenger: Party,
  submitter: Party,
  k = 4,
  q = 2,
): Promise<DisputeView> {
  const { world } = challenger;
  await arena.setShape(world);
  const claim = hex(submitter.stateRoot(world.steps));
  const terms = arena.terms(++disputes, challenger, claim, k, q);
  return arena.open(pad(numberToHex(disputes)), terms, challenger);
}

/** Winner and ending. */
function verdict(view: DisputeView): string[] {
  assert(view.phase === "resolved");
  return [view.winner, view.ending];
}

/** Plays the fault on either side; the honest one must win by `ending`. */
async function honestWins(
  options: WorldOptions,
  fault: Fault,
  ending: string,
  k = 4,
  q = 2,
): Promise<void> {
  const world = new World(options);
  const truth = new Party(world);
  const liar = new Party(world, fault);
  const first = await playOut(
    arena,
    await dispute(truth, liar, k, q),
    truth,
    liar,
  );
  assertEquals(verdict(first), ["challenger", ending]);
  const second = await dispute(liar, truth, k, q);
  assertEquals(verdict(await playOut(arena, second, liar, truth)), [
    "submitter",
    ending,
  ]);
}

Deno.test("DisputeGame keeps a small dispute within its gas and transactions", async () => {
  const world = new World({
    ...SMALL,
    nodes: 15,
    slots: 16,
    height: 9,
    loops: 4000,
  });
  const truth = new Party(world);
  const liar = new Party(world, { step: 6, leaf: 300 });
  const before = arena.played.length;
  const opened = await dispute(truth, liar, 26, 5);
  const end = await playOut(arena, opened, truth, liar);
  assertEquals(verdict(end), ["challenger", "step"]);
  const played = arena.played.slice(before);
  const most = (kind: string) =>
    Math.max(...played.filter((p) => p.kind === kind).map((p) => p.gas));
  const total = played.reduce((sum, { gas }) => sum + gas, 0);
  assert(played.length <= 14, `${played.length} transactions`);
  assert(total <= 850_000, `${total} gas`);
  assert(total / played.length <= 60_000, `${total / played.length} a move`);
  assert(most("open_node") <= 120_000, `${most("open_node")} to open a node`);
  assert(most("open_leaf") <= 250_000, `${most("open_leaf")} to open a leaf`);
});

Deno.test("DisputeGame lets the honest side win whatever k and q (G6)", async () => {
  for (const [k, q] of [[2, 1], [3, 5], [4, 2], [32, 3]]) {
    await honestWins(SMALL, { step: 3, leaf: 5 }, "step", k, q);
  }
});

Deno.test("DisputeGame plays first and last steps and leaves (G6)", async () => {
  await honestWins(SMALL, { step: 0, leaf: 0 }, "step");
  await honestWins(SMALL, { step: 4, leaf: 7 }, "step");
});

Deno.test("DisputeGame plays a one-node model of one leaf (G6, D9)", async () => {
  const one = { ...SMALL, nodes: 1, slots: 2, kept: 1, height: 0 };
  await honestWins(one, { step: 0, leaf: 0 }, "step");
  await honestWins({ ...one, finish: false }, { step: 0, leaf: 0 }, "step");
});

Deno.test("DisputeGame plays whole nodes without the phase tensor (D18)", async () => {
  await honestWins({ ...SMALL, whole: true }, { step: 2, leaf: 0 }, "step");
});

Deno.test("DisputeGame plays later iterations", async () => {
  await honestWins({ ...SMALL, iterations: 3 }, { step: 12, leaf: 6 }, "step");
});

Deno.test("DisputeGame decides void descriptors by equality (D9)", async () => {
  await honestWins(
    { ...SMALL, voidNodes: [4] },
    { step: 4, leaf: 0 },
    "identity",
  );
});

Deno.test("DisputeGame decides a finish step that clears too little by the kept slots (D14)", async () => {
  const world = new World(SMALL);
  const truth = new Party(world);
  const liar = new Party(world);
  liar.slotRoots[world.steps] = liar.slotRoots[world.steps - 1];
  const first = await dispute(truth, liar);
  assertEquals(verdict(await playOut(arena, first, truth, liar)), [
    "challenger",
    "finish",
  ]);
  const second = await dispute(liar, truth);
  assertEquals(verdict(await playOut(arena, second, liar, truth)), [
    "submitter",
    "finish",
  ]);
});

Deno.test("DisputeGame stops at the very next node, and still finishes (D13)", async () => {
  // Slot 2 is written by node 2: everything after it is the identity, the finish step is not.
  const options = { ...SMALL, height: 0, stopSlot: 2, loops: 2 };
  const world = new World(options);
  const truth = new Party(world);
  const moved = new Party(world, { step: 4, leaf: 0 });
  assertEquals(truth.stateRoot(3), truth.stateRoot(5));
  const first = await dispute(truth, moved);
  assertEquals(verdict(await playOut(arena, first, truth, moved)), [
    "challenger",
    "identity",
  ]);
  const second = await dispute(moved, truth);
  assertEquals(verdict(await playOut(arena, second, moved, truth)), [
    "submitter",
    "identity",
  ]);
});

Deno.test("DisputeGame refuses an opening that hides that the model has stopped (D13)", async () => {
  const world = new World({ ...SMALL, height: 0, stopSlot: 2, loops: 2 });
  const truth = new Party(world);
  const moved = new Party(world, { step: 4, leaf: 0 });
  const view = await playOut(
    arena,
    await dispute(moved, truth),
    moved,
    truth,
    (view) =>
      view.phase === "graph" && view.interval.hi - view.interval.lo === 1n,
  );
  const honest = openStep(moved, 4, 2);
  assert(honest.kind === "open_node" && honest.stop);
  const zero: Hex = `0x${"00".repeat(32)}`;
  for (const stop of [{ ...honest.stop, leaf: zero }, undefined]) {
    await assertRejects(
      () => arena.play(view, arena.challenger, { ...honest, stop }),
      Error,
      stop ? "WrongRoot" : "WrongLength",
    );
  }
});

Deno.test("DisputeGame loses nothing when the submitter sends the last instruction", async () => {
  const world = new World(SMALL);
  const truth = new Party(world);
  const liar = new Party(world, { step: 1, leaf: 2 });
  const view = await playOut(
    arena,
    await dispute(liar, truth),
    liar,
    truth,
    (view) =>
      view.phase === "instruction" &&
      view.interval.hi - view.interval.lo === 1n,
  );
  const move = arbitration(truth, view);
  assertEquals(verdict(await arena.play(view, arena.submitter, move)), [
    "submitter",
    "step",
  ]);
});

Deno.test("DisputeGame refuses a witness of another state (P6)", async () => {
  const world = new World(SMALL);
  const truth = new Party(world);
  const liar = new Party(world, { step: 1, leaf: 2 });
  const view = await playOut(
    arena,
    await dispute(liar, truth),
    liar,
    truth,
    (view) =>
      view.phase === "instruction" &&
      view.interval.hi - view.interval.lo === 1n,
  );
  assert(view.phase === "instruction");
  const { lo } = view.interval;
  const earlier = { ...view, interval: { ...view.interval, lo: lo - 1n } };
  await assertRejects(
    () => arena.play(view, arena.challenger, arbitration(truth, earlier)),
    Error,
    "WrongPrestate",
  );
});

Deno.test("DisputeGame lets the silent side lose in every phase (C)", async () => {
  const world = new World(SMALL);
  const truth = new Party(world);
  const liar = new Party(world, { step: 3, leaf: 5 });
  const phases = [
    "reveal challenger",
    "graph submitter",
    "graph challenger",
    "tensor submitter",
    "tensor challenger",
    "leaf challenger",
    "instruction submitter",
    "instruction challenger",
  ];
  for (const silent of phases) {
    const view = await playOut(
      arena,
      await dispute(truth, liar),
      truth,
      liar,
      (view) => `${view.phase} ${view.turn}` === silent,
    );
    assertEquals(`${view.phase} ${view.turn}`, silent);
    const timeOut: Move = { kind: "time_out" };
    await assertRejects(
      () => arena.play(view, arena.challenger, timeOut),
      Error,
      "ClockRunning",
    );
    await arena.client.increaseTime({ seconds: 1001 });
    await arena.client.mine({ blocks: 1 });
    const end = await arena.play(view, arena.challenger, timeOut);
    const winner = view.turn === "challenger" ? "submitter" : "challenger";
    assertEquals(verdict(end), [winner, "time_out"]);
  }
});

Deno.test("viewsOf follows disputes played side by side, and refuses gaps", async () => {
  const world = new World(SMALL);
  const truth = new Party(world);
  const liars = [1, 2].map((step) => new Party(world, { step, leaf: step }));
  const views = [
    await dispute(truth, liars[0]),
    await dispute(truth, liars[1]),
  ];
  while (views.some((view) => view.phase !== "resolved")) {
    for (const [i, view] of views.entries()) {
      if (view.phase === "resolved") continue;
      views[i] = view.turn === "challenger"
        ? await arena.play(view, arena.challenger, challengerMove(truth, view))
        : await arena.play(
          view,
          arena.submitter,
          submitterMove(liars[i], view),
        );
    }
  }
  assertEquals(views.map(verdict), [["challenger", "step"], [
    "challenger",
    "step",
  ]]);
  const own = arena.events.filter((event) =>
    event.args.disputeId === views[0].disputeId
  );
  assertEquals(viewsOf(own).get(views[0].disputeId), views[0]);
  assertThrows(() => viewsOf(own.filter((_, i) => i !== 3)));
});

Deno.test("encodeMove refuses a move of another phase", async () => {
  const world = new World(SMALL);
  const truth = new Party(world);
  const view = await dispute(truth, new Party(world, { step: 1, leaf: 1 }));
  assertThrows(
    () => encodeMove(view, { kind: "arbitrate", witness: "0x" }),
    Error,
    'Cannot play "arbitrate"',
  );
});

Deno.test("encodeMove: refuses an answer beside the posted nodes by name", async () => {
  const world = new World(SMALL);
  const opened = await dispute(
    new Party(world),
    new Party(world, { step: 1, leaf: 1 }),
  );
  const word = pad("0x1");
  const branch = {
    previous: word,
    step: 1n,
    state: word,
    descriptor: word,
    level: 3,
    index: 0,
    node: word,
  };
  const view: DisputeView = {
    ...opened,
    phase: "tensor",
    turn: "submitter",
    branch,
    descriptor: "0x",
    posted: [word, word, word, word],
  };
  encodeMove(view, { kind: "answer", index: 3 });
  for (const index of [-1, 0.5, NaN, 4, 1e6]) {
    assertThrows(
      () => encodeMove(view, { kind: "answer", index }),
      ChainLearnError,
      `expected the index of one of 4 posted nodes, found ${index}`,
    );
  }
});

Deno.test("gameAbi is the compiled contract's interface", () => {
  const plain = (abi: readonly unknown[]) =>
    abi.map((item) => JSON.stringify(normal(item))).sort();
  assertEquals(plain(gameAbi), plain(artifact("DisputeGame").abi));
});

/** The same ABI entry with its keys in order, without Solidity's own type names and absent marks. */
function normal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, entry]) =>
        key !== "internalType" && entry !== "" && entry !== false
      )
      .sort(([a], [b]) => a < b ? -1 : 1)
      .map(([key, entry]) => [key, normal(entry)]),
  );
}
