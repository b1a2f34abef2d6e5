/**
 * Commits a model: emits its programs, describes its nodes, and hashes all of it to the model root.
 *
 * Pure: the same model gives the same bytes everywhere. Loading a bundle runs this again and compares, so a
 * bundle can never bring programs that its kernels do not compile to.
 */
import {
  ChainLearnError,
  keccak256,
  LEAF_BYTES,
  leafCountHeight,
  MerkleTree,
  tensorRoot,
  treeHeight,
} from "../../fpvm/mod.ts";
import {
  type Descriptor,
  type DescriptorOperand,
  encodeDescriptor,
  MAX_PROGRAM_HEIGHT,
} from "./descriptor.ts";
import { byteLength, type TensorType } from "../ir.ts";
import {
  emitLeafProgram,
  emitModelProgram,
  emitWholeProgram,
} from "../mips/mod.ts";
import type {
  InputKind,
  LeafProgram,
  Model,
  Node,
  OperandRef,
} from "./model.ts";
import { modelRootPreimage, type Port } from "./model_root.ts";

/** A program and its place in the VM: subtree root and height. */
export interface CommittedProgram extends LeafProgram {
  readonly root: Uint8Array;
  readonly height: number;
}

/** Everything the model root commits to, with the trees to prove it from. */
export interface Commitment {
  readonly model: Model;
  /** Distinct programs; `nodePrograms[i]` is the one of node i. */
  readonly programs: readonly CommittedProgram[];
  readonly nodePrograms: readonly number[];
  readonly descriptors: readonly Descriptor[];
  /** Over keccak256 of the descriptors' bytes. */
  readonly programTree: MerkleTree;
  readonly weightRoots: readonly Uint8Array[];
  readonly weightsTree: MerkleTree;
  readonly initialSlotRoots: readonly Uint8Array[];
  readonly initialSlotsTree: MerkleTree;
  /** Canonical JSON of what a person is told: input kinds, labels, scales. */
  readonly metadata: string;
  readonly preimage: Uint8Array;
  readonly modelRoot: Uint8Array;
}

/** Height of the tree of a tensor. */
export function tensorHeight(type: TensorType): number {
  return treeHeight(byteLength(type));
}

/** Leaves of 32 bytes of a node's result. */
export function resultLeaves(model: Model, node: number): number {
  const { type } = model.slots[model.nodes[node].result];
  return Math.ceil(byteLength(type) / LEAF_BYTES);
}

/** An input kind with its keys in fixed order. */
export function inputKindJson(accepts: InputKind): InputKind {
  if (accepts.kind === "tensor") {
    const { kind, scale } = accepts;
    return scale === undefined ? { kind } : { kind, scale };
  }
  const { kind, height, width, channels } = accepts;
  return { kind, height, width, channels };
}

/** The metadata under the model root; keys in fixed order, no white space. */
export function metadataOf(model: Model): string {
  return JSON.stringify({
    name: model.name,
    mode: model.mode,
    inputs: model.inputs.map((i) => ({
      name: i.name,
      accepts: inputKindJson(i.accepts),
    })),
    outputs: model.outputs.map((o) => ({
      name: o.name,
      scale: o.scale,
      labels: o.labels ?? [],
    })),
  });
}

function operandHeight(model: Model, ref: OperandRef): number {
  switch (ref.kind) {
    case "weight":
      return tensorHeight(model.constants[ref.index].type);
    case "slot":
      return tensorHeight(model.slots[ref.index].type);
    case "weights_table":
      return leafCountHeight(model.constants.length);
    default:
      return ref satisfies never;
  }
}

