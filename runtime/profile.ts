/**
 * How long each node of a model takes, measured through an executor's own hooks: nothing is compiled differently.
 *
 * A node's time is that of its fastest run after a warm-up, all iterations of a run added up. What it computes is in
 * `node_work.ts`, what the machine could do in `profile_limits.ts`.
 */
import { graphOf, type Model } from "../compiler/mod.ts";
import { type Executor, iterationsOf } from "./executor.ts";
import { type NodeWork, nodeWork } from "./node_work.ts";

export interface ProfileOptions {
  readonly iterations?: number;
  /** Seconds of runs before any is counted; default 0.3, and at least one run. */
  readonly warmUp?: number;
  /** Seconds of runs that count; default 1, and at least one run. */
  readonly seconds?: number;
}

/** A node's share of a run. */
export interface NodeProfile {
  /** Index among the nodes of the graph. */
  readonly node: number;
  readonly name: string;
  /** Seconds of the fastest run. */
  readonly seconds: number;
  /** Work of all iterations. */
  readonly work: NodeWork;
}

export interface Profile {
  readonly nodes: readonly NodeProfile[];
  /** Runs that were counted. */
  readonly runs: number;
  /** Seconds from the first node's begin to the last one's end, in the fastest run. */
  readonly seconds: number;
}

/**
 * Runs the graph again and again. `executor` must be one of `graphOf(model)`: a single-phase model has one step and
 * many nodes. Throws as `Executor.run` does.
 */
export async function profileRuns(
  model: Model,
  executor: Executor,
  inputs: readonly Uint8Array[],
  options: ProfileOptions = {},
): Promise<Profile> {
  const graph = graphOf(model);
  const { warmUp = 0.3, seconds = 1 } = options;
  const iterations = iterationsOf(graph, options.iterations);
  const fastest = graph.nodes.map(() => Infinity);
  let whole = Infinity;
  const once = async (counted: boolean) => {
    const spent = graph.nodes.map(() => 0);
    let last = 0;
    await executor.run(inputs, {
      iterations,
      keep: "model",
      onReady() {
        last = performance.now();
      },
      onNode(_, node) {
        const now = performance.now();
        spent[node] += (now - last) / 1000;
        last = now;
      },
    });
    if (!counted) return;
    spent.forEach((time, node) =>
      fastest[node] = Math.min(fastest[node], time)
    );
    whole = Math.min(whole, spent.reduce((a, b) => a + b));
  };
  await repeat(warmUp, () => once(false));
  const runs = await repeat(seconds, () => once(true));
  const works = new Map<number, NodeWork>();
  const workOf = (kernel: number): NodeWork => {
    const known = works.get(kernel) ?? nodeWork(graph.kernels[kernel]);
    works.set(kernel, known);
    return known;
  };
  const nodes = graph.nodes.map(({ name, kernel }, node): NodeProfile => {
    const { macs, bytes, factors } = workOf(kernel);
    return {
      node,
      name,
      seconds: fastest[node],
      work: { macs: macs * iterations, bytes: bytes * iterations, factors },
    };
  });
  return { nodes, runs, seconds: whole };
}

/** Repeats work until so many seconds have passed; how often. */
async function repeat(
  seconds: number,
  work: () => Promise<void>,
): Promise<number> {
  const end = performance.now() + 1000 * seconds;
  let times = 0;
  do {
    await work();
    times++;
  } while (performance.now() < end);
  return times;
}
