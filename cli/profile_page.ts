/**
 * A profile as one HTML file that needs nothing else: a flame-like picture as inline SVG, and the table.
 *
 * The picture runs from left to right as the run does. Nodes' names are paths, so each level of a path is a row and
 * neighbours with a common beginning share a box. Colors say how near to its limit a node runs.
 */
import {
  limitLines,
  percent,
  type ProfiledNode,
  type RunProfile,
  speedOf,
} from "./profile.ts";
import { formatBytes, formatSeconds } from "./terminal.ts";

/** What stands above the picture, as name and value. */
export type Facts = readonly (readonly [name: string, value: string])[];

const WIDTH = 1100;
const ROW = 22;
const GAP = 1;
/** Width of a letter at the picture's font size, a little more than most letters have. */
const LETTER = 6.6;

/** A box of the picture: nodes first .. last, whose names share a beginning. */
export interface Box {
  readonly label: string;
  readonly depth: number;
  readonly first: number;
  readonly last: number;
}

const escape = (text: string) =>
  text.replace(/[<>&"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** The boxes below the first row: one for each run of neighbours with a common path, down to each node's own. */
export function boxesOf(names: readonly string[]): Box[] {
  const paths = names.map((name) => {
    const parts = name.split("/").filter((part) => part !== "");
    return parts.length > 0 ? parts : [name];
  });
  const boxes: Box[] = [];
  const split = (first: number, last: number, depth: number) => {
    for (let from = first; from <= last;) {
      const label = paths[from][depth];
      if (label === undefined) {
        from++;
        continue;
      }
      let to = from;
      while (to < last && paths[to + 1][depth] === label) to++;
      boxes.push({ label, depth, first: from, last: to });
      split(from, to, depth + 1);
      from = to + 1;
    }
  };
  split(0, names.length - 1, 0);
  return boxes;
}

/** Red far from the limit, green at it; grey where no limit is known. */
function colorOf(share: number | undefined): string {
  if (share === undefined) return "#d5d8dc";
  const hue = 8 + 122 * Math.min(1, share);
  return `hsl(${hue.toFixed(0)} 62% 76%)`;
}

/** Limits' time over own time of several nodes together. */
function shareOf(nodes: readonly ProfiledNode[]): number | undefined {
  if (nodes.some((node) => !node.bound)) return undefined;
  const time = nodes.reduce((sum, node) => sum + node.seconds, 0);
  const least = nodes.reduce(
    (sum, node) => sum + node.bound!.share * node.seconds,
    0,
  );
  return time > 0 ? least / time : undefined;
}

/** One box from `x` to `end` in pixels; `run` is the time of all nodes. */
function boxSvg(
  { label, depth, first, last }: Box,
  inside: readonly ProfiledNode[],
  [x, end]: readonly [number, number],
  run: number,
): string {
  const seconds = inside.reduce((sum, node) => sum + node.seconds, 0);
  const width = Math.max(0.3, end - x - GAP);
  const share = shareOf(inside);
  const speed = inside.length === 1 ? speedOf(inside[0]) : "";
  const title = [
    `${label} (${
      first === last ? `node ${first}` : `nodes ${first} to ${last}`
    })`,
    `${formatSeconds(seconds)}, ${percent(seconds / run)} of the run`,
    ...(speed === "" ? [] : [`${speed} GMAC/s`]),
    ...(share === undefined ? [] : [`${percent(share)} of the limit`]),
  ].join("\n");
  const letters = Math.floor((width - 8) / LETTER);
  const cut = letters < 3 ? "" : `${label.slice(0, letters - 1)}…`;
  const shown = label.length <= letters ? label : cut;
  const y = depth * ROW;
  const text = shown === ""
    ? ""
    : `<text x="${(x + 4).toFixed(2)}" y="${y + 15}">${escape(shown)}</text>`;
  return `<g><title>${escape(title)}</title><rect x="${
    x.toFixed(2)
  }" y="${y}" width="${width.toFixed(2)}" height="${ROW - GAP}" rx="2" fill="${
    colorOf(share)
  }"/>${text}</g>`;
}

/** The picture: the run on top, below it the levels of the nodes' names. */
export function flameSvg({ nodes }: RunProfile, name: string): string {
  const run = nodes.reduce((sum, node) => sum + node.seconds, 0);
  const edges = [0];
  for (const { seconds } of nodes) {
    edges.push(edges[edges.length - 1] + WIDTH * seconds / run);
  }
  const boxes: Box[] = [
    { label: name, depth: 0, first: 0, last: nodes.length - 1 },
    ...boxesOf(nodes.map((node) => node.name))
      .map((box) => ({ ...box, depth: box.depth + 1 })),
  ];
  const height = ROW * (1 + Math.max(...boxes.map((box) => box.depth)));
  const drawn = boxes.map((box) =>
    boxSvg(
      box,
      nodes.slice(box.first, box.last + 1),
      [edges[box.first], edges[box.last + 1]],
      run,
    )
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Time by node">
${drawn.join("\n")}
</svg>`;
}

function tableHtml({ nodes, seconds, limits }: RunProfile): string {
  const head = ["node", "name", "time", "of run", "GMAC/s", "moved"];
  if (limits) head.push("limit", "of limit");
  const rows = nodes.map((node) => {
    const { bound } = node;
    const cells = [
      `${node.node}`,
      escape(node.name),
      formatSeconds(node.seconds),
      percent(node.seconds / seconds),
      speedOf(node),
      formatBytes(node.work.bytes),
      ...(bound ? [bound.limit, percent(bound.share)] : []),
    ];
    const tint = bound ? ` style="--share:${colorOf(bound.share)}"` : "";
    return `<tr${tint}>${cells.map((c) => `<td>${c}</td>`).join("")}</tr>`;
  });
  return `<table><thead><tr>${
    head.map((h) => `<th>${h}</th>`).join("")
  }</tr></thead><tbody>
${rows.join("\n")}
</tbody></table>`;
}

const STYLE = `
body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:1100px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0 0 1rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1.2rem;margin:0}
dt{color:#666}dd{margin:0;overflow-wrap:anywhere}
svg{width:100%;height:auto;display:block}svg text{font:12px system-ui,sans-serif;fill:#222;pointer-events:none}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.15rem .6rem;text-align:right;border-bottom:1px solid #eee}
th{color:#666;font-weight:normal}th:nth-child(2),td:nth-child(2){text-align:left}
td:nth-child(8){background:var(--share)}
.scale{display:flex;gap:.6rem;align-items:center;color:#666;font-size:.85rem;margin:.5rem 0}
.scale i{width:10rem;height:.7rem;background:linear-gradient(90deg,SCALE)}
`.replace("SCALE", [0, 0.25, 0.5, 0.75, 1].map(colorOf).join(","));

/** The page; same profile and facts, same bytes. */
export function profilePage(
  name: string,
  facts: Facts,
  profile: RunProfile,
): string {
  const { seconds, runs, limits } = profile;
  const all: Facts = [
    ...facts,
    ["time of all nodes", `${formatSeconds(seconds)}, the fastest of ${runs}`],
    ...limitLines(profile).map((line) => ["limit", line] as const),
  ];
  const scale = limits
    ? `<p class="scale">far from its limit <i></i> at its limit</p>`
    : "";
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${
    escape(name)
  }: profile of a run</title><style>${STYLE}</style></head><body>
<h1>${escape(name)}: profile of a run</h1>
<dl>${
    all.map(([k, v]) => `<dt>${escape(k)}</dt><dd>${escape(v)}</dd>`).join("")
  }</dl>
<h2>Where the time goes</h2>
${flameSvg(profile, name)}
${scale}
<h2>Nodes</h2>
${tableHtml(profile)}
</body></html>
`;
}
