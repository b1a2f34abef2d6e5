/**
 * What a group of measurements is; each has a file of its own beside this one.
 *
 * A group returns the keys that it measured and no others. It throws a ChainLearnError where it cannot run here: the
 * message says why.
 */

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
