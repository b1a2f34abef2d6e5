/**
 * What every executor does alike: checks inputs, walks the schedule, honours the stop slot.
 *
 * A device brings the slots' memory and a way to run one node; here is the order in which nodes run and
 * what a caller sees. Nothing here hashes: see `commit.ts`.
 */
import { byteLength, type Model } from "../compiler/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import type { SlotPlan } from "./slot_plan.ts";

/** What a finished run leaves; copies that belong to the caller. */
export interface Run {
  /** Bytes of each output, in the model's order. */
  readonly outputs: Uint8Array[];
  /** Bytes of every slot after the last step, without the finish step; none of those that were not kept. */
  readonly slots: Uint8Array[];
}

/**
 * What of the slots can be read: "all" of them at any time, or what the model keeps, and besides that each node's
 * result only right after the node, since slots that are never live together then share memory.
 */
export type Keep = "all" | "model";

/** Called after every step with the live slots: do not keep them. Writing to them makes a false run. */
export type OnNode = (
  step: number,
  node: number,
  slots: readonly Uint8Array[],
) => void | Promise<void>;

export interface RunOptions {
  /** Passes over the node list; required where the request chooses them. */
  readonly iterations?: number;
  /** Called once, when the inputs are in their slots and the first node is about to run. */
  readonly onReady?: () => void;
  readonly onNode?: OnNode;
  /** Default: "all" where `onNode` may look at them, else "model". */
  readonly keep?: Keep;
}

/** Runs one model; one run at a time. */
export interface Executor {
  /** Name of the device, as `--device` has it. */
  readonly device: string;
  /** Inputs are the exact bytes of each input slot, in the model's order. */
  run(inputs: readonly Uint8Array[], options?: RunOptions): Promise<Run>;
  /** Ends workers; the executor cannot run any more. */
  close(): void;
}

/** Slots in a device's memory and a way to compute one node into its result slot. */
export interface SlotSet {
  readonly slots: readonly Uint8Array[];
  runNode(node: number, iteration: number): void;
}

/** A device: every slot has memory of its own, and where there is a plan, another set of them shares it. */
export interface Device extends SlotSet {
  readonly name: string;
  readonly planned?: SlotSet & { readonly plan: SlotPlan };
  close(): void;
}

/** Number of passes over the node list; throws where the model does not allow it. */
export function iterationsOf(model: Model, wanted?: number): number {
  const { schedule } = model;
  const fixed = schedule.kind === "fixed";
  const iterations = wanted ?? (fixed ? schedule.iterations : undefined);
  const fits = iterations !== undefined && Number.isInteger(iterations) &&
    (fixed
      ? iterations === schedule.iterations
      : iterations >= 1 && iterations <= schedule.max);
  if (!fits) {
    const expected = fixed ? `${schedule.iterations}` : `1 to ${schedule.max}`;
    throw new ChainLearnError(
      `Cannot run "${model.name}": expected ${expected} iterations, found ${
        wanted ?? "none"
      }`,
    );
  }
  return iterations;
}

/** Throws unless there is one input of the exact byte length for each of the model's. */
export function checkInputs(
  model: Model,
  inputs: readonly Uint8Array[],
): void {
  if (inputs.length !== model.inputs.length) {
    throw new ChainLearnError(
      `Cannot run "${model.name}": expected inputs: ${model.inputs.length}, found ${inputs.length}`,
    );
  }
  model.inputs.forEach((input, i) => {
    const expected = byteLength(model.slots[input.slot].type);
    if (inputs[i].length !== expected) {
      throw new ChainLearnError(
        `Cannot run "${model.name}": expected ${expected} bytes in input "${input.name}", found ${
          inputs[i].length
        }`,
      );
    }
  });
}

/** Gives every slot its first value: an input, its initial bytes, or zeros; of shared ones inputs alone. */
export function resetSlots(
  model: Model,
  inputs: readonly Uint8Array[],
  slots: readonly Uint8Array[],
  shared?: readonly boolean[],
): void {
  model.slots.forEach((slot, i) => {
    if (shared?.[i]) return;
    if (slot.initial) slots[i].set(slot.initial);
    else slots[i].fill(0);
  });
  model.inputs.forEach((input, i) => slots[input.slot].set(inputs[i]));
}

/** Bytes of every slot in S_0: initial values with the inputs written in; throws as {@linkcode checkInputs}. */
export function initialSlots(
  model: Model,
  inputs: readonly Uint8Array[],
): Uint8Array[] {
  checkInputs(model, inputs);
  const slots = model.slots.map(({ type }) => new Uint8Array(byteLength(type)));
  resetSlots(model, inputs, slots);
  return slots;
}

/** Whether the model's stop slot is set: every further step is the identity. */
export function isStopped(
  model: Model,
  slots: readonly Uint8Array[],
): boolean {
  if (model.stopSlot === undefined) return false;
  const word = slots[model.stopSlot].subarray(0, 4);
  return word.some((byte) => byte !== 0);
}

/** Makes an executor of a device. */
export function executorOf(model: Model, device: Device): Executor {
  let state: "ready" | "running" | "closed" = "ready";
  return {
    device: device.name,
    async run(inputs, options = {}) {
      if (state !== "ready") {
        throw new ChainLearnError(
          `Cannot run "${model.name}": expected an idle executor, found it ${state}`,
        );
      }
      const iterations = iterationsOf(model, options.iterations);
      checkInputs(model, inputs);
      state = "running";
      try {
        const { onNode, keep = onNode ? "all" : "model" } = options;
        const planned = keep === "model" ? device.planned : undefined;
        const set = planned ?? device;
        resetSlots(model, inputs, set.slots, planned?.plan.shared);
        options.onReady?.();
        await walk(model, set, iterations, onNode);
        return {
          outputs: model.outputs.map((o) => set.slots[o.slot].slice()),
          slots: set.slots.map((slot, i) =>
            keep === "all" || i < model.kept ? slot.slice() : new Uint8Array()
          ),
        };
      } finally {
        if (state === "running") state = "ready";
      }
    },
    close() {
      if (state === "closed") return;
      state = "closed";
      device.close();
    },
  };
}

async function walk(
  model: Model,
  set: SlotSet,
  iterations: number,
  onNode?: OnNode,
): Promise<void> {
  let step = 0;
  for (let iteration = 0; iteration < iterations; iteration++) {
    for (let node = 0; node < model.nodes.length; node++) {
      if (!isStopped(model, set.slots)) set.runNode(node, iteration);
      else if (!onNode) return;
      await onNode?.(step++, node, set.slots);
    }
  }
}