/** Emits each distinct program once: a kernel with the same kinds and heights of operands, whole or not. */
function emitPrograms(
  model: Model,
): Pick<Commitment, "programs" | "nodePrograms"> {
  const programs: CommittedProgram[] = [];
  const known = new Map<string, number>();
  const nodePrograms = model.nodes.map((node) => {
    const operands = node.operands.map((ref) => ({
      height: operandHeight(model, ref),
      constant: ref.kind !== "slot",
    }));
    const key = JSON.stringify([node.kernel, node.whole, operands]);
    const emit = () => {
      if (model.body) return emitModelProgram(model.body);
      const emitKernel = node.whole ? emitWholeProgram : emitLeafProgram;
      return emitKernel(model.kernels[node.kernel], operands);
    };
    const index = known.get(key) ??
      programs.push(commitProgram(emit(), node)) - 1;
    known.set(key, index);
    return index;
  });
  return { programs, nodePrograms };
}

function commitProgram(program: LeafProgram, node: Node): CommittedProgram {
  const height = treeHeight(program.code.length);
  if (height > MAX_PROGRAM_HEIGHT) {
    throw new ChainLearnError(
      `Cannot commit the program of node "${node.name}": expected at most 16 MiB of code, found ${program.code.length} bytes`,
    );
  }
  return { ...program, height, root: tensorRoot(program.code, height) };
}

function describe(
  model: Model,
  node: Node,
  program: CommittedProgram,
): Descriptor {
  const operands = node.operands.map((ref): DescriptorOperand => ({
    kind: ref.kind,
    index: ref.kind === "weights_table" ? 0 : ref.index,
    height: operandHeight(model, ref),
  }));
  return {
    programRoot: program.root,
    programHeight: program.height,
    whole: node.whole,
    resultHeight: tensorHeight(model.slots[node.result].type),
    // Twice the computed worst case: it costs nothing and forgives an off-by-one of the analysis.
    maxSteps: 2n * BigInt(program.worstSteps),
    resultSlot: node.result,
    operands,
  };
}

function ports(model: Model): { inputs: Port[]; outputs: Port[] } {
  const port = (slot: number, role: Port["role"]): Port => ({
    role,
    slot,
    height: tensorHeight(model.slots[slot].type),
    byteLength: byteLength(model.slots[slot].type),
  });
  return {
    inputs: model.inputs.map((i) => port(i.slot, i.role)),
    outputs: model.outputs.map((o) => port(o.slot, "data")),
  };
}

/**
 * Emits and hashes a validated model. Throws where a kernel cannot be compiled for the VM.
 *
 * `weightRoots` are the constants' roots where the caller has hashed them elsewhere, on several threads; they are
 * believed, so a reader of bundles does not give them.
 */
export function commitModel(
  model: Model,
  weightRoots: readonly Uint8Array[] = model.constants.map((c) =>
    tensorRoot(c.bytes)
  ),
): Commitment {
  const { programs, nodePrograms } = emitPrograms(model);
  const descriptors = model.nodes.map((node, i) =>
    describe(model, node, programs[nodePrograms[i]])
  );
  const programTree = MerkleTree.ofLeaves(
    descriptors.map((d) => keccak256(encodeDescriptor(d))),
  );
  const weightsTree = MerkleTree.ofLeaves(weightRoots);
  const initialSlotRoots = model.slots.map((slot) =>
    tensorRoot(slot.initial ?? new Uint8Array(0), tensorHeight(slot.type))
  );
  const initialSlotsTree = MerkleTree.ofLeaves(initialSlotRoots);
  const metadata = metadataOf(model);
  const preimage = modelRootPreimage({
    programRoot: programTree.root,
    nodes: model.nodes.length,
    weightsRoot: weightsTree.root,
    weights: model.constants.length,
    initialSlotsRoot: initialSlotsTree.root,
    slots: model.slots.length,
    schedule: model.schedule.kind,
    iterations: model.schedule.kind === "fixed"
      ? model.schedule.iterations
      : model.schedule.max,
    kept: model.kept,
    stopSlot: model.stopSlot,
    metadataHash: keccak256(new TextEncoder().encode(metadata)),
    ...ports(model),
  });
  return {
    model,
    programs,
    nodePrograms,
    descriptors,
    programTree,
    weightRoots,
    weightsTree,
    initialSlotRoots,
    initialSlotsTree,
    metadata,
    preimage,
    modelRoot: keccak256(preimage),
  };
}
