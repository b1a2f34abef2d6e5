import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Abi, type AbiItem, bytesToHex, type Hex, keccak256 } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import {
  artifact,
  connect,
  ContractRefusal,
  decodeGameEvent,
  deriveSalt,
  encodeMove,
  firstMoveCommitment,
  type GameEvent,
  innerEnds,
  marketAbi,
  registrationProof,
  registryAbi,
  slotsSiblings,
  submissionCommitment,
  type Terms,
  viewsOf,
} from "../../contracts/mod.ts";
import { ChainLearnError, MerkleTree, tensorRoot } from "../../fpvm/mod.ts";
import { Random } from "../random.ts";
import { SALT } from "./game_arena.ts";
import { challengerMove, submitterMove } from "./game_players.ts";
import { hex, hexes, type Party } from "./game_world.ts";
import {
  keys,
  liar,
  model,
  OUTPUT_BYTES,
  Place,
  revelation,
  terms,
  truth,
  world,
} from "./market_fixture.ts";

let place: Place;
Deno.test.beforeAll(async () => {
  place = await Place.start();
});
Deno.test.afterAll(() => place[Symbol.asyncDispose]());

async function refusal(call: Promise<unknown>): Promise<[string, unknown[]]> {
  const error = await assertRejects(() => call, ContractRefusal);
  const { errorName, errorArgs, exitCode } = error as ContractRefusal;
  assertEquals(exitCode, 2);
  return [errorName, [...errorArgs]];
}

async function environment(
  call: Promise<unknown>,
  message: string,
): Promise<ChainLearnError> {
  const error = await assertRejects(() => call, ChainLearnError, message);
  assertEquals((error as ChainLearnError).exitCode, 3);
  return error as ChainLearnError;
}

/** Only what the ABI means: no internal types, no names of struct or parameter where the other form has none. */
function meaning(abi: Abi): string[] {
  const keep = new Set([
    "type",
    "name",
    "inputs",
    "outputs",
    "components",
    "indexed",
    "stateMutability",
  ]);
  const plain = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key, found]) =>
          keep.has(key) && found !== "" && found !== false
        )
        .sort(([a], [b]) => a < b ? -1 : 1)
        .map(([key, found]) => [key, plain(found)]),
    );
  };
  return abi.map((item: AbiItem) => JSON.stringify(plain(item))).sort();
}

Deno.test("marketAbi and registryAbi are those of the compiled contracts", () => {
  assertEquals(meaning(marketAbi), meaning(artifact("Market").abi));
  assertEquals(meaning(registryAbi), meaning(artifact("Registry").abi));
});

Deno.test("deriveSalt differs by secret, id and attempt, and repeats", () => {
  const [a, b] = [keccak256("0x01"), keccak256("0x02")];
  const salts = [
    deriveSalt(a, b),
    deriveSalt(b, a),
    deriveSalt(a, b, 1),
    deriveSalt(a, a),
  ];
  assertEquals(new Set(salts).size, 4);
  assertEquals(deriveSalt(a, b, 0), salts[0]);
});

Deno.test("slotsSiblings gives what rebuilds the root, for any set of slots", () => {
  const random = new Random(20_260);
  for (let round = 0; round < 50; round++) {
    const count = 1 + random.below(20);
    const leaves = Array.from({ length: count }, () => random.bytes(32));
    const slots = leaves.map((_, i) => i).filter(() => random.bool());
    if (slots.length === 0) slots.push(0);
    const tree = MerkleTree.ofLeaves(leaves);
    let known = new Map(slots.map((slot) => [slot, leaves[slot]]));
    const siblings = slotsSiblings(leaves, slots);
    for (let level = 0; level < tree.height; level++) {
      const above = new Map<number, Uint8Array>();
      for (const [index, node] of [...known].sort(([a], [b]) => a - b)) {
        if (above.has(index >>> 1)) continue;
        const other = known.get(index ^ 1) ?? siblings.shift()!;
        const pair = index & 1 ? [other, node] : [node, other];
        above.set(index >>> 1, MerkleTree.ofLeaves(pair).root);
      }
      known = above;
    }
    assertEquals(known.get(0), tree.root, `seed 20260, round ${round}`);
    assertEquals(siblings.length, 0);
  }
});

