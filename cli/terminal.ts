/**
 * What goes to the terminal: colors, tables, progress, JSON.
 *
 * Answers go to standard output, everything that only accompanies them to standard error. Colors and progress bars
 * are off when the stream is not a terminal or NO_COLOR is set.
 */
import type { SingleBar } from "cli-progress";

const colored = () => !Deno.noColor && Deno.stderr.isTerminal();

function painter(code: number): (text: string) => string {
  return (text) => colored() ? `\x1b[${code}m${text}\x1b[0m` : text;
}

/** Colors, where the terminal has them. */
export const paint = {
  red: painter(31),
  green: painter(32),
  yellow: painter(33),
  cyan: painter(36),
  dim: painter(2),
  bold: painter(1),
};

/** Prints a value as JSON to standard output; bigints as decimal strings, bytes as hex. */
export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, jsonValue, 2));
}

function jsonValue(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return toHex(value);
  return value;
}

/** 0x and the bytes in hex. */
export function toHex(bytes: Uint8Array): string {
  return `0x${bytes.toHex()}`;
}

/** A table with aligned columns; numbers, also with a unit, to the right. */
export function formatTable(
  rows: readonly (readonly string[])[],
  head?: readonly string[],
): string {
  const all = head ? [head, ...rows] : rows;
  if (all.length === 0) return "";
  const widths = all[0].map((_, column) =>
    Math.max(...all.map((row) => row[column].length))
  );
  const numeric = widths.map((_, column) =>
    rows.length > 0 &&
    rows.every((row) => /^[-<>~ ]*\d[\d.,]*( \D+)?$/.test(row[column]))
  );
  const line = (row: readonly string[]) =>
    row.map((cell, i) =>
      numeric[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])
    ).join("  ").trimEnd();
  const lines = rows.map(line);
  return (head ? [paint.dim(line(head)), ...lines] : lines).join("\n");
}

/** Thousands apart, for people. */
export function formatCount(value: number | bigint): string {
  return value.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** A count with its noun, as "1 node" or "2,048 nodes". */
export function formatCounted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Bytes in the largest unit that keeps a digit before the point. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    unit++;
  }
  return `${unit === 0 ? bytes : bytes.toFixed(bytes < 10 ? 2 : 1)} ${
    units[unit]
  }`;
}

/** Seconds for people. */
export function formatSeconds(seconds: number): string {
  if (seconds < 1e-3) {
    return `${(seconds * 1e6).toFixed(seconds < 1e-5 ? 2 : 0)} us`;
  }
  if (seconds < 1) {
    return `${(seconds * 1e3).toFixed(seconds < 0.01 ? 2 : 0)} ms`;
  }
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  if (seconds < 7200) return `${(seconds / 60).toFixed(1)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** A line to standard error that tells what is going on. */
export function note(text: string): void {
  console.error(text);
}

/** Progress of work that may take over a second; silent when standard error is no terminal. */
export interface Progress {
  update(done: number, total: number): void;
  stop(): void;
}

/** Shows a bar once the work has taken half a second; what draws it is loaded only then, for a fast start. */
export function progressBar(title: string): Progress {
  if (!Deno.stderr.isTerminal()) return { update() {}, stop() {} };
  const started = performance.now();
  let bar: SingleBar | undefined;
  let wanted = false;
  const load = async (done: number, total: number) => {
    wanted = true;
    const { SingleBar } = await import("cli-progress");
    if (!wanted) return;
    bar = new SingleBar({
      format: `${title} {bar} {percentage}% | {eta_formatted}`,
      clearOnComplete: true,
    });
    bar.start(total, done);
  };
  return {
    update(done, total) {
      if (
        !wanted && performance.now() - started > 500 && done < total
      ) load(done, total);
      bar?.setTotal(total);
      bar?.update(done);
    },
    stop() {
      wanted = false;
      bar?.stop();
      bar = undefined;
    },
  };
}
