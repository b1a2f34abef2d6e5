/** The measures of one, two and three phases as the tables and the plot of docs/phases.md. */
import { dirname, join } from "node:path";
import { ChainLearnError } from "../../fpvm/mod.ts";
import { readText, writeFile } from "../files.ts";
import { formatCount } from "../terminal.ts";
import type { Measures } from "./group.ts";
import { CHAIN_NODES } from "./phase_growth.ts";
import { ALL_PHASES } from "./phase_lies.ts";
import { type Panel, plotSvg } from "./phase_plot.ts";
import { shippedModels } from "./shipped_models.ts";

const BEGIN = "<!-- measured: written by chainlearn bench vm --write -->";
const END = "<!-- end of measured -->";
const COLORS = { 1: "#b3261e", 2: "#8a6d00", 3: "#1b6e3c" } as const;
const LABELS = { 1: "one phase", 2: "two phases", 3: "three phases" } as const;

const columns: readonly (readonly [string, string, (v: number) => string])[] = [
  ["VM steps", "steps", formatCount],
  ["memory, KiB", "bytes", (v) => formatCount(v / 1024)],
  ["Merkle hashes", "hashes", formatCount],
  ["player, s", "playerSeconds", (v) => v.toFixed(3)],
  ["dispute, s", "seconds", (v) => v.toFixed(2)],
  ["transactions", "transactions", formatCount],
  ["gas", "gas", formatCount],
];

const speeds: readonly (readonly [string, string])[] = [
  ["nodes", "nodes"],
  ["native, 2 threads, GMAC/s", "gmacs.native"],
  ["`step`, GMAC/s", "gmacs.step"],
  ["translated, GMAC/s", "gmacs.translated"],
  ["alpha over `step`", "alpha.step"],
  ["alpha over translated", "alpha.translated"],
  ["alpha n / (alpha + n)", "gain.formula"],
  ["gain of two phases", "gain.2"],
  ["gain of three phases", "gain.3"],
];

function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, i) => i === 0 ? "---" : "---:");
  return [head, rule, ...rows].map(line).join("\n");
}

/** Tables from the measured keys; throws naming a key that is not there. */
export function phaseTables(measures: Measures): string {
  const value = valueOf(measures);
  const disputes = table(
    ["model", "phases", ...columns.map(([head]) => head)],
    shippedModels.flatMap((name) =>
      ALL_PHASES.map((phases) => [
        name,
        String(phases),
        ...columns.map(([, key, show]) =>
          show(value(`${name}.${phases}.${key}`))
        ),
      ])
    ),
  );
  const number = (v: number) =>
    Number.isInteger(v)
      ? formatCount(v)
      : v >= 100
      ? formatCount(Math.round(v))
      : String(Number(v.toPrecision(3)));
  const rates = table(
    ["", ...shippedModels],
    speeds.map(([head, key]) => [
      head,
      ...shippedModels.map((name) => number(value(`${name}.${key}`))),
    ]),
  );
  return `<!-- deno-fmt-ignore-start -->\n${disputes}\n\n${rates}\n<!-- deno-fmt-ignore-end -->`;
}

const valueOf = (measures: Measures) => (key: string): number => {
  const found = measures[`vm.phases.${key}`];
  if (found !== undefined) return found;
  throw new ChainLearnError(
    `Cannot write the page of phases: expected the key vm.phases.${key}, found none`,
  );
};

/** Steps and hashes over growing chains, as SVG. */
function phasePlot(measures: Measures): string {
  const value = valueOf(measures);
  const panel = (title: string, key: string): Panel => ({
    title,
    xLabel: "nodes of the model",
    lines: ALL_PHASES.map((phases) => ({
      label: LABELS[phases],
      color: COLORS[phases],
      points: CHAIN_NODES.map((nodes) =>
        [nodes, value(`chain.${nodes}.${phases}.${key}`)] as const
      ),
    })),
  });
  return plotSvg([
    panel("VM steps a player runs", "steps"),
    panel("Merkle nodes a player hashes", "hashes"),
    panel("Bytes of VM memory in use", "bytes"),
  ]);
}

/** Renews what is measured in `phases.md`, and `phases.svg` beside it; nothing where phases were not measured. */
export async function writePhases(
  benchmarks: string,
  measures: Measures,
): Promise<void> {
  if (!Object.keys(measures).some((key) => key.startsWith("vm.phases."))) {
    return;
  }
  const folder = dirname(benchmarks);
  await writeFile(join(folder, "phases.svg"), phasePlot(measures), "plot");
  const page = join(folder, "phases.md");
  const text = await readText(page, "page of phases").catch(() =>
    `${BEGIN}\n${END}\n`
  );
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) {
    throw new ChainLearnError(
      `Cannot write ${page}: expected the lines "${BEGIN}" and "${END}", found no such pair`,
    );
  }
  const renewed = text.slice(0, from + BEGIN.length) + "\n\n" +
    phaseTables(measures) + "\n\n" + text.slice(to);
  await writeFile(page, renewed, "page of phases");
}
