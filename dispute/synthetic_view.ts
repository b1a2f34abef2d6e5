/**
 * A view of a request that was never run: one step is real, the states around it are made up.
 *
 * For disputes about models too large to be run whole: the operands and the result of the disputed step have bytes, and
 * so do the outputs; every other tensor is a root without preimage that follows from what wrote it. Two parties with the
 * same seed agree up to the step and, with marks of their own, on nothing that is written after it. For measurements and
 * tests; nobody stakes on it.
 */
import { byteLength, type Commitment } from "../compiler/mod.ts";
import { ChainLearnError, equalBytes, keccak256 } from "../fpvm/mod.ts";
import { checkInputs, iterationsOf, slotRoot } from "../runtime/mod.ts";
import { drawsFrom } from "./seeded.ts";
import { type RequestTerms, SlotStates } from "./state_view.ts";

/** The step that is real. */
export interface DisputedStep {
  /** Below the number of node steps. */
  readonly step: number;
  /** By slot, the bytes that the step's node reads in S_step. */
  readonly operands: ReadonlyMap<number, Uint8Array>;
  /** What the party says that the node wrote. */
  readonly result: Uint8Array;
}

/** See the head of this file. */
export class SyntheticView extends SlotStates {
  /** Per slot, the nodes that write it, ascending. */
  readonly #writers: number[][];
  readonly #roots = new Map<string, Uint8Array>();
  readonly nodeSteps: number;

  /** `mark` tells what one party makes up after the step from what another does. */
  constructor(
    readonly commitment: Commitment,
    readonly terms: RequestTerms,
    readonly disputed: DisputedStep,
    private readonly mark: string,
  ) {
    super();
    const { model } = commitment;
    this.nodeSteps = iterationsOf(model, terms.iterations) *
      model.nodes.length;
    checkInputs(model, terms.inputs);
    this.#writers = model.slots.map(() => []);
    model.nodes.forEach(({ result }, node) => this.#writers[result].push(node));
    const { step, result, operands } = disputed;
    const written = model.nodes[step % model.nodes.length].result;
    this.#checkBytes(written, result);
    operands.forEach((bytes, slot) => {
      this.#checkBytes(slot, bytes);
      const first = this.#lastWrite(step, slot) < 0;
      if (
        first &&
        !equalBytes(slotRoot(model, slot, bytes), this.#initialRoot(slot))
      ) {
        throw new ChainLearnError(
          `Cannot make up a view: expected slot ${slot} as it is in S_0, which nothing wrote before step ${step}, found other bytes`,
        );
      }
    });
  }

  #checkBytes(slot: number, bytes: Uint8Array): void {
    const expected = byteLength(this.commitment.model.slots[slot].type);
    if (bytes.length === expected) return;
    throw new ChainLearnError(
      `Cannot make up a view: expected ${expected} bytes in slot ${slot}, found ${bytes.length}`,
    );
  }

  /** The last step before S_i that wrote the slot, or -1. */
  #lastWrite(i: number, slot: number): number {
    const nodes = this.commitment.model.nodes.length;
    const end = Math.min(i, this.nodeSteps);
    const start = end - end % nodes;
    const last = this.#writers[slot].findLast((node) => start + node < end);
    if (last !== undefined) return start + last;
    const before = this.#writers[slot].at(-1);
    return before === undefined || start === 0 ? -1 : start - nodes + before;
  }

  #initialRoot(slot: number): Uint8Array {
    const { model, initialSlotRoots } = this.commitment;
    const input = model.inputs.findIndex((i) => i.slot === slot);
    return input < 0
      ? initialSlotRoots[slot]
      : slotRoot(model, slot, this.terms.inputs[input]);
  }

  /** Bytes that `step` wrote to the slot, where there are any. */
  #bytes(step: number, slot: number): Uint8Array | undefined {
    const { model } = this.commitment;
    const { disputed } = this;
    if (step === disputed.step) return disputed.result;
    if (step === this.#lastWrite(disputed.step, slot)) {
      const operand = disputed.operands.get(slot);
      if (operand) return operand;
    }
    // The stop slot stays clear: a step behind a set one is no step.
    if (slot === model.stopSlot) {
      return new Uint8Array(byteLength(model.slots[slot].type));
    }
    const isOutput = model.outputs.some((output) => output.slot === slot);
    if (
      isOutput && step >= 0 && step === this.#lastWrite(this.nodeSteps, slot)
    ) {
      const length = byteLength(model.slots[slot].type);
      const draw = drawsFrom(this.#seedOf(step, slot));
      return Uint8Array.from({ length }, () => draw(256));
    }
    if (step >= 0) return undefined;
    const input = model.inputs.findIndex((i) => i.slot === slot);
    return input < 0 ? undefined : this.terms.inputs[input];
  }

  #made(step: number, slot: number): Uint8Array {
    const mark = step > this.disputed.step ? this.mark : "";
    return keccak256(
      new TextEncoder().encode(`made up: step ${step}, slot ${slot}, ${mark}`),
    );
  }

  #seedOf(step: number, slot: number): number {
    return new DataView(this.#made(step, slot).buffer).getUint32(0);
  }

  protected override bytesBefore(i: number, slot: number): Uint8Array {
    const step = this.#lastWrite(i, slot);
    const bytes = this.#bytes(step, slot);
    if (bytes) return bytes;
    throw new ChainLearnError(
      `Cannot give the bytes of slot ${slot} in state ${i}: expected an operand, a result or an output, found a made-up tensor`,
    );
  }

  protected override rootBefore(i: number, slot: number): Uint8Array {
    const step = this.#lastWrite(i, slot);
    const key = `${step} ${slot}`;
    let root = this.#roots.get(key);
    if (!root) {
      const bytes = this.#bytes(step, slot);
      root = bytes
        ? slotRoot(this.commitment.model, slot, bytes)
        : step < 0
        ? this.#initialRoot(slot)
        : this.#made(step, slot);
      this.#roots.set(key, root);
    }
    return root;
  }
}
