import { assert, assertEquals } from "@std/assert";
import { rowsOf, testNames } from "./security.ts";

/** The lines of docs/security.md, *Attacks and their tests*: numbered ones as letter and last number. */
const lines = [
  ...numbered("V", 10),
  "P",
  ...numbered("P", 8),
  "opML",
  "C",
  // There is no fifth line of the game.
  ...numbered("G", 11).filter((line) => line !== "G5"),
  ...numbered("O", 4),
  "B",
  "F",
  ...numbered("D", 19),
  "fault",
];
/** Lines about what these contracts do not have: their tests show that it is refused. */
const absent = ["D11"];

function numbered(letter: string, last: number): string[] {
  return Array.from({ length: last }, (_, i) => `${letter}${i + 1}`);
}

/** Whether a test's name contains the line's as a word of its own, in any of the two ways of naming tests. */
const bearsLine = (name: string, line: string) =>
  new RegExp(`(^|[^A-Z])${line}(?![0-9a-z])`).test(name);

Deno.test("security.md: every attack has a row, and every test in it exists", async () => {
  const rows = await rowsOf("docs/security.md");
  const names = await testNames();
  for (const line of lines) {
    const row = rows.get(line) ?? [];
    assert(row.length > 0, `${line} has no test`);
    for (const name of row) assert(names.has(name), `${line}: ${name}`);
  }
});

Deno.test("security.md: a test of each attack bears its name", async () => {
  const rows = await rowsOf("docs/security.md");
  const anonymous = lines.filter((line) =>
    !rows.get(line)?.some((name) => bearsLine(name, line))
  );
  assertEquals(anonymous, absent);
});

Deno.test("bearsLine: takes a line for itself alone", () => {
  assert(bearsLine("testGame31EqualMeansTheChallengerWinsG9", "G9"));
  assert(bearsLine("step: V1 variable shifts", "V1"));
  assert(!bearsLine("step: V10 sc stores", "V1"));
  assert(!bearsLine("test_MARKET_1_Bytes", "B"));
  assert(!bearsLine("test_UG2_", "G2"));
});
