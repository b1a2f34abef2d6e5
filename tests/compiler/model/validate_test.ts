import { assertThrows } from "@std/assert";
import {
  axis,
  defineKernel,
  load,
  type Model,
  operandsOf,
  type TensorType,
  validateModel,
} from "../../../compiler/mod.ts";
import { ChainLearnError } from "../../../fpvm/mod.ts";
import { testModel } from "../../runtime/models.ts";

const model = testModel(9);
const u8 = (...shape: number[]): TensorType => ({ dtype: "u8", shape });

type Change = (m: Model) => Model;

/** With one element of a list changed. */
const at = <K extends "nodes" | "constants" | "slots" | "inputs" | "outputs">(
  list: K,
  index: number,
  change: Partial<Model[K][number]>,
): Change =>
(m) => ({
  ...m,
  [list]: m[list].map((x, i) => i === index ? { ...x, ...change } : x),
});

/** A node whose program gives a whole result of so many bytes. */
function wholeResult(bytes: number): Change {
  const [x] = operandsOf([u8(1)]);
  const kernel = defineKernel({
    name: "spread",
    operands: [u8(1)],
    result: u8(bytes),
    body: load(x, 0),
  });
  return (m) => ({
    ...m,
    kernels: [...m.kernels, kernel],
    slots: [...m.slots, { name: "byte", type: u8(1) }, {
      name: "bytes",
      type: u8(bytes),
    }],
    nodes: [...m.nodes, {
      ...m.nodes[0],
      kernel: m.kernels.length,
      operands: [{ kind: "slot", index: 6 }],
      result: 7,
      whole: true,
    }],
  });
}

/** A kernel that copies and declares as many operands of one byte as asked. */
function copies(operands: number): Change {
  const types = Array.from({ length: operands }, () => u8(1));
  const [x] = operandsOf(types);
  const kernel = defineKernel({
    name: "copies",
    operands: types,
    result: u8(1),
    body: load(x, axis(0)),
  });
  return (m) => ({
    ...m,
    kernels: [...m.kernels, kernel],
    slots: [...m.slots, { name: "byte", type: u8(1) }],
    nodes: [...m.nodes, {
      ...m.nodes[0],
      kernel: m.kernels.length,
      operands: types.map(() => ({ kind: "slot", index: 6 } as const)),
      result: 6,
    }],
  });
}

