import { assertEquals } from "@std/assert";
import type { Hex } from "viem";
import { commitModel } from "../../compiler/mod.ts";
import {
  leastTerms,
  readRequestTerms,
  startLocalChain,
} from "../../dispute/mod.ts";
import { tensorRoot } from "../../fpvm/mod.ts";
import { Random } from "../random.ts";
import { testModel } from "../runtime/models.ts";

Deno.test("readRequestTerms: D4 O2 uploads of other bytes under the roots of an input's chunks hide nothing", async () => {
  await using chain = await startLocalChain();
  const { market } = await chain.party("requester");
  const attacker = (await chain.party("attacker")).market;
  const commitment = commitModel(testModel(4));
  const input = new Random(7).bytes(64 * 64);
  input.fill(0, 4000);
  const halves = [input.slice(0, 2048), input.slice(2048)];
  // A leaf that is the first chunk's root, then the second chunk without, and with fewer of, the zeros at its end.
  await attacker.upload(tensorRoot(halves[0]), 0);
  await attacker.upload(tensorRoot(halves[1]), 0);
  await attacker.upload(halves[1].slice(0, 1952), 6);
  const chunks: Hex[] = [];
  for (const half of halves) chunks.push((await market.upload(half, 6)).root);
  await attacker.upload(halves[1].slice(0, 2000), 6);

  const { registrationId } = await market.register(
    commitment,
    leastTerms(await market.limits()),
  );
  const { requestId } = await market.request({
    registrationId,
    inputs: [{ chunks, chunkHeight: 6 }],
    iterations: 4,
    submitWindow: 3600,
    fee: 0n,
  });
  const terms = await readRequestTerms(market, requestId, commitment);
  assertEquals(terms.inputs, [input]);
});