Deno.test("register stores the terms, and refuses the same again", async () => {
  const { requester, registrationId } = place;
  assertEquals((await requester.terms(registrationId)).clock, 300);
  const stored = await requester.registration(registrationId);
  assertEquals(stored.modelRoot, keccak256(model.preimage));
  assertEquals(stored.preimage, bytesToHex(model.preimage));
  assertEquals(await refusal(requester.register(model, terms)), [
    "AlreadyRegistered",
    [registrationId],
  ]);
});

Deno.test("register: D10 a one-second clock is refused with its floor", async () => {
  const refused = refusal(
    place.requester.register(model, { ...terms, clock: 1 }),
  );
  assertEquals(await refused, ["BelowFloor", ["clock", 1n, 10n]]);
});

Deno.test("register: D9 k of 1 or 33 and q of 9 are refused", async () => {
  for (const [k, q] of [[1, 4], [33, 4], [16, 9]]) {
    const refused = refusal(
      place.requester.register(model, { ...terms, k, q }),
    );
    assertEquals(await refused, ["ArityOutOfRange", [BigInt(k), BigInt(q)]]);
  }
});

Deno.test("request derives S_0 from bytes, chunks and roots alike, and marks roots unbacked", async () => {
  const { requester } = place;
  const input = new Random(3).bytes(OUTPUT_BYTES);
  const slots = [...model.initialSlotRoots];
  slots[3] = tensorRoot(input);
  const start = hex(MerkleTree.ofLeaves(slots).root);
  const { siblings } = registrationProof(
    model.preimage,
    model.initialSlotRoots,
  );
  assertEquals(siblings.length, 2);

  const first = await requester.upload(input.slice(0, 64), 1);
  const second = await requester.upload(input.slice(64), 1);
  const ids = [
    await place.ask({ inputs: [{ bytes: input }] }),
    await place.ask({
      inputs: [{ chunks: [first.root, second.root], chunkHeight: 1 }],
    }),
    await place.ask({ inputs: [{ root: hex(tensorRoot(input)) }] }),
  ];
  const states = await Promise.all(
    ids.map((id) => requester.requestState(id)),
  );
  assertEquals(states.map((state) => state.start), [start, start, start]);
  assertEquals(states.map((state) => state.backed), [true, true, false]);
});

Deno.test("request: D1 an input one byte short is refused", async () => {
  const inputs = [{ bytes: new Uint8Array(OUTPUT_BYTES - 1) }];
  assertEquals(await refusal(place.ask({ inputs })), [
    "InputLength",
    [BigInt(OUTPUT_BYTES - 1), BigInt(OUTPUT_BYTES)],
  ]);
});

Deno.test("request: D15 a clock above the market's ceiling is refused", async () => {
  assertEquals(await refusal(place.ask({ clock: 86_400 * 3 })), [
    "AboveCeiling",
    ["clock", 259_200n, 172_800n],
  ]);
});

Deno.test("request: F the same content twice is refused by its id", async () => {
  const id = await place.ask({ nonce: 1000n });
  assertEquals(await refusal(place.ask({ nonce: 1000n })), [
    "RequestExists",
    [id],
  ]);
});

Deno.test("reveal: D6 another's commitment cannot be opened, a foreign state neither", async () => {
  const { submitter, challenger } = place;
  const id = await place.ask();
  const salt = deriveSalt(keys[1], id);
  const shown = revelation(truth, salt);
  const { submissionId } = await submitter.commit(id, shown.claim, salt);
  const [notSubmitter] = await refusal(challenger.reveal(id, shown));
  assertEquals(notSubmitter, "NotSubmitter");
  const [mismatch, [, expected]] = await refusal(
    submitter.reveal(id, revelation(liar, salt)),
  );
  assertEquals([mismatch, expected], ["CommitmentMismatch", submissionId]);
  const outputs = revelation(liar, salt).outputs;
  const [foreign] = await refusal(submitter.reveal(id, { ...shown, outputs }));
  assertEquals(foreign, "OutputsNotInState");
  await submitter.reveal(id, shown);
  const { submission, outputs: seen } = await submitter.status(id);
  assertEquals(submission?.claim, shown.claim);
  assertEquals(seen[0].data, bytesToHex(shown.outputs[0] as Uint8Array));
});

