/**
 * From a kernel to the machine code of one leaf: the passes of this folder, in order.
 */
import { ChainLearnError } from "../../fpvm/mod.ts";
import type { Kernel } from "../ir.ts";
import type { LeafProgram } from "../model/model.ts";
import { allocate } from "./allocate.ts";
import { assemble } from "./assemble.ts";
import { Code } from "./code.ts";
import { fillDelaySlots } from "./delay_slots.ts";
import { emitLeaf } from "./leaf.ts";
import { lowerKernel } from "./lower.ts";
import { frequencies, worstSteps } from "./steps.ts";
import { type LeafOperand, placeOperands } from "./windows.ts";

/** A leaf of more steps is refused: nobody could dispute it in time. */
const MOST_STEPS = 1 << 28;

/**
 * Compiles a verified kernel to a program that computes one 32-byte leaf of its result.
 *
 * `operands` says how each operand is committed. The program reads the leaf's index and the iteration
 * from the input region, grafts the operands it reads, stores the leaf in the output region and exits
 * with 0. The number of its steps depends on the leaf's index and the iteration alone.
 *
 * @throws ChainLearnError for too large operands, code, or step counts.
 */
export function emitLeafProgram(
  kernel: Kernel,
  operands: readonly LeafOperand[],
): LeafProgram {
  const { name } = kernel;
  const windows = placeOperands(kernel, operands);
  const code = new Code();
  const parts = emitLeaf(kernel, lowerKernel(kernel, windows), windows, code);
  const items = fillDelaySlots(allocate({
    name,
    items: code.items,
    constants: code.constants,
    frequency: frequencies(parts),
  }));
  const steps = worstSteps(kernel, parts, items);
  if (steps > MOST_STEPS) {
    throw new ChainLearnError(
      `Cannot emit kernel "${name}" for MIPS: expected at most ${MOST_STEPS} steps per leaf, found ${steps}`,
    );
  }
  return { code: assemble(name, items), worstSteps: steps };
}
