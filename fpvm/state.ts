/**
 * The machine's state and its 178-byte packing, whose keccak is the state hash (docs/formats.md, "VM state").
 */

import { ChainLearnError } from "./errors.ts";
import type { MachineMemory, Memory } from "./memory.ts";
import { keccak256 } from "./tree.ts";

/** What a state's status byte says; any other non-zero byte is as final as these. */
export const STATUS = { running: 0, exited: 1, trapped: 2 } as const;

/** Exit codes of a trapped state; where several causes hold, the lowest. */
export const TRAP = {
  fetchAlignment: 1,
  fetchRange: 2,
  encoding: 3,
  delaySlot: 4,
  operands: 5,
  alignment: 6,
  protection: 7,
} as const;

/** Exit code of a trap. */
export type TrapCode = (typeof TRAP)[keyof typeof TRAP];

/** Everything but memory. */
export interface Processor {
  /** Address of the next instruction, u32. */
  pc: number;
  /** Address of the one after it, u32: pc + 4 unless a branch was just taken. */
  nextPc: number;
  /** i32. */
  hi: number;
  /** i32. */
  lo: number;
  /** One byte, see {@linkcode STATUS}. */
  status: number;
  /** One byte. */
  exitCode: number;
  /** 32 registers; register 0 is 0. */
  registers: Int32Array;
}

/** A processor over some telling of memory: the whole of it, or what a witness shows of it. */
export interface MachineState<M extends MachineMemory = MachineMemory>
  extends Processor {
  memory: M;
}

/** The whole state of the machine. */
export type VmState = MachineState<Memory>;

/** A state taken out of its packing: memory is known by its root alone. */
export interface UnpackedState extends Processor {
  /** 32 bytes. */
  memoryRoot: Uint8Array;
}

/** Bytes of a packed state. */
export const STATE_BYTES = 178;

/** A processor at pc 0 with zero registers. */
export function newProcessor(): Processor {
  return {
    pc: 0,
    nextPc: 4,
    hi: 0,
    lo: 0,
    status: STATUS.running,
    exitCode: 0,
    registers: new Int32Array(32),
  };
}

/** An independent copy of the processor alone. */
export function copyProcessor(from: Processor): Processor {
  const { pc, nextPc, hi, lo, status, exitCode } = from;
  const registers = from.registers.slice();
  return { pc, nextPc, hi, lo, status, exitCode, registers };
}

/** An independent copy; pages are shared until one side writes them. */
export function cloneState(state: VmState): VmState {
  return { ...copyProcessor(state), memory: state.memory.clone() };
}

/** Packs a processor and a memory root into 178 bytes. */
export function packProcessor(
  memoryRoot: Uint8Array,
  processor: Processor,
): Uint8Array {
  const bytes = new Uint8Array(STATE_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(memoryRoot);
  view.setUint32(32, processor.pc);
  view.setUint32(36, processor.nextPc);
  view.setInt32(40, processor.hi);
  view.setInt32(44, processor.lo);
  bytes[48] = processor.status;
  bytes[49] = processor.exitCode;
  processor.registers.forEach((value, i) => view.setInt32(50 + 4 * i, value));
  return bytes;
}

/** Packs a state into 178 bytes. */
export function packState(state: VmState): Uint8Array {
  return packProcessor(state.memory.root(), state);
}

/** Takes a packed state apart. Throws where the length is not 178 or register 0 is not zero. */
export function unpackState(bytes: Uint8Array): UnpackedState {
  if (bytes.length !== STATE_BYTES) {
    throw new ChainLearnError(
      `Cannot unpack a state: expected ${STATE_BYTES} bytes, found ${bytes.length}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const registers = Int32Array.from(
    { length: 32 },
    (_, i) => view.getInt32(50 + 4 * i),
  );
  if (registers[0] !== 0) {
    throw new ChainLearnError(
      `Cannot unpack a state: expected register 0 to be 0, found ${
        registers[0]
      }`,
    );
  }
  return {
    memoryRoot: bytes.slice(0, 32),
    pc: view.getUint32(32),
    nextPc: view.getUint32(36),
    hi: view.getInt32(40),
    lo: view.getInt32(44),
    status: bytes[48],
    exitCode: bytes[49],
    registers,
  };
}

/** keccak256 of the packed state. */
export function stateHash(state: VmState): Uint8Array {
  return keccak256(packState(state));
}
