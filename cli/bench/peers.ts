/**
 * What others' systems cost, beside what was measured here.
 *
 * Their figures are those of their public code and are not measured again by `bench`: other machines, other programs.
 */
import type { Measures } from "./group.ts";

/** Where the figures come from. */
const sources = {
  cannon: "[Cannon](https://github.com/ethereum-optimism/optimism)",
  optimism:
    "[Optimism's dispute game](https://github.com/ethereum-optimism/optimism)",
  dave: "[Cartesi's Dave](https://github.com/cartesi/dave)",
  opml: "[opML](https://github.com/ora-io/opml)",
} as const;

interface Comparison {
  readonly what: string;
  /** Our keys; the row is left out unless one was measured. */
  readonly keys: readonly string[];
  /** The group that measures them. */
  readonly group: string;
  readonly others: readonly string[];
}

const comparisons: readonly Comparison[] = [
  {
    what: "steps of the machine per second",
    keys: ["vm.interpreted", "vm.translated"],
    group: "vm",
    others: [`${sources.cannon}: 26 to 61 million`],
  },
  {
    what: "one step on chain, gas",
    keys: ["gas.step.alu", "gas.step.load", "gas.step.store", "gas.step.graft"],
    group: "gas",
    others: [`${sources.cannon}: 62,000 to 96,000`],
  },
  {
    what: "a move in a dispute, gas",
    keys: ["gas.move.mean"],
    group: "gas",
    others: [
      `${sources.optimism}: 229,000 to 258,000`,
      `${sources.dave}: 90,000`,
    ],
  },
  {
    what: "a whole dispute, gas",
    keys: ["small.gas", "large.gas"],
    group: "small large",
    others: [
      `${sources.dave}: about 9,500,000`,
      `${sources.optimism}: 29,000,000`,
      `${sources.opml}: more than 2,800,000`,
    ],
  },
  {
    what: "transactions of a dispute",
    keys: ["small.transactions", "large.transactions"],
    group: "small large",
    others: [`${sources.opml}: more than 50`],
  },
];

/** A table in Markdown; empty where nothing comparable was measured. */
export function peersTable(
  measures: Measures,
  format: (value: number) => string,
): string {
  const rows = comparisons.flatMap(({ what, keys, group, others }) => {
    const ours = keys.filter((key) => measures[key] !== undefined);
    if (ours.length === 0) return [];
    const values = ours.map((key) => `\`${key}\` ${format(measures[key])}`)
      .join("; ");
    const command = `\`chainlearn bench ${group}\``;
    return [`| ${what} | ${values} | ${others.join("; ")} | ${command} |`];
  });
  if (rows.length === 0) return "";
  return `## Beside others

<!-- deno-fmt-ignore-start -->
| what | here | elsewhere | measured here by |
| --- | --- | --- | --- |
${rows.join("\n")}
<!-- deno-fmt-ignore-end -->

The figures from elsewhere are those of their public code, on other machines and
for other programs; they were not measured again.
`;
}
