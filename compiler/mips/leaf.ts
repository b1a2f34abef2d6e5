/**
 * The program around a kernel: maps operands, walks the elements of one leaf, stores them, exits.
 *
 * Leaf L holds elements L * E .. L * E + E - 1 of the row-major result. They are runs along the innermost axis, walked
 * in blocks; at the end of a run the indices advance like an odometer, and control goes back to the level of the axis
 * that did, whose values are computed anew there and nowhere else. Leaves past the result's end store nothing: the
 * output is zero.
 */
import { LEAF_BYTES, REGIONS, SYSCALL } from "../../fpvm/mod.ts";
import { byteLength, dtypes, elementCount, type Kernel } from "../ir.ts";
import { findAccumulators } from "./accumulate.ts";
import {
  type Code,
  isSigned16,
  loadConstant,
  type Part,
  type Register,
  ZERO,
} from "./code.ts";
import { type Id, ROOT } from "./graph.ts";
import type { LoweredKernel } from "./lower.ts";
import { type Schedule, schedule } from "./schedule.ts";
import { Selector } from "./select.ts";
import type { Window } from "./windows.ts";

const V0 = 2, A0 = 4, A1 = 5, A2 = 6, A3 = 7;
const INPUT = REGIONS.input.base;
const OUTPUT = REGIONS.output.base;

/** Parts of the code by how often a leaf runs them; `steps.ts` adds them up. */
export interface LeafParts {
  /** Once, for every leaf; then `start` once, unless the leaf is past the end; `exit` once. */
  readonly entry: readonly Part[];
  readonly start: readonly Part[];
  readonly exit: readonly Part[];
  /** Axes longer than 1, outermost first. */
  readonly levels: readonly Level[];
  /** Once per run: the elements of a leaf that differ in the innermost axis alone. */
  readonly run: readonly Part[];
  /** Once per block of so many elements. */
  readonly block: number;
  readonly element: readonly Part[];
}

/** Code that belongs to an axis. */
export interface Level {
  readonly size: number;
  /** Values of the axis: once per value of this axis and those outside it (none of the innermost). */
  readonly values: readonly Part[];
  /** Once each time that the next inner axis turns over. */
  readonly advance: readonly Part[];
}

/** A program that computes the whole result, between code of its caller's. */
export interface WholeFrame {
  /** Where the result begins: aligned to 32 bytes, zero where the program starts. */
  readonly output: number;
  /** Emits what comes before; the machine's registers are all free there, and in what comes after. */
  readonly enter: (code: Code) => void;
  readonly leave: (code: Code) => void;
}

/** Elements in a full leaf of the result. */
export function elementsPerLeaf(kernel: Kernel): number {
  return LEAF_BYTES / dtypes[kernel.result.dtype].bytes;
}

/** Emits the whole program into `code`: that of one leaf, or with `whole` that of a result of some elements. */
export function emitLeaf(
  kernel: Kernel,
  lowered: LoweredKernel,
  windows: ReadonlyMap<number, Window>,
  code: Code,
  whole?: WholeFrame,
): LeafParts {
  const plan = schedule(lowered.graph, lowered.stored);
  const selector = new Selector(plan, findAccumulators(plan), code);
  return new Leaf(kernel, lowered, plan, selector, code, whole).emit(windows);
}

