/** Golden vectors of docs/formats.md, "Node descriptor", "Model root" and "VM state" (the initial one). */
import {
  type Descriptor,
  encodeDescriptor,
  type ModelRootFields,
  modelRootPreimage,
  operandKinds,
} from "../../compiler/mod.ts";
import { initialStateHash, keccak256 } from "../../fpvm/mod.ts";
import { counting, hex, packed } from "./trees.ts";

/** Counts below which the indices of the vectors' descriptors must stay. */
export const descriptorLimits = { weights: 3, slots: 5 };

const plain: Descriptor = {
  programRoot: counting(32),
  programHeight: 4,
  whole: false,
  resultHeight: 6,
  maxSteps: 1234n,
  resultSlot: 2,
  operands: [
    { kind: "slot", index: 4, height: 1 },
    { kind: "weight", index: 2, height: 9 },
    { kind: "weights_table", index: 0, height: 2 },
  ],
};

const operand = (kind: number, index: number, height = 0) => ({
  kind: operandKinds[kind],
  index,
  height,
});

const validDescriptors: Record<string, Descriptor> = {
  plain,
  "no operands": { ...plain, operands: [] },
  "every field at its largest": {
    ...plain,
    programHeight: 19,
    resultHeight: 26,
    maxSteps: 2n ** 64n - 1n,
    resultSlot: 4,
    operands: Array.from({ length: 31 }, (_, j) => operand(j % 2, 2, 26)),
  },
  "whole at its largest": { ...plain, whole: true, resultHeight: 19 },
  "no step": { ...plain, maxSteps: 0n },
};

/** A change to the bytes of `plain` that makes it void, by what it breaks. */
const voidings: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  empty: () => new Uint8Array(0),
  "a header cut by a byte": (b) => b.slice(0, 51),
  "an operand cut by a byte": (b) => b.slice(0, -1),
  "a byte too many": (b) => Uint8Array.from([...b, 0]),
  "an operand too many": (b) => Uint8Array.from([...b, ...b.slice(-8)]),
  "an operand too few": (b) => b.slice(0, -8),
  "64 bytes": (b) => b.slice(0, 64),
  "program height 20": with_(32, 20),
  "unknown flag": with_(33, 2),
  "unknown flag beside whole": with_(33, 3),
  "result height 27": with_(34, 27),
  "whole result height 20": (b) => with_(33, 1)(with_(34, 20)(b)),
  "32 operands": (b) =>
    Uint8Array.from([
      ...with_(35, 32)(b).slice(0, 52),
      ...Array.from({ length: 32 }, () => [...b.slice(52, 60)]).flat(),
    ]),
  "result slot out of range": with_(47, 5),
  "result slot far out of range": with_(44, 1),
  "reserved byte 48": with_(48, 1),
  "reserved byte 51": with_(51, 1),
  "operand of unknown kind": with_(52, 3),
  "operand height 27": with_(53, 27),
  "operand's first reserved byte": with_(54, 1),
  "operand's second reserved byte": with_(55, 1),
  "slot out of range": with_(59, 5),
  "slot far out of range": with_(56, 128),
  "weight out of range": with_(67, 3),
  "weights table with an index": with_(75, 1),
};

function with_(at: number, value: number): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => {
    const changed = bytes.slice();
    changed[at] = value;
    return changed;
  };
}

/** Descriptors in range with their fields, and void ones. */
export function descriptorVectors() {
  const valid = Object.entries(validDescriptors).map(([name, descriptor]) => {
    const bytes = encodeDescriptor(descriptor);
    return {
      name,
      bytes: hex(bytes),
      void: false,
      ...descriptor,
      programRoot: hex(descriptor.programRoot),
      maxSteps: `${descriptor.maxSteps}`,
      hash: hex(keccak256(bytes)),
    };
  });
  const voided = Object.entries(voidings).map(([name, change]) => ({
    name,
    bytes: hex(change(encodeDescriptor(plain))),
    void: true,
  }));
  return [...valid, ...voided];
}

