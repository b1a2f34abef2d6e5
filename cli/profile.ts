/**
 * `run --profile`: where a run's time goes, as a table and as data; the page is in `profile_page.ts`.
 *
 * On the CPU each node is held against what the machine can do, measured in the same process. Other devices are timed
 * in one run, without a limit: they are not there to be fast.
 */
import type { Model } from "../compiler/mod.ts";
import { graphOf } from "../compiler/mod.ts";
import {
  type Bound,
  boundOf,
  type Executor,
  type Limits,
  measureLimits,
  type NodeProfile,
  profileRuns,
} from "../runtime/mod.ts";
import {
  formatBytes,
  formatCounted,
  formatSeconds,
  formatTable,
} from "./terminal.ts";

/** A node with what bounds it; no bound where limits were not measured. */
export interface ProfiledNode extends NodeProfile {
  readonly bound?: Bound;
}

export interface RunProfile {
  readonly device: string;
  readonly threads: number;
  /** Runs of which the fastest counts. */
  readonly runs: number;
  /** Seconds of the nodes in the fastest run. */
  readonly seconds: number;
  readonly nodes: readonly ProfiledNode[];
  readonly limits?: Limits;
}

/** Profiles an executor of `graphOf(model)`; `threads` are those that it has. */
export async function profileRun(
  model: Model,
  executor: Executor,
  inputs: readonly Uint8Array[],
  threads: number,
  iterations?: number,
): Promise<RunProfile> {
  const { device } = executor;
  const onCpu = device === "cpu";
  const once = onCpu ? {} : { warmUp: 0, seconds: 0 };
  const profile = await profileRuns(graphOf(model), executor, inputs, {
    iterations,
    ...once,
  });
  const { runs, seconds } = profile;
  if (!onCpu) return { device, threads: 1, ...profile };
  const limits = await measureLimits(profile, { threads });
  const nodes = profile.nodes.map((node) => ({
    ...node,
    bound: boundOf(node, limits),
  }));
  return { device, threads, runs, seconds, nodes, limits };
}

/** Multiply-accumulates per second in billions; empty where a node has none. */
export function speedOf({ work, seconds }: NodeProfile): string {
  return work.macs === 0 ? "" : (work.macs / seconds / 1e9).toPrecision(3);
}

/** A share as a percentage. */
export const percent = (share: number): string =>
  `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

/** What the limits are, one line each. */
export function limitLines({ limits, threads }: RunProfile): string[] {
  if (!limits) return [];
  const on = `${threads} thread${threads === 1 ? "" : "s"}`;
  return [
    ...Object.entries(limits.macs).map(([factors, rate]) =>
      `${(rate / 1e9).toPrecision(3)} GMAC/s: a product of 384 cubed, ${
        factors.replace(" ", " by ")
      }, on ${on}`
    ),
    ...Object.entries(limits.traffic).map(([bytes, rate]) =>
      `${(rate / 1e9).toPrecision(3)} GB/s: ${
        formatBytes(Number(bytes))
      } read and written once, on ${on}`
    ),
  ];
}

/** The profile for a terminal, in the order of execution. */
export function profileTable(profile: RunProfile): string {
  const rows = profile.nodes.map((node) => [
    `${node.node}`,
    node.name,
    formatSeconds(node.seconds),
    percent(node.seconds / profile.seconds),
    speedOf(node),
    formatBytes(node.work.bytes),
    ...(node.bound ? [node.bound.limit, percent(node.bound.share)] : []),
  ]);
  const head = ["node", "name", "time", "of run", "GMAC/s", "moved"];
  if (profile.limits) head.push("limit", "of limit");
  return [
    formatTable(rows, head),
    `${formatSeconds(profile.seconds)} for all nodes, the fastest of ${
      formatCounted(profile.runs, "run")
    }`,
    ...limitLines(profile).map((line) => `limit  ${line}`),
  ].join("\n");
}
