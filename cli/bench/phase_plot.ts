/** Line plots as SVG: a few panels beside each other, both axes logarithmic. */

/** One line of a panel. */
interface Line {
  readonly label: string;
  readonly color: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Panel {
  readonly title: string;
  readonly xLabel: string;
  readonly lines: readonly Line[];
}

const WIDTH = 380;
const HEIGHT = 310;
const LEFT = 58;
const RIGHT = 16;
const TOP = 46;
const BOTTOM = 46;

const powersBetween = (base: number, low: number, high: number): number[] => {
  const found: number[] = [];
  for (let x = 1; x <= high; x *= base) if (x >= low) found.push(x);
  return found;
};

/** 1, 10, 100, 1k, 10k, ... */
function shortNumber(value: number): string {
  const units: readonly [number, string][] = [[1e9, "G"], [1e6, "M"], [
    1e3,
    "k",
  ]];
  const unit = units.find(([size]) => value >= size);
  return unit ? `${value / unit[0]}${unit[1]}` : String(value);
}

function panelSvg(panel: Panel, offset: number): string {
  const all = panel.lines.flatMap((line) => line.points);
  const xs = all.map(([x]) => x);
  const ys = all.map(([, y]) => y);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  const y0 = 10 ** Math.floor(Math.log10(Math.min(...ys)));
  const y1 = 10 ** Math.ceil(Math.log10(Math.max(...ys)));
  const place = (
    v: number,
    [a, b]: readonly [number, number],
    [from, to]: readonly [number, number],
  ) => from + (Math.log(v / a) / Math.log(b / a)) * (to - from);
  const x = (v: number) => place(v, [x0, x1], [LEFT, WIDTH - RIGHT]).toFixed(1);
  const y = (v: number) =>
    place(v, [y0, y1], [HEIGHT - BOTTOM, TOP]).toFixed(1);
  const grid = powersBetween(10, y0, y1).map((v) =>
    `<line class="g" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(v)}" y2="${
      y(v)
    }"/><text x="${LEFT - 6}" y="${y(v)}" dy="4" text-anchor="end">${
      shortNumber(v)
    }</text>`
  );
  const ticks = powersBetween(2, x0, x1).map((v) =>
    `<text x="${x(v)}" y="${
      HEIGHT - BOTTOM + 16
    }" text-anchor="middle">${v}</text>`
  );
  const lines = panel.lines.map(({ color, points }) => {
    const path = points.map(([px, py]) => `${x(px)},${y(py)}`).join(" ");
    const dots = points.map(([px, py]) =>
      `<circle cx="${x(px)}" cy="${y(py)}" r="2.5" fill="${color}"/>`
    );
    return `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"/>${
      dots.join("")
    }`;
  });
  const names = panel.lines.map(({ label, color }) =>
    `<tspan style="fill:${color}">${label}</tspan>`
  );
  return `<g transform="translate(${offset},0)">
<text x="${LEFT}" y="16" class="t">${panel.title}</text>
<text x="${LEFT}" y="32">${names.join(" · ")}</text>
${grid.join("\n")}
${ticks.join("\n")}
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${
    HEIGHT - 8
  }" text-anchor="middle">${panel.xLabel}</text>
${lines.join("\n")}
</g>`;
}

/** The panels as one SVG document. */
export function plotSvg(panels: readonly Panel[]): string {
  const width = WIDTH * panels.length;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${HEIGHT}" viewBox="0 0 ${width} ${HEIGHT}">
<style>text{font:12px sans-serif;fill:#444}.t{font-weight:bold}.g{stroke:#ddd}</style>
<rect width="${width}" height="${HEIGHT}" fill="#fff"/>
${panels.map((panel, i) => panelSvg(panel, i * WIDTH)).join("\n")}
</svg>
`;
}
