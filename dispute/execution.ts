/**
 * One party's view of a whole request: every state S_0 .. S_n and the tensors behind them.
 *
 * Built by running the model once with a copy of each node's result. It knows nothing about games, faults or
 * chains; a liar's view is the same class, made with `alter`.
 */
import type { Commitment } from "../compiler/mod.ts";
import { byteLength } from "../compiler/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import {
  type Executor,
  initialSlots,
  iterationsOf,
  slotRoot,
} from "../runtime/mod.ts";
import { type RequestTerms, SlotStates } from "./state_view.ts";

export type { RequestTerms } from "./state_view.ts";

/** A node's result as it was written at one step. */
export interface StepResult {
  readonly step: number;
  readonly bytes: Uint8Array;
}

interface Written extends StepResult {
  readonly root: Uint8Array;
}

/** See the head of this file. */
export class Execution extends SlotStates {
  /** Per slot, what was written to it, oldest first; entry 0 is the state before step 0. */
  readonly #written: Written[][];

  private constructor(
    readonly commitment: Commitment,
    readonly terms: RequestTerms,
    initial: readonly Uint8Array[],
  ) {
    super();
    const { model } = commitment;
    iterationsOf(model, terms.iterations);
    this.#written = initial.map((bytes, slot) => [
      { step: -1, bytes, root: slotRoot(model, slot, bytes) },
    ]);
  }

  /**
   * Runs the model on `executor` and keeps every result.
   *
   * `alter` may change the bytes of the result of a step before the run goes on: a false execution that is
   * consistent from there on.
   */
  static async run(
    commitment: Commitment,
    terms: RequestTerms,
    executor: Executor,
    alter?: (step: number, result: Uint8Array) => void,
  ): Promise<Execution> {
    const { model } = commitment;
    const initial = initialSlots(model, terms.inputs);
    const execution = new Execution(commitment, terms, initial);
    await executor.run([...terms.inputs], {
      iterations: terms.iterations,
      onNode: (step, node, slots) => {
        const slot = model.nodes[node].result;
        alter?.(step, slots[slot]);
        execution.#record(step, slot, slots[slot].slice());
      },
    });
    return execution;
  }

  /** Rebuilds an execution from what {@linkcode results} gave; steps and lengths are checked, truth is not. */
  static restore(
    commitment: Commitment,
    terms: RequestTerms,
    results: readonly StepResult[],
  ): Execution {
    const { model } = commitment;
    const execution = new Execution(
      commitment,
      terms,
      initialSlots(model, terms.inputs),
    );
    let last = -1;
    for (const { step, bytes } of results) {
      if (
        !(Number.isInteger(step) && step > last && step < execution.nodeSteps)
      ) {
        throw new ChainLearnError(
          `Cannot restore an execution: expected a step in ${last + 1} .. ${
            execution.nodeSteps - 1
          }, found ${step}`,
        );
      }
      const slot = model.nodes[step % model.nodes.length].result;
      const expected = byteLength(model.slots[slot].type);
      if (bytes.length !== expected) {
        throw new ChainLearnError(
          `Cannot restore an execution: step ${step}: expected ${expected} bytes, found ${bytes.length}`,
        );
      }
      execution.#record(step, slot, bytes);
      last = step;
    }
    return execution;
  }

  /** What every step wrote, in order; a step that did not run is absent. */
  results(): StepResult[] {
    return this.#written.flat().filter((w) => w.step >= 0).sort((a, b) =>
      a.step - b.step
    )
      .map(({ step, bytes }) => ({ step, bytes }));
  }

  #record(step: number, slot: number, bytes: Uint8Array): void {
    const root = slotRoot(this.commitment.model, slot, bytes);
    this.#written[slot].push({ step, bytes, root });
  }

  /** Steps without the finish step. */
  get nodeSteps(): number {
    return this.terms.iterations * this.commitment.model.nodes.length;
  }

  #at(i: number, slot: number): Written {
    const writes = this.#written[slot];
    let last = writes.length - 1;
    while (writes[last].step >= i) last--;
    return writes[last];
  }

  protected override bytesBefore(i: number, slot: number): Uint8Array {
    return this.#at(i, slot).bytes;
  }

  protected override rootBefore(i: number, slot: number): Uint8Array {
    return this.#at(i, slot).root;
  }

  /** True where the model's stop slot makes every step from S_i on the identity. */
  stopped(i: number): boolean {
    const { stopSlot } = this.commitment.model;
    if (stopSlot === undefined) return false;
    return this.slotBytes(i, stopSlot).subarray(0, 4).some((b) => b !== 0);
  }
}
