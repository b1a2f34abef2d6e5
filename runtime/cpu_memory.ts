/**
 * Where the CPU executor's tensors lie: constants as they are or packed, slots, and room for each thread.
 *
 * Addresses are multiples of 64, and no tensor is at 0; 32 bytes behind each may be read. Slots lie twice:
 * as planned, sharing memory, and behind everything else each by itself, for runs that are looked at.
 * Memory that is never touched is never there.
 */
import { byteLength, type Model, packConstant } from "../compiler/mod.ts";
import type { Assignment } from "./cpu_programs.ts";
import { placedBytes, planSlots, type SlotPlan } from "./slot_plan.ts";
import { weightsTable } from "./weights_table.ts";

/** Bytes before the first tensor: no address is 0, and the control block lies here. */
const HEAD = 1024;
/** Byte address of the threads' control block. */
export const CONTROL = 256;

/** Addresses of everything, and what must be written before the first run. */
export class MemoryPlan {
  readonly plan: SlotPlan;
  /** Addresses of slots as planned, and apart. */
  readonly planned: readonly number[];
  readonly apart: readonly number[];
  /** Copies of slots that a node reads and writes. */
  readonly scratch: number;
  /** Each thread's own memory. */
  readonly threads: readonly number[];
  /** Ends of memory without the slots that lie apart, and with them. */
  readonly plannedEnd: number;
  readonly end: number;
  readonly #places = new Map<string, number>();
  readonly #fill: (readonly [address: number, bytes: () => Uint8Array])[] = [];

  constructor(
    readonly model: Model,
    readonly assignments: readonly Assignment[],
    threads: number,
  ) {
    let at = HEAD;
    const place = (bytes: number) => {
      const address = at;
      at += placedBytes(bytes);
      return address;
    };
    const lengths = model.slots.map((slot) => byteLength(slot.type));
    this.plan = planSlots(model);
    this.planned = this.plan.offsets.map((offset) => HEAD + offset);
    at += this.plan.bytes;
    const table = weightsTable(model);
    model.nodes.forEach((node, i) =>
      node.operands.forEach((ref, operand) => {
        const key = this.#keyOf(i, operand);
        if (ref.kind === "slot" || this.#places.has(key)) return;
        const { pack } = assignments[i].program.kernel;
        const bytes = () =>
          ref.kind === "weights_table"
            ? table()
            : pack?.operand === operand
            ? packConstant(pack, model.constants[ref.index].bytes)
            : model.constants[ref.index].bytes;
        const length = ref.kind === "weights_table"
          ? 32 * model.constants.length
          : pack?.operand === operand
          ? pack.bytes
          : model.constants[ref.index].bytes.length;
        const address = place(length);
        this.#places.set(key, address);
        this.#fill.push([address, bytes]);
      })
    );
    const copied = model.nodes.filter((node) =>
      node.operands.some((ref) =>
        ref.kind === "slot" && ref.index === node.result
      )
    );
    this.scratch = place(
      Math.max(0, ...copied.map((node) => lengths[node.result])),
    );
    const own = Math.max(
      0,
      ...assignments.map(({ program }) => program.kernel.scratch),
    );
    this.threads = Array.from({ length: threads }, () => place(own));
    this.plannedEnd = at;
    this.apart = lengths.map(place);
    this.end = at;
  }

  /** Writes constants and the weights table. */
  fill(memory: Uint8Array): void {
    for (const [address, bytes] of this.#fill) memory.set(bytes(), address);
  }

  /** Address of a node's operand, with slots at these addresses. */
  addressOf(slots: readonly number[], node: number, operand: number): number {
    const ref = this.model.nodes[node].operands[operand];
    return ref.kind === "slot"
      ? slots[ref.index]
      : this.#places.get(this.#keyOf(node, operand))!;
  }

  /** What tells one placed constant from another: the same one packed in two ways lies twice. */
  #keyOf(node: number, operand: number): string {
    const ref = this.model.nodes[node].operands[operand];
    if (ref.kind !== "weight") return ref.kind;
    const { number, kernel } = this.assignments[node].program;
    return kernel.pack?.operand === operand
      ? `${ref.index} for ${number}`
      : `${ref.index}`;
  }
}