const fields: ModelRootFields = {
  programRoot: counting(32, 1),
  nodes: 7,
  weightsRoot: counting(32, 2),
  weights: 3,
  initialSlotsRoot: counting(32, 3),
  slots: 5,
  schedule: "fixed",
  iterations: 1,
  kept: 2,
  metadataHash: counting(32, 4),
  inputs: [{ role: "data", height: 2, slot: 2, byteLength: 100 }],
  outputs: [{ role: "data", height: 0, slot: 0, byteLength: 4 }],
};

const models: Record<string, ModelRootFields> = {
  "one input, one output": fields,
  "no input": { ...fields, inputs: [] },
  "every role, a stop slot, iterations by request": {
    ...fields,
    schedule: "request",
    iterations: 2 ** 31 - 1,
    stopSlot: 1,
    inputs: [
      { role: "data", height: 2, slot: 2, byteLength: 100 },
      { role: "seed", height: 0, slot: 3, byteLength: 32 },
      { role: "sampling", height: 0, slot: 4, byteLength: 32 },
    ],
    outputs: [
      { role: "data", height: 1, slot: 0, byteLength: 40 },
      { role: "data", height: 0, slot: 1, byteLength: 4 },
    ],
  },
  "large counts": {
    ...fields,
    nodes: 0x01020304,
    weights: 0x05060708,
    slots: 0x090a0b0c,
    kept: 0x00800000,
    inputs: [{
      role: "data",
      height: 26,
      slot: 0x90a0b0b,
      byteLength: 2 ** 31,
    }],
  },
};

/** What a reader of preimages refuses, as a change to the first one. */
const refusals: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  empty: () => new Uint8Array(0),
  "a header cut by a byte": (b) => b.slice(0, 164),
  "a port cut by a byte": (b) => b.slice(0, -1),
  "a byte too many": (b) => Uint8Array.from([...b, 0]),
  "an input too many in the count": with_(162, 2),
  "version 0": with_(3, 0),
  "version 1": with_(3, 1),
  "schedule 2": with_(112, 2),
  "role 3": with_(165, 3),
};

/** Preimages of model roots with their fields, and ones that no reader takes. */
export function modelRootVectors() {
  const valid = Object.entries(models).map(([name, model]) => {
    const preimage = modelRootPreimage(model);
    return {
      name,
      preimage: hex(preimage),
      refused: false,
      ...model,
      stopSlot: model.stopSlot ?? 0xffffffff,
      programRoot: hex(model.programRoot),
      weightsRoot: hex(model.weightsRoot),
      initialSlotsRoot: hex(model.initialSlotsRoot),
      metadataHash: hex(model.metadataHash),
      root: hex(keccak256(preimage)),
    };
  });
  const refused = Object.entries(refusals).map(([name, change]) => ({
    name,
    preimage: hex(change(modelRootPreimage(fields))),
    refused: true,
  }));
  return [...valid, ...refused];
}

/** Hashes of the states in which leaf programs start. */
export function initialStateVectors() {
  const cases = [
    { height: 0, leafIndex: 0, iteration: 0, operands: 0 },
    { height: 7, leafIndex: 5, iteration: 3, operands: 2 },
    { height: 12, leafIndex: 0x01020304, iteration: 0xa0b0c0d, operands: 3 },
    {
      height: 19,
      leafIndex: 2 ** 26 - 1,
      iteration: 2 ** 31 - 2,
      operands: 31,
    },
  ];
  return cases.map(({ height, leafIndex, iteration, operands }) => {
    const programRoot = counting(32, height);
    const operandRoots = Array.from(
      { length: operands },
      (_, j) => counting(32, 3 * j),
    );
    const hash = initialStateHash({
      programRoot,
      programHeight: height,
      leafIndex,
      iteration,
      operandRoots,
    });
    return {
      programRoot: hex(programRoot),
      programHeight: height,
      leafIndex,
      iteration,
      operandRoots: packed(operandRoots),
      hash: hex(hash),
    };
  });
}
