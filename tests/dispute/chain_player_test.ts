import { assert, assertEquals } from "@std/assert";
import { createTestClient, http } from "viem";
import { foundry } from "viem/chains";
import {
  answerRequest,
  ChainPlayer,
  Defence,
  inOrder,
  type LocalChain,
  openDisputeOnChain,
  Party,
  playDispute,
  type PlayerOptions,
  registerLocally,
  reportDispute,
  requestLocally,
  startLocalChain,
} from "../../dispute/mod.ts";
import { liarOf, smallTruth } from "./arena.ts";

/** A request for the small model with an answer to it. */
async function stage(chain: LocalChain, nonce: bigint) {
  const truth = await smallTruth(9);
  const liar = await liarOf(truth, "consistent", 19, 1, 30);
  assert(liar);
  const honest = { account: await chain.party("a"), party: new Party(truth) };
  const lying = { account: await chain.party("b"), party: liar };
  const { market } = honest.account;
  const registrationId = (await registerLocally(market, truth.commitment))
    .registrationId;
  const { requestId } = await requestLocally(
    market,
    registrationId,
    truth.terms,
    { nonce, fee: 1n },
  );
  return { honest, lying, requestId };
}

const optionsOf = (
  { account, party }: Awaited<ReturnType<typeof stage>>["honest"],
): PlayerOptions => ({ ...account, claims: party });

Deno.test("ChainPlayer: plays on after a re-organization took its move back", async () => {
  await using chain = await startLocalChain();
  const { honest, lying, requestId } = await stage(chain, 0n);
  const { submissionId } = await answerRequest(requestId, lying);
  const dispute = await openDisputeOnChain(optionsOf(honest), submissionId);
  const challenger = await ChainPlayer.join(
    optionsOf(honest),
    "challenger",
    dispute,
  );
  const submitter = await ChainPlayer.join(
    optionsOf(lying),
    "submitter",
    dispute,
  );
  const node = createTestClient({
    chain: foundry,
    mode: "anvil",
    transport: http(chain.rpcUrl),
  });
  let takenBack = 0;
  for (let i = 0; i < 200; i++) {
    const id = await node.snapshot();
    const before = await challenger.view();
    if (before?.phase === "resolved") break;
    await challenger.turn();
    await submitter.turn();
    if (i % 3 !== 0) continue;
    await node.revert({ id });
    takenBack++;
    assertEquals((await challenger.view())?.transcript, before?.transcript);
    await challenger.turn();
  }
  assert(takenBack > 2);
  const { winner, fault } = await reportDispute(
    honest.account.market,
    dispute.disputeId,
  );
  assertEquals([winner, fault.node], ["challenger", 19]);
});

Deno.test("ChainPlayer: D attack, a move after the clock has run out is refused", async () => {
  await using chain = await startLocalChain();
  const { honest, lying, requestId } = await stage(chain, 0n);
  const late = { ...lying, manners: { moves: 2, late: true } };
  await answerRequest(requestId, honest);
  const game = await playDispute(
    chain,
    requestId,
    { challenger: late, submitter: honest },
    "challenger",
  );
  assertEquals([game.winner, game.ending], ["submitter", "time_out"]);
});

Deno.test("Defence: answers disputes side by side, also new ones", async () => {
  await using chain = await startLocalChain();
  const { honest, lying, requestId } = await stage(chain, 0n);
  const { submissionId } = await answerRequest(requestId, honest);
  const other = { ...lying, account: await chain.party("c") };
  const defence = new Defence(optionsOf(honest), submissionId);
  const liars: ChainPlayer[] = [];
  const attack = async (liar: typeof lying) => {
    const dispute = await openDisputeOnChain(optionsOf(liar), submissionId);
    liars.push(
      await ChainPlayer.join(optionsOf(liar), "challenger", dispute),
    );
  };
  await attack(lying);
  for (let i = 0; i < 100; i++) {
    if (i === 4) await attack(other);
    await defence.turn();
    for (const liar of liars) await liar.turn();
  }
  const { openDisputes, disputes, status } = await honest.account.market
    .submissionState(submissionId);
  assertEquals([openDisputes, disputes, status], [0, 2, "revealed"]);
});

Deno.test("ChainPlayer: D15 ends when another dispute has felled the submission, and gets its stake back", async () => {
  await using chain = await startLocalChain();
  const { honest, lying, requestId } = await stage(chain, 0n);
  const { submissionId } = await answerRequest(requestId, lying);
  const slower = { ...honest, account: await chain.party("slower") };
  const { market } = slower.account;
  const { registrationId } = await market.requestState(requestId);
  const { challengerStake } = await market.terms(registrationId);
  const dispute = await openDisputeOnChain(optionsOf(slower), submissionId);
  const late = await ChainPlayer.join(
    optionsOf(slower),
    "challenger",
    dispute,
  );
  assertEquals(await late.turn(), "moved");
  const { winner } = await playDispute(
    chain,
    requestId,
    { challenger: honest, submitter: lying },
    "submitter",
  );
  assertEquals(winner, "challenger");
  const view = await late.play(1);
  assertEquals(view.phase, "graph");
  await market.settleDispute(dispute.disputeId);
  const credit = await market.credits(market.connection.sender());
  assert(credit >= challengerStake);
});

Deno.test("inOrder: takes each event once and leaves out what was taken back", () => {
  const event = (block: bigint, index: number, removed = false) => ({
    event: {
      eventName: "Answered" as const,
      args: { disputeId: "0x" as const, index: 0n, turn: 0n },
    },
    block,
    index,
    transaction: "0x" as const,
    removed,
  });
  const found = inOrder([
    event(2n, 1),
    event(1n, 3),
    event(2n, 0),
    event(2n, 1),
    event(3n, 0, true),
  ]);
  assertEquals(found.map(({ block, index }) => [block, index]), [
    [1n, 3],
    [2n, 0],
    [2n, 1],
  ]);
});
