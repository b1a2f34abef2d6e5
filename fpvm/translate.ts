/**
 * Runs the machine by translating its code to WebAssembly: what `run` does, faster, to the same bit and step.
 *
 * Code is translated when first arrived at, in groups of at most 256 blocks, and kept by the root of the
 * program region, since code never changes while a program runs. Whatever a translated function cannot do
 * (traps, system calls, untouched pages, the last few steps) it hands over to `step`.
 */

import { CODE_END, type Memory } from "./memory.ts";
import { copyProcessor, STATUS, type VmState } from "./state.ts";
import { run, step } from "./step.ts";
import { findBlocks, MAX_BODY } from "./translate_blocks.ts";
import { emitFunction, type TranslatedFunction } from "./translate_function.ts";
import {
  IS_INSIDE,
  LO_HI,
  MAX_BLOCKS,
  NEXT_PC,
  PC,
  REGISTERS,
  STEP_ONLY,
} from "./translate_layout.ts";
import { FramedMemory } from "./translate_memory.ts";

/**
 * Steps per call of a translated function: functions start in the engine's slow tier, and a better one
 * only takes part in the next call.
 */
const STEPS_PER_CALL = 2 ** 20;
/** Programs whose translation is kept. */
const MAX_PROGRAMS = 32;
/** Functions per program; code beyond them is left to `step`. */
const MAX_FUNCTIONS = 256;

/** What is translated of one program. */
interface Translation {
  readonly functions: TranslatedFunction[];
  /** Entries of the jump table by pc. */
  readonly entries: Map<number, number>;
}

const translations = new Map<string, Translation>();
let framed: FramedMemory | undefined;
/** The translation that the jump table holds. */
let active: Translation = { functions: [], entries: new Map() };

function translationOf(memory: Memory): Translation {
  const key = memory.fieldRoot("program").toHex();
  const translation = translations.get(key) ??
    { functions: [], entries: new Map() };
  translations.delete(key);
  translations.set(key, translation);
  for (const oldest of translations.keys()) {
    if (translations.size <= MAX_PROGRAMS) break;
    translations.delete(oldest);
  }
  return translation;
}

function activate(translation: Translation, host: FramedMemory): void {
  if (active === translation) return;
  for (const pc of active.entries.keys()) host.jumpTable[pc >>> 2] = 0;
  for (const [pc, entry] of translation.entries) {
    host.jumpTable[pc >>> 2] = entry;
  }
  active = translation;
}

/** Translates what can be reached from `pc` and returns the entry of `pc`. */
function translateFrom(pc: number, host: FramedMemory): number {
  const { functions, entries } = active;
  const enter = (pc: number, entry: number) => {
    entries.set(pc, entry);
    host.jumpTable[pc >>> 2] = entry;
  };
  const read = (pc: number) => {
    try {
      return host.instruction(pc);
    } catch {
      // Code of a graft whose content is missing: `step` says so if it is ever executed.
      return null;
    }
  };
  const isKnown = (pc: number) => host.jumpTable[pc >>> 2] !== 0;
  const blocks = functions.length < MAX_FUNCTIONS
    ? findBlocks(pc, read, isKnown, MAX_BLOCKS)
    : [];
  if (blocks.length > 0) {
    const number = functions.length + 1;
    const module = new WebAssembly.Module(emitFunction(blocks, number));
    const instance = new WebAssembly.Instance(module, {
      host: { memory: host.wasm },
    });
    functions.push(instance.exports.run as TranslatedFunction);
    blocks.forEach(({ start }, i) => enter(start, number * 256 + i));
  }
  if (!isKnown(pc)) enter(pc, STEP_ONLY);
  return host.jumpTable[pc >>> 2];
}

/** A processor in the host's memory, and how it may go on. */
class TranslatedRun {
  readonly #state;
  readonly #host: FramedMemory;
  /** Whether control came here from a branch or the end of a block, so that a block may start here. */
  #isArrival = active.entries.size === 0;
  /** Steps since the last block. */
  #stepped = 0;

  constructor(state: VmState, host: FramedMemory) {
    this.#host = host;
    const registers = host.words.subarray(REGISTERS / 4, REGISTERS / 4 + 32);
    registers.set(state.registers);
    this.#state = { ...copyProcessor(state), registers, memory: host };
  }

  /** Runs at most `maxSteps` > 0 steps, at least one; returns how many. */
  advance(maxSteps: number): number {
    const state = this.#state;
    const entry = this.#entry();
    if (entry !== 0 && entry !== STEP_ONLY) {
      const steps = this.#call(entry, maxSteps);
      if (steps > 0) return steps;
    }
    const isAfterSlot = state.nextPc !== state.pc + 4;
    step(state);
    this.#stepped++;
    this.#isArrival = isAfterSlot || entry === STEP_ONLY ||
      this.#stepped > MAX_BODY;
    return 1;
  }

  isRunning(): boolean {
    return this.#state.status === STATUS.running;
  }

  copyTo(state: VmState): void {
    const { registers, memory: _, ...rest } = this.#state;
    Object.assign(state, rest);
    state.registers.set(registers);
  }

  /** Entry of the present pc in the jump table; 0 where no block may start. */
  #entry(): number {
    const { pc, nextPc } = this.#state;
    if (nextPc !== pc + 4 || pc % 4 !== 0 || pc >= CODE_END) return 0;
    const entry = this.#host.jumpTable[pc >>> 2];
    return entry === 0 && this.#isArrival
      ? translateFrom(pc, this.#host)
      : entry;
  }

  /** Calls a translated function; returns the steps it took, perhaps none. */
  #call(entry: number, maxSteps: number): number {
    const state = this.#state;
    const { words } = this.#host;
    words[LO_HI / 4] = state.lo;
    words[LO_HI / 4 + 1] = state.hi;
    const allowed = Math.min(STEPS_PER_CALL, Math.ceil(maxSteps));
    const run = active.functions[(entry >>> 8) - 1];
    const steps = allowed - run(entry & 255, allowed);
    state.lo = words[LO_HI / 4];
    state.hi = words[LO_HI / 4 + 1];
    state.pc = words[PC / 4] >>> 0;
    state.nextPc = words[NEXT_PC / 4] >>> 0;
    this.#isArrival = words[IS_INSIDE / 4] === 0;
    this.#stepped = 0;
    return steps;
  }
}

/**
 * Does what `run` does, on translated code: steps until the state stops, at most `maxSteps` times, and
 * returns how many steps it took. The state is the same after any number of steps.
 *
 * @throws ChainLearnError where the content of a graft is missing, with the state before that step.
 */
export function runTranslated(state: VmState, maxSteps: number): number {
  if (state.status !== STATUS.running || !(maxSteps > 0)) return 0;
  const host = framed ??= new FramedMemory();
  // A content store that runs the machine to make its content finds the frames taken.
  if (host.isAttached) return run(state, maxSteps);
  activate(translationOf(state.memory), host);
  host.attach(state.memory);
  const translated = new TranslatedRun(state, host);
  let steps = 0;
  try {
    while (steps < maxSteps && translated.isRunning()) {
      steps += translated.advance(maxSteps - steps);
    }
  } finally {
    host.detach();
    translated.copyTo(state);
  }
  return steps;
}
