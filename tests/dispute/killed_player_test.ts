import { assert, assertEquals } from "@std/assert";
import {
  answerRequest,
  ChainPlayer,
  openDisputeOnChain,
  Party,
  registerLocally,
  reportDispute,
  requestLocally,
  startLocalChain,
} from "../../dispute/mod.ts";
import { liarOf, smallTruth } from "./arena.ts";
import type { KilledPlayerTerms } from "./killed_player.ts";

function start(terms: KilledPlayerTerms): Deno.ChildProcess {
  const script = new URL("killed_player.ts", import.meta.url).pathname;
  const args = ["run", "-q", "--no-check", "-A", script, JSON.stringify(terms)];
  return new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
}

Deno.test("ChainPlayer: killed in every phase of a dispute, it starts again from nothing, runs again and wins", async () => {
  await using chain = await startLocalChain();
  const truth = await smallTruth(9);
  const liar = await liarOf(truth, "consistent", 19, 1, 30);
  assert(liar);
  const honest = { ...await chain.party("a"), claims: new Party(truth) };
  const lying = await chain.party("b");
  const { market } = honest;
  const { registrationId } = await registerLocally(market, truth.commitment);
  const { requestId } = await requestLocally(
    market,
    registrationId,
    truth.terms,
    { nonce: 0n, fee: 1n },
  );
  const { submissionId } = await answerRequest(requestId, {
    account: lying,
    party: liar,
  });
  const { disputeId } = await openDisputeOnChain(honest, submissionId);
  const dispute = { disputeId, submissionId };
  const { rpcUrl, deployment } = chain;
  const submitter = await ChainPlayer.join(
    { ...lying, claims: liar },
    "submitter",
    dispute,
  );
  const course = submitter.play(20);
  const killedIn = new Set<string>();
  for (let isOver = false; !isOver;) {
    const child = start({ rpcUrl, deployment, name: "a", dispute });
    let phase: string | undefined;
    const lines = child.stdout.pipeThrough(new TextDecoderStream());
    for await (const text of lines) {
      const moves = text.trim().split("\n");
      if (phase !== undefined || moves.includes("resolved")) continue;
      phase = moves.find((move) => !killedIn.has(move));
      // As kill -9: it has no say in it.
      if (phase !== undefined) child.kill("SIGKILL");
    }
    const { signal, code } = await child.status;
    isOver = signal === null;
    if (isOver) assertEquals(code, 0);
    else killedIn.add(phase!);
  }
  await course;
  assert(
    killedIn.has("graph") && killedIn.has("instruction"),
    `${[...killedIn]}`,
  );
  const { winner, fault } = await reportDispute(market, disputeId);
  assertEquals([winner, fault.node], ["challenger", 19]);
});
