/**
 * Follows what depends on operands through a run of a leaf program: registers, HI/LO and spilled words.
 *
 * A branch whose registers depend on an operand's bytes would make the number of steps depend on them. Every
 * instruction of the run is judged, delay slots included; since no branch turns on data, no other run takes another
 * path.
 */
import { rolesOf } from "../../compiler/mips/code.ts";
import { leafOperands, type LeafRun } from "../../compiler/conformance/mod.ts";
import type { Kernel } from "../../compiler/ir.ts";
import {
  composeInitialState,
  decode,
  disassemble,
  type Instruction,
  MemoryContentStore,
  REGIONS,
  STATUS,
  step,
  treeHeight,
  type VmState,
} from "../../fpvm/mod.ts";

/** The initial state of a leaf's run. */
export function leafState(
  kernel: Kernel,
  { program }: Pick<LeafRun, "program">,
  operands: readonly Uint8Array[],
  leafIndex: number,
  iteration: number,
): VmState {
  const store = new MemoryContentStore();
  const heights = leafOperands(kernel).map(({ height }) => height);
  const operandRoots = operands.map((bytes, i) => {
    const padded = new Uint8Array(32 << heights[i]);
    padded.set(bytes);
    return store.put(padded);
  });
  return composeInitialState({
    program: program.code,
    programHeight: treeHeight(program.code.length),
    leafIndex,
    iteration,
    operandRoots,
    store,
  });
}

/** What a run of a program came to. */
export interface Traced {
  readonly steps: number;
  /** Branches passed. */
  readonly branches: number;
  /** Loads of operands. */
  readonly loads: number;
  /** The first branch on data, as its address and text. */
  readonly found?: string;
}

/** Runs the program to its end or to a branch that depends on an operand. */
export function traceData(state: VmState, code: Uint8Array): Traced {
  const trace = new DataTrace(state);
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  const decoded = new Map<number, Instruction>();
  let steps = 0;
  while (state.status === STATUS.running) {
    const { pc } = state;
    const word = view.getUint32(pc, true);
    const instruction = decoded.get(pc) ?? decode(word)!;
    decoded.set(pc, instruction);
    if (trace.follow(instruction)) {
      const found = `${pc.toString(16)}: ${disassemble(word, pc)}`;
      return { ...trace, steps, found };
    }
    step(state);
    steps++;
  }
  return { steps, branches: trace.branches, loads: trace.loads };
}

const HILO = 32;

class DataTrace {
  branches = 0;
  loads = 0;
  /** Registers and HI/LO that depend on operands. */
  readonly #data = new Uint8Array(33);
  /** Words of the stack that do, by address. */
  readonly #stack = new Map<number, number>();

  constructor(readonly state: VmState) {}

  /** Takes the instruction into account before it runs; true where it is a branch on data. */
  follow(instruction: Instruction): boolean {
    const { name } = instruction;
    const { kind, def, uses, hilo } = rolesOf(name);
    const register = (field: string) =>
      instruction[field as "rs" | "rt" | "rd"];
    let data = uses.reduce((any, f) => any | this.#data[register(f)], 0);
    if (kind === "branch" || kind === "likely" || kind === "jump") {
      this.branches++;
      return data !== 0;
    }
    const address = (this.state.registers[instruction.rs] + instruction.imm) >>>
      0;
    if (kind === "store") {
      const stored = this.#data[instruction.rt];
      this.#stack.set(address & ~3, stored);
    }
    if (kind === "load") data |= this.#loaded(address);
    if (hilo) data = this.#product(name, data);
    if (def && register(def) !== 0) this.#data[register(def)] = data;
    return false;
  }

  /** Whether the bytes at an address are an operand's. */
  #loaded(address: number): number {
    if (address >= REGIONS.value.base) {
      this.loads++;
      return 1;
    }
    return this.#stack.get(address & ~3) ?? 0;
  }

  /** HI and LO count as one: a product that is not added to what they hold replaces both. */
  #product(name: string, data: number): number {
    if (name === "mfhi" || name === "mflo") return this.#data[HILO];
    const adds = /^m(add|sub|thi|tlo)/.test(name);
    this.#data[HILO] = adds ? this.#data[HILO] | data : data;
    return data;
  }
}
