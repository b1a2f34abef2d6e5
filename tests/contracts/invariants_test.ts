import { assert, assertEquals } from "@std/assert";

const root = new URL("../../", import.meta.url);

async function texts(folder: string, end: string): Promise<string> {
  let all = "";
  for await (const entry of Deno.readDir(new URL(folder, root))) {
    if (!entry.name.endsWith(end)) continue;
    all += await Deno.readTextFile(new URL(`${folder}${entry.name}`, root));
  }
  return all;
}

Deno.test("INVARIANT MARKET-n: each number is checked once, has a test, and both are in docs/security.md", async () => {
  const sources = await texts("contracts/src/", ".sol");
  const numbers = [...sources.matchAll(/INVARIANT MARKET-(\d+):/g)]
    .map((match) => Number(match[1]))
    .sort((a, b) => a - b);
  assertEquals(numbers, numbers.map((_, i) => i + 1));
  const tests = await texts("contracts/test/", ".t.sol");
  const security = await Deno.readTextFile(new URL("docs/security.md", root));
  for (const number of numbers) {
    const names = [
      ...tests.matchAll(
        new RegExp(`function (test_MARKET_${number}_\\w+)`, "g"),
      ),
    ].map((match) => match[1]);
    assert(names.length > 0, `MARKET-${number} has no test`);
    const row = security.split("\n").find((line) =>
      line.startsWith(`| MARKET-${number} `)
    );
    for (const name of names) {
      assert(
        row?.includes(name),
        `docs/security.md: MARKET-${number}, ${name}`,
      );
    }
  }
});
