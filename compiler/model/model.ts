/**
 * The model as it is executed, committed and stored: kernels, nodes, constants, slots.
 *
 * This is what the compiler produces and every executor and player takes. It is plain data; `commit.ts`
 * turns it into descriptors and roots, `bundle.ts` into bytes.
 */
import type { Kernel, TensorType } from "../ir.ts";

/** A constant tensor in the layout its type names; `bytes` has exactly `byteLength(type)` bytes. */
export interface Constant {
  readonly name: string;
  readonly type: TensorType;
  readonly bytes: Uint8Array;
}

/** A place for a tensor that changes during execution; row-major. It starts as `initial`, else zero. */
export interface Slot {
  readonly name: string;
  readonly type: TensorType;
  readonly initial?: Uint8Array;
}

/** What a node reads: a constant, a slot, or the table of all constants' roots. */
export type OperandRef =
  | { readonly kind: "weight"; readonly index: number }
  | { readonly kind: "slot"; readonly index: number }
  | { readonly kind: "weights_table" };

/** One operator after lowering: one kernel, one state transition; it writes `result` and nothing else. */
export interface Node {
  readonly name: string;
  /** Index into `Model.kernels`; -1 for the node of a single-phase model, which computes the model's body. */
  readonly kernel: number;
  readonly operands: readonly OperandRef[];
  /** Slot index. */
  readonly result: number;
  /** The program computes the whole result, not one leaf (two-phase and single-phase models). */
  readonly whole: boolean;
  /** Names of the source model's nodes that it came from. */
  readonly lineage: readonly string[];
}

export type InputRole = "data" | "seed" | "sampling";

/** What a person gives: a picture, raw elements; decoding ends at u8 pixels. */
export type InputKind =
  | {
    readonly kind: "image";
    readonly height: number;
    readonly width: number;
    readonly channels: number;
  }
  /** `scale`: element * scale is the value meant; a float file is divided by it and rounded half up. */
  | { readonly kind: "tensor"; readonly scale?: number };

export interface Input {
  readonly name: string;
  readonly slot: number;
  readonly role: InputRole;
  readonly accepts: InputKind;
}

export interface Output {
  readonly name: string;
  readonly slot: number;
  /** element * scale is the value meant; 1 for indices. */
  readonly scale: number;
  /** Name of each position along the last axis, or of each index value. */
  readonly labels?: readonly string[];
}

/** How many passes over the node list: fixed, or chosen by the request in [1, max]. */
export type Schedule =
  | { readonly kind: "fixed"; readonly iterations: number }
  | { readonly kind: "request"; readonly max: number };

/** `fixed`: integers; `float`: IEEE binary32. */
export type NumericsMode = "fixed" | "float";

export interface Model {
  readonly name: string;
  readonly mode: NumericsMode;
  readonly kernels: readonly Kernel[];
  readonly nodes: readonly Node[];
  readonly constants: readonly Constant[];
  readonly slots: readonly Slot[];
  readonly inputs: readonly Input[];
  readonly outputs: readonly Output[];
  readonly schedule: Schedule;
  /** Slots 0 .. kept - 1 survive the finish step; a power of two. */
  readonly kept: number;
  readonly stopSlot?: number;
  /** Of a single-phase model: the graph that its one node computes in one program; the rest follows from it. */
  readonly body?: Model;
}

/** A kernel compiled for the fraud-proof VM. */
export interface LeafProgram {
  /** MIPS32 little-endian machine code, entry at 0. */
  readonly code: Uint8Array;
  /** Steps of the dearest leaf, the exit included. */
  readonly worstSteps: number;
}
