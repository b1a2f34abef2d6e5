/**
 * What one step does, told: the word, the register and the memory it writes, what it reads, how it ends.
 *
 * For people who look for a bug. `step` itself executes, over a memory that writes down what passes; nothing here says
 * a second time what an instruction means.
 */

import type { PreparedInstruction } from "./instructions.ts";
import type { MachineMemory, Memory } from "./memory.ts";
import { copyProcessor, STATUS, type VmState } from "./state.ts";
import { step } from "./step.ts";

/** A register, hi or lo and the value it was given, as i32. */
export interface RegisterWrite {
  /** 1..31, or "hi" or "lo". */
  register: number | "hi" | "lo";
  before: number;
  value: number;
}

/** An aligned word of memory, as i32. */
export interface WordWrite {
  address: number;
  before: number;
  value: number;
}

/** A subtree that a load put in place or a save took away. */
export interface SubtreeMove {
  kind: "load" | "save";
  address: number;
  height: number;
  /** 32 bytes. */
  root: Uint8Array;
}

/** What a step did. */
export interface StepEffect {
  pc: number;
  /** The instruction word as u32; null where nothing was fetched: stopped, or the fetch trapped. */
  word: number | null;
  registers: RegisterWrite[];
  /** The aligned word that the instruction read as data. */
  read: { address: number; value: number } | null;
  /** The aligned word that it wrote. */
  written: WordWrite | null;
  subtree: SubtreeMove | null;
  /** Address that a taken branch or a jump goes to after its delay slot. */
  target: number | null;
  /** Status and exit code after the step. */
  status: number;
  exitCode: number;
}

/** Memory that passes everything on and remembers it. */
class ObservedMemory implements MachineMemory {
  fetched: PreparedInstruction | null = null;
  read: StepEffect["read"] = null;
  written: WordWrite | null = null;
  subtree: SubtreeMove | null = null;

  constructor(readonly memory: Memory) {}

  instruction(pc: number): PreparedInstruction | null {
    return this.fetched = this.memory.instruction(pc);
  }

  load32(address: number): number {
    const value = this.memory.load32(address);
    this.read = { address: (address & ~3) >>> 0, value };
    return value;
  }

  store32(address: number, value: number): void {
    const before = this.memory.load32(address);
    this.memory.store32(address, value);
    this.written = { address: (address & ~3) >>> 0, before, value: value | 0 };
    // The word that a store reads is told by `before`.
    this.read = null;
  }

  leaf(address: number): Uint8Array {
    return this.memory.leaf(address);
  }

  storeLeaf(address: number, leaf: Uint8Array): void {
    this.memory.storeLeaf(address, leaf);
  }

  graft(address: number, height: number, root: Uint8Array): void {
    this.memory.graft(address, height, root);
    this.subtree = { kind: "load", address, height, root };
  }

  save(address: number, height: number): Uint8Array {
    const root = this.memory.save(address, height);
    this.subtree = { kind: "save", address, height, root };
    return root;
  }
}

/** The register that an instruction names as its destination, though its value may stay. */
function destinationOf(i: PreparedInstruction): number {
  switch (i.kind) {
    case "alu":
    case "checked":
      return i.destination;
    case "load":
      return i.rt;
    case "store":
      return i.name === "sc" ? i.rt : 0;
    case "branch":
    case "likely":
    case "jump":
      return i.link;
    case "multiply":
      return i.encoding.fields.includes("rd") ? i.rd : 0;
    default:
      return 0;
  }
}

function registersWritten(
  before: VmState,
  after: VmState,
  fetched: PreparedInstruction | null,
): RegisterWrite[] {
  const hasTrapped = after.status === STATUS.trapped;
  const destination = fetched === null || hasTrapped
    ? 0
    : destinationOf(fetched);
  const writes: RegisterWrite[] = [];
  for (let register = 1; register < 32; register++) {
    const old = before.registers[register], value = after.registers[register];
    if (old !== value || register === destination) {
      writes.push({ register, before: old, value });
    }
  }
  for (const register of ["hi", "lo"] as const) {
    if (before[register] !== after[register]) {
      writes.push({
        register,
        before: before[register],
        value: after[register],
      });
    }
  }
  return writes;
}

/**
 * Executes one instruction in place, as `step` does, and tells what it did. Costs some ten times as much.
 *
 * @throws ChainLearnError where the content of a graft is missing, with the state before that step.
 */
export function observeStep(state: VmState): StepEffect {
  const before = { ...copyProcessor(state), memory: state.memory };
  const memory = new ObservedMemory(state.memory);
  const after = { ...copyProcessor(state), memory };
  const isRunning = state.status === STATUS.running;
  step(after);
  const { memory: _, registers, ...rest } = after;
  Object.assign(state, rest);
  state.registers.set(registers);
  const { pc } = before;
  const isFetched = isRunning && pc % 4 === 0 &&
    (memory.fetched !== null || after.exitCode > 2);
  const { fetched } = memory;
  const isControl = fetched?.kind === "branch" || fetched?.kind === "likely" ||
    fetched?.kind === "jump";
  const isTaken = isControl && state.status === STATUS.running &&
    (fetched.kind === "jump" || state.nextPc !== (state.pc + 4) >>> 0);
  return {
    pc,
    word: isFetched ? state.memory.load32(pc) >>> 0 : null,
    registers: registersWritten(before, state, fetched),
    read: memory.read,
    written: memory.written,
    subtree: memory.subtree,
    target: isTaken ? state.nextPc : null,
    status: state.status,
    exitCode: state.exitCode,
  };
}
