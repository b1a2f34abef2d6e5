/**
 * What a group of measurements is; each has a file of its own beside this one.
 *
 * A group returns the keys that it measured and no others. It throws a ChainLearnError where it cannot run here: the
 * message says why. Here, too, is how groups measure time.
 */
import type { Model } from "../../compiler/mod.ts";
import {
  ChainLearnError,
  cloneState,
  STATUS,
  type VmState,
} from "../../fpvm/mod.ts";
import { createCpuExecutor } from "../../runtime/mod.ts";

/** What the command line gives to every group. */
export interface BenchOptions {
  /** Folder of Fashion-MNIST's test files. */
  readonly data: string;
  /** Folder of the models that come with the project. */
  readonly models: string;
  /** Games of the soundness campaign. */
  readonly games: number;
  /** Faults played for `small`. */
  readonly faults: number;
  readonly seed: number;
}

export interface BenchContext extends BenchOptions {
  /** A line of progress to standard error. */
  readonly say: (text: string) => void;
}

/** Dotted keys with their values. */
export type Measures = Readonly<Record<string, number>>;

export interface BenchGroup {
  measure(context: BenchContext): Promise<Measures>;
}

/** Largest of the values. */
export const largest = (values: readonly number[]): number =>
  values.reduce((a, b) => Math.max(a, b));

/** The value in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** Seconds of the fastest of some repetitions, the first of which warm up. */
export function fastest(
  work: () => void,
  repetitions = 5,
  least = 0.05,
): number {
  let best = Infinity;
  for (let i = 0; i < repetitions; i++) {
    let rounds = 0;
    const started = performance.now();
    do {
      work();
      rounds++;
    } while (performance.now() - started < 1000 * least);
    best = Math.min(best, (performance.now() - started) / 1000 / rounds);
  }
  return best;
}

/** Runs of which {@linkcode nativeSeconds} takes the median. */
const NATIVE_RUNS = 200;

/** Seconds of a model, or of one node of it, on two CPU threads: the median of many runs. */
export async function nativeSeconds(
  model: Model,
  inputs: readonly Uint8Array[],
  node?: number,
): Promise<number> {
  const executor = await createCpuExecutor(model, { threads: 2 });
  const times: number[] = [];
  try {
    for (let i = 0; i < NATIVE_RUNS; i++) {
      const started = performance.now();
      let last = started;
      // Without the callback for a whole model: the CPU keeps every slot for it.
      await executor.run(
        [...inputs],
        node === undefined ? {} : {
          onNode(_, index) {
            const now = performance.now();
            if (index === node) times.push(now - last);
            last = now;
          },
        },
      );
      if (node === undefined) times.push(performance.now() - started);
    }
  } finally {
    executor.close();
  }
  return median(times) / 1000;
}

/** Something that runs a state for at most so many steps and says how many it took. */
export type Runner = (state: VmState, steps: number) => number;

/** One run of a program from its first step to its exit, in a memory of its own; throws where it does not exit with code 0. */
export function timeProgram(
  start: VmState,
  runner: Runner,
): { steps: number; seconds: number } {
  const state = cloneState(start);
  const started = performance.now();
  const steps = runner(state, 2 ** 40);
  const seconds = (performance.now() - started) / 1000;
  if (state.status !== STATUS.exited || state.exitCode !== 0) {
    throw new ChainLearnError(
      `Cannot measure the machine: expected exit code 0, found status ${state.status}, exit code ${state.exitCode}`,
      { exitCode: 1 },
    );
  }
  return { steps, seconds };
}

/** Values under dotted keys that begin so, to four decimals. */
export const roundedUnder = (
  prefix: string,
  values: Readonly<Record<string, number>>,
): Measures =>
  Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      `${prefix}.${key}`,
      Math.round(value * 1e4) / 1e4,
    ]),
  );
