import { assert, assertEquals } from "@std/assert";
import { bears, invariants, rowsOf, testNames } from "../docs/security.ts";

const kinds = ["GAME", "MARKET", "TREE", "VM"];

for (const kind of kinds) {
  Deno.test(`INVARIANT ${kind}-n: each number is checked once, has a test, and both are in docs/security.md`, async () => {
    const numbers = ((await invariants()).get(kind) ?? [])
      .sort((a, b) => a - b);
    assert(numbers.length > 0, `no ${kind}`);
    assertEquals(numbers, numbers.map((_, i) => i + 1));
    const names = [...await testNames()];
    const rows = await rowsOf("docs/security.md");
    for (const number of numbers) {
      const own = names.filter((name) => bears(name, kind, number));
      assert(own.length > 0, `${kind}-${number} has no test`);
      const row = rows.get(`${kind}-${number}`) ?? [];
      assertEquals(own.sort(), row.sort(), `${kind}-${number}`);
    }
  });
}

Deno.test("INVARIANT: the contracts have no other kinds", async () => {
  assertEquals([...(await invariants()).keys()].sort(), kinds);
});
