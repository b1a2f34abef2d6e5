/**
 * Programs beyond one leaf: the whole result of a kernel, and the parts that a whole model's program is made of.
 *
 * The body is the leaf's (`leaf.ts`), walking from the result's first element to its last: what is hoisted to a row is
 * computed once per row. Parts are position-independent and fall through to what follows them.
 */
import {
  ChainLearnError,
  LEAF_BYTES,
  REGIONS,
  SYSCALL,
} from "../../fpvm/mod.ts";
import { elementCount, type Kernel } from "../ir.ts";
import type { LeafProgram } from "../model/model.ts";
import { allocate } from "./allocate.ts";
import { assemble } from "./assemble.ts";
import { Code, loadConstant, type Register } from "./code.ts";
import { fillDelaySlots } from "./delay_slots.ts";
import { emitLeaf, type WholeFrame } from "./leaf.ts";
import { lowerKernel } from "./lower.ts";
import { frequencies, wholeSteps } from "./steps.ts";
import { type LeafOperand, placeOperands, type Window } from "./windows.ts";

const V0 = 2, A0 = 4, A1 = 5, A2 = 6;

/** Above this the exact count would leave the numbers that are exact in JavaScript, doubled. */
const MOST_STEPS = 2 ** 52;

/** Machine code that runs from its first word to past its last, and the steps it takes at most. */
export interface Segment {
  readonly code: Uint8Array;
  readonly steps: number;
}

/** A committed tensor that a program opens: the root at `key` gives the bytes at `address`. */
export interface Opening {
  readonly address: number;
  readonly height: number;
  /** Address of the 32 bytes of its root. */
  readonly key: number;
}

/** Address of the root of a node's operand. */
export const operandKey = (operand: number): number =>
  REGIONS.input.base + LEAF_BYTES * (1 + operand);

/** Puts a constant into a machine register. */
export function emitConstant(
  code: Code,
  register: Register,
  value: number,
): void {
  for (const { name, fields } of loadConstant(register, value)) {
    code.emit(name, fields);
  }
}

/** Grafts committed tensors at their windows. */
export function emitOpenings(code: Code, openings: readonly Opening[]): void {
  if (openings.length > 0) emitConstant(code, V0, SYSCALL.load);
  for (const { address, height, key } of openings) {
    emitConstant(code, A0, address);
    emitConstant(code, A1, height);
    emitConstant(code, A2, key);
    code.emit("syscall");
  }
}

/** Exits with code 0. */
export function emitExit(code: Code): void {
  emitConstant(code, V0, SYSCALL.exit);
  emitConstant(code, A0, 0);
  code.emit("syscall");
}

/** A kernel's whole result, computed at `frame.output` from operands at the windows. */
export function emitResult(
  kernel: Kernel,
  windows: ReadonlyMap<number, Window>,
  frame: WholeFrame,
): Segment {
  const { name } = kernel;
  if (elementCount(kernel.result.shape) === 0) {
    return emitPlain(name, (code) => {
      frame.enter(code);
      frame.leave(code);
    });
  }
  const code = new Code();
  const lowered = lowerKernel(kernel, windows);
  const parts = emitLeaf(kernel, lowered, windows, code, frame);
  const items = fillDelaySlots(allocate({
    name,
    items: code.items,
    constants: code.constants,
    frequency: frequencies(parts),
  }));
  return {
    code: assemble(name, items),
    steps: wholeSteps(kernel, parts, items),
  };
}

/** Straight code over machine registers, each instruction run once. */
export function emitPlain(name: string, body: (code: Code) => void): Segment {
  const code = new Code();
  code.part(() => body(code));
  return { code: assemble(name, code.items), steps: code.items.length };
}

/**
 * Compiles a verified kernel to a program that computes its whole result in the output region.
 *
 * `operands` says how each operand is committed, as for `emitLeafProgram`. Steps depend on the iteration alone.
 *
 * @throws ChainLearnError for too large operands or code.
 */
export function emitWholeProgram(
  kernel: Kernel,
  operands: readonly LeafOperand[],
): LeafProgram {
  const windows = placeOperands(kernel, operands);
  const openings = [...windows.values()].map((
    { operand, address, height },
  ) => ({
    address,
    height,
    key: operandKey(operand),
  }));
  const { code, steps } = emitResult(kernel, windows, {
    output: REGIONS.output.base,
    enter: (code) => emitOpenings(code, openings),
    leave: emitExit,
  });
  return { code, worstSteps: checkSteps(kernel.name, steps) };
}

/** Throws where a count cannot be doubled exactly. */
export function checkSteps(name: string, steps: number): number {
  if (steps <= MOST_STEPS) return steps;
  throw new ChainLearnError(
    `Cannot emit "${name}" for MIPS: expected at most ${MOST_STEPS} steps, found ${steps}`,
  );
}
