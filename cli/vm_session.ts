/**
 * A program that can be moved to any of its steps, forwards and backwards, and stops where it was told to.
 *
 * Backwards means again from a snapshot: the machine is deterministic. Snapshots share what they do not change; at
 * most 64 are kept, at distances that double as the run gets longer, so that going back re-runs at most that distance.
 */
import {
  cloneState,
  observeStep,
  run,
  runTranslated,
  STATUS,
  step,
  type StepEffect,
  type VmState,
} from "../fpvm/mod.ts";

/** Snapshots kept over a whole run. */
const SNAPSHOTS = 64;
const FIRST_DISTANCE = 2 ** 20;
/** From here on translated code pays for taking the memory over. */
const TRANSLATED_STEPS = 2 ** 16;
/** Steps between two looks at what else is going on, as Ctrl-C. */
const SLICE = 2 ** 24;

/** Where to stop. */
export interface Stops {
  /** After this many steps from the start. */
  readonly steps: Set<number>;
  /** Before the instruction at an address. */
  readonly addresses: Set<number>;
  /** After a step that changed one of these words, by aligned address. */
  readonly watched: Set<number>;
}

/** Why it stands where it stands. */
export type Reason =
  | { kind: "start" | "end" | "step" | "address" | "interrupted" }
  | { kind: "watched"; address: number; before: number; value: number };

/** See the head of this file. */
export class VmSession {
  /** The machine where it stands; not to be changed. */
  state: VmState;
  /** Steps from the start. */
  position = 0;
  readonly stops: Stops = {
    steps: new Set(),
    addresses: new Set(),
    watched: new Set(),
  };
  #snapshots: { step: number; state: VmState }[];
  #distance = FIRST_DISTANCE;

  constructor(start: VmState) {
    this.state = cloneState(start);
    this.#snapshots = [{ step: 0, state: start }];
  }

  get isRunning(): boolean {
    return this.state.status === STATUS.running;
  }

  /** Moves to after `target` steps, or to where the program stops. */
  goTo(target: number): void {
    if (target < this.position) this.#restore(target);
    while (this.position < target && this.isRunning) {
      this.#advance(Math.min(target, this.#nextSnapshot()) - this.position);
    }
  }

  /** What the step before the present position did; null at the start. */
  lastEffect(): StepEffect | null {
    if (this.position === 0) return null;
    const { position } = this;
    this.goTo(position - 1);
    const effect = observeStep(this.state);
    this.position = position;
    return effect;
  }

  /** Takes one step and tells what it did. */
  stepOnce(): StepEffect {
    const effect = observeStep(this.state);
    this.position++;
    return effect;
  }

  /** Runs to the next stop or the end; `isInterrupted` is asked now and then. */
  async resume(isInterrupted: () => boolean): Promise<Reason> {
    while (this.isRunning) {
      const end = Math.min(
        this.position + SLICE,
        this.#nextSnapshot(),
        ...[...this.stops.steps].filter((at) => at > this.position),
      );
      const reason = this.#scan(end);
      if (reason !== null) return reason;
      if (this.stops.steps.has(this.position)) return { kind: "step" };
      await new Promise((resolve) => setTimeout(resolve));
      if (isInterrupted()) return { kind: "interrupted" };
    }
    return { kind: "end" };
  }

  /** Moves to the nearest stop before the present position, or to the start. */
  resumeBack(): Reason {
    let end = this.position - 1;
    for (const { step } of this.#snapshots.toReversed()) {
      if (step > end) continue;
      this.#restore(step);
      const last = this.#lastStop(end);
      if (last !== null) {
        this.goTo(last.position);
        return last.reason;
      }
      // A stop at the snapshot itself is found by the steps before it.
      end = step;
    }
    this.goTo(0);
    return { kind: "start" };
  }

  /** The last stop after the present position and not after `end`. */
  #lastStop(end: number): { position: number; reason: Reason } | null {
    let last = null;
    while (this.position < end && this.isRunning) {
      const steps = [...this.stops.steps].filter((at) => at > this.position);
      const reason = this.#scan(Math.min(end, ...steps)) ??
        (this.stops.steps.has(this.position)
          ? { kind: "step" as const }
          : null);
      if (reason !== null) last = { position: this.position, reason };
    }
    return last;
  }

  /** Runs to `end` or to the next stop by address or watched word. */
  #scan(end: number): Reason | null {
    const { addresses, watched } = this.stops;
    if (addresses.size === 0 && watched.size === 0) {
      this.#advance(end - this.position);
      return null;
    }
    const { state } = this;
    const { memory } = state;
    const words = [...watched].map((address) => ({
      address,
      before: memory.load32(address),
    }));
    while (this.position < end && this.isRunning) {
      step(state);
      this.position++;
      for (const { address, before } of words) {
        const value = memory.load32(address);
        if (value !== before) {
          return { kind: "watched", address, before, value };
        }
      }
      if (addresses.has(state.pc) && this.isRunning) return { kind: "address" };
    }
    this.#keepSnapshot();
    return null;
  }

  #advance(steps: number): void {
    const go = steps < TRANSLATED_STEPS ? run : runTranslated;
    const target = this.position + steps;
    try {
      this.position += go(this.state, steps);
    } catch (error) {
      // Missing content: go to the step that needs it, so that one may look around there.
      this.#restore(this.position);
      for (; this.position < target; this.position++) step(this.state);
      throw error;
    }
    this.#keepSnapshot();
  }

  #restore(target: number): void {
    const { step, state } = this.#snapshots.findLast((s) => s.step <= target)!;
    this.state = cloneState(state);
    this.position = step;
  }

  #nextSnapshot(): number {
    return (Math.floor(this.position / this.#distance) + 1) * this.#distance;
  }

  #keepSnapshot(): void {
    const { position } = this;
    const last = this.#snapshots[this.#snapshots.length - 1];
    if (position % this.#distance !== 0 || position <= last.step) return;
    this.#snapshots.push({ step: position, state: cloneState(this.state) });
    if (this.#snapshots.length <= SNAPSHOTS) return;
    this.#distance *= 2;
    this.#snapshots = this.#snapshots.filter(({ step }) =>
      step % this.#distance === 0
    );
  }
}
