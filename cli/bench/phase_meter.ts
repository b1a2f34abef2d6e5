/** What a dispute costs one player: hashes and time of an honest party, memory that a program holds. */
import { type Claims, Party } from "../../dispute/mod.ts";
import {
  copyProcessor,
  hashedNodes,
  type MachineMemory,
  type Memory,
  STATUS,
  step,
  type VmState,
} from "../../fpvm/mod.ts";

const PAGE_BYTES = 4096;

/** Counts over stretches of work; what is inside another stretch counts once. */
class Meter {
  /** Nodes of Merkle trees that were hashed. */
  hashes = 0;
  seconds = 0;
  #open = false;

  measure<T>(work: () => T): T {
    if (this.#open) return work();
    this.#open = true;
    const [hashed, started] = [hashedNodes(), performance.now()];
    try {
      return work();
    } finally {
      this.hashes += hashedNodes() - hashed;
      this.seconds += (performance.now() - started) / 1000;
      this.#open = false;
    }
  }
}

/** An honest party whose every answer is metered. */
export class MeteredParty extends Party {
  readonly meter = new Meter();

  override stateRoot(i: bigint) {
    return this.meter.measure(() => super.stateRoot(i));
  }

  override openNode(step: bigint) {
    return this.meter.measure(() => super.openNode(step));
  }

  override openFinish(step: bigint) {
    return this.meter.measure(() => super.openFinish(step));
  }

  override resultNode(step: bigint, level: number, index: number) {
    return this.meter.measure(() => super.resultNode(step, level, index));
  }

  override leaf(step: bigint, index: number): ReturnType<Claims["leaf"]> {
    const claims = this.meter.measure(() => super.leaf(step, index));
    return {
      opening: claims.opening,
      stateHash: (m) => this.meter.measure(() => claims.stateHash(m)),
      witness: (m) => this.meter.measure(() => claims.witness(m)),
    };
  }
}

/** Memory that counts the pages in use: touched, and not replaced or saved since. */
class CountedMemory implements MachineMemory {
  readonly #used = new Uint8Array(2 ** 32 / PAGE_BYTES);
  #count = 0;
  peak = 0;

  constructor(private readonly memory: Memory) {}

  #touch(address: number): void {
    const page = address >>> 12;
    if (this.#used[page] !== 0) return;
    this.#used[page] = 1;
    if (++this.#count > this.peak) this.peak = this.#count;
  }

  /** Whole pages of a subtree that goes. */
  #drop(address: number, height: number): void {
    const first = Math.ceil(address / PAGE_BYTES);
    const end = Math.floor((address + 32 * 2 ** height) / PAGE_BYTES);
    for (let page = first; page < end; page++) {
      this.#count -= this.#used[page];
      this.#used[page] = 0;
    }
  }

  instruction(pc: number) {
    this.#touch(pc);
    return this.memory.instruction(pc);
  }

  load32(address: number) {
    this.#touch(address);
    return this.memory.load32(address);
  }

  store32(address: number, value: number) {
    this.#touch(address);
    this.memory.store32(address, value);
  }

  leaf(address: number) {
    this.#touch(address);
    return this.memory.leaf(address);
  }

  storeLeaf(address: number, leaf: Uint8Array) {
    this.#touch(address);
    this.memory.storeLeaf(address, leaf);
  }

  graft(address: number, height: number, root: Uint8Array) {
    this.#drop(address >>> 0, height);
    this.memory.graft(address, height, root);
  }

  save(address: number, height: number) {
    this.#drop(address >>> 0, height);
    return this.memory.save(address, height);
  }
}

/** Most bytes of memory that a program has in use at once, in pages of 4 KiB; runs it to its end. */
export function memoryInUse(start: VmState): number {
  const memory = new CountedMemory(start.memory);
  const state = { ...copyProcessor(start), memory };
  while (state.status === STATUS.running) step(state);
  return PAGE_BYTES * memory.peak;
}
