/**
 * The whole model as one program: the paper's single-phase mode.
 *
 * Of the constants only those of the node at work are mapped: each node loads its own from the keys in the weights
 * table, over those of the node before, so a model may be larger than the machine's memory. Operands of the program are
 * the weights table, then the slots that exist before it runs. Where tensors lie is `whole_memory.ts`' matter.
 */
import { concatBytes, LEAF_BYTES, REGIONS } from "../../fpvm/mod.ts";
import { byteLength, type Kernel } from "../ir.ts";
import type { LeafProgram, Model, Node } from "../model/model.ts";
import {
  checkSteps,
  emitExit,
  emitOpenings,
  emitPlain,
  emitResult,
  type Opening,
  type Segment,
} from "./whole.ts";
import { emitCopy } from "./whole_copy.ts";
import { heightOf, type MemoryPlan, planMemory } from "./whole_memory.ts";
import { type LeafOperand, placeOperands, type Window } from "./windows.ts";

/**
 * Compiles a valid model of one iteration and one output; its steps are exact unless a loop's count is computed.
 *
 * @throws ChainLearnError where activations or code do not fit.
 */
export function emitModelProgram(body: Model): LeafProgram {
  const plan = planMemory(body);
  const segments = [
    emitPlain(body.name, (code) => emitOpenings(code, plan.openings)),
    ...givenOutput(body, plan),
    ...body.nodes.flatMap((node) => emitNode(body, node, plan)),
    emitPlain(body.name, emitExit),
  ];
  const steps = segments.reduce((sum, segment) => sum + segment.steps, 0);
  return {
    code: concatBytes(segments.map(({ code }) => code)),
    worstSteps: checkSteps(body.name, steps),
  };
}

/** Puts the output slot's first value in place, where it has one. */
function givenOutput(
  { name, outputs, slots }: Model,
  { given }: MemoryPlan,
): Segment[] {
  if (given === undefined) return [];
  const bytes = byteLength(slots[outputs[0].slot].type);
  return [emitCopy(name, given, REGIONS.output.base, bytes)];
}

/** Loads the node's constants and computes its result into its slot. */
function emitNode(body: Model, node: Node, plan: MemoryPlan): Segment[] {
  const kernel = body.kernels[node.kernel];
  const segments: Segment[] = [];
  const openings: Opening[] = [];
  const windows = new Map<number, Window>();
  let copied = false;
  for (const placed of constantWindows(body, node, kernel).values()) {
    const { operand } = placed;
    const ref = node.operands[operand];
    let { address, height } = placed;
    if (ref.kind === "slot") height = heightOf(body.slots[ref.index].type);
    if (ref.kind === "weight") {
      const key = plan.table + LEAF_BYTES * ref.index;
      openings.push({ address, height, key });
    } else if (ref.kind === "weights_table") {
      ({ address, height } = plan.openings[0]);
    } else if (ref.index !== node.result) {
      address = plan.slots[ref.index];
    } else {
      // The node reads the old tensor while it writes the new one.
      address = plan.copy;
      if (!copied) {
        const bytes = byteLength(kernel.result);
        segments.push(
          emitCopy(kernel.name, plan.slots[ref.index], address, bytes),
        );
      }
      copied = true;
    }
    windows.set(operand, { operand, address, height });
  }
  segments.push(emitResult(kernel, windows, {
    output: plan.slots[node.result],
    enter: (code) => emitOpenings(code, openings),
    leave: () => {},
  }));
  return segments;
}

/** Windows of the operands that the kernel reads; only those of constants are in their final place. */
function constantWindows(body: Model, node: Node, kernel: Kernel) {
  const operands = node.operands.map((ref): LeafOperand =>
    ref.kind === "weight"
      ? { height: heightOf(body.constants[ref.index].type), constant: true }
      : { height: 0, constant: false }
  );
  return placeOperands(kernel, operands);
}
