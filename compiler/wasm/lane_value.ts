/**
 * Eight neighbours in vector registers: how they are held, converted, loaded and stored.
 *
 * An integer is held in the smallest kind that its interval allows: i16 in one register, i32 in two, i64 in
 * four, lane 0 first, sign-extended; an f32 in two. Only widths are decided here, never a value.
 */
import type { Code, Local, PlainOp } from "../../fpvm/mod.ts";
import type { DType } from "../ir.ts";
import type { Interval } from "../kernel/intervals.ts";

/** How lanes of integers are held. */
export type IntegerKind = "i16" | "i32" | "i64";
/** How lanes are held. */
export type LaneKind = IntegerKind | "f32";

/** Neighbours that one value holds. */
export const LANES = 8;

/** The vectors of eight neighbours. */
export interface Lanes {
  readonly kind: LaneKind;
  readonly vectors: readonly Local[];
  /** Whether f32 NaNs may have any bits where the canonical ones are meant. */
  readonly anyNan?: boolean;
}

/** Registers of each kind. */
export const vectorsOf = {
  i16: 1,
  i32: 2,
  i64: 4,
  f32: 2,
} as const satisfies Record<
  LaneKind,
  number
>;
/** Name of the instructions of each kind. */
export const shapeOf = {
  i16: "i16x8",
  i32: "i32x4",
  i64: "i64x2",
  f32: "f32x4",
} as const satisfies Record<LaneKind, string>;

/** The smallest kind that holds every value of the intervals. */
export function kindOf(...intervals: readonly Interval[]): IntegerKind {
  const fits = (bits: bigint) =>
    intervals.every(({ lo, hi }) =>
      lo >= -(1n << (bits - 1n)) && hi < 1n << (bits - 1n)
    );
  return fits(16n) ? "i16" : fits(32n) ? "i32" : "i64";
}

/** Bytes of the low words, or halves, of two vectors laid end to end. */
const LOW_WORDS = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];
const HIGH_WORDS = LOW_WORDS.map((byte) => byte + 4);
const LOW_HALVES = [0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29];
const BYTES_OF_HALVES = [0, 2, 4, 6, 8, 10, 12, 14];
const BYTES_OF_WORDS = [0, 4, 8, 12, 16, 20, 24, 28];

/** Makes new vectors, each by code that pushes one. */
export function makeLanes(
  code: Code,
  kind: LaneKind,
  push: (vector: number) => void,
): Lanes {
  const vectors = Array.from({ length: vectorsOf[kind] }, (_, i) => {
    push(i);
    const local = code.local("v128");
    code.set(local);
    return local;
  });
  return { kind, vectors };
}

/** The same integers in another kind; narrowing keeps low bits. */
export function asKind(code: Code, lanes: Lanes, kind: LaneKind): Lanes {
  const { kind: from, vectors } = lanes;
  if (from === kind) return lanes;
  if (from === "i16") {
    const words = makeLanes(code, "i32", (i) => {
      code.get(vectors[0]).op(
        i === 0 ? "i32x4.extend_low_i16x8_s" : "i32x4.extend_high_i16x8_s",
      );
    });
    return asKind(code, words, kind);
  }
  if (from === "i32" && kind === "i64") {
    return makeLanes(code, "i64", (i) => {
      code.get(vectors[i >> 1]).op(
        i % 2 === 0 ? "i64x2.extend_low_i32x4_s" : "i64x2.extend_high_i32x4_s",
      );
    });
  }
  if (from === "i64") {
    return asKind(code, wordsOf(code, lanes, LOW_WORDS), kind);
  }
  return makeLanes(code, "i16", () => {
    code.get(vectors[0]).get(vectors[1]).shuffle(LOW_HALVES);
  });
}

/** The high 32 bits of each i64. */
export function highWords(code: Code, lanes: Lanes): Lanes {
  return wordsOf(code, lanes, HIGH_WORDS);
}

function wordsOf(code: Code, { vectors }: Lanes, bytes: number[]): Lanes {
  return makeLanes(code, "i32", (i) => {
    code.get(vectors[2 * i]).get(vectors[2 * i + 1]).shuffle(bytes);
  });
}

/** One scalar in every lane; `push` leaves an f32 for that kind, else an i32, or an i64 where `wide`. */
export function splatLanes(
  code: Code,
  kind: LaneKind,
  wide: boolean,
  push: () => void,
): Lanes {
  push();
  if (wide && kind !== "i64") code.op("i32.wrap_i64");
  if (!wide && kind === "i64") code.op("i64.extend_i32_s");
  code.op(`${shapeOf[kind]}.splat`);
  const local = code.local("v128");
  code.set(local);
  return { kind, vectors: Array(vectorsOf[kind]).fill(local) };
}

const loads: Partial<
  Record<
    DType,
    readonly [LaneKind, Parameters<Code["memory"]>[0], bytes: number]
  >
> = {
  bool: ["i16", "v128.load8x8_u", 8],
  i8: ["i16", "v128.load8x8_s", 8],
  u8: ["i16", "v128.load8x8_u", 8],
  i16: ["i16", "v128.load", 16],
  u16: ["i32", "v128.load16x4_u", 8],
  i32: ["i32", "v128.load", 16],
  i64: ["i64", "v128.load", 16],
  f32: ["f32", "v128.load", 16],
};

