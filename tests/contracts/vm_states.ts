/**
 * States of the machine for tests: single instructions on memory with content around every address used.
 */
import {
  CODE_END,
  encode,
  ENCODINGS,
  type Fields,
  type InstructionName,
  Memory,
  newProcessor,
  type VmState,
} from "../../fpvm/mod.ts";
import type { Random } from "../random.ts";

/** What a state is to be; everything not named is zero, and nextPc is pc + 4. */
export interface StateOptions {
  pc?: number;
  nextPc?: number;
  hi?: number;
  lo?: number;
  status?: number;
  exitCode?: number;
  registers?: Record<number, number>;
  /** Words by address, the code among them. */
  words?: Record<number, number>;
  memory?: Memory;
}

/** A state with the given instruction words from pc on. */
export function stateOf(code: number[], options: StateOptions = {}): VmState {
  const { pc = 0, registers = {}, words = {}, memory = new Memory() } = options;
  const state = { ...newProcessor(), memory };
  code.forEach((word, i) => memory.store32(pc + 4 * i, word));
  for (const [address, word] of Object.entries(words)) {
    memory.store32(Number(address), word);
  }
  for (const [index, value] of Object.entries(registers)) {
    state.registers[Number(index)] = value;
  }
  state.pc = pc;
  state.nextPc = options.nextPc ?? (pc + 4) >>> 0;
  state.hi = options.hi ?? 0;
  state.lo = options.lo ?? 0;
  state.status = options.status ?? 0;
  state.exitCode = options.exitCode ?? 0;
  return state;
}

/** A state at one instruction. */
export function at(
  name: InstructionName,
  fields: Fields,
  options: StateOptions = {},
): VmState {
  return stateOf([encode(name, fields)], options);
}

const EDGES = [
  0,
  1,
  2,
  31,
  32,
  33,
  0x7f,
  0x80,
  0x7fff,
  0x8000,
  0xffff,
  0x7fffffff,
  0x80000000,
  0x80000001,
  0xffffffff,
  0xfffffffe,
];

const BASES = [
  0,
  CODE_END - 4,
  CODE_END,
  0x10000000,
  0x11000000,
  0x20000000,
  0x3fffffe0,
  0x40000000,
  0x7fffffe0,
  0x80000000,
  0xffffffe0,
  0xfffffffc,
];

/** A register value: an edge of arithmetic, near an edge of a region, or anything. */
export function randomValue(random: Random): number {
  switch (random.below(4)) {
    case 0:
      return random.pick(EDGES);
    case 1:
      return (random.pick(BASES) + random.below(48) - 8) >>> 0;
    case 2:
      return random.below(64);
    default:
      return random.u32();
  }
}

/** An instruction word: mostly a row of the table with random operands, sometimes with a bit flipped, or anything. */
export function randomWord(random: Random): number {
  const kind = random.below(20);
  if (kind === 0) return random.u32();
  const { match, mask } = random.pick(ENCODINGS);
  const word = (match | (random.u32() & ~mask)) >>> 0;
  return kind < 3 ? (word ^ (1 << random.below(32))) >>> 0 : word;
}

/** Registers of a load or save, most of them legal. */
function oracleRegisters(random: Random): Record<number, number> {
  const height = random.below(8) === 0 ? random.below(30) : random.below(27);
  const aligned = random.u32() & ~(2 ** Math.min(31, 5 + height) - 1);
  const address = random.below(8) === 0 ? randomValue(random) : aligned;
  return {
    2: random.pick([0x4c01, 0x4c02]),
    4: random.below(4) === 0 ? address : address | 0x40000000,
    5: height,
    6: random.below(6) === 0
      ? randomValue(random)
      : random.pick([0x10000020, 0x11000000, 0x40000040, 0, 0x80000000]),
  };
}

/** A random state at a random instruction; memory has content around the addresses in its registers. */
export function randomState(random: Random): VmState {
  const pc = 4 * random.pick([0, 1, 9, random.below(1 << 22), (1 << 22) - 1]);
  const isOracle = random.below(8) === 0;
  const word = isOracle ? encode("syscall") : randomWord(random);
  const registers: Record<number, number> = {};
  for (let i = 1; i < 32; i++) {
    if (random.bool()) registers[i] = randomValue(random);
  }
  if (isOracle) Object.assign(registers, oracleRegisters(random));
  else if (random.below(3) === 0) {
    registers[2] = random.pick([4001, 4246, 0x4c01]);
  }
  const words: Record<number, number> = {};
  for (let i = 0; i < 6; i++) {
    words[(randomValue(random) & ~3) >>> 0] = random.u32();
  }
  const rs = registers[(word >>> 21) & 31] ?? 0;
  const near = (rs + ((word << 16) >> 16)) & ~3;
  if (random.below(4) !== 0) words[near >>> 0] = random.u32();
  delete words[pc];
  return stateOf([word], {
    pc,
    nextPc: random.below(8) === 0 ? random.u32() : undefined,
    hi: randomValue(random) | 0,
    lo: randomValue(random) | 0,
    status: random.below(50) === 0 ? random.below(256) : 0,
    exitCode: random.below(50) === 0 ? random.below(256) : 0,
    registers,
    words,
  });
}
