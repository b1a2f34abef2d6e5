/**
 * Assembles a model from lowered nodes: shared kernels, shared constants, slots in the protocol's order.
 *
 * Slots: outputs first, filled up to a power of two with zero slots, then inputs, then one slot for each
 * other node. A value that is only a reshape of another has that one's slot.
 */
import { operandsOf } from "../kernel/build.ts";
import { defineKernel } from "../kernel/define.ts";
import type {
  Constant,
  Model,
  Node,
  OperandRef,
  Slot,
} from "../model/model.ts";
import type { Kernel, TensorType } from "../ir.ts";
import { verifyKernel } from "../kernel/verify.ts";
import type { Lowering, OperandSource } from "./lowering.ts";

/** What lowering needs to know of either graph. */
export interface ModelSource<N> {
  readonly nodes: readonly N[];
  readonly inputs: readonly { readonly name: string; readonly node: number }[];
  readonly outputs: readonly { readonly name: string; readonly node: number }[];
  readonly describe: (node: N) => NodeDescription;
  readonly lower: (node: N) => Lowering;
  /** A kernel that copies a value, for an output that is an input, a constant or another output. */
  readonly copy: (id: number) => Lowering;
  /** Bytes of a constant node. */
  readonly constantBytes: (node: N) => Uint8Array;
}

export interface NodeDescription {
  readonly name: string;
  readonly kind: "input" | "constant" | "view" | "computed";
  readonly type: TensorType;
  readonly inputs: readonly number[];
  readonly lineage: readonly string[];
}

export type AssembledModel =
  & Pick<
    Model,
    "kernels" | "nodes" | "constants" | "slots" | "kept"
  >
  & {
    readonly inputSlots: readonly number[];
    /** Graph node that each model node computes. */
    readonly sources: readonly number[];
  };

/** Lowers every node that an output needs and numbers everything. */
export function assemble<N>(source: ModelSource<N>): AssembledModel {
  return new Assembler(source).run();
}

class Assembler<N> {
  readonly #kernels: Kernel[] = [];
  readonly #kernelByKey = new Map<string, number>();
  readonly #kernelNames = new Set<string>();
  readonly #constants: Constant[] = [];
  readonly #constantByKey = new Map<string, number[]>();
  readonly #constantNames = new Set<string>();
  readonly #nodeNames = new Set<string>();
  readonly #nodes: Node[] = [];
  readonly #sources: number[] = [];
  readonly #slots: Slot[] = [];
  readonly #slotOf = new Map<number, number>();
  readonly #info: readonly NodeDescription[];

  constructor(private readonly source: ModelSource<N>) {
    this.#info = source.nodes.map(source.describe);
  }

  run(): AssembledModel {
    const { source } = this;
    const copied = this.#outputSlots();
    const kept = this.#slots.length;
    const inputSlots = source.inputs.map(({ name, node }) => {
      this.#slotOf.set(node, this.#slots.length);
      const { type } = this.#info[node];
      return this.#slots.push({ name, type }) - 1;
    });
    const live = this.#live();
    source.nodes.forEach((node, id) => {
      if (!live[id] || this.#info[id].kind !== "computed") return;
      if (!this.#slotOf.has(id)) {
        const { name, type } = this.#info[id];
        this.#slotOf.set(id, this.#slots.push({ name, type }) - 1);
      }
      this.#emit(id, source.lower(node), this.#slotOf.get(id)!);
    });
    for (const { node, slot } of copied) {
      this.#emit(node, source.copy(node), slot);
    }
    if (this.#constants.length === 0) {
      const type = { dtype: "u8", shape: [0] } as const;
      this.#constants.push({ name: "none", type, bytes: new Uint8Array() });
    }
    return {
      kernels: this.#kernels,
      nodes: this.#nodes,
      constants: this.#constants,
      slots: this.#slots,
      kept,
      inputSlots,
      sources: this.#sources,
    };
  }

  /** Makes the kept slots; gives the outputs whose value is in another slot. */
  #outputSlots(): { node: number; slot: number }[] {
    const copied: { node: number; slot: number }[] = [];
    for (const { name, node } of this.source.outputs) {
      const slot = this.#slots.length;
      const root = this.#resolve(node);
      this.#slots.push({ name, type: this.#info[node].type });
      if (this.#info[root].kind !== "computed" || this.#slotOf.has(root)) {
        copied.push({ node, slot });
      } else {
        this.#slotOf.set(root, slot);
      }
    }
    while (this.#slots.length & (this.#slots.length - 1)) {
      const type = { dtype: "u8", shape: [32] } as const;
      this.#slots.push({ name: `unused_${this.#slots.length}`, type });
    }
    return copied;
  }

