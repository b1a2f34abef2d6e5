/**
 * One instruction: the reference that the contract mirrors line by line.
 *
 * Total: every state has one successor. A state that is not running is its own successor; a trap sets
 * status and exit code and changes nothing else; causes are checked in the order of their exit codes.
 */

import type { PreparedInstruction } from "./instructions.ts";
import { CODE_END, REGIONS } from "./memory.ts";
import { type MachineState, STATUS, TRAP, type TrapCode } from "./state.ts";

/** Numbers of the system calls, in $v0. */
export const SYSCALL = {
  exit: 4001,
  exitGroup: 4246,
  load: 0x4c01,
  save: 0x4c02,
} as const;

/** Height of the largest subtree that can be loaded or saved. */
export const MAX_GRAFT_HEIGHT = 26;

const V0 = 2, A0 = 4, A1 = 5, A2 = 6;

function trap(state: MachineState, code: TrapCode): void {
  state.status = STATUS.trapped;
  state.exitCode = code;
}

function advance(state: MachineState): void {
  state.pc = state.nextPc;
  state.nextPc = (state.nextPc + 4) >>> 0;
}

/** Executes one instruction in place. */
export function step(state: MachineState): void {
  if (state.status !== STATUS.running) return;
  const { pc } = state;
  if ((pc & 3) !== 0) return trap(state, TRAP.fetchAlignment);
  if (pc >= CODE_END) return trap(state, TRAP.fetchRange);
  const instruction = state.memory.instruction(pc);
  if (instruction === null) return trap(state, TRAP.encoding);
  if (instruction.kind === "alu") executeAlu(state, instruction);
  else execute(state, instruction);
}

type Of<Kind> = Extract<PreparedInstruction, { kind: Kind }>;

/** Apart from the others, so that the most frequent kind costs no second call (measured: 1.5 times as fast). */
function executeAlu(state: MachineState, i: Of<"alu">): void {
  const r = state.registers;
  const { destination } = i;
  r[destination] = i.operation(r[i.rs], r[i.rt], i, r[destination]);
  r[0] = 0;
  advance(state);
}

function execute(
  state: MachineState,
  i: Exclude<PreparedInstruction, Of<"alu">>,
): void {
  const r = state.registers;
  switch (i.kind) {
    case "load":
      return executeLoad(state, i);
    case "store":
      return executeStore(state, i);
    case "branch":
    case "likely":
    case "jump":
      return executeControl(state, i);
    case "multiply":
      i.operation(state, r[i.rs], r[i.rt], i);
      break;
    case "checked": {
      const exact = i.operation(r[i.rs], r[i.rt], i);
      if (exact !== (exact | 0)) return trap(state, TRAP.operands);
      r[i.destination] = exact;
      break;
    }
    case "trap":
      if (i.operation(r[i.rs], r[i.rt], i)) return trap(state, TRAP.operands);
      break;
    case "syscall":
      return executeSyscall(state);
    case "nop":
      break;
    default:
      i satisfies never;
  }
  r[0] = 0;
  advance(state);
}

function executeControl(
  state: MachineState,
  i: Of<"branch" | "likely" | "jump">,
): void {
  const { pc, nextPc, registers: r } = state;
  if (nextPc !== pc + 4) return trap(state, TRAP.delaySlot);
  const s = r[i.rs];
  if (i.kind === "jump") {
    state.nextPc = i.operation(s, pc, i);
    state.pc = nextPc;
  } else if (i.operation(s, r[i.rt], i)) {
    state.nextPc = (nextPc + i.imm * 4) >>> 0;
    state.pc = nextPc;
  } else {
    advance(state);
    // A branch-likely that is not taken skips its delay slot.
    if (i.kind === "likely") advance(state);
  }
  r[i.link] = pc + 8;
  r[0] = 0;
}

function executeLoad(state: MachineState, i: Of<"load">): void {
  const r = state.registers;
  const address = (r[i.rs] + i.imm) | 0;
  if ((address & i.alignMask) !== 0) return trap(state, TRAP.alignment);
  r[i.rt] = i.operation(state.memory.load32(address), address, r[i.rt]);
  r[0] = 0;
  advance(state);
}

function executeStore(state: MachineState, i: Of<"store">): void {
  const { registers: r, memory } = state;
  const address = (r[i.rs] + i.imm) | 0;
  if ((address & i.alignMask) !== 0) return trap(state, TRAP.alignment);
  if (address >>> 0 < CODE_END) return trap(state, TRAP.protection);
  const word = memory.load32(address);
  memory.store32(address, i.operation(word, address, r[i.rt]));
  if (i.name === "sc") {
    r[i.rt] = 1;
    r[0] = 0;
  }
  advance(state);
}

function executeSyscall(state: MachineState): void {
  const r = state.registers;
  switch (r[V0]) {
    case SYSCALL.exit:
    case SYSCALL.exitGroup:
      state.status = STATUS.exited;
      state.exitCode = r[A0] & 0xff;
      return;
    case SYSCALL.load:
    case SYSCALL.save:
      return executeOracle(state);
    default:
      return trap(state, TRAP.encoding);
  }
}

/** Whether a range lies in the oracle-value region or in the model region. */
function mayGraft(address: number, size: number): boolean {
  const end = address + size;
  return address >= REGIONS.model.base
    ? end <= 2 ** 32
    : address >= REGIONS.value.base && end <= REGIONS.model.base;
}

/** Load and save: the subtree of height $a1 at $a0 against a key leaf. */
function executeOracle(state: MachineState): void {
  const { registers: r, memory } = state;
  const address = r[A0] >>> 0;
  const height = r[A1] >>> 0;
  const isLoad = r[V0] === SYSCALL.load;
  if (height > MAX_GRAFT_HEIGHT) return trap(state, TRAP.operands);
  const size = 32 * 2 ** height;
  if (address % size !== 0 || (isLoad && (r[A2] & 31) !== 0)) {
    return trap(state, TRAP.alignment);
  }
  if (!mayGraft(address, size)) return trap(state, TRAP.protection);
  if (isLoad) {
    // The key is read first: its leaf may lie inside the subtree that goes.
    memory.graft(address, height, memory.leaf(r[A2]));
  } else {
    memory.storeLeaf(REGIONS.key.base, memory.save(address, height));
  }
  advance(state);
}
