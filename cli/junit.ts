/**
 * JUnit reports as continuous integration reads them.
 *
 * There is no one schema. This is what the strict one in use (Ant's, every attribute and child in its order) and the
 * loose one (Jenkins') both accept. Text comes from files that others wrote: what XML cannot hold is replaced.
 */

/** A test case; passed unless it has a failure (what it found is wrong) or an error (it could not look). */
export interface TestCase {
  readonly name: string;
  readonly seconds: number;
  readonly failure?: string;
  readonly error?: string;
}

/** A suite of test cases. */
export interface TestSuite {
  readonly name: string;
  /** Class of every case: what readers group by. */
  readonly group: string;
  readonly timestamp: Date;
  readonly properties: Readonly<Record<string, string>>;
  readonly cases: readonly TestCase[];
}

/** Characters that XML 1.0 has no way to write: most control characters, lone surrogates, U+FFFE and U+FFFF. */
const unwritable =
  // deno-lint-ignore no-control-regex
  /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g;

/** A string as the text of an attribute. Line breaks are written as numbers, else readers make spaces of them. */
function attribute(text: string): string {
  return text.toWellFormed().replace(unwritable, "\ufffd")
    .replace(/[<>&"'\t\n\r]/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** An element's attributes, each with a space before it. */
function attributes(values: Record<string, string | number>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${attribute(String(value))}"`).join("");
}

function caseElement(group: string, one: TestCase): string[] {
  const time = one.seconds.toFixed(3);
  const open = `<testcase${
    attributes({ classname: group, name: one.name, time })
  }`;
  const problem = one.error === undefined ? "failure" : "error";
  const message = one.error ?? one.failure;
  if (message === undefined) return [`    ${open}/>`];
  const type = problem === "error" ? "unable to run" : "other bytes";
  return [
    `    ${open}>`,
    `      <${problem}${attributes({ message, type })}/>`,
    "    </testcase>",
  ];
}

/** The suite as a JUnit report; host and user stay unnamed. */
export function junitReport(suite: TestSuite): string {
  const { name, group, cases, properties, timestamp } = suite;
  const seconds = cases.reduce((sum, one) => sum + one.seconds, 0);
  const counts = {
    tests: cases.length,
    failures: cases.filter((c) => c.failure !== undefined).length,
    errors: cases.filter((c) => c.error !== undefined).length,
    time: seconds.toFixed(3),
  };
  const head = {
    package: "chainlearn",
    id: 0,
    name,
    timestamp: timestamp.toISOString().slice(0, 19),
    hostname: "localhost",
  };
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    "<testsuites>",
    `  <testsuite${attributes({ ...head, ...counts })}>`,
    "    <properties>",
    ...Object.entries(properties).map(([name, value]) =>
      `      <property${attributes({ name, value })}/>`
    ),
    "    </properties>",
    ...cases.flatMap((one) => caseElement(group, one)),
    "    <system-out/>",
    "    <system-err/>",
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}
