/**
 * A run of the machine that can be asked for its state after any number of steps.
 *
 * It keeps snapshots of the whole run, spaced evenly though its length is not known before its end, and the states
 * it was asked for last. Rounds of a dispute ask for points inside an interval whose start was a point of the round
 * before: each round then costs at most its interval, all rounds after the first run one more run at most, and
 * less with the snapshots. States share the pages in which they do not differ; what they hold together is bounded.
 * Nothing is written down: after a restart the run is done again.
 */
import {
  cloneState,
  Memory,
  runTranslated,
  stateHash,
  STATUS,
  type VmState,
} from "../fpvm/mod.ts";

/** How much a run may keep. */
export interface RunLimits {
  /** Snapshots of the whole run, at least 2. */
  readonly snapshots: number;
  /** States that were asked for, at least 1. */
  readonly recent: number;
  /**
   * Bytes of pages that all of them hold together, half of it for each kind; one of each is kept whatever it holds.
   * A round's states should fit, or its points are run from a snapshot each.
   */
  readonly bytes: number;
}

/** Enough for every k up to 32. */
const LIMITS: RunLimits = { snapshots: 128, recent: 64, bytes: 2 ** 28 };
/** Bounds of the distance of snapshots at the beginning, whatever is guessed. */
const MIN_INTERVAL = 64, MAX_INTERVAL = 2 ** 20;
/** Hashes remembered, of 32 bytes. */
const HASHES = 4096;

interface Point {
  readonly step: number;
  readonly state: VmState;
}

const heldBy = (points: readonly Point[]) =>
  Memory.heldPages(points.map(({ state }) => state.memory));

/** The first points and every other one after them. */
const everyOther = (points: readonly Point[]) =>
  points.filter((_, i) => i % 2 === 0);

/** See the head of this file. */
export class ProgramRun {
  #snapshots: Point[] = [];
  #interval: number;
  /** Oldest first. */
  #recent: Point[] = [];
  readonly #hashes = new Map<number, Uint8Array>();
  readonly #limits: RunLimits;
  readonly #end: Point;
  #executed = 0;

  /**
   * Runs `state`, which it takes over, to its end or `maxSteps`. `expectedSteps` is a guess of the length that
   * saves snapshots; a wrong one costs time alone.
   */
  constructor(
    state: VmState,
    maxSteps: number,
    expectedSteps: number,
    limits: Partial<RunLimits> = {},
  ) {
    this.#limits = { ...LIMITS, ...limits };
    const interval = expectedSteps / this.#limits.snapshots;
    this.#interval = Math.ceil(
      Math.min(MAX_INTERVAL, Math.max(MIN_INTERVAL, interval)),
    );
    let step = 0;
    while (state.status === STATUS.running && step < maxSteps) {
      this.#addSnapshot({ step, state: cloneState(state) });
      const count = Math.min(this.#interval - step % this.#interval, maxSteps);
      step += this.#run(state, Math.min(count, maxSteps - step));
    }
    this.#end = { step, state };
  }

  /** Steps until it stopped, or the limit. */
  get length(): number {
    return this.#end.step;
  }

  /** The last state, not to be written to. */
  get end(): VmState {
    return this.#end.state;
  }

  /** Steps executed so far, the first run included. */
  get executedSteps(): number {
    return this.#executed;
  }

  /** Bytes of the pages that all kept states hold beside committed contents, what they share counted once. */
  get heldBytes(): number {
    return heldBy([...this.#snapshots, ...this.#recent, this.#end]);
  }

  /** The machine after m steps, a copy. Cheapest where m does not decrease from one question to the next. */
  stateAt(m: number): VmState {
    return cloneState(this.#point(m).state);
  }

  /** State hash after m steps. */
  hashAt(m: number): Uint8Array {
    const known = this.#hashes.get(m);
    if (known !== undefined) return known;
    const hash = stateHash(this.#point(m).state);
    this.#hashes.set(m, hash);
    if (this.#hashes.size > HASHES) {
      for (const oldest of this.#hashes.keys()) {
        this.#hashes.delete(oldest);
        break;
      }
    }
    return hash;
  }

  #run(state: VmState, count: number): number {
    const steps = runTranslated(state, count);
    this.#executed += steps;
    return steps;
  }

  /** Snapshots lie at the multiples of the interval; where they are too many, it doubles. */
  #addSnapshot(point: Point): void {
    if (point.step % this.#interval !== 0) return;
    this.#snapshots.push(point);
    const { snapshots, bytes } = this.#limits;
    while (
      this.#snapshots.length > 1 &&
      (this.#snapshots.length > snapshots ||
        heldBy(this.#snapshots) > bytes / 2)
    ) {
      this.#snapshots = everyOther(this.#snapshots);
      this.#interval *= 2;
    }
  }

  #nearest(m: number): Point {
    const points = [...this.#snapshots, ...this.#recent, this.#end];
    return points.reduce(
      (best, point) =>
        point.step <= m && point.step >= best.step ? point : best,
    );
  }

  #point(m: number): Point {
    const nearest = this.#nearest(m);
    const stands = nearest.state.status !== STATUS.running;
    if (nearest.step === m || stands) {
      this.#use(nearest);
      return nearest;
    }
    const state = cloneState(nearest.state);
    this.#run(state, m - nearest.step);
    const point = { step: m, state };
    this.#recent.push(point);
    this.#shrink();
    return point;
  }

  /** Makes a state that was asked for the last to go. */
  #use(point: Point): void {
    const at = this.#recent.indexOf(point);
    if (at >= 0) this.#recent.push(...this.#recent.splice(at, 1));
  }

  #shrink(): void {
    const { recent, bytes } = this.#limits;
    while (
      this.#recent.length > 1 &&
      (this.#recent.length > recent || this.heldBytes > bytes)
    ) this.#recent.shift();
  }
}
