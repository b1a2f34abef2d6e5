import { assertEquals, assertMatch } from "@std/assert";
import { createPublicClient, http } from "viem";
import { startAnvil } from "../../contracts/anvil.ts";
import { FOUNDRY_VERSION, foundryBinary } from "../../contracts/npm_binary.ts";
import config from "../../deno.json" with { type: "json" };

Deno.test("startAnvil gives a chain on a free port, and stop ends it twice", async () => {
  const first = await startAnvil({ chainId: 1234 });
  const second = await startAnvil();
  const ids = await Promise.all([first, second].map(({ rpcUrl }) => {
    assertMatch(rpcUrl, /^http:\/\/127\.0\.0\.1:\d+$/);
    return createPublicClient({ transport: http(rpcUrl) }).getChainId();
  }));
  assertEquals(ids, [1234, 31337]);
  await Promise.all([first.stop(), second.stop(), first.stop()]);
});

Deno.test("foundryBinary looks for the version that deno.json pins", async () => {
  for (const name of ["anvil", "forge"] as const) {
    const pinned: string = config.imports[`@foundry-rs/${name}-linux-amd64`];
    assertEquals(pinned.split("@").at(-1), FOUNDRY_VERSION);
    assertMatch(await foundryBinary(name), new RegExp(`/${name}$`));
  }
});
