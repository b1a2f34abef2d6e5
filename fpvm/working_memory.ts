/**
 * The machine's memory while `run` runs: decoded code and recent pages in arrays that never move.
 *
 * Pages are copied in when `step` first touches them and written back to the tree when another page takes the
 * slot, when a load or save replaces them, and at the end, if they were written to. A page with unopened small
 * grafts in it gets no slot; its words are read and written in the tree.
 */

import type { PreparedInstruction } from "./instructions.ts";
import { CODE_END, type MachineMemory, type Memory } from "./memory.ts";

const PAGE_WORDS = 1024;
/** Slots for pages of data: 4 MiB. Found by a hash, since regions start at multiples of any smaller power of two. */
const SLOT_BITS = 10;
const SLOTS = 2 ** SLOT_BITS;
/** Slots for pages of code, by page number modulo their count. */
const CODE_SLOTS = 64;

/** Slot of the page that holds an address. */
export const slotOf = (address: number): number =>
  Math.imul(address >>> 12, 0x9e3779b1) >>> (32 - SLOT_BITS);

/** An instruction in two words, not both zero for those that need not be asked for again. */
type Pack = (instruction: PreparedInstruction) => readonly [number, number];

/** See the head of this file. One memory of the machine at a time is attached. */
export class WorkingMemory implements MachineMemory {
  /** Page in each slot, -1 for none. */
  readonly tags = new Int32Array(SLOTS).fill(-1);
  /** The same, for pages that differ from the tree or are about to. */
  readonly writable = new Int32Array(SLOTS).fill(-1);
  readonly frames = new Int32Array(SLOTS * PAGE_WORDS);
  /** Page of code in each slot, -1 for none. */
  readonly codeTags = new Int32Array(CODE_SLOTS).fill(-1);
  /** Two words an instruction; zero where none was executed yet. */
  readonly code = new Int32Array(CODE_SLOTS * PAGE_WORDS * 2);
  #decodedCode: object | null = null;
  #memory: Memory | null = null;

  constructor(readonly pack: Pack) {}

  get isAttached(): boolean {
    return this.#memory !== null;
  }

  attach(memory: Memory): void {
    this.#memory = memory;
    if (this.#decodedCode === memory.decodedCode) return;
    this.#decodedCode = memory.decodedCode;
    this.codeTags.fill(-1);
  }

  /** Writes everything back and gives all slots up. */
  detach(): void {
    for (let slot = 0; slot < SLOTS; slot++) this.#evict(slot);
    this.#memory = null;
  }

  instruction(pc: number): PreparedInstruction | null {
    const instruction = this.#memory!.instruction(pc);
    const page = pc >>> 12;
    const slot = page & (CODE_SLOTS - 1);
    if (this.codeTags[slot] !== page) {
      this.codeTags[slot] = page;
      this.code.fill(0, slot * 2 * PAGE_WORDS, (slot + 1) * 2 * PAGE_WORDS);
    }
    if (instruction !== null) {
      const at = slot * 2 * PAGE_WORDS + ((pc >>> 1) & 2046);
      this.code.set(this.pack(instruction), at);
    }
    return instruction;
  }

  load32(address: number): number {
    const at = this.#wordAt(address);
    return at < 0 ? this.#memory!.load32(address) : this.frames[at];
  }

  store32(address: number, value: number): void {
    const at = this.#wordAt(address);
    if (at < 0 || address >>> 0 < CODE_END) {
      this.#evict(slotOf(address));
      return this.#memory!.store32(address, value);
    }
    const slot = slotOf(address);
    if (this.writable[slot] !== address >>> 12) {
      // What throws, throws here, before anything has changed: writing back may not.
      this.#memory!.openWay(address);
      this.writable[slot] = address >>> 12;
    }
    this.frames[at] = value;
  }

  leaf(address: number): Uint8Array {
    const words = new Int32Array(8);
    for (let i = 0; i < 8; i++) words[i] = this.load32((address & ~31) + 4 * i);
    return new Uint8Array(words.buffer);
  }

  storeLeaf(address: number, leaf: Uint8Array): void {
    const words = new Int32Array(leaf.slice().buffer);
    words.forEach((word, i) => this.store32((address & ~31) + 4 * i, word));
  }

  graft(address: number, height: number, root: Uint8Array): void {
    this.#evictRange(address, height);
    this.#memory!.graft(address, height, root);
  }

  save(address: number, height: number): Uint8Array {
    this.#evictRange(address, height);
    return this.#memory!.save(address, height);
  }

  /** Index in `frames` of the word at an address, after copying its page in; -1 where it cannot have a slot. */
  #wordAt(address: number): number {
    const page = address >>> 12;
    const slot = slotOf(address);
    if (this.tags[slot] !== page) {
      const words = this.#memory!.page(address);
      if (words === null) return -1;
      this.#evict(slot);
      this.frames.set(words, slot * PAGE_WORDS);
      this.tags[slot] = page;
    }
    return slot * PAGE_WORDS + ((address >>> 2) & (PAGE_WORDS - 1));
  }

  #evict(slot: number): void {
    if (this.writable[slot] >= 0) this.#writeBack(slot);
    this.tags[slot] = -1;
  }

  #writeBack(slot: number): void {
    const at = slot * PAGE_WORDS;
    const words = this.frames.subarray(at, at + PAGE_WORDS);
    this.#memory!.storePage(this.writable[slot] * 4096, words);
    this.writable[slot] = -1;
  }

  /** Evicts every page that shares a byte with the subtree at an address. */
  #evictRange(address: number, height: number): void {
    const first = address >>> 12;
    const end = first + Math.max(1, 2 ** (height - 7));
    for (let slot = 0; slot < SLOTS; slot++) {
      const page = this.tags[slot];
      if (page >= first && page < end) this.#evict(slot);
    }
  }
}
