/**
 * Runs the machine by translating its code to WebAssembly: what `run` does, faster, to the same bit and step.
 *
 * Whatever a translated function cannot do (traps, system calls, untouched pages, the last few steps) it hands
 * over to `step`. What is translated when, is decided in translate_program.ts.
 */

import { ChainLearnError } from "./errors.ts";
import { CODE_END } from "./memory.ts";
import { copyProcessor, STATUS, type VmState } from "./state.ts";
import { run } from "./run.ts";
import { step } from "./step.ts";
import { MAX_BODY } from "./translate_blocks.ts";
import {
  ENTRY_BITS,
  IS_INSIDE,
  LO_HI,
  MAX_FRAMES,
  NEXT_PC,
  PC,
  REGISTERS,
} from "./translate_layout.ts";
import { FramedMemory } from "./translate_memory.ts";
import {
  forgetTranslations,
  type Translation,
  translationOf,
} from "./translate_program.ts";

/**
 * Steps per call of a translated function: functions start in the engine's slow tier, and a better one
 * only takes part in the next call.
 */
const STEPS_PER_CALL = 2 ** 20;
/** Steps after which code that is not translated is, where control came in the middle of it. */
const MAX_STEPPED = 4 * MAX_BODY;
/** Steps from a page fault to where the rest of the block may be translated, so that a few such places do. */
const MAX_RESUMED = 4;

/** Frames unless {@linkcode setFrameLimit} says otherwise: 32 MiB. */
const DEFAULT_FRAMES = 8192;
/** Least bytes of frames. */
const MIN_FRAME_BYTES = 2 ** 16;

let framed: FramedMemory | undefined;
let frameCount = DEFAULT_FRAMES;

/**
 * Bounds the memory for pages that translated code has at hand, in bytes: 64 KiB up to 4064 MiB, 32 MiB unless
 * called. Beyond it, and beyond up to 32 MiB of tables, is only what the memory tree itself holds. What was
 * translated is dropped.
 *
 * @throws ChainLearnError where the number is out of range, or while a program runs.
 */
export function setFrameLimit(bytes: number): void {
  const most = MAX_FRAMES * 4096;
  if (!(bytes >= MIN_FRAME_BYTES && bytes <= most)) {
    throw new ChainLearnError(
      `Cannot bound the frames: expected ${MIN_FRAME_BYTES} to ${most} bytes, found ${bytes}`,
    );
  }
  if (framed?.isAttached) {
    throw new ChainLearnError(
      "Cannot bound the frames: expected no translated program to run, found one",
    );
  }
  framed = undefined;
  frameCount = Math.floor(bytes / 4096);
  forgetTranslations();
}

/** A processor in the host's memory, and how it may go on. */
class TranslatedRun {
  readonly #state;
  readonly #host: FramedMemory;
  readonly #translation: Translation;
  /** Whether control came here from the end of a block, so that one may start here. */
  #isArrival: boolean;
  /** Whether it came to code that is not translated since the last block. */
  #isAstray = false;
  /** Steps since the last block. */
  #stepped = 0;

  constructor(state: VmState, host: FramedMemory, translation: Translation) {
    this.#host = host;
    this.#translation = translation;
    this.#isArrival = translation.isEmpty;
    const registers = host.words.subarray(REGISTERS / 4, REGISTERS / 4 + 32);
    registers.set(state.registers);
    this.#state = { ...copyProcessor(state), registers, memory: host };
  }

  /** Runs at most `maxSteps` > 0 steps, at least one; returns how many. */
  advance(maxSteps: number): number {
    const state = this.#state;
    const entry = this.#entry();
    if (entry !== 0) {
      const steps = this.#call(entry, maxSteps);
      if (steps > 0) return steps;
    }
    const isSlot = state.nextPc !== state.pc + 4;
    // After one instruction that is never translated, or wherever a branch leads from code that is not yet.
    const isAlone = this.#isArrival &&
      this.#translation.isUntranslatable(state.pc);
    this.#isAstray ||= this.#isArrival || this.#stepped > MAX_STEPPED;
    const isInside = this.#stepped < MAX_RESUMED && !this.#isArrival;
    step(state);
    this.#stepped++;
    if (isInside && state.nextPc === state.pc + 4) this.#resumeLater();
    this.#isArrival = isAlone || (isSlot && this.#isAstray);
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

  /** Tells where control goes on after an instruction that a block left to `step`: at every fourth place only. */
  #resumeLater(): void {
    const { pc } = this.#state;
    if (pc % (4 * MAX_RESUMED) !== 0 || pc >= CODE_END) return;
    if (this.#host.jumpTable[pc >>> 2] === 0) {
      this.#translation.resumeAt(pc, this.#host);
    }
  }

  /** Entry of the present pc in the jump table; 0 where control cannot enter translated code. */
  #entry(): number {
    const { pc, nextPc } = this.#state;
    if (nextPc !== pc + 4 || pc % 4 !== 0 || pc >= CODE_END) return 0;
    const entry = this.#host.jumpTable[pc >>> 2];
    return entry === 0 && this.#isArrival
      ? this.#translation.arriveAt(pc, this.#host)
      : entry;
  }

  /** Calls a translated function; returns the steps it took, perhaps none. */
  #call(entry: number, maxSteps: number): number {
    const state = this.#state;
    const { words } = this.#host;
    words[LO_HI / 4] = state.lo;
    words[LO_HI / 4 + 1] = state.hi;
    const allowed = Math.min(STEPS_PER_CALL, Math.ceil(maxSteps));
    const run = this.#translation.function(entry >>> ENTRY_BITS);
    const steps = allowed - run(entry & (2 ** ENTRY_BITS - 1), allowed);
    state.lo = words[LO_HI / 4];
    state.hi = words[LO_HI / 4 + 1];
    state.pc = words[PC / 4] >>> 0;
    state.nextPc = words[NEXT_PC / 4] >>> 0;
    this.#isArrival = words[IS_INSIDE / 4] === 0;
    this.#isAstray = false;
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
  const host = framed ??= new FramedMemory(frameCount);
  // A content store that runs the machine to make its content finds the frames taken.
  if (host.isAttached) return run(state, maxSteps);
  const translation = translationOf(state.memory);
  translation.activate(host);
  host.attach(state.memory, translation.code);
  const translated = new TranslatedRun(state, host, translation);
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
