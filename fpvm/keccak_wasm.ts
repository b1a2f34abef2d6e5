/**
 * Keccak-256 in generated WebAssembly: 64-byte nodes two at a time in the lanes of i64x2, other messages one at a time.
 *
 * Used by `tree.ts` alone. Follows FIPS 202 sections 3.2 (theta, rho, pi, chi, iota) with Keccak's own padding
 * byte 0x01. A node is less than the rate of 136 bytes, so one permutation hashes it: words 0..7 are the node,
 * word 8 is 1, word 16 is 2^63, the others are 0. Rounds go from one set of 25 lanes to another and back, a plane
 * at a time, so that few values are live at once. Measured on one machine in M nodes/s: 2.9 with rho and pi for
 * the whole state first, 4.5 so, 4.8 with the first and last round apart (which know zero lanes, and which lanes
 * are asked for); all rounds unrolled 3.5, rotations by whole bytes as shuffles no gain, JavaScript 0.18.
 */
import { type Code, type Local, WasmModule } from "./wasm_module.ts";

const ROUNDS = 24;
const LANES = 25;
/** Bytes of a message that one permutation takes up. */
const RATE = 136;
/** Round constants lie at 0, the state of a longer message after them, nodes from here; hashes overwrite the nodes from the front. */
const STATE = 8 * ROUNDS;
const NODES = 512;
const MEMORY_PAGES = 1;
/** Nodes per call: a subtree of {@linkcode CHUNK_HEIGHT} and the one node that may lie behind an odd number. */
const CHUNK = 512;
/** Height of the largest subtree that {@linkcode hashSubtree} takes: 1024 leaves, 32 KiB. */
export const CHUNK_HEIGHT = 10;

/** Iota's constants from the LFSR of FIPS 202 section 3.2.5. */
function roundConstants(): BigUint64Array {
  const constants = new BigUint64Array(ROUNDS);
  let lfsr = 1;
  for (let round = 0; round < ROUNDS; round++) {
    for (let j = 0; j <= 6; j++) {
      if (lfsr & 1) constants[round] |= 1n << BigInt(2 ** j - 1);
      lfsr = (lfsr << 1) ^ ((lfsr >> 7) * 0x171);
    }
  }
  return constants;
}

/** Rho's offset of lane x + 5 y (section 3.2.2). */
function rotations(): number[] {
  const offsets = new Array<number>(25).fill(0);
  let [x, y] = [1, 0];
  for (let t = 0; t < 24; t++) {
    offsets[x + 5 * y] = ((t + 1) * (t + 2) / 2) % 64;
    [x, y] = [y, (2 * x + 3 * y) % 5];
  }
  return offsets;
}

const OFFSETS = rotations();

/** Index of the lane that pi brings to (x, y): (x + 3 y, x), section 3.2.3. */
const sourceOf = (x: number, y: number) => (x + 3 * y) % 5 + 5 * x;

/** Local variables of a permutation: two sets of lanes and scratch. */
interface Lanes {
  readonly even: readonly Local[];
  readonly odd: readonly Local[];
  readonly parity: readonly Local[];
  readonly effect: readonly Local[];
  readonly plane: readonly Local[];
  readonly lane: Local;
  /** Address of the round's constant. */
  readonly round: Local;
}

function lanesOf(code: Code): Lanes {
  const some = (count: number) =>
    Array.from({ length: count }, () => code.local("v128"));
  return {
    even: some(LANES),
    odd: some(LANES),
    parity: some(5),
    effect: some(5),
    plane: some(5),
    lane: code.local("v128"),
    round: code.local("i32"),
  };
}

function rotateLeft(code: Code, value: Local, count: number): void {
  code.get(value);
  if (count === 0) return;
  code.i32(count).op("i64x2.shl");
  code.get(value).i32(64 - count).op("i64x2.shr_u", "v128.or");
}

/** Column parities of `a` and what theta adds to every lane of a column. */
function emitTheta(
  code: Code,
  a: readonly Local[],
  isZero: (lane: number) => boolean,
  { parity, effect }: Lanes,
): void {
  for (let x = 0; x < 5; x++) {
    const [first, ...others] = [x, x + 5, x + 10, x + 15, x + 20]
      .filter((lane) => !isZero(lane));
    code.get(a[first]);
    for (const lane of others) code.get(a[lane]).op("v128.xor");
    code.set(parity[x]);
  }
  for (let x = 0; x < 5; x++) {
    rotateLeft(code, parity[(x + 1) % 5], 1);
    code.get(parity[(x + 4) % 5]).op("v128.xor").set(effect[x]);
  }
}

