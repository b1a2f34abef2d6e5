/**
 * `deno task test`: all tests in parallel, one line at the end that counts them.
 *
 * Arguments are passed to `deno test` (folders, --filter). With CHAINLEARN_REQUIRE_ALL=1 a test that finds its
 * peer missing fails instead of being skipped; `.ci/run` sets it.
 */
import { existsSync } from "node:fs";

/** Counts of a JUnit report. */
interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

function count(xml: string): Counts {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (
    const [, attributes, body] of xml.matchAll(
      /<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g,
    )
  ) {
    // A step of a test is a test case of its own in the report; its test already counts it.
    if (attributes.includes(" &gt; ")) continue;
    if (body?.includes("<failure") || body?.includes("<error")) counts.failed++;
    else if (body?.includes("<skipped")) counts.skipped++;
    else counts.passed++;
  }
  return counts;
}

const report = await Deno.makeTempFile({ suffix: ".xml" });
const selected = Deno.args.length > 0 ? Deno.args : [
  "tests",
  "README.md",
  "docs",
  "compiler",
  "runtime",
  "fpvm",
  "dispute",
  "contracts",
  "cli",
];
const { code } = await new Deno.Command(Deno.execPath(), {
  args: [
    "test",
    "-A",
    "--parallel",
    "--doc",
    `--junit-path=${report}`,
    ...selected.filter((path) => path.startsWith("-") || existsSync(path)),
  ],
}).spawn().status;

const counts = count(await Deno.readTextFile(report));
await Deno.remove(report);
// A module that does not load leaves no test case, only the exit code.
if (code !== 0 && counts.failed === 0) counts.failed = 1;
const skipped = counts.skipped ? `, ${counts.skipped} skipped` : "";
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
Deno.exit(code);