/** Element types that lanes can hold. */
export function holdsDType(dtype: DType): boolean {
  return loads[dtype] !== undefined;
}

/** Loads eight neighbours that lie one behind the other, `offset` bytes behind an address. */
export function loadLanes(
  code: Code,
  dtype: DType,
  address: Local,
  offset: number,
): Lanes {
  const [kind, name, bytes] = loads[dtype]!;
  return makeLanes(code, kind, (i) => {
    code.get(address).memory(name, offset + i * bytes, 0);
    if (dtype === "bool") asFlags(code);
  });
}

/** Loads eight elements, each from the address that `push` leaves, plus an offset. */
export function gatherLanes(
  code: Code,
  dtype: DType,
  push: (lane: number) => number,
): Lanes {
  const bits = dtype === "i64"
    ? 64
    : dtype === "i32" || dtype === "f32"
    ? 32
    : dtype === "i16" || dtype === "u16"
    ? 16
    : 8;
  const raw = code.local("v128");
  const perVector = Math.min(8, 128 / bits);
  const gather = (vector: number) => {
    code.v128(new Uint8Array(16)).set(raw);
    for (let lane = 0; lane < perVector; lane++) {
      const offset = push(vector * perVector + lane);
      code.get(raw).laneMemory(
        `v128.load${bits}_lane` as "v128.load8_lane",
        offset,
        lane,
      ).set(raw);
    }
  };
  switch (dtype) {
    case "i64":
    case "i32":
    case "i16":
    case "f32":
      return makeLanes(code, dtype, (i) => {
        gather(i);
        code.get(raw);
      });
    case "u16":
      gather(0);
      return makeLanes(code, "i32", (i) => {
        code.get(raw).op(
          i === 0 ? "i32x4.extend_low_i16x8_u" : "i32x4.extend_high_i16x8_u",
        );
      });
    default:
      gather(0);
      return makeLanes(code, "i16", () => {
        code.get(raw).op(
          dtype === "i8"
            ? "i16x8.extend_low_i8x16_s"
            : "i16x8.extend_low_i8x16_u",
        );
        if (dtype === "bool") asFlags(code);
      });
  }
}

/** i16x8 on the stack to 1 where it is not 0. */
function asFlags(code: Code): void {
  code.v128(new Uint8Array(16)).op("i16x8.ne").i32(15).op("i16x8.shr_u");
}

/** Stores eight neighbours; low bits are kept, as a scalar store does. NaNs must be right. */
export function storeLanes(
  code: Code,
  dtype: DType,
  lanes: Lanes,
  address: Local,
  offset: number,
): void {
  const { kind } = lanes;
  switch (dtype) {
    case "bool": {
      const flags = makeLanes(code, kind, (i) => {
        code.get(lanes.vectors[i]).v128(new Uint8Array(16));
        code.op(`${shapeOf[kind]}.ne`);
      });
      // A mask's low byte is -1 or 0.
      storeBytes(code, asKind(code, flags, "i16"), address, offset, true);
      return;
    }
    case "i8":
    case "u8":
      storeBytes(
        code,
        kind === "i64" ? asKind(code, lanes, "i32") : lanes,
        address,
        offset,
        false,
      );
      return;
    case "i16":
    case "u16":
      storeVectors(code, asKind(code, lanes, "i16"), address, offset);
      return;
    case "i32":
      storeVectors(code, asKind(code, lanes, "i32"), address, offset);
      return;
    case "f32":
      storeVectors(code, lanes, address, offset);
      return;
    default:
      storeVectors(code, asKind(code, lanes, "i64"), address, offset);
  }
}

function storeVectors(
  code: Code,
  { vectors }: Lanes,
  address: Local,
  offset: number,
): void {
  vectors.forEach((vector, i) => {
    code.get(address).get(vector).memory("v128.store", offset + 16 * i, 0);
  });
}

function storeBytes(
  code: Code,
  { kind, vectors }: Lanes,
  address: Local,
  offset: number,
  flags: boolean,
): void {
  const bytes = kind === "i16" ? BYTES_OF_HALVES : BYTES_OF_WORDS;
  code.get(address).get(vectors[0]).get(vectors[vectors.length - 1]);
  code.shuffle([...bytes, ...bytes]);
  if (flags) code.v128(new Uint8Array(16).fill(1)).op("v128.and");
  code.laneMemory("v128.store64_lane", offset, 0);
}

/** Pushes one lane as an i32, or an i64 or f32 where that is its kind. */
export function pushLane(
  code: Code,
  { kind, vectors }: Lanes,
  lane: number,
): void {
  const each = LANES / vectors.length;
  code.get(vectors[Math.floor(lane / each)]);
  const name: PlainOp | string = kind === "i16"
    ? "i16x8.extract_lane_s"
    : `${shapeOf[kind]}.extract_lane`;
  code.lane(name as "i32x4.extract_lane", lane % each);
}
