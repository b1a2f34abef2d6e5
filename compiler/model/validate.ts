/**
 * Checks a model against the rules of the protocol and of the IR, before anything is emitted or believed.
 *
 * Every rule on which a dispute relies is refused here with a name, so that no node of a bundle that loads has a
 * void descriptor. How much an output may hold is the market's own rule. It trusts nothing in the model.
 */
import { ChainLearnError, LEAF_BYTES, treeHeight } from "../../fpvm/mod.ts";
import {
  MAX_OPERANDS,
  MAX_PROGRAM_HEIGHT,
  MAX_TENSOR_HEIGHT,
} from "./descriptor.ts";
import { byteLength, elementCount, type TensorType } from "../ir.ts";
import type { Model, Node } from "./model.ts";
import { singlePhase } from "./phases.ts";
import { verifyKernel } from "../kernel/verify.ts";

/** Most iterations, nodes, slots or constants a model may declare; see `ITERATIONS` in ranges.ts. */
const MAX_COUNT = 2 ** 31 - 1;
/** Inputs and outputs have 2-byte counts in the model root. */
const MAX_PORTS = 2 ** 16 - 1;

class Checker {
  constructor(private readonly model: Model) {}

  fail(what: string, expected: string, found: string): never {
    throw new ChainLearnError(
      `Cannot accept model "${this.model.name}": ${what}: expected ${expected}, found ${found}`,
    );
  }

  count(what: string, value: number, least = 1, most = MAX_COUNT): void {
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      this.fail(
        what,
        `a whole number in ${least} .. ${most}`,
        String(value),
      );
    }
  }

  index(what: string, value: number, below: number): void {
    if (!Number.isSafeInteger(value) || value < 0 || value >= below) {
      this.fail(what, `an index below ${below}`, String(value));
    }
  }

  distinct(what: string, values: readonly (number | string)[]): void {
    const twice = values.find((v, i) => values.indexOf(v) !== i);
    if (twice !== undefined) this.fail(what, "each once", `${twice} twice`);
  }
}

function checkTensors(model: Model, check: Checker): void {
  for (const [i, constant] of model.constants.entries()) {
    const what = `constant ${i} "${constant.name}"`;
    checkHeight(check, what, constant.type);
    if (constant.bytes.length !== byteLength(constant.type)) {
      check.fail(
        what,
        `${byteLength(constant.type)} bytes`,
        String(constant.bytes.length),
      );
    }
  }
  check.distinct("constant names", model.constants.map((c) => c.name));
  for (const [i, slot] of model.slots.entries()) {
    const what = `slot ${i} "${slot.name}"`;
    checkHeight(check, what, slot.type);
    if (slot.type.layout) check.fail(what, "a row-major tensor", "a layout");
    if (slot.initial && slot.initial.length !== byteLength(slot.type)) {
      check.fail(
        what,
        `${byteLength(slot.type)} initial bytes`,
        String(slot.initial.length),
      );
    }
  }
}

function checkHeight(check: Checker, what: string, type: TensorType): void {
  const sizes = [...type.shape, ...(type.layout ?? []).map((f) => f.size)];
  if (sizes.some((n) => !Number.isSafeInteger(n) || n < 0)) {
    check.fail(what, "whole, non-negative dimensions", `[${sizes}]`);
  }
  const bytes = byteLength(type);
  if (
    !Number.isSafeInteger(bytes) || treeHeight(bytes) > MAX_TENSOR_HEIGHT
  ) {
    check.fail(what, "at most 2 GiB", `${bytes} bytes`);
  }
}

/** An operand must be the tensor itself, or a row-major reshape of it where neither has a layout. */
function sameTensor(given: TensorType, wanted: TensorType): boolean {
  if (given.dtype !== wanted.dtype) return false;
  if (given.layout || wanted.layout) {
    return JSON.stringify([given.shape, given.layout ?? null]) ===
      JSON.stringify([wanted.shape, wanted.layout ?? null]);
  }
  return elementCount(given.shape) === elementCount(wanted.shape);
}

const show = (type: TensorType) =>
  `${type.dtype} [${type.shape}]${type.layout ? " with a layout" : ""}`;

/** The machine's output region holds a whole result. */
function checkWhole(
  model: Model,
  node: Node,
  what: string,
  check: Checker,
): void {
  if (!node.whole) return;
  const bytes = byteLength(model.slots[node.result].type);
  if (treeHeight(bytes) > MAX_PROGRAM_HEIGHT) {
    const most = LEAF_BYTES << MAX_PROGRAM_HEIGHT;
    check.fail(`${what} whole`, `at most ${most} bytes`, String(bytes));
  }
}

/** A single-phase model must be what follows from its body, which is a model of its own. */
function checkBody(model: Model, body: Model, check: Checker): void {
  if (body.body) check.fail("body", "a model of kernels", "one with a body");
  validateModel(body);
  const derived = singlePhase(body);
  const shown = ({ slots, ...rest }: Model) =>
    JSON.stringify({
      ...rest,
      body: undefined,
      constants: undefined,
      slots: slots.map(({ name, type }) => ({ name, type })),
    });
  const same = shown(model) === shown(derived) &&
    model.constants === body.constants &&
    model.slots.every((slot, i) => slot.initial === derived.slots[i].initial);
  if (!same) {
    check.fail(
      "body",
      "the node, slots and ports that follow from it",
      "others",
    );
  }
  checkWhole(model, model.nodes[0], "the one node", check);
  const { length } = model.nodes[0].operands;
  if (length > MAX_OPERANDS) {
    check.fail("inputs", `at most ${MAX_OPERANDS - 1}`, String(length - 1));
  }
}

