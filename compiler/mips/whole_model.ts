/**
 * The whole model as one program: the paper's single-phase mode.
 *
 * Activations lie in the stack region above its zeros, beyond its size in the value region; the output is in the output region. Of the
 * constants only those of the node at work are mapped: each node loads its own from the keys in the weights table, over
 * those of the node before, so a model may be larger than the machine's memory. Operands of the program are the weights
 * table, then the slots that exist before it runs (`openedSlots`).
 */
import {
  ChainLearnError,
  concatBytes,
  LEAF_BYTES,
  leafCountHeight,
  REGIONS,
  treeHeight,
} from "../../fpvm/mod.ts";
import { byteLength, type Kernel, type TensorType } from "../ir.ts";
import type { LeafProgram, Model, Node } from "../model/model.ts";
import { openedSlots } from "../model/phases.ts";
import { ZEROS } from "./address.ts";
import {
  checkSteps,
  emitExit,
  emitOpenings,
  emitPlain,
  emitResult,
  type Opening,
  operandKey,
  type Segment,
} from "./whole.ts";
import { emitCopy } from "./whole_copy.ts";
import {
  type LeafOperand,
  placeOperands,
  type Window,
  windowBytes,
} from "./windows.ts";

/** Spilled registers lie at the top of the stack region. */
const SPILL_BYTES = 1 << 16;
/** Tensors in memory begin at multiples of this. */
const ALIGNMENT = 64;

/**
 * Compiles a valid model of one iteration and one output; its steps are exact unless a loop's count is computed.
 *
 * @throws ChainLearnError where activations or code do not fit.
 */
export function emitModelProgram(body: Model): LeafProgram {
  const plan = new MemoryPlan(body);
  const segments = [
    emitPlain(body.name, (code) => emitOpenings(code, plan.openings)),
    ...plan.copiedOutput(),
    ...body.nodes.flatMap((node) => emitNode(body, node, plan)),
    emitPlain(body.name, emitExit),
  ];
  const steps = segments.reduce((sum, segment) => sum + segment.steps, 0);
  return {
    code: concatBytes(segments.map(({ code }) => code)),
    worstSteps: checkSteps(body.name, steps),
  };
}

/** Loads the node's constants and computes its result into its slot. */
function emitNode(body: Model, node: Node, plan: MemoryPlan): Segment[] {
  const kernel = body.kernels[node.kernel];
  const segments: Segment[] = [];
  const openings: Opening[] = [];
  const windows = new Map<number, Window>();
  let copied = false;
  for (const placed of constantWindows(body, node, kernel).values()) {
    const { operand, height } = placed;
    const ref = node.operands[operand];
    let { address } = placed;
    if (ref.kind === "weight") {
      const key = plan.table + LEAF_BYTES * ref.index;
      openings.push({ address, height, key });
    } else if (ref.kind === "weights_table") {
      address = plan.table;
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

const heightOf = (type: TensorType) => treeHeight(byteLength(type));

/** Where everything but constants lies. */
class MemoryPlan {
  readonly table: number;
  /** Address of each slot. */
  readonly slots: readonly number[];
  /** Room for a copy of the largest slot that a node both reads and writes. */
  readonly copy: number;
  /** What is opened before the first node: the weights table and the slots that exist by then. */
  readonly openings: readonly Opening[];
  readonly #body: Model;
  /** Window of the output slot where that exists before the program runs. */
  readonly #given?: number;

  constructor(body: Model) {
    this.#body = body;
    const output = body.outputs[0].slot;
    const opened = openedSlots(body);
    const heights = [
      leafCountHeight(body.constants.length),
      ...opened.map((slot) => heightOf(body.slots[slot].type)),
    ];
    const { value } = REGIONS;
    let at = value.base;
    const windows: number[] = [];
    const order = heights.map((_, i) => i)
      .sort((a, b) => heights[b] - heights[a] || a - b);
    for (const i of order) {
      windows[i] = at;
      at += windowBytes(heights[i]);
    }
    const end = value.base + windowBytes(value.height);
    if (at > end) this.#refuse(at - value.base);
    this.openings = windows.map((address, i) => ({
      address,
      height: heights[i],
      key: operandKey(i),
    }));
    this.table = windows[0];
    const { base, height } = REGIONS.stack;
    const free = [
      { at: base + ZEROS.bytes, end: base + windowBytes(height) - SPILL_BYTES },
      { at: Math.ceil(at / ALIGNMENT) * ALIGNMENT, end },
    ];
    const place = (bytes: number) => {
      const room = free.find((r) => r.at + bytes <= r.end);
      if (!room) return this.#refuse(bytes);
      const address = room.at;
      room.at += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
      return address;
    };
    this.slots = body.slots.map(({ type }, slot) => {
      const index = opened.indexOf(slot);
      if (slot === output) return REGIONS.output.base;
      return index >= 0 ? windows[1 + index] : place(byteLength(type));
    });
    const given = opened.indexOf(output);
    if (given >= 0) this.#given = windows[1 + given];
    const rewritten = body.nodes.filter(({ operands, result }) =>
      operands.some((ref) => ref.kind === "slot" && ref.index === result)
    );
    this.copy = place(
      rewritten.reduce(
        (most, { result }) =>
          Math.max(most, byteLength(body.slots[result].type)),
        0,
      ),
    );
  }

  #refuse(bytes: number): never {
    throw new ChainLearnError(
      `Cannot emit "${this.#body.name}" as one program: expected activations that fit the machine's memory together, found ${bytes} bytes too many`,
      { hint: "Convert it with --phases 2 or 3" },
    );
  }

  /** The output slot's first value, where it has one. */
  copiedOutput(): Segment[] {
    if (this.#given === undefined) return [];
    const { outputs, slots, name } = this.#body;
    const bytes = byteLength(slots[outputs[0].slot].type);
    return [emitCopy(name, this.#given, REGIONS.output.base, bytes)];
  }
}
