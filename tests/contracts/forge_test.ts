import { assert } from "@std/assert";
import { runForge } from "../../contracts/forge.ts";

Deno.test("forge test passes every Solidity test of contracts/test", async (t) => {
  const results = await runForge();
  assert(results.length > 0, "forge found no test");
  for (const { name, passed, reason } of results) {
    await t.step(name, () => assert(passed, `${name}: ${reason}`));
  }
});
