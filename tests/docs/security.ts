/** What docs/security.md says of invariants and attacks, and what the sources have: for the tests that compare them. */

const root = new URL("../../", import.meta.url);

/** Texts of a folder's files with this ending, those of its folders included. */
async function texts(folder: string, end: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(new URL(folder, root))) {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory) found.push(...await texts(`${path}/`, end));
    else if (entry.name.endsWith(end)) {
      found.push(await Deno.readTextFile(new URL(path, root)));
    }
  }
  return found;
}

/** Number and place of every `INVARIANT <kind>-<number>` in the contracts, by kind. */
export async function invariants(): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>();
  for (const text of await texts("contracts/src/", ".sol")) {
    for (
      const [, kind, number] of text.matchAll(/INVARIANT ([A-Z]+)-(\d+):/g)
    ) {
      found.set(kind, [...found.get(kind) ?? [], Number(number)]);
    }
  }
  return found;
}

/** Names of all tests: forge's functions and Deno's titles. */
export async function testNames(): Promise<Set<string>> {
  const names = new Set<string>();
  for (const text of await texts("contracts/test/", ".t.sol")) {
    const functions = text.matchAll(/function ((?:test|invariant)\w+)\(/g);
    for (const [, name] of functions) names.add(name);
  }
  for (const text of await texts("tests/", "_test.ts")) {
    const titles = text.matchAll(/Deno\.test\(\s*(["`])(.*?)\1,/g);
    for (const [, , title] of titles) names.add(title);
  }
  return names;
}

/** Whether a test's name bears the number: `GAME-8`, `Game8And9`, `MARKET_8_`, `VM8_`. */
export function bears(name: string, kind: string, number: number): boolean {
  const camel = kind[0] + kind.slice(1).toLowerCase();
  return new RegExp(
    `${kind}[-_]?${number}(?!\\d)|${camel}(\\d+And)?${number}(?!\\d)`,
  ).test(name);
}

/** Rows of the page's tables by their first cell, as the names in backticks of the last one. */
export async function rowsOf(page: string): Promise<Map<string, string[]>> {
  const text = await Deno.readTextFile(new URL(page, root));
  const rows = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const cells = line.split("|").map((cell) => cell.trim());
    if (cells.length < 5 || /^-+:?$/.test(cells[1])) continue;
    const names = cells[cells.length - 2].matchAll(/`([^`]+)`/g);
    rows.set(cells[1], [...names].map(([, name]) => name));
  }
  return rows;
}
