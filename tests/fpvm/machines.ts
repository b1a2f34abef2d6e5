/** Machines in chosen and in random states, for tests and for the golden vectors. */
import type { Random } from "../random.ts";
import {
  type Encoding,
  ENCODINGS,
  Memory,
  type MemoryContentStore,
  newProcessor,
  SYSCALL,
  type VmState,
} from "../../fpvm/mod.ts";

/** Operands at which arithmetic goes wrong. */
export const EDGES: readonly number[] = [
  0,
  1,
  2,
  31,
  32,
  33,
  0x7fff,
  0x8000,
  0xffff,
  0x12345678,
  0x7fffffff,
  0x80000000,
  0x80000001,
  0xfffffffe,
  0xffffffff,
];

/** Addresses at the ends of regions and of the code. */
export const ADDRESSES: readonly number[] = [
  0,
  0x400,
  0x00fffffc,
  0x01000000,
  0x10000000,
  0x11000000,
  0x20000000,
  0x3fffffe0,
  0x40000000,
  0x7ffffffc,
  0x80000000,
  0xfffffff0,
];

/** What differs from a running machine at pc 0x400 with empty memory. */
export interface MachineOptions {
  /** Instruction words from `pc` on. */
  code?: number[];
  pc?: number;
  nextPc?: number;
  hi?: number;
  lo?: number;
  status?: number;
  exitCode?: number;
  /** Values by register number. */
  registers?: Record<number, number>;
  /** Words by address. */
  words?: Record<number, number>;
  store?: MemoryContentStore;
}

/** A machine with these differences. */
export function machine(options: MachineOptions = {}): VmState {
  const { code = [], pc = 0x400, registers = {}, words = {}, store, ...rest } =
    options;
  const memory = new Memory(store);
  code.forEach((word, i) => memory.store32(pc + 4 * i, word));
  for (const [address, word] of Object.entries(words)) {
    memory.store32(Number(address), word);
  }
  const processor = { ...newProcessor(), pc, nextPc: (pc + 4) >>> 0, ...rest };
  for (const [register, value] of Object.entries(registers)) {
    processor.registers[Number(register)] = value;
  }
  return { ...processor, memory };
}

/** A word of that instruction with random operands; its constraint may fail. */
export function randomWord(random: Random, encoding: Encoding): number {
  return (encoding.match | (random.u32() & ~encoding.mask)) >>> 0;
}

function randomValue(random: Random): number {
  switch (random.below(4)) {
    case 0:
      return random.u32();
    case 1:
      return random.pick(ADDRESSES) + random.below(8);
    case 2:
      return random.pick([
        SYSCALL.exit,
        SYSCALL.load,
        SYSCALL.save,
        0x4000_0000,
      ]);
    default:
      return random.pick(EDGES);
  }
}

/** Registers that make a load or save likely to reach memory. */
function oracleRegisters(random: Random): Record<number, number> {
  const height = random.below(28);
  const size = 32 * 2 ** Math.min(height, 26);
  const base = random.bool() ? 0x4000_0000 : 0x8000_0000;
  const address = base + size * random.below(Math.max(1, 2 ** 30 / size));
  return {
    2: random.bool() ? SYSCALL.load : SYSCALL.save,
    4: address + (random.below(8) === 0 ? 1 : 0),
    5: height,
    6: random.pick([0x11000000, 0x10000020, 0x400, address, 0x400007e0]) +
      (random.below(8) === 0 ? 3 : 0),
  };
}

/** Any state: mostly one that executes a known instruction, sometimes one that traps at once. */
export function randomMachine(random: Random): VmState {
  const encoding = random.pick(ENCODINGS);
  const isOracle = random.below(10) === 0;
  const word = random.below(20) === 0
    ? random.u32()
    : isOracle
    ? 0x0000000c
    : randomWord(random, encoding);
  const pc = random.below(20) === 0
    ? randomValue(random) >>> 0
    : random.pick([0x400, 0, 0xff0, 0x00fffffc, 0x41c]);
  const registers: Record<number, number> = {};
  for (let i = 1; i < 32; i++) registers[i] = randomValue(random);
  if (isOracle) Object.assign(registers, oracleRegisters(random));
  const words: Record<number, number> = { [pc - (pc % 4)]: word };
  for (let i = 0; i < 6; i++) {
    const address = random.pick(ADDRESSES) + 4 * random.below(3);
    if (address >= 0x0100_0000) words[address % 2 ** 32] = random.u32();
  }
  return machine({
    pc,
    nextPc: random.below(6) === 0 ? randomValue(random) >>> 0 : (pc + 4) >>> 0,
    hi: randomValue(random) | 0,
    lo: randomValue(random) | 0,
    status: random.below(40) === 0 ? random.below(256) : 0,
    exitCode: random.below(10) === 0 ? random.below(256) : 0,
    registers,
    words,
  });
}
