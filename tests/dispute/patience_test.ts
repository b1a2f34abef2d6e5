import { assert, assertEquals, assertRejects } from "@std/assert";
import { privateKeyToAccount } from "viem/accounts";
import { connect, ContractRefusal } from "../../contracts/mod.ts";
import {
  answerRequest,
  ChainPlayer,
  localKey,
  openDisputeOnChain,
  Party,
  type Patience,
  persist,
  registerLocally,
  requestLocally,
  sendOrFind,
  startLocalChain,
} from "../../dispute/mod.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import { liarOf, smallTruth } from "./arena.ts";
import { startNodeProxy } from "./node_proxy.ts";

const failure = () =>
  new ChainLearnError("Cannot ask: expected an answer, found none", {
    exitCode: 3,
  });

/** Fails `times` times, then gives the number of its calls. */
function failing(times: number, error: () => Error = failure) {
  let calls = 0;
  return () =>
    ++calls <= times ? Promise.reject(error()) : Promise.resolve(calls);
}

Deno.test("persist: tries again after failures of the environment, later each time", async () => {
  const waits: number[] = [];
  const patience: Patience = {
    seconds: 60,
    onFailure: (_, wait) => waits.push(wait),
  };
  assertEquals(await persist(failing(2), patience), 3);
  assertEquals(waits, [500, 1000]);
});

Deno.test("persist: gives up with the last failure once the clocks have run out", async () => {
  const started = Date.now();
  const attempt = failing(Infinity);
  const error = await assertRejects(
    () => persist(attempt, { seconds: 1 }),
    ChainLearnError,
  ) as ChainLearnError;
  assertEquals(error.exitCode, 3);
  assert(Date.now() - started < 5000);
});

Deno.test("persist: never repeats a refusal", async () => {
  const refusal = () => new ContractRefusal("make a move", "X", [], undefined);
  const attempt = failing(1, refusal);
  await assertRejects(
    () => persist(attempt, { seconds: 60 }),
    ContractRefusal,
  );
  assertEquals(await attempt(), 2);
});

Deno.test("sendOrFind: finds what was sent though its answer was lost, and never sends twice", async () => {
  const patience = { seconds: 60 };
  let sent = 0;
  const send = () => {
    sent++;
    return Promise.reject<string>(failure());
  };
  const find = () => Promise.resolve<string | undefined>("found");
  assertEquals(await sendOrFind(send, find, patience), "found");
  assertEquals(sent, 1);
  await assertRejects(
    () => sendOrFind(send, () => Promise.resolve(undefined), patience),
    ChainLearnError,
    "expected an answer",
  );
  assertEquals(sent, 2);
});

Deno.test("ChainPlayer.play: D attack, a node that fails in the middle of a dispute does not lose it", async () => {
  await using chain = await startLocalChain();
  await using proxy = startNodeProxy(chain.rpcUrl);
  const truth = await smallTruth(9);
  const lie = await liarOf(truth, "consistent", 19, 1, 30);
  assert(lie);
  const liar = { account: await chain.party("liar"), party: lie };
  const { market } = liar.account;
  const { registrationId } = await registerLocally(market, truth.commitment);
  const details = { nonce: 0n, fee: 1n };
  const { requestId } = await requestLocally(
    market,
    registrationId,
    truth.terms,
    details,
  );
  const { submissionId } = await answerRequest(requestId, liar);
  const { secret } = await chain.party("honest");
  const options = {
    market: await connect({
      rpcUrl: proxy.rpcUrl,
      account: privateKeyToAccount(localKey("honest")),
      deployment: chain.deployment,
      pollingInterval: 5,
    }),
    claims: new Party(truth),
    secret,
  };
  const dispute = await openDisputeOnChain(options, submissionId);
  const submitter = await ChainPlayer.join(
    { ...liar.account, claims: lie },
    "submitter",
    dispute,
  );
  const honest = await ChainPlayer.join(options, "challenger", dispute);

  const failures: string[] = [];
  let moves = 0;
  const opponent = submitter.play(5);
  const view = await honest.play(5, {
    onMove: () => {
      // Down after the second move, for transactions alone after the fourth; back at the failure's note.
      moves++;
      if (moves === 2) proxy.failing = () => true;
      if (moves === 4) {
        proxy.failing = (method) => method === "eth_sendRawTransaction";
      }
    },
    patience: {
      seconds: 60,
      onFailure: ({ message }) => {
        failures.push(message);
        proxy.failing = () => false;
      },
    },
  });
  assert(view.phase === "resolved" && view.winner === "challenger");
  assertEquals(await opponent, view);
  assertEquals(failures.length, 2, failures.join("\n"));
});