class Leaf {
  readonly #out: Register;
  readonly #end: Register;
  /** End of the output of the present run. */
  readonly #stop: Register;
  readonly #exit: number;
  /** Axes longer than 1: their index registers and the labels of their levels. */
  readonly #axes: readonly {
    readonly axis: number;
    readonly size: number;
    readonly index: Register;
    readonly label: number;
  }[];

  constructor(
    readonly kernel: Kernel,
    readonly lowered: LoweredKernel,
    readonly plan: Schedule,
    readonly selector: Selector,
    readonly code: Code,
    readonly whole?: WholeFrame,
  ) {
    this.#out = code.register();
    this.#end = code.register();
    this.#stop = this.#runEndsLeaf() ? this.#end : code.register();
    this.#exit = code.newLabel();
    this.#axes = kernel.result.shape
      .map((size, axis) => ({ axis, size }))
      .filter(({ size }) => size !== 1)
      .map((a) => ({ ...a, index: code.register(), label: code.newLabel() }));
  }

  emit(windows: ReadonlyMap<number, Window>): LeafParts {
    const { code, selector } = this;
    const { whole } = this;
    const entry = code.part(() =>
      whole ? whole.enter(code) : this.#map(windows)
    );
    const constantsAt = code.items.length;
    const test = code.part(() => this.#test());
    const start = code.part(() => {
      if (whole) this.#startWhole(whole.output);
      else this.#start();
      selector.scope(ROOT);
    });
    const last = this.#axes.length - 1;
    const values = this.#axes.slice(0, -1).map(({ axis, label }) => {
      code.mark(label);
      return code.part(() => selector.scope(axis + 1));
    });
    const begin = code.part(() => this.#beginRun());
    if (last >= 0) code.mark(this.#axes[last].label);
    const element = code.part(() => this.#element());
    const end = code.part(() => this.#endRun());
    const advances = this.#advance();
    code.mark(this.#exit);
    const exit = code.part(() => {
      if (whole) return whole.leave(code);
      this.#set(V0, SYSCALL.exit);
      this.#set(A0, 0);
      code.emit("syscall");
    });
    const constants = this.#constants(constantsAt);
    return {
      entry: [...entry, ...constants, ...test],
      start,
      exit,
      run: [...begin, ...end],
      block: this.lowered.block,
      element,
      levels: this.#axes.map(({ size }, i) => ({
        size,
        values: values[i] ?? [],
        advance: advances[i],
      })),
    };
  }

  #set(register: Register, value: number): void {
    for (const { name, fields } of loadConstant(register, value)) {
      this.code.emit(name, fields);
    }
  }

  /** Grafts the operands' roots at their windows; the machine's registers are all free here. */
  #map(windows: ReadonlyMap<number, Window>): void {
    if (windows.size === 0) return;
    this.#set(V0, SYSCALL.load);
    this.#set(A3, INPUT);
    for (const { operand, address, height } of windows.values()) {
      this.#set(A0, address);
      this.#set(A1, height);
      this.code.emit("addiu", {
        rt: A2,
        rs: A3,
        imm: LEAF_BYTES * (1 + operand),
      });
      this.code.emit("syscall");
    }
  }

  /** Reads the iteration, and the leaf's index: a leaf past the end is done. */
  #test(): void {
    const { code, selector } = this;
    const iteration = this.lowered.graph.iteration();
    const iterates = this.plan.uses.has(iteration);
    if (this.whole && !iterates) return;
    const input = code.register();
    const leaf = this.#end;
    for (const { name, fields } of loadConstant(input, INPUT)) {
      code.emit(name, fields);
    }
    if (iterates) {
      const register = code.register();
      code.emit("lw", { rt: register, rs: input, imm: 4 });
      selector.bind(iteration, register);
    }
    if (this.whole) return;
    code.emit("lw", { rt: leaf, rs: input, imm: 0 });
    const total = elementCount(this.kernel.result.shape);
    const leaves = Math.ceil(total / elementsPerLeaf(this.kernel));
    const inside = code.register();
    const rt = selector.constant(leaves);
    code.emit("sltu", { rd: inside, rs: leaf, rt });
    code.emit("beq", { rs: inside, rt: ZERO }, this.#exit);
  }

  /** First element, end of the output, and the first element's indices. */
  #start(): void {
    const { code, selector } = this;
    const total = elementCount(this.kernel.result.shape);
    const perLeaf = elementsPerLeaf(this.kernel);
    const size = LEAF_BYTES / perLeaf;
    const first = code.register();
    const log2 = (n: number) => 31 - Math.clz32(n);
    code.emit("sll", { rd: first, rt: this.#end, sa: log2(perLeaf) });
    for (const { name, fields } of loadConstant(this.#out, OUTPUT)) {
      code.emit(name, fields);
    }
    if (total % perLeaf === 0) {
      code.emit("addiu", { rt: this.#end, rs: this.#out, imm: LEAF_BYTES });
    } else {
      const left = code.register();
      const full = code.register();
      const bytes = code.register();
      code.emit("subu", { rd: left, rs: selector.constant(total), rt: first });
      code.emit("sltiu", { rt: full, rs: left, imm: perLeaf });
      code.emit("sll", { rd: bytes, rt: left, sa: log2(size) });
      code.emit("movz", { rd: bytes, rs: selector.constant(32), rt: full });
      code.emit("addu", { rd: this.#end, rs: this.#out, rt: bytes });
    }
    this.#split(first);
  }

  /** The result from its first element to its last. */
  #startWhole(output: number): void {
    const { code, selector } = this;
    this.#set(this.#out, output);
    this.#set(this.#end, output + byteLength(this.kernel.result));
    for (const { axis, index } of this.#axes) {
      selector.bind(this.lowered.graph.axis(axis), index);
      code.move(index, ZERO);
    }
  }

  /** Takes the flat index apart, innermost axis first. */
  #split(flat: Register): void {
    const { code, selector } = this;
    let rest = flat;
    this.#axes.toReversed().forEach(({ axis, size, index }, i) => {
      selector.bind(this.lowered.graph.axis(axis), index);
      if (i === this.#axes.length - 1) return code.move(index, rest);
      const outer = code.register();
      code.emit("divu", { rs: rest, rt: selector.constant(size) });
      code.emit("mfhi", { rd: index });
      code.emit("mflo", { rd: outer });
      rest = outer;
    });
  }

  /** The elements of one axis, if there is one, that differ in it alone. */
  get #inner(): number {
    return this.#axes.at(-1)?.size ?? 1;
  }

  /** Whether every run ends with the leaf, because rows are made of whole leaves or there is one row only. */
  #runEndsLeaf(): boolean {
    const long = this.kernel.result.shape.filter((size) => size !== 1);
    if (long.length < 2) return true;
    return !this.whole && long.at(-1)! % elementsPerLeaf(this.kernel) === 0;
  }

  /** Finds the end of the run that starts at the present element. */
  #beginRun(): void {
    const { code, selector } = this;
    if (this.#stop === this.#end) return;
    const { bytes } = dtypes[this.kernel.result.dtype];
    const inner = this.#inner;
    const { index } = this.#axes.at(-1)!;
    const starts = this.whole ||
      elementsPerLeaf(this.kernel) % inner === 0;
    if (starts) {
      this.#add(this.#stop, this.#out, inner * bytes);
    } else {
      const left = code.register();
      code.emit("subu", { rd: left, rs: selector.constant(inner), rt: index });
      if (bytes > 1) {
        code.emit("sll", { rd: left, rt: left, sa: 31 - Math.clz32(bytes) });
      }
      code.emit("addu", { rd: this.#stop, rs: this.#out, rt: left });
    }
    const total = elementCount(this.kernel.result.shape);
    const perLeaf = elementsPerLeaf(this.kernel);
    if (starts && (this.whole || total % perLeaf === 0)) return;
    const beyond = code.register();
    code.emit("sltu", { rd: beyond, rs: this.#end, rt: this.#stop });
    code.emit("movn", { rd: this.#stop, rs: this.#end, rt: beyond });
  }

  #add(to: Register, from: Register, value: number): void {
    if (isSigned16(value)) {
      this.code.emit("addiu", { rt: to, rs: from, imm: value });
    } else {
      const rt = this.selector.constant(value);
      this.code.emit("addu", { rd: to, rs: from, rt });
    }
  }

  /** A block of elements; on to the next one of the run. */
  #element(): void {
    const { code, selector, lowered } = this;
    const { bytes } = dtypes[this.kernel.result.dtype];
    const name = bytes === 1 ? "sb" : bytes === 2 ? "sh" : "sw";
    const last = this.#axes.at(-1);
    const words = lowered.stored.length / lowered.block;
    const imms = lowered.stored.map((_, i) =>
      Math.floor(i / words) * bytes + 4 * (i % words)
    );
    const stored = new Set<number>();
    const store = (word: Id) => {
      if (stored.has(word)) return;
      stored.add(word);
      lowered.stored.forEach((other, i) => {
        if (other !== word) return;
        const rt = selector.of(word);
        code.emit(name, { rt, rs: this.#out, imm: imms[i] });
      });
    };
    // As soon as they are known, so that results do not wait in registers.
    const roots = new Set(lowered.stored);
    if (last) {
      selector.scope(last.axis + 1, undefined, (id) => {
        if (roots.has(id)) store(id);
      });
    }
    lowered.stored.forEach(store);
    if (!last) return;
    const { block } = lowered;
    this.#add(this.#out, this.#out, block * bytes);
    this.#add(last.index, last.index, block);
    code.emit("bne", { rs: this.#out, rt: this.#stop }, last.label);
  }

  /** The leaf ends where its last run does. */
  #endRun(): void {
    if (this.#stop === this.#end) return;
    this.code.emit("beq", { rs: this.#out, rt: this.#end }, this.#exit);
  }

  /** After a run that is not the leaf's last: on to the next index of the innermost axis left. */
  #advance(): (readonly Part[])[] {
    const { code, selector } = this;
    const last = this.#axes.length - 1;
    const parts: (readonly Part[])[] = this.#axes.map(() => []);
    if (this.#stop === this.#end) return parts;
    for (let i = last - 1; i >= 0; i--) {
      const { index, size, label } = this.#axes[i];
      parts[i] = code.part(() => {
        code.move(this.#axes[i + 1].index, ZERO);
        code.emit("addiu", { rt: index, rs: index, imm: 1 });
        if (i === 0) return code.emit("beq", { rs: ZERO, rt: ZERO }, label);
        code.emit("bne", { rs: index, rt: selector.constant(size) }, label);
      });
    }
    return parts;
  }

  /** Puts the constants that turned out to be needed before everything that reads them. */
  #constants(at: number): readonly Part[] {
    const { code, selector } = this;
    const from = code.items.length;
    const parts = code.part(() => {
      for (const [value, register] of selector.constants) {
        this.#set(register, value);
      }
    });
    code.items.splice(at, 0, ...code.items.splice(from));
    return parts;
  }
}