Deno.test("forfeit: D6 a commit that is never revealed loses, and the request is open again", async () => {
  const { submitter, requester } = place;
  const id = await place.ask();
  const salt = deriveSalt(keys[1], id);
  const shown = revelation(truth, salt);
  await submitter.commit(id, shown.claim, salt);
  const before = await requester.credits(requester.connection.sender());
  const [tooEarly] = await refusal(requester.forfeit(id));
  assertEquals(tooEarly, "NotExpired");
  await place.pass(101);
  const { events } = await requester.forfeit(id);
  assertEquals(events.map((event) => event.name), [
    "Credited",
    "Burned",
    "SubmissionFallen",
  ]);
  const after = await requester.credits(requester.connection.sender());
  assertEquals(after - before, terms.share);
  // The salt of the second attempt is another one, so the true state can be committed again.
  const again = deriveSalt(keys[1], id, 1);
  assertEquals((await requester.requestState(id)).reopenings, 1);
  await place.submit(id, truth, again);
  assertEquals((await requester.requestState(id)).status, "revealed");
});

Deno.test("finalize: opML a result is paid once, after the period, and read for ever", async () => {
  const { submitter, requester } = place;
  const id = await place.ask();
  await place.submit(id, truth, deriveSalt(keys[1], id));
  assertEquals((await refusal(requester.finalize(id)))[0], "NotExpired");
  await place.pass(601);
  const before = await requester.credits(submitter.connection.sender());
  await requester.finalize(id);
  const gained = await requester.credits(submitter.connection.sender()) -
    before;
  assertEquals(gained, terms.minStake + 5n * 10n ** 17n);
  assertEquals(await refusal(requester.finalize(id)), [
    "WrongStatus",
    [4n, 3n],
  ]);
  const { request, outputs } = await requester.status(id);
  assertEquals(request.status, "final");
  assertEquals(
    outputs[0].data,
    bytesToHex(revelation(truth, SALT).outputs[0] as Uint8Array),
  );
  await submitter.withdraw();
  assertEquals((await refusal(submitter.withdraw()))[0], "NothingToWithdraw");
});

/** Plays a dispute through market and game to its end; returns its id and the number of transactions. */
async function playDispute(requestId: Hex, mine: Party, his: Party) {
  const { challenger, submitter } = place;
  const steps = BigInt(world.steps);
  const claim = hex(mine.stateRoot(world.steps));
  const inner = innerEnds(0n, steps, terms.k);
  const hashes = hexes(inner.map((i) => mine.stateRoot(Number(i))));
  const commitment = firstMoveCommitment(
    challenger.connection.sender(),
    claim,
    hashes,
    SALT,
  );
  const log: GameEvent[] = [];
  const game = place.deployment.game.toLowerCase();
  const keep = (sent: Awaited<ReturnType<typeof challenger.move>>) => {
    for (const event of sent.events) {
      if (event.address.toLowerCase() === game) {
        log.push(decodeGameEvent(event.log));
      }
    }
  };
  const { submissionId } = await challenger.requestState(requestId);
  const opened = await challenger.openDispute(submissionId, commitment);
  keep(opened);
  let transactions = 1;
  for (; transactions < 40; transactions++) {
    const view = viewsOf(log).get(opened.disputeId)!;
    if (view.phase === "resolved") break;
    const turn = view.turn;
    const move = turn === "challenger"
      ? challengerMove(mine, view)
      : submitterMove(his, view);
    const player = turn === "challenger" ? challenger : submitter;
    keep(await player.move(encodeMove(view, move)));
  }
  return { disputeId: opened.disputeId, transactions };
}

Deno.test("openDispute: a lying submitter loses his stake on one instruction, and the request is answered again", async () => {
  const { submitter, challenger, requester } = place;
  const me = challenger.connection.sender();
  const id = await place.ask();
  await place.submit(id, liar, deriveSalt(keys[1], id));
  const before = await requester.credits(me);
  const burned = await requester.burned();
  const { disputeId } = await playDispute(id, truth, liar);
  assertEquals((await requester.disputeState(disputeId)).status, "won");
  const gained = await requester.credits(me) - before;
  assertEquals(gained, terms.challengerStake + terms.share);
  assertEquals(await requester.burned() - burned, terms.minStake - terms.share);
  assertEquals((await requester.requestState(id)).status, "open");
  await place.submit(id, truth, deriveSalt(keys[1], id, 1));
  await place.pass(601);
  await submitter.finalize(id);
  assertEquals((await requester.requestState(id)).status, "final");
});

