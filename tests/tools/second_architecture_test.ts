/** The comparison of two architectures: that it sees a difference, and a small part of it under QEMU. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ChainLearnError } from "../../fpvm/errors.ts";
import {
  compareArchitectures,
  comparePart,
  type Computed,
  parseProbe,
} from "../../tools/second_architecture.ts";
import { missingForEmulator } from "../../tools/second_architecture_emulator.ts";

const computed = (cases: Record<string, number[]>): Computed => ({
  cases: new Map(
    Object.entries(cases).map((
      [name, bytes],
    ) => [name, Uint8Array.from(bytes)]),
  ),
  seconds: 1,
});

Deno.test("comparePart: counts bytes that differ, lengths and missing cases too", () => {
  const here = { a: [1, 2, 3], b: [4], c: [] };
  const differing = (there: Record<string, number[]>) => {
    const { differing, first } = comparePart(
      "part",
      computed(here),
      computed(there),
    );
    return [differing, first];
  };
  assertEquals(differing(here), [0, undefined]);
  assertEquals(differing({ ...here, a: [1, 0, 0] }), [2, "a"]);
  assertEquals(differing({ ...here, a: [1, 2] }), [1, "a"]);
  assertEquals(differing({ ...here, b: [4, 0] }), [1, "b"]);
  assertEquals(differing({ a: [1, 2, 3], b: [4] }), [1, "c"]);
  assertEquals(differing({ ...here, d: [] }), [1, "d"]);
  assertEquals(differing({}), [5, "a"]);
});

Deno.test("parseProbe: keeps cases of one name apart", () => {
  const lines = [
    { part: "p", name: "n", bytes: "01" },
    { part: "p", name: "n", bytes: "02" },
    { part: "p", seconds: 3 },
  ];
  const text = lines.map((line) => JSON.stringify(line) + "\n").join("");
  const part = parseProbe(text).get("p")!;
  assertEquals([...part.cases.values()].map(([byte]) => byte), [1, 2]);
  assertEquals(part.seconds, 3);
});

Deno.test("compareArchitectures: names an unknown part", async () => {
  const error = await assertRejects(
    () => compareArchitectures(["nothing"]),
    ChainLearnError,
  );
  assert(error.message.startsWith('Cannot compare part "nothing": expected'));
});

/** Whether arm64 can be emulated; must be where everything is required. */
function canEmulate(): boolean {
  const missing = missingForEmulator();
  if (missing === null) return true;
  if (Deno.env.has("CHAINLEARN_REQUIRE_ALL")) {
    throw new Error(`Cannot compare with arm64: expected ${missing}`);
  }
  console.log(`Skipping what needs arm64: expected ${missing}`);
  return false;
}

Deno.test({
  name:
    "compareArchitectures: arm64 gives the same roots, conversion, nodes and receipts",
  ignore: !canEmulate(), // Needs QEMU and arm64 libraries; required where CHAINLEARN_REQUIRE_ALL is set.
  fn: async () => {
    const parts = ["roots", "fashion_mlp float"];
    const results = await compareArchitectures(parts);
    assertEquals(results.map(({ part }) => part), parts);
    for (const { part, cases, differing, first } of results) {
      assert(cases >= 5, part);
      assertEquals(differing, 0, `${part}: ${first}`);
    }
  },
});