/** One round from lanes `a` to lanes `to`, of which the first `wanted` are needed; its constant is at `round` + `constant`. */
function emitRound(
  code: Code,
  a: readonly Local[],
  to: readonly Local[],
  lanes: Lanes,
  constant: number,
  { isZero = () => false, wanted = LANES }: {
    isZero?: (lane: number) => boolean;
    wanted?: number;
  } = {},
): void {
  const { effect, plane, lane, round } = lanes;
  emitTheta(code, a, isZero, lanes);
  for (let y = 0; 5 * y < wanted; y++) {
    for (let x = 0; x < 5; x++) {
      const from = sourceOf(x, y);
      let source = effect[from % 5];
      if (!isZero(from)) {
        code.get(a[from]).get(source).op("v128.xor").set(lane);
        source = lane;
      }
      rotateLeft(code, source, OFFSETS[from]);
      code.set(plane[x]);
    }
    for (let x = 0; x < 5 && x + 5 * y < wanted; x++) {
      // chi
      code.get(plane[x]);
      code.get(plane[(x + 2) % 5]).get(plane[(x + 1) % 5]).op("v128.andnot");
      code.op("v128.xor");
      if (x + 5 * y === 0) {
        // iota
        code.get(round).memory("v128.load64_splat", constant).op("v128.xor");
      }
      code.set(to[x + 5 * y]);
    }
  }
}

/** Rounds from `first` to before `end`, an even number of them, from lanes `a` to `other` and back. */
function emitRounds(
  code: Code,
  a: readonly Local[],
  other: readonly Local[],
  lanes: Lanes,
  first: number,
  end: number,
): void {
  const { round } = lanes;
  code.i32(8 * first).set(round);
  code.loop((again) => {
    emitRound(code, a, other, lanes, 0);
    emitRound(code, other, a, lanes, 8);
    code.get(round).i32(16).op("i32.add").tee(round);
    code.i32(8 * end).op("i32.lt_u").brIf(again);
  });
}

/** Bytes that make a vector of the low, or high, 64-bit halves of two. */
const LOW = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const HALVES = [LOW, LOW.map((lane) => lane + 8)];

/** `hash(pairs)`: 2 * pairs nodes at NODES become as many hashes there. */
function addHash(module: WasmModule): void {
  const code = module.function(["i32"], [], "hash");
  const lanes = lanesOf(code);
  const { even, odd, round } = lanes;
  const [source, target, end] = [0, 0, 0].map(() => code.local("i32"));
  code.i32(NODES).tee(source).tee(target).get(0).i32(128).op("i32.mul");
  code.op("i32.add").set(end);
  code.loop((next) => {
    for (let word = 0; word < 8; word += 2) {
      for (const [i, half] of HALVES.entries()) {
        code.get(source).memory("v128.load", 8 * word);
        code.get(source).memory("v128.load", 64 + 8 * word);
        code.shuffle(half).set(even[word + i]);
      }
    }
    code.i64(1).op("i64x2.splat").set(even[8]);
    code.i64(1n << 63n).op("i64x2.splat").set(even[16]);
    code.i32(0).set(round);
    const isZero = (lane: number) => lane > 8 && lane !== 16;
    emitRound(code, even, odd, lanes, 0, { isZero });
    emitRounds(code, odd, even, lanes, 1, ROUNDS - 1);
    emitRound(code, odd, even, lanes, 0, { wanted: 4 });
    for (const [i, half] of HALVES.entries()) {
      for (const word of [0, 2]) {
        code.get(target).get(even[word]).get(even[word + 1]).shuffle(half);
        code.memory("v128.store", 32 * i + 8 * word);
      }
    }
    code.get(target).i32(64).op("i32.add").set(target);
    code.get(source).i32(128).op("i32.add").tee(source);
    code.get(end).op("i32.lt_u").brIf(next);
  });
}

