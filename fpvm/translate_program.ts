/**
 * What is translated of a program, and when.
 *
 * Code is translated when control first arrives at it, in groups of at most 256 blocks, and kept by the root of
 * the program region, since code never changes while a program runs. Targets of indirect jumps are only known
 * when control gets there: until there are enough of them `step` executes what is not translated, then the
 * newest group is translated again together with them, so that a loop over a switch is in one function.
 */

import type { Memory } from "./memory.ts";
import {
  type Block,
  type CodeReader,
  entriesOf,
  exitsOf,
  findBlocks,
} from "./translate_blocks.ts";
import { emitFunction, type TranslatedFunction } from "./translate_function.ts";
import { ENTRY_BITS, MAX_BLOCKS, MAX_FUNCTIONS } from "./translate_layout.ts";
import type { DecodedCode, FramedMemory } from "./translate_memory.ts";

/** Programs whose translation is kept. */
const MAX_PROGRAMS = 32;
/** Most arrivals at code that is not translated before it is. */
const MAX_PATIENCE = 64;
/** Times that control must go on at a place inside a block before the rest of it is translated. */
const LEAST_RESUMES = 2;
/** Groups that begin inside a block of another, and blocks in each. */
const MAX_RESTS = 160;
const MAX_REST_BLOCKS = 32;
const REST_BYTES = 256;

/** A group of blocks and its function. */
interface Group {
  readonly number: number;
  readonly roots: ReadonlySet<number>;
  readonly blocks: readonly Block[];
  readonly entries: ReadonlyMap<number, number>;
  readonly run: TranslatedFunction;
  /** Whether it begins inside a block of another group. */
  readonly isRest: boolean;
}

/** The translation that the jump table and the table of functions hold. */
let active: Translation | undefined;

/** The translated groups of one program. */
export class Translation {
  /** What was decoded so far. */
  readonly code: DecodedCode = [];
  readonly #groups: Group[] = [];
  /** Places where control arrived and that are not translated yet. */
  readonly #pending = new Set<number>();
  /** Places of code that only `step` executes. */
  readonly #untranslatable = new Set<number>();
  /** Times that control went on inside a block, by place. */
  readonly #resumes = new Map<number, number>();
  #rests = 0;
  #arrivals = 0;
  #patience = 1;

  get isEmpty(): boolean {
    return this.#groups.length === 0;
  }

  function(number: number): TranslatedFunction {
    return this.#groups[number - 1].run;
  }

  /** Whether only `step` executes the instruction there. */
  isUntranslatable(pc: number): boolean {
    return this.#untranslatable.has(pc);
  }

  /** Puts what is translated into the tables. */
  activate(host: FramedMemory): void {
    if (active === this) return;
    if (active) active.#groups.forEach((group) => withdraw(group, host));
    active = this;
    this.#groups.forEach((group) => enter(group, host));
  }

