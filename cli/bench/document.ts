/** The measured numbers as `docs/benchmarks.md`: what, on which machine, with which versions, on which day. */
import { writeFile } from "../files.ts";
import { formatCount } from "../terminal.ts";
import type { Measures } from "./group.ts";
import { peersTable } from "./peers.ts";

/** What a machine calls itself: the processor's model, cores, operating system; no names of hosts or users. */
async function machineText(): Promise<string> {
  const cpuInfo = await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  const model = /^model name\s*:\s*(.+)$/m.exec(cpuInfo)?.[1];
  const cores = navigator.hardwareConcurrency;
  const memory = Math.round(Deno.systemMemoryInfo().total / 2 ** 30);
  return `${
    model ?? Deno.build.arch
  }, ${cores} cores, ${memory} GiB, ${Deno.build.os} (${Deno.build.arch})`;
}

function format(value: number): string {
  if (Number.isInteger(value)) return formatCount(value);
  return value >= 1000 ? formatCount(Math.round(value)) : value.toPrecision(4);
}

/** Writes the file; measures of groups that were not run are not in it. `load` is the machine's before. */
export async function writeDocument(
  path: string,
  measures: Measures,
  groups: readonly string[],
  load: number,
): Promise<void> {
  const rows = Object.entries(measures)
    .filter(([key]) => !key.startsWith("vm.phases."))
    .map(([key, value]) => [`\`${key}\``, format(value)]);
  const widths = [0, 1].map((i) =>
    Math.max(5, ...rows.map((r) => r[i].length))
  );
  const line = (cells: readonly string[]) =>
    `| ${cells[0].padEnd(widths[0])} | ${cells[1].padStart(widths[1])} |`;
  const text = `# Benchmarks

Written by \`chainlearn bench --write\`. Keys that a group cannot measure on this
machine are absent.

- Date: ${new Date().toISOString().slice(0, 10)}
- Machine: ${await machineText()}
- Versions: ChainLearn 0.1.0, Deno ${Deno.version.deno}, V8 ${Deno.version.v8}
- Groups: ${groups.join(", ")}
- Load before the first group: ${
    load.toFixed(1)
  } (1-minute average; above 0.5 the times and
  speeds are those of a busy machine)

${line(["key", "value"])}
| ${"-".repeat(widths[0])} | ${"-".repeat(widths[1] - 1)}: |
${rows.map(line).join("\n")}

Accuracies are percentages of the 10,000 test pictures of Fashion-MNIST,
differences are points. Gas is that of whole transactions. \`small\` gives the
maximum over its disputes. \`gas.move.mean\` is the mean of all transactions of a
dispute but its opening, the opening of a node or a leaf, and the last step. The
keys \`vm.phases.*\` are the tables of [phases.md](phases.md).

\`large\` gives the maximum over a dispute about each kind of node in a model of
the shape of the 7B LLaMA, n being that of a conversation of 2,048 tokens; its
seconds are those of both players and the chain. \`gas.onchainMatmul1000\` is the
cubic through a contract's products of 16, 32 and 64 rows: some hundred blocks
of nothing else, which is why models do not run on chain. \`witness.maxBytes\` is
the longest of fuzzed witnesses.

${peersTable(measures, format)}`;
  await writeFile(path, `${text.trimEnd()}\n`, "benchmarks");
}