const refusals: Record<string, [Change, string]> = {
  "no nodes": [
    (m) => ({ ...m, nodes: [] }),
    "nodes: expected a whole number in 1 .. 2147483647, found 0",
  ],
  "no constants": [
    (m) => ({ ...m, constants: [] }),
    "constants: expected a whole number in 1 .. 2147483647, found 0",
  ],
  "no slots": [
    (m) => ({ ...m, slots: [] }),
    "slots: expected a whole number in 1 .. 2147483647, found 0",
  ],
  "no outputs": [
    (m) => ({ ...m, outputs: [] }),
    "outputs: expected a whole number in 1 .. 65535, found 0",
  ],
  "65,536 inputs": [
    (m) => ({ ...m, inputs: new Array(65536).fill(m.inputs[0]) }),
    "inputs: expected a whole number in 0 .. 65535, found 65536",
  ],
  "no iterations": [
    (m) => ({ ...m, schedule: { kind: "fixed", iterations: 0 } }),
    "iterations: expected a whole number in 1 .. 2147483647, found 0",
  ],
  "half an iteration": [
    (m) => ({ ...m, schedule: { kind: "request", max: 1.5 } }),
    "iterations: expected a whole number in 1 .. 2147483647, found 1.5",
  ],
  "too many iterations": [
    (m) => ({ ...m, schedule: { kind: "request", max: 2 ** 31 } }),
    "iterations: expected a whole number",
  ],
  "more steps than a player can count": [
    (m) => ({
      ...m,
      nodes: new Array(2 ** 23).fill(m.nodes[0]),
      schedule: { kind: "request", max: 2 ** 31 - 1 },
    }),
    "steps: expected a whole number in 1 .. 9007199254740991, found 18014398",
  ],
  "no kept slots": [
    (m) => ({ ...m, kept: 0 }),
    "kept slots: expected a whole number in 1",
  ],
  "kept slots not a whole number": [
    (m) => ({ ...m, kept: 1.5 }),
    "kept slots: expected a whole number in 1",
  ],
  "kept slots no power of two": [
    (m) => ({ ...m, kept: 3 }),
    "kept slots: expected a power of two, found 3",
  ],
  "kept slots above the width": [
    (m) => ({ ...m, kept: 16 }),
    "kept slots: expected at most the tree's width 8, found 16",
  ],
  "a constant of other bytes": [
    at("constants", 0, { bytes: new Uint8Array(9) }),
    'constant 0 "w": expected 4096 bytes, found 9',
  ],
  "a negative dimension": [
    at("constants", 0, { type: u8(-1) }),
    'constant 0 "w": expected whole, non-negative dimensions, found [-1]',
  ],
  "a fractional dimension": [
    at("slots", 2, { type: u8(0.5) }),
    'slot 2 "x": expected whole, non-negative dimensions, found [0.5]',
  ],
  "a fractional size in a layout": [
    at("constants", 0, {
      type: {
        ...u8(1),
        layout: [{ axis: 0, size: 0.5 }, { axis: 0, size: 2 }],
      },
    }),
    'constant 0 "w": expected whole, non-negative dimensions, found [1,0.5,2]',
  ],
  "a tensor above 2 GiB": [
    at("slots", 4, { type: u8(2 ** 31 + 1) }),
    'slot 4 "other cache": expected at most 2 GiB, found 2147483649 bytes',
  ],
  "a tensor beyond all numbers": [
    at("slots", 4, { type: u8(...new Array(40).fill(2 ** 52)) }),
    'slot 4 "other cache": expected at most 2 GiB, found Infinity bytes',
  ],
  "a tensor of no number of bytes": [
    at("slots", 4, { type: u8(...new Array(40).fill(2 ** 52), 0) }),
    'slot 4 "other cache": expected at most 2 GiB, found NaN bytes',
  ],
  "two constants of one name": [
    (m) => ({ ...m, constants: [...m.constants, m.constants[0]] }),
    "constant names: expected each once, found w twice",
  ],
  "a slot with a layout": [
    at("slots", 3, { type: { ...u8(2), layout: [{ axis: 0, size: 2 }] } }),
    'slot 3 "y": expected a row-major tensor, found a layout',
  ],
  "initial bytes of another length": [
    at("slots", 0, { initial: new Uint8Array(3) }),
    'slot 0 "cache": expected 256 initial bytes, found 3',
  ],
  "a kernel that the verifier refuses": [
    (m) => ({
      ...m,
      kernels: [...m.kernels, {
        ...m.kernels[1],
        body: load(operandsOf(m.kernels[1].operands)[0], 64, 0),
      }],
    }),
    'Cannot verify kernel "reverse"',
  ],
  "a node of no kernel": [
    at("nodes", 1, { kernel: 6 }),
    'node 1 "node 0" kernel: expected an index below 6, found 6',
  ],
  "a node of a negative kernel": [
    at("nodes", 1, { kernel: -1 }),
    "kernel: expected an index below 6, found -1",
  ],
  "a result in no slot": [
    at("nodes", 1, { result: 6 }),
    'node 1 "node 0" result slot: expected an index below 6, found 6',
  ],
  "an operand too few": [
    at("nodes", 0, { operands: [] }),
    'node 0 "node 0" operands: expected 2 and at most 31, found 0',
  ],
  "32 operands": [copies(32), "expected at most 31 operands, found 32"],
  "a result of another type": [
    at("nodes", 7, { result: 2 }),
    'node 7 "node 4" result: expected i32 [1], found i8 [64,64]',
  ],
  "a whole result longer than the output region": [
    wholeResult(2 ** 24 + 1),
    "whole: expected at most 16777216 bytes, found 16777217",
  ],
  "an operand in no slot": [
    at("nodes", 2, { operands: [{ kind: "slot", index: 6 }] }),
    'node 2 "node 1" operand 0: expected an index below 6, found 6',
  ],
  "an operand that is no constant": [
    at("nodes", 2, { operands: [{ kind: "weight", index: 1 }] }),
    'node 2 "node 1" operand 0: expected an index below 1, found 1',
  ],
  "an operand of another type": [
    at("nodes", 2, { operands: [{ kind: "slot", index: 5 }] }),
    'node 2 "node 1" operand 0: expected i8 [64,64], found i32 [1]',
  ],
  "an operand in another layout": [
    at("constants", 0, {
      type: {
        dtype: "i8",
        shape: [64, 64],
        layout: [{ axis: 1, size: 64 }, { axis: 0, size: 64 }],
      },
    }),
    'node 0 "node 0" operand 1: expected i8 [64,64], found i8 [64,64] with a layout',
  ],
  "a weights table of another length": [
    (m) => ({
      ...m,
      constants: [...m.constants, { ...m.constants[0], name: "v" }],
    }),
    'node 6 "node 5" operand 0: expected the table of all constants\' roots, found u8 [32]',
  ],
  "an input in no slot": [
    at("inputs", 0, { slot: 6 }),
    'slot of "x": expected an index below 6, found 6',
  ],
  "an output in no slot": [
    at("outputs", 0, { slot: 1.5 }),
    'slot of "cache": expected an index below 6, found 1.5',
  ],
  "two inputs in one slot": [
    (m) => ({ ...m, inputs: [m.inputs[0], { ...m.inputs[0], name: "z" }] }),
    "input slots: expected each once, found 2 twice",
  ],
  "two outputs in one slot": [
    (m) => ({ ...m, outputs: [m.outputs[0], { ...m.outputs[0], name: "z" }] }),
    "output slots: expected each once, found 0 twice",
  ],
  "two inputs of one name": [
    (m) => ({ ...m, inputs: [m.inputs[0], { ...m.inputs[0], slot: 3 }] }),
    "input names: expected each once, found x twice",
  ],
  "two outputs of one name": [
    (m) => ({ ...m, outputs: [m.outputs[0], { ...m.outputs[0], slot: 1 }] }),
    "output names: expected each once, found cache twice",
  ],
  "a seed of another length": [
    at("inputs", 0, { role: "seed" }),
    'seed input "x": expected 32 bytes, found 4096',
  ],
  "sampling of another length": [
    at("inputs", 0, { role: "sampling" }),
    'sampling input "x": expected 32 bytes, found 4096',
  ],
  "an image of another size": [
    at("inputs", 0, {
      accepts: { kind: "image", height: 64, width: 64, channels: 3 },
    }),
    'image input "x": expected 64 x 64 x 3 bytes, found 4096',
  ],
  "an input scale of 0": [
    at("inputs", 0, { accepts: { kind: "tensor", scale: 0 } }),
    'scale of input "x": expected a number that is not 0, found 0',
  ],
  "an endless input scale": [
    at("inputs", 0, { accepts: { kind: "tensor", scale: Infinity } }),
    'scale of input "x": expected a number that is not 0, found Infinity',
  ],
  "an output that is not kept": [
    at("outputs", 0, { slot: 4 }),
    'output "cache": expected a kept slot, below 2, found 4',
  ],
  "an output scale that is no number": [
    at("outputs", 0, { scale: NaN }),
    'scale of output "cache": expected a number that is not 0, found NaN',
  ],
  "a stop slot that is none": [
    (m) => ({ ...m, stopSlot: 6 }),
    "stop slot: expected an index below 6, found 6",
  ],
  "a stop slot of many leaves": [
    (m) => ({ ...m, stopSlot: 0 }),
    "stop slot: expected at most 32 bytes, found i8 [4,64]",
  ],
  "a stop slot that is an input": [
    (m) => ({ ...m, inputs: [{ ...m.inputs[0], slot: 1 }] }),
    "stop slot: expected a slot that is no input, found 1",
  ],
};

Deno.test("validateModel: takes models that keep every rule", () => {
  validateModel(model);
  validateModel(copies(31)(model));
  validateModel(at("nodes", 7, { whole: true })(model));
  validateModel({ ...model, stopSlot: undefined, kept: 8, inputs: [] });
});

for (const [what, [change, text]] of Object.entries(refusals)) {
  Deno.test(`validateModel: D9 refuses ${what}`, () => {
    assertThrows(() => validateModel(change(model)), ChainLearnError, text);
  });
}