function checkNode(model: Model, node: Node, i: number, check: Checker): void {
  const what = `node ${i} "${node.name}"`;
  check.index(`${what} kernel`, node.kernel, model.kernels.length);
  check.index(`${what} result slot`, node.result, model.slots.length);
  checkWhole(model, node, what, check);
  const kernel = model.kernels[node.kernel];
  if (
    node.operands.length > MAX_OPERANDS ||
    node.operands.length !== kernel.operands.length
  ) {
    check.fail(
      `${what} operands`,
      `${kernel.operands.length} and at most 31`,
      String(node.operands.length),
    );
  }
  if (!sameTensor(model.slots[node.result].type, kernel.result)) {
    check.fail(
      `${what} result`,
      show(kernel.result),
      show(model.slots[node.result].type),
    );
  }
  node.operands.forEach((ref, j) => {
    if (ref.kind === "weights_table") {
      if (
        byteLength(kernel.operands[j]) !== LEAF_BYTES * model.constants.length
      ) {
        check.fail(
          `${what} operand ${j}`,
          "the table of all constants' roots",
          show(kernel.operands[j]),
        );
      }
      return;
    }
    const from = ref.kind === "weight" ? model.constants : model.slots;
    check.index(`${what} operand ${j}`, ref.index, from.length);
    if (!sameTensor(from[ref.index].type, kernel.operands[j])) {
      check.fail(
        `${what} operand ${j}`,
        show(kernel.operands[j]),
        show(from[ref.index].type),
      );
    }
  });
}

const isScale = (x: number) => Number.isFinite(x) && x !== 0;

function checkPorts(model: Model, check: Checker): void {
  for (const port of [...model.inputs, ...model.outputs]) {
    check.index(`slot of "${port.name}"`, port.slot, model.slots.length);
  }
  check.distinct("input slots", model.inputs.map((i) => i.slot));
  check.distinct("output slots", model.outputs.map((o) => o.slot));
  check.distinct("input names", model.inputs.map((i) => i.name));
  check.distinct("output names", model.outputs.map((o) => o.name));
  for (const input of model.inputs) {
    const bytes = byteLength(model.slots[input.slot].type);
    if (input.role !== "data" && bytes !== LEAF_BYTES) {
      check.fail(
        `${input.role} input "${input.name}"`,
        `${LEAF_BYTES} bytes`,
        String(bytes),
      );
    }
    const { accepts } = input;
    if (accepts.kind === "image") {
      const { height, width, channels } = accepts;
      if (bytes !== height * width * channels) {
        check.fail(
          `image input "${input.name}"`,
          `${height} x ${width} x ${channels} bytes`,
          String(bytes),
        );
      }
    } else if (accepts.scale !== undefined && !isScale(accepts.scale)) {
      check.fail(
        `scale of input "${input.name}"`,
        "a number that is not 0",
        String(accepts.scale),
      );
    }
  }
  for (const output of model.outputs) {
    if (output.slot >= model.kept) {
      check.fail(
        `output "${output.name}"`,
        `a kept slot, below ${model.kept}`,
        String(output.slot),
      );
    }
    if (!isScale(output.scale)) {
      check.fail(
        `scale of output "${output.name}"`,
        "a number that is not 0",
        String(output.scale),
      );
    }
  }
}

/** Throws a {@linkcode ChainLearnError} that names the first rule the model breaks. */
export function validateModel(model: Model): void {
  const check = new Checker(model);
  if (model.body) return checkBody(model, model.body, check);
  check.count("nodes", model.nodes.length);
  check.count("constants", model.constants.length);
  check.count("slots", model.slots.length);
  check.count("outputs", model.outputs.length, 1, MAX_PORTS);
  check.count("inputs", model.inputs.length, 0, MAX_PORTS);
  const { schedule, kept, stopSlot } = model;
  const iterations = schedule.kind === "fixed"
    ? schedule.iterations
    : schedule.max;
  check.count("iterations", iterations);
  const steps = iterations * model.nodes.length + 1;
  check.count("steps", steps, 1, Number.MAX_SAFE_INTEGER);
  check.count("kept slots", kept);
  if ((kept & (kept - 1)) !== 0) {
    check.fail("kept slots", "a power of two", String(kept));
  }
  let width = 1;
  while (width < model.slots.length) width *= 2;
  if (kept > width) {
    check.fail("kept slots", `at most the tree's width ${width}`, String(kept));
  }
  checkTensors(model, check);
  model.kernels.forEach((kernel) => verifyKernel(kernel));
  model.nodes.forEach((node, i) => checkNode(model, node, i, check));
  checkPorts(model, check);
  if (stopSlot !== undefined) {
    check.index("stop slot", stopSlot, model.slots.length);
    if (byteLength(model.slots[stopSlot].type) > LEAF_BYTES) {
      check.fail(
        "stop slot",
        `at most ${LEAF_BYTES} bytes`,
        show(model.slots[stopSlot].type),
      );
    }
    if (model.inputs.some((input) => input.slot === stopSlot)) {
      check.fail("stop slot", "a slot that is no input", String(stopSlot));
    }
  }
}