/** `permute()`: the 25 words at STATE after 24 rounds. */
function addPermute(module: WasmModule): void {
  const code = module.function([], [], "permute");
  const lanes = lanesOf(code);
  const { even, odd } = lanes;
  even.forEach((lane, i) => {
    code.i32(STATE).memory("v128.load64_splat", 8 * i).set(lane);
  });
  emitRounds(code, even, odd, lanes, 0, ROUNDS);
  even.forEach((lane, i) => {
    code.i32(STATE).get(lane).laneMemory("v128.store64_lane", 8 * i, 0);
  });
}

interface Keccak {
  readonly memory: Uint8Array;
  readonly nodes: Uint8Array;
  readonly hash: (pairs: number) => void;
  readonly permute: () => void;
}

let instance: Keccak | undefined;

/** Compiled at the first use: 2 ms. */
function keccak(): Keccak {
  if (instance) return instance;
  const module = new WasmModule();
  module.memory({ min: MEMORY_PAGES, max: MEMORY_PAGES }, "memory");
  addHash(module);
  addPermute(module);
  const { memory, hash, permute } = new WebAssembly.Instance(
    new WebAssembly.Module(module.encode()),
  ).exports as {
    memory: WebAssembly.Memory;
    hash: (pairs: number) => void;
    permute: () => void;
  };
  new BigUint64Array(memory.buffer).set(roundConstants());
  const bytes = new Uint8Array(memory.buffer);
  return instance = {
    memory: bytes,
    nodes: bytes.subarray(NODES),
    hash,
    permute,
  };
}

let hashed = 0;

/** How many 64-byte nodes were hashed so far: what incremental roots are measured by. */
export function hashedNodes(): number {
  return hashed;
}

/** Hashes the first nodes of the scratch memory. An odd last one takes whatever lies behind it along in the other lane. */
function hashScratch({ hash }: Keccak, count: number): void {
  hashed += count;
  hash((count + 1) >>> 1);
}

/** Keccak-256 of each 64 bytes of `nodes`, 32 bytes each, laid end to end. */
export function hashNodes(nodes: Uint8Array): Uint8Array {
  const wasm = keccak();
  const hashes = new Uint8Array(nodes.length / 2);
  for (let at = 0; at < nodes.length; at += 64 * CHUNK) {
    const length = Math.min(64 * CHUNK, nodes.length - at);
    wasm.nodes.set(nodes.subarray(at, at + length));
    hashScratch(wasm, length / 64);
    hashes.set(wasm.nodes.subarray(0, length / 2), at / 2);
  }
  return hashes;
}

/**
 * Root of the subtree of `height` (1..{@linkcode CHUNK_HEIGHT}) over 1 to 32 << height bytes, zero-padded; `zeros[h]`
 * is the root of the zero subtree of height h. Every level stays in the scratch memory.
 */
export function hashSubtree(
  bytes: Uint8Array,
  height: number,
  zeros: readonly Uint8Array[],
): Uint8Array {
  const wasm = keccak();
  const { nodes } = wasm;
  nodes.set(bytes);
  let count = Math.ceil(bytes.length / 32);
  nodes.fill(0, bytes.length, 32 * count);
  for (let h = 0; h < height; h++) {
    if (count % 2 === 1) nodes.set(zeros[h], 32 * count++);
    hashScratch(wasm, count /= 2);
  }
  return nodes.slice(0, 32);
}

/** Keccak-256 of two siblings of 32 bytes each. */
export function hashSiblings(left: Uint8Array, right: Uint8Array): Uint8Array {
  const wasm = keccak();
  wasm.nodes.set(left);
  wasm.nodes.set(right, 32);
  hashScratch(wasm, 1);
  return wasm.nodes.slice(0, 32);
}

/** Keccak-256 of a message of any length. */
export function hashMessage(message: Uint8Array): Uint8Array {
  const { memory, permute } = keccak();
  memory.fill(0, STATE, STATE + 8 * LANES);
  let at = 0;
  for (; at + RATE <= message.length; at += RATE) {
    for (let i = 0; i < RATE; i++) memory[STATE + i] ^= message[at + i];
    permute();
  }
  const rest = message.length - at;
  for (let i = 0; i < rest; i++) memory[STATE + i] ^= message[at + i];
  memory[STATE + rest] ^= 0x01;
  memory[STATE + RATE - 1] ^= 0x80;
  permute();
  return memory.slice(STATE, STATE + 32);
}
