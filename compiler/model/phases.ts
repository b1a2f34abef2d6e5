/**
 * One, two or three phases of a dispute: the same graph, committed as one program, as a program for each node, or as
 * programs of one leaf each.
 *
 * Results are the same bytes. A single-phase model has one *whole* node and keeps the graph as its body: everything
 * else of it follows from that, so a bundle stores the body alone.
 */
import { ChainLearnError } from "../../fpvm/mod.ts";
import type { Model, OperandRef, Slot } from "./model.ts";

/** 3: graph, leaf and instruction; 2: node and instruction; 1: instruction alone, the paper's baseline. */
export type Phases = 1 | 2 | 3;

/** How a model is committed; a model of which only some nodes are *whole* counts as three-phase. */
export function phasesOf(model: Model): Phases {
  if (model.body) return 1;
  return model.nodes.every((node) => node.whole) ? 2 : 3;
}

/** The graph whose kernels compute the model: its body, or the model itself. */
export function graphOf(model: Model): Model {
  return model.body ?? model;
}

/**
 * The model committed in so many phases.
 *
 * @throws ChainLearnError where one program cannot be the whole model: several outputs, iterations, a stop slot.
 */
export function inPhases(model: Model, phases: Phases): Model {
  const graph = graphOf(model);
  const whole = phases === 2;
  const nodes = graph.nodes.map((node) => ({ ...node, whole }));
  return phases === 1 ? singlePhase({ ...graph, nodes }) : { ...graph, nodes };
}

/** Slots of the body that exist before its program runs, and so are its operands: those that it can read. */
export function openedSlots(body: Model): number[] {
  const read = new Set(body.outputs.map((output) => output.slot));
  for (const { operands } of body.nodes) {
    for (const ref of operands) if (ref.kind === "slot") read.add(ref.index);
  }
  const inputs = body.inputs.map((input) => input.slot);
  const initial = body.slots.flatMap(({ initial }, slot) =>
    initial && !inputs.includes(slot) ? [slot] : []
  );
  return [...inputs, ...initial].filter((slot) => read.has(slot));
}

function refuse(body: Model, expected: string, found: string): never {
  throw new ChainLearnError(
    `Cannot commit "${body.name}" in one phase: expected ${expected}, found ${found}`,
    { hint: "Convert it with --phases 2 or 3" },
  );
}

/** The model of one node whose program computes the body, which is valid itself; throws as `inPhases` does. */
export function singlePhase(body: Model): Model {
  const { schedule, outputs, stopSlot, name } = body;
  if (schedule.kind !== "fixed" || schedule.iterations !== 1) {
    refuse(body, "one iteration", "more, or a choice");
  }
  if (outputs.length !== 1) refuse(body, "one output", `${outputs.length}`);
  if (stopSlot !== undefined) refuse(body, "no stop slot", `${stopSlot}`);
  if (body.nodes.some((node) => node.whole)) {
    refuse(body, "nodes of one leaf each", "a whole node");
  }
  const opened = openedSlots(body);
  // Inputs come first, read or not: the request commits to them.
  const carried = [
    ...body.inputs.map((input) => input.slot),
    ...opened.filter((slot) => body.inputs.every((i) => i.slot !== slot)),
  ];
  const operands: OperandRef[] = [
    { kind: "weights_table" },
    ...opened.map((slot): OperandRef => ({
      kind: "slot",
      index: 1 + carried.indexOf(slot),
    })),
  ];
  const { name: output, type } = body.slots[outputs[0].slot];
  return {
    name,
    mode: body.mode,
    kernels: [],
    nodes: [{
      name,
      kernel: -1,
      operands,
      result: 0,
      whole: true,
      lineage: [...new Set(body.nodes.flatMap((node) => node.lineage))],
    }],
    constants: body.constants,
    slots: [
      { name: output, type },
      ...carried.map((slot): Slot => body.slots[slot]),
    ],
    inputs: body.inputs.map((input, i) => ({ ...input, slot: 1 + i })),
    outputs: [{ ...outputs[0], slot: 0 }],
    schedule,
    kept: 1,
    body,
  };
}
