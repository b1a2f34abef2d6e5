/**
 * Checks a model against the rules of the protocol and of the IR, before anything is emitted or believed.
 *
 * Every rule that a contract relies on is refused here with a name, so that a bundle that loads can be
 * registered. It trusts nothing in the model.
 */
import { ChainLearnError, treeHeight } from "../fpvm/mod.ts";
import { MAX_OPERANDS, MAX_TENSOR_HEIGHT } from "./descriptor.ts";
import { byteLength, elementCount, type TensorType } from "./ir.ts";
import type { Model, Node } from "./model.ts";
import { verifyKernel } from "./verify.ts";

/** Most iterations, nodes, slots or constants a model may declare; see `ITERATIONS` in ranges.ts. */
const MAX_COUNT = 2 ** 31 - 1;

class Checker {
  constructor(private readonly model: Model) {}

  fail(what: string, expected: string, found: string): never {
    throw new ChainLearnError(
      `Cannot accept model "${this.model.name}": ${what}: expected ${expected}, found ${found}`,
    );
  }

  count(what: string, value: number, least = 1): void {
    if (!Number.isSafeInteger(value) || value < least || value > MAX_COUNT) {
      this.fail(
        what,
        `a whole number in ${least} .. ${MAX_COUNT}`,
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
  if (type.shape.some((n) => !Number.isSafeInteger(n) || n < 0)) {
    check.fail(what, "whole, non-negative dimensions", `[${type.shape}]`);
  }
  const height = treeHeight(byteLength(type));
  if (!(height <= MAX_TENSOR_HEIGHT)) {
    check.fail(what, "at most 2 GiB", `${byteLength(type)} bytes`);
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

function checkNode(model: Model, node: Node, i: number, check: Checker): void {
  const what = `node ${i} "${node.name}"`;
  check.index(`${what} kernel`, node.kernel, model.kernels.length);
  check.index(`${what} result slot`, node.result, model.slots.length);
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
      if (byteLength(kernel.operands[j]) !== 32 * model.constants.length) {
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
    if (input.role !== "data" && bytes !== 32) {
      check.fail(
        `${input.role} input "${input.name}"`,
        "32 bytes",
        String(bytes),
      );
    }
    if (input.accepts.kind === "image") {
      const { height, width, channels } = input.accepts;
      if (bytes !== height * width * channels) {
        check.fail(
          `image input "${input.name}"`,
          `${height} x ${width} x ${channels} bytes`,
          String(bytes),
        );
      }
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
    if (!Number.isFinite(output.scale)) {
      check.fail(
        `scale of output "${output.name}"`,
        "a number",
        String(output.scale),
      );
    }
  }
}

/** Throws a {@linkcode ChainLearnError} that names the first rule the model breaks. */
export function validateModel(model: Model): void {
  const check = new Checker(model);
  check.count("nodes", model.nodes.length);
  check.count("constants", model.constants.length);
  check.count("slots", model.slots.length);
  check.count("outputs", model.outputs.length);
  const { schedule, kept, stopSlot } = model;
  check.count(
    "iterations",
    schedule.kind === "fixed" ? schedule.iterations : schedule.max,
  );
  if (!(kept >= 1 && (kept & (kept - 1)) === 0)) {
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
    if (byteLength(model.slots[stopSlot].type) > 32) {
      check.fail(
        "stop slot",
        "at most 32 bytes",
        show(model.slots[stopSlot].type),
      );
    }
    if (model.inputs.some((input) => input.slot === stopSlot)) {
      check.fail("stop slot", "a slot that is no input", String(stopSlot));
    }
  }
}
