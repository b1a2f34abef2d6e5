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
  findBlocks,
} from "./translate_blocks.ts";
import { emitFunction, type TranslatedFunction } from "./translate_function.ts";
import { ENTRY_BITS, MAX_BLOCKS, MAX_FUNCTIONS } from "./translate_layout.ts";
import type { DecodedCode, FramedMemory } from "./translate_memory.ts";

/** Programs whose translation is kept. */
const MAX_PROGRAMS = 32;
/** Most arrivals at code that is not translated before it is. */
const MAX_PATIENCE = 64;

/** A group of blocks and its function. */
interface Group {
  readonly number: number;
  readonly roots: ReadonlySet<number>;
  readonly blocks: readonly Block[];
  readonly entries: ReadonlyMap<number, number>;
  readonly run: TranslatedFunction;
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

  /** Translates the pending places, with the newest group if they go into one. */
  #translate(host: FramedMemory): void {
    const read: CodeReader = (pc) => {
      try {
        return host.instruction(pc);
      } catch {
        // Code of a graft whose content is missing: `step` says so if it is ever executed.
        return null;
      }
    };
    for (const pc of [...this.#pending]) {
      if (findBlocks([pc], read, () => true, 1).length > 0) continue;
      this.#untranslatable.add(pc);
      this.#pending.delete(pc);
    }
    if (this.#pending.size === 0) return;
    const newest = this.#groups.at(-1);
    const others = this.#groups.slice(0, -1);
    const isIn = (groups: readonly Group[]) => (pc: number) =>
      groups.some(({ entries }) => entries.has(pc));
    if (newest !== undefined) {
      const roots = new Set([...newest.roots, ...this.#pending]);
      // One block more than fits shows whether all of them do.
      const blocks = findBlocks(roots, read, isIn(others), MAX_BLOCKS + 1);
      if (blocks.length <= MAX_BLOCKS) {
        withdraw(newest, host);
        this.#groups.pop();
        this.#patience = Math.min(2 * this.#patience, MAX_PATIENCE);
        return this.#add(blocks, roots, host);
      }
    }
    if (this.#groups.length === MAX_FUNCTIONS) {
      this.#pending.forEach((pc) => this.#untranslatable.add(pc));
      return;
    }
    this.#patience = 1;
    const roots = new Set(this.#pending);
    const blocks = findBlocks(roots, read, isIn(this.#groups), MAX_BLOCKS);
    this.#add(blocks, roots, host);
  }

  #add(
    blocks: readonly Block[],
    roots: ReadonlySet<number>,
    host: FramedMemory,
  ): void {
    const number = this.#groups.length + 1;
    const starts = entriesOf(blocks, roots);
    const { bytes, entries } = emitFunction(blocks, starts, number);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      host: { memory: host.wasm, functions: host.functions },
    });
    const run = instance.exports.run as TranslatedFunction;
    const group = { number, roots, blocks, entries, run };
    this.#groups.push(group);
    enter(group, host);
  }
}

function enter({ number, entries, run }: Group, host: FramedMemory): void {
  host.functions.set(number, run);
  for (const [pc, id] of entries) {
    host.jumpTable[pc >>> 2] = number * 2 ** ENTRY_BITS + id;
  }
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