Deno.test("openDispute: a lying challenger loses his stake, and the true result becomes final", async () => {
  const { submitter, requester } = place;
  const him = submitter.connection.sender();
  const id = await place.ask();
  await place.submit(id, truth, deriveSalt(keys[1], id));
  const before = await requester.credits(him);
  const { disputeId } = await playDispute(id, liar, truth);
  assertEquals((await requester.disputeState(disputeId)).status, "lost");
  assertEquals(await requester.credits(him) - before, terms.share);
  await place.pass(601);
  await requester.finalize(id);
});

Deno.test("openDispute: opML a challenger with the same state loses, D19 and a move that is not the committed one is refused", async () => {
  const { challenger, requester } = place;
  const id = await place.ask();
  await place.submit(id, truth, deriveSalt(keys[1], id));
  const { submissionId } = await challenger.requestState(id);
  const [name] = await refusal(
    challenger.openDispute(submissionId, keccak256("0x99")).then(
      ({ events }) => {
        const opened = events.find((event) => event.name === "Opened")!;
        const terms_ = opened.args.terms as Terms;
        const view = viewsOf([decodeGameEvent(opened.log)]).get(
          opened.args.disputeId as Hex,
        )!;
        assertEquals(terms_.claim, hex(truth.stateRoot(world.steps)));
        return challenger.move(encodeMove(view, challengerMove(truth, view)));
      },
    ),
  );
  assertEquals(name, "WrongTranscript");
  const { disputeId, transactions } = await playDispute(id, truth, truth);
  assertEquals(transactions, 2);
  assertEquals((await requester.disputeState(disputeId)).status, "lost");
});

Deno.test("events lists what the contracts said, in order", async () => {
  const events = await place.requester.events(BigInt(place.deployment.block));
  assertEquals(events[0].name, "Registered");
  assert(events.some((event) => event.name === "Finalized"));
});

Deno.test("connect refuses another chain, other contracts, and nobody at the door", async () => {
  const { anvil: { rpcUrl }, deployment } = place;
  await environment(
    connect({ rpcUrl, deployment: { ...deployment, chainId: 1 } }),
    "expected chain 1, found chain 31337",
  );
  const { market, game } = deployment;
  await environment(
    connect({ rpcUrl, deployment: { ...deployment, market: game } }),
    "Cannot connect",
  );
  const nowhere = "0x00000000000000000000000000000000000000ff";
  await environment(
    connect({ rpcUrl, deployment: { ...deployment, market: nowhere } }),
    "found no code",
  );
  const error = await environment(
    connect({
      rpcUrl: "http://127.0.0.1:1",
      deployment: { ...deployment, market },
    }),
    "Cannot reach the chain: expected an answer from http://127.0.0.1:1",
  );
  assert(error.hint !== undefined);
});

Deno.test("send names an account without money, and a connection without an account", async () => {
  const { anvil: { rpcUrl }, deployment } = place;
  const poor = await connect({
    rpcUrl,
    deployment,
    account: privateKeyToAccount(keccak256("0x0badcafe")),
  });
  const id = await place.ask();
  await environment(
    poor.commit(id, keccak256("0x01"), keccak256("0x02")),
    "Cannot commit a submission: expected enough ether",
  );
  const reader = await connect({ rpcUrl, deployment });
  await assertRejects(
    () => reader.finalize(id),
    ChainLearnError,
    "expected an account, found none",
  );
});

Deno.test("submissionCommitment is the packed hash that the contract recomputes", () => {
  const account = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8";
  const [id, claim, salt] = ["0x01", "0x02", "0x03"].map((x) =>
    keccak256(x as Hex)
  );
  const packed = `${id}${account.slice(2)}${claim.slice(2)}${salt.slice(2)}`;
  assertEquals(
    submissionCommitment(id, account, claim, salt),
    keccak256(packed as Hex),
  );
});

Deno.test("send fails with exit code 3 when the chain stops between two transactions", async () => {
  const other = await Place.start();
  const id = await other.ask();
  await other.anvil.stop();
  const error = await environment(
    other.submitter.finalize(id),
    "Cannot finalize the request: expected an answer from",
  );
  assert(error.hint !== undefined);
});
