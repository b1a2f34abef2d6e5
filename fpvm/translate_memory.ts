/**
 * The machine's memory while translated code runs: pages in frames that the code reaches by itself.
 *
 * Pages are copied in when first touched and written back to the tree when evicted, saved over or at
 * the end, if a store marked them. They stay in their frames for the next run while the memory's version says
 * that they are the same. `step` sees the same bytes through the methods, so that any
 * instruction may be handed over to it. Small grafts in a page are opened with it; a page with one whose
 * content is missing gets no frame: its words are read and written in the tree.
 */

import type { PreparedInstruction } from "./instructions.ts";
import type { MachineMemory, Memory } from "./memory.ts";
import {
  ABSENT,
  FRAMES,
  JUMP_TABLE,
  MAX_FUNCTIONS,
  READ_TABLE,
  wasmPages,
  WRITE_TABLE,
} from "./translate_layout.ts";

const PAGES = 2 ** 20;
const PAGE_BYTES = 4096;
const CODE_WORDS = 2 ** 22;

/** Decoded words by page and word in it; null where one is no instruction, undefined where it is not decoded. */
export type DecodedCode = ((PreparedInstruction | null | undefined)[])[];

/** See the head of this file. One memory of the machine at a time is attached. */
export class FramedMemory implements MachineMemory {
  readonly wasm: WebAssembly.Memory;
  /** Translated functions by number. */
  readonly functions = new WebAssembly.Table({
    element: "anyfunc",
    initial: MAX_FUNCTIONS + 1,
    maximum: MAX_FUNCTIONS + 1,
  });
  readonly words: Int32Array;
  readonly jumpTable: Uint32Array;
  readonly #readTable: Int32Array;
  readonly #writeTable: Int32Array;
  /** Page in each frame, -1 for none. */
  readonly #pages: Int32Array;
  /** Frames from here on are empty. */
  #used = 0;
  /** Frame to be given away next: the oldest, once all are used. */
  #next = 0;
  #memory: Memory | null = null;
  #code: DecodedCode = [];
  /** Version of the memory whose pages the frames hold. */
  #version = 0;
  /** Pages that were stored to. */
  readonly #dirty = new Set<number>();
  /** Pages without a frame. */
  readonly #split = new Set<number>();

  /** With so many frames; the engine commits memory for those that are used. */
  constructor(readonly frameCount: number) {
    const size = wasmPages(frameCount);
    this.wasm = new WebAssembly.Memory({ initial: size, maximum: size });
    const { buffer } = this.wasm;
    this.words = new Int32Array(buffer);
    this.jumpTable = new Uint32Array(buffer, JUMP_TABLE, CODE_WORDS);
    this.#readTable = new Int32Array(buffer, READ_TABLE, PAGES);
    this.#writeTable = new Int32Array(buffer, WRITE_TABLE, PAGES);
    this.#pages = new Int32Array(frameCount).fill(-1);
    this.#readTable.fill(ABSENT);
    this.#writeTable.fill(ABSENT);
  }

  get isAttached(): boolean {
    return this.#memory !== null;
  }

  /** `code` keeps what is decoded of a program by word, for all memories with that program. */
  attach(memory: Memory, code: DecodedCode): void {
    if (memory.version() !== this.#version) this.#evictAll();
    this.#memory = memory;
    this.#code = code;
  }

  /** Writes everything back. The frames stay for a memory that still has the same contents. */
  detach(): void {
    for (const page of this.#dirty) this.#writeBack(page);
    this.#dirty.clear();
    this.#version = this.#memory!.version();
    this.#split.clear();
    this.#memory = null;
  }

  instruction(pc: number): PreparedInstruction | null {
    const known = this.#code[pc >>> 12]?.[(pc >>> 2) & 1023];
    return known !== undefined ? known : this.#decode(pc);
  }

  #decode(pc: number): PreparedInstruction | null {
    const page = this.#code[pc >>> 12] ??= [];
    return page[(pc >>> 2) & 1023] = this.#memory!.instruction(pc);
  }

  load32(address: number): number {
    const entry = this.#readEntry(address);
    return (entry & 1) === 0
      ? this.words[((address + entry) | 0) >>> 2]
      : this.#memory!.load32(address);
  }

  store32(address: number, value: number): void {
    const entry = this.#readEntry(address);
    if ((entry & 1) !== 0) return this.#memory!.store32(address, value);
    const page = address >>> 12;
    if (this.#writeTable[page] !== entry) {
      // What throws, throws here, before anything has changed: writing back may not.
      this.#memory!.openWay(address);
      this.#writeTable[page] = entry;
      this.#dirty.add(page);
    }
    this.words[((address + entry) | 0) >>> 2] = value;
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
    this.#split.clear();
    this.#memory!.graft(address, height, root);
  }

  save(address: number, height: number): Uint8Array {
    this.#evictRange(address, height);
    return this.#memory!.save(address, height);
  }

  /** Entry of the page that holds an address, after copying the page in where that is possible. */
  #readEntry(address: number): number {
    const page = address >>> 12;
    const entry = this.#readTable[page];
    if ((entry & 1) === 0) return entry;
    const words = this.#page(address);
    if (words === null) return ABSENT;
    const frame = this.#next;
    this.#next = (frame + 1) % this.frameCount;
    if (frame < this.#used) this.#evict(frame);
    else this.#used = frame + 1;
    this.#pages[frame] = page;
    const at = FRAMES + frame * PAGE_BYTES;
    this.words.set(words, at / 4);
    return this.#readTable[page] = (at - page * PAGE_BYTES) | 0;
  }

  /** A page's words, or null while the content of another graft inside it is missing. */
  #page(address: number): Int32Array | null {
    const words = this.#memory!.page(address);
    if (words !== null || this.#split.has(address >>> 12)) return words;
    try {
      return this.#memory!.openPage(address);
    } catch {
      // Whatever it is, it is thrown again where a program reads that graft.
      this.#split.add(address >>> 12);
      return null;
    }
  }

  #evict(frame: number): void {
    const page = this.#pages[frame];
    if (page < 0) return;
    if (this.#dirty.delete(page)) this.#writeBack(page);
    this.#readTable[page] = ABSENT;
    this.#pages[frame] = -1;
  }

  #evictAll(): void {
    for (let frame = 0; frame < this.#used; frame++) this.#evict(frame);
    this.#used = this.#next = 0;
  }

  /** Puts a page's frame into the tree; the next store to it marks it again. */
  #writeBack(page: number): void {
    const at = ((page * PAGE_BYTES + this.#readTable[page]) >>> 0) / 4;
    const words = this.words.subarray(at, at + PAGE_BYTES / 4);
    this.#memory!.storePage(page * PAGE_BYTES, words);
    this.#writeTable[page] = ABSENT;
  }

  /** Evicts every page that shares a byte with the subtree at an address. */
  #evictRange(address: number, height: number): void {
    const first = address >>> 12;
    const end = first + Math.max(1, 2 ** (height - 7));
    if (end - first < this.#used) {
      for (let page = first; page < end; page++) {
        const entry = this.#readTable[page];
        if ((entry & 1) !== 0) continue;
        const at = (page * PAGE_BYTES + entry) >>> 0;
        this.#evict((at - FRAMES) / PAGE_BYTES);
      }
      return;
    }
    for (let frame = 0; frame < this.#used; frame++) {
      const page = this.#pages[frame];
      if (page >= first && page < end) this.#evict(frame);
    }
  }
}
