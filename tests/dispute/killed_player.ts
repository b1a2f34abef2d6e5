/** A challenger of the small model in a process of its own, to be killed: knows its key and the dispute, nothing else. */
import { ChainPlayer, localKey, Party } from "../../dispute/mod.ts";
import { connect, type Deployment } from "../../contracts/mod.ts";
import { privateKeyToAccount } from "viem/accounts";
import type { Hex } from "viem";
import { smallTruth } from "./arena.ts";

/** What the first argument holds, as JSON. */
export interface KilledPlayerTerms {
  rpcUrl: string;
  deployment: Deployment;
  /** Name of the local party. */
  name: string;
  dispute: { disputeId: Hex; submissionId: Hex };
}

if (import.meta.main) {
  const terms: KilledPlayerTerms = JSON.parse(Deno.args[0]);
  const { rpcUrl, deployment, name, dispute } = terms;
  const secret = localKey(name);
  const account = privateKeyToAccount(secret);
  const market = await connect({ rpcUrl, account, deployment });
  const claims = new Party(await smallTruth(9));
  const options = { market, secret, claims };
  const player = await ChainPlayer.join(options, "challenger", dispute);
  // Each move's phase on a line: whoever reads it may kill this process then.
  await player.play(50, { onMove: ({ phase }) => console.log(phase) });
}
