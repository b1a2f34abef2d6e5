/** A reader for small XML documents that refuses what is not well-formed, and the structure of JUnit reports. */
import { assert, assertEquals } from "@std/assert";

/** An element; text between elements is not kept. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Element[];
}

function decode(text: string): string {
  assert(!text.includes("<"), `bare < in ${text}`);
  return text.replace(/&([^;]*);?/g, (whole, name) => {
    const number = /^#(\d+)$/.exec(name);
    assert(number && whole.endsWith(";"), `unknown reference ${whole}`);
    return String.fromCodePoint(Number(number[1]));
  });
}

/** Parses a document of elements and white space; throws on anything else. */
export function parseXml(text: string): Element {
  // deno-lint-ignore no-control-regex
  assert(!/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(text), "not XML 1.0");
  assert(text.isWellFormed(), "lone surrogate");
  const root: Element = { name: "", attributes: {}, children: [] };
  const open = [root];
  const rest = text.replace(/^<\?xml version="1.0" encoding="UTF-8"\?>\n/, "");
  assert(rest !== text, "no XML declaration");
  for (const [tag, space] of rest.matchAll(/<[^>]*>|([^<]+)/g)) {
    if (space !== undefined) {
      assertEquals(space.trim(), "", "text between elements");
      continue;
    }
    if (tag.startsWith("</")) {
      assertEquals(`</${open.pop()!.name}>`, tag);
      continue;
    }
    const [, name, body, empty] = /^<([a-z-]+)((?: [a-z]+="[^"]*")*)(\/?)>$/i
      .exec(tag)!;
    const pairs = [...body.matchAll(/ ([a-z]+)="([^"]*)"/gi)];
    const attributes = Object.fromEntries(
      pairs.map(([, key, value]) => [key, decode(value)]),
    );
    assertEquals(Object.keys(attributes).length, pairs.length, tag);
    const element = { name, attributes, children: [] };
    open.at(-1)!.children.push(element);
    if (!empty) open.push(element);
  }
  assertEquals(open.length, 1, "open elements at the end");
  assertEquals(root.children.length, 1);
  return root.children[0];
}

const decimal = /^\d+(\.\d+)?$/;
const integer = /^\d+$/;
const any = /[^]*/;
const some = /[^]+/;

/** Required attributes, and children in their order: `*` any number, `?` none or one of them. */
const schema: Record<
  string,
  { attributes: Record<string, RegExp>; children: RegExp }
> = {
  testsuites: { attributes: {}, children: /^(testsuite )*$/ },
  testsuite: {
    attributes: {
      package: some,
      id: integer,
      name: some,
      timestamp: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/,
      hostname: some,
      tests: integer,
      failures: integer,
      errors: integer,
      time: decimal,
    },
    children: /^properties (testcase )*system-out system-err $/,
  },
  properties: { attributes: {}, children: /^(property )*$/ },
  property: { attributes: { name: some, value: any }, children: /^$/ },
  testcase: {
    attributes: { classname: any, name: any, time: decimal },
    children: /^(skipped |error |failure )?$/,
  },
  failure: { attributes: { message: any, type: any }, children: /^$/ },
  error: { attributes: { message: any, type: any }, children: /^$/ },
  "system-out": { attributes: {}, children: /^$/ },
  "system-err": { attributes: {}, children: /^$/ },
};

/** Requires an element to be as the strict JUnit schema (Ant's) has it; no attribute beyond. */
export function checkJunit(element: Element): void {
  const rule = schema[element.name];
  assert(rule, `unknown element ${element.name}`);
  const { attributes, children } = element;
  assertEquals(
    Object.keys(attributes).sort(),
    Object.keys(rule.attributes).sort(),
    element.name,
  );
  for (const [name, pattern] of Object.entries(rule.attributes)) {
    assert(pattern.test(attributes[name]), `${element.name} ${name}`);
  }
  const names = children.map(({ name }) => `${name} `).join("");
  assert(rule.children.test(names), `${element.name}: ${names}`);
  children.forEach(checkJunit);
}

/** The suite of a report, once the report is found valid and its counts those of its cases. */
export function readJunit(text: string): Element {
  const report = parseXml(text);
  assertEquals(report.name, "testsuites");
  checkJunit(report);
  assertEquals(report.children.length, 1);
  const [suite] = report.children;
  const cases = suite.children.filter(({ name }) => name === "testcase");
  const having = (kind: string) =>
    cases.filter(({ children }) => children[0]?.name === kind).length;
  assertEquals(
    [suite.attributes.tests, suite.attributes.failures, suite.attributes.errors]
      .map(Number),
    [cases.length, having("failure"), having("error")],
  );
  return suite;
}
