/** The defence of one submission against many disputes at once, where blocks take their time and nodes fail. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createTestClient, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { foundry } from "viem/chains";
import { connect } from "../../contracts/mod.ts";
import {
  answerRequest,
  ChainPlayer,
  Defence,
  type LocalChain,
  localKey,
  openDisputeOnChain,
  Party,
  registerLocally,
  requestLocally,
  startLocalChain,
} from "../../dispute/mod.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import { liarOf, smallTruth } from "./arena.ts";
import { type NodeProxy, startNodeProxy } from "./node_proxy.ts";

const truth = await smallTruth(9);
const lie = await liarOf(truth, "consistent", 19, 1, 30);
assert(lie);

const nodeOf = ({ rpcUrl }: LocalChain) =>
  createTestClient({ chain: foundry, mode: "anvil", transport: http(rpcUrl) });

/** A true answer, its defence through a proxy, and one lying challenger for each of `disputes`. */
async function besiege(
  chain: LocalChain,
  proxy: NodeProxy,
  disputes: number,
) {
  const honest = await chain.party("honest");
  const { market } = honest;
  const { registrationId } = await registerLocally(market, truth.commitment);
  const { requestId } = await requestLocally(
    market,
    registrationId,
    truth.terms,
    { nonce: 0n, fee: 1n },
  );
  const party = new Party(truth);
  const answer = { account: honest, party };
  const { submissionId } = await answerRequest(requestId, answer);
  const liars = [];
  for (let i = 0; i < disputes; i++) {
    const account = await chain.party(`liar ${i}`);
    const options = { ...account, claims: lie! };
    const dispute = await openDisputeOnChain(options, submissionId);
    liars.push(await ChainPlayer.join(options, "challenger", dispute));
  }
  const remote = await connect({
    rpcUrl: proxy.rpcUrl,
    account: privateKeyToAccount(localKey("honest")),
    deployment: chain.deployment,
    pollingInterval: 5,
  });
  const options = { market: remote, claims: party, secret: honest.secret };
  return { liars, submissionId, defence: new Defence(options, submissionId) };
}

/** Whose turn it is in each dispute. */
async function turns(liars: readonly ChainPlayer[]) {
  return await Promise.all(liars.map(async (liar) => {
    const view = await liar.view();
    return view?.turn ?? null;
  }));
}

/** Mines one block as soon as `count` transactions wait for it. */
async function mineTogether(chain: LocalChain, count: number) {
  const node = nodeOf(chain);
  for (const start = Date.now(); Date.now() < start + 30_000;) {
    const { pending } = await node.getTxpoolStatus();
    if (pending >= count) return await node.mine({ blocks: 1 });
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`fewer than ${count} transactions wait for a block`);
}

Deno.test("Defence: D attack, ten parallel disputes are all answered in one block a round", async () => {
  await using chain = await startLocalChain();
  await using proxy = startNodeProxy(chain.rpcUrl);
  const { liars, defence } = await besiege(chain, proxy, 10);
  await nodeOf(chain).setAutomine(false);
  for (let round = 0; round < 4; round++) {
    // A block is mined only once all of them are sent: whoever waited for a receipt first would wait forever.
    await Promise.all([
      mineTogether(chain, liars.length),
      ...liars.map((liar) => liar.turn()),
    ]);
    assertEquals(await turns(liars), liars.map(() => "submitter"));
    const [, turn] = await Promise.all([
      mineTogether(chain, liars.length),
      defence.turn(),
    ]);
    assertEquals(turn, "moved");
    assertEquals(await turns(liars), liars.map(() => "challenger"));
  }
});

Deno.test("Defence: an answer that cannot be sent holds up no other, and follows in the next turn", async () => {
  await using chain = await startLocalChain();
  await using proxy = startNodeProxy(chain.rpcUrl);
  const { liars, defence } = await besiege(chain, proxy, 4);
  await Promise.all(liars.map((liar) => liar.turn()));
  const count = (found: readonly unknown[], side: string) =>
    found.filter((turn) => turn === side).length;
  // The second of four transactions is lost: those behind it must not wait for its nonce.
  let sends = 0;
  proxy.failing = (method) =>
    method === "eth_sendRawTransaction" && ++sends === 2;
  await assertRejects(() => defence.turn(), ChainLearnError, "an answer from");
  assertEquals(count(await turns(liars), "challenger"), 3);
  proxy.failing = () => false;
  assertEquals(await defence.turn(), "moved");
  assertEquals(count(await turns(liars), "challenger"), 4);
});

Deno.test("Defence: a turn reads all disputes with as many questions as one", async () => {
  await using chain = await startLocalChain();
  await using proxy = startNodeProxy(chain.rpcUrl);
  const { defence } = await besiege(chain, proxy, 3);
  await defence.turn();
  const sum = () => [...proxy.answered.values()].reduce((a, b) => a + b);
  const before = sum();
  assertEquals(await defence.turn(), "waiting");
  assert(sum() - before <= 6, `${sum() - before} questions`);
});