  /** Notes that control came to `pc`, perhaps translates it, and returns its entry or 0. */
  arriveAt(pc: number, host: FramedMemory): number {
    if (this.#untranslatable.has(pc)) return 0;
    this.#pending.add(pc);
    this.#arrivals++;
    if (this.#arrivals < this.#patience) return 0;
    this.#translate(host);
    this.#pending.clear();
    this.#arrivals = 0;
    return host.jumpTable[pc >>> 2];
  }

  /**
   * Notes that control goes on at `pc`, inside a block that it left for want of a page. Where that happens again,
   * as in a leaf's program that is run for every leaf, the code from there to the next entry becomes groups of its
   * own: `step` would execute hundreds of instructions of an unrolled loop for each page. They end where an
   * address is a multiple of {@linkcode REST_BYTES}, so that what follows is shared by all that begin before.
   */
  resumeAt(pc: number, host: FramedMemory): void {
    const resumes = (this.#resumes.get(pc) ?? 0) + 1;
    this.#resumes.set(pc, resumes);
    if (resumes !== LEAST_RESUMES) return;
    const isEntry = (pc: number) => host.jumpTable[pc >>> 2] !== 0;
    const read = readerOf(host);
    for (let start = pc; !isEntry(start) && this.#hasRoom;) {
      const end = start - start % REST_BYTES + REST_BYTES;
      const blocks = findBlocks(
        [start],
        (pc) => pc === end ? null : read(pc),
        isEntry,
        MAX_REST_BLOCKS,
      );
      if (blocks.every((block) => block.start !== start)) return;
      this.#rests++;
      const number = this.#groups.length + 1;
      this.#put(number, blocks, new Set([start]), host, true);
      if (!blocks.some((block) => exitsOf(block).includes(end))) return;
      start = end;
    }
  }

  get #hasRoom(): boolean {
    return this.#rests < MAX_RESTS && this.#groups.length < MAX_FUNCTIONS;
  }

  /** Translates the pending places, with the newest group if they go into one. */
  #translate(host: FramedMemory): void {
    const read = readerOf(host);
    for (const pc of [...this.#pending]) {
      if (findBlocks([pc], read, () => true, 1).length > 0) continue;
      this.#untranslatable.add(pc);
      this.#pending.delete(pc);
    }
    if (this.#pending.size === 0) return;
    const wholes = this.#groups.filter(({ isRest }) => !isRest);
    const newest = wholes.pop();
    const isIn = (groups: readonly Group[]) => (pc: number) =>
      groups.some(({ entries }) => entries.has(pc));
    if (newest !== undefined) {
      const roots = new Set([...newest.roots, ...this.#pending]);
      // One block more than fits shows whether all of them do.
      const blocks = findBlocks(roots, read, isIn(wholes), MAX_BLOCKS + 1);
      if (blocks.length <= MAX_BLOCKS) {
        withdraw(newest, host);
        this.#patience = Math.min(2 * this.#patience, MAX_PATIENCE);
        return this.#put(newest.number, blocks, roots, host);
      }
      wholes.push(newest);
    }
    if (this.#groups.length === MAX_FUNCTIONS) {
      this.#pending.forEach((pc) => this.#untranslatable.add(pc));
      return;
    }
    this.#patience = 1;
    const roots = new Set(this.#pending);
    const blocks = findBlocks(roots, read, isIn(wholes), MAX_BLOCKS);
    this.#put(this.#groups.length + 1, blocks, roots, host);
  }

  /** Translates blocks to the group of that number. */
  #put(
    number: number,
    blocks: readonly Block[],
    roots: ReadonlySet<number>,
    host: FramedMemory,
    isRest = false,
  ): void {
    const starts = entriesOf(blocks, roots);
    const { bytes, entries } = emitFunction(blocks, starts, number);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      host: { memory: host.wasm, functions: host.functions },
    });
    const run = instance.exports.run as TranslatedFunction;
    const group = { number, roots, blocks, entries, run, isRest };
    this.#groups[number - 1] = group;
    enter(group, host);
  }
}

function enter(group: Group, { functions, jumpTable }: FramedMemory): void {
  const { number, entries, run, isRest } = group;
  functions.set(number, run);
  for (const [pc, id] of entries) {
    // A whole loop is better than one that is entered in the middle.
    if (isRest && jumpTable[pc >>> 2] !== 0) continue;
    jumpTable[pc >>> 2] = number * 2 ** ENTRY_BITS + id;
  }
}

/** Reads the code of the program that runs. */
function readerOf(host: FramedMemory): CodeReader {
  return (pc) => {
    try {
      return host.instruction(pc);
    } catch {
      // Code of a graft whose content is missing: `step` says so if it is ever executed.
      return null;
    }
  };
}

function withdraw({ entries }: Group, host: FramedMemory): void {
  for (const pc of entries.keys()) host.jumpTable[pc >>> 2] = 0;
}

const translations = new Map<string, Translation>();

/** The translation of a memory's program, one of the last that were used or a new one. */
export function translationOf(memory: Memory): Translation {
  const key = memory.fieldRoot("program").toHex();
  const translation = translations.get(key) ?? new Translation();
  translations.delete(key);
  translations.set(key, translation);
  for (const oldest of translations.keys()) {
    if (translations.size <= MAX_PROGRAMS) break;
    translations.delete(oldest);
  }
  return translation;
}

/** Drops every translation: they belong to the host they were made with. */
export function forgetTranslations(): void {
  translations.clear();
  active = undefined;
}