  /** The node whose value a view is. */
  #resolve(id: number): number {
    const { kind, inputs } = this.#info[id];
    return kind === "view" ? this.#resolve(inputs[0]) : id;
  }

  #live(): Uint8Array {
    const live = new Uint8Array(this.#info.length);
    for (const { node } of this.source.outputs) live[node] = 1;
    for (let id = live.length - 1; id >= 0; id--) {
      if (live[id]) { for (const i of this.#info[id].inputs) live[i] = 1; }
    }
    return live;
  }

  #emit(id: number, lowering: Lowering, slot: number): void {
    const name = unique(this.#info[id].name, this.#nodeNames);
    this.#sources.push(id);
    this.#nodes.push({
      name,
      kernel: this.#kernel(lowering),
      operands: lowering.operands.map((operand) => this.#ref(operand, name)),
      result: slot,
      whole: false,
      lineage: this.#info[id].lineage,
    });
  }

  #kernel(lowering: Lowering): number {
    const operands = lowering.operands.map((o) => o.type);
    const kernel = defineKernel({
      name: "",
      operands,
      result: lowering.result,
      functions: lowering.functions ?? [],
      body: lowering.body(operandsOf(operands)),
    });
    const key = JSON.stringify(
      kernel,
      (_, x) => typeof x === "bigint" ? `${x}n` : x,
    );
    const known = this.#kernelByKey.get(key);
    if (known !== undefined) return known;
    const shape = lowering.result.shape.join("x");
    const name = unique(`${lowering.title}_${shape}`, this.#kernelNames);
    const named = { ...kernel, name };
    verifyKernel(named);
    this.#kernelByKey.set(key, this.#kernels.length);
    return this.#kernels.push(named) - 1;
  }

  #ref(operand: OperandSource, owner: string): OperandRef {
    if (operand.kind === "constant") {
      const name = `${owner}.${operand.role}`;
      const index = this.#constant(name, operand.type, operand.bytes);
      return { kind: "weight", index };
    }
    const root = this.#resolve(operand.id);
    const info = this.#info[root];
    if (info.kind === "constant") {
      const bytes = this.source.constantBytes(this.source.nodes[root]);
      const index = this.#constant(info.name, info.type, bytes);
      return { kind: "weight", index };
    }
    return { kind: "slot", index: this.#slotOf.get(root)! };
  }

  /** Index of a constant; one with the same type and bytes is shared. */
  #constant(name: string, type: TensorType, bytes: Uint8Array): number {
    const key = `${type.dtype}[${type.shape}] ${checksum(bytes)}`;
    const candidates = this.#constantByKey.get(key) ?? [];
    const known = candidates.find((i) =>
      this.#constants[i].bytes.every((byte, at) => byte === bytes[at])
    );
    if (known !== undefined) return known;
    const index = this.#constants.push({
      name: unique(name, this.#constantNames),
      type,
      bytes,
    }) - 1;
    this.#constantByKey.set(key, [...candidates, index]);
    return index;
  }
}

/** The name, with a number behind it if it is taken. */
function unique(name: string, taken: Set<string>): string {
  let candidate = name;
  for (let i = 2; taken.has(candidate); i++) candidate = `${name}_${i}`;
  taken.add(candidate);
  return candidate;
}

/** FNV-1a, to find equal constants fast; they are compared byte for byte afterwards. */
function checksum(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) {
    hash = Math.imul(hash ^ bytes[i], 0x01000193);
  }
  return hash >>> 0;
}
