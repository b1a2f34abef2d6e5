/**
 * Vector instructions for the operations of the op table, eight lanes at a time.
 *
 * Each takes its arguments in the smallest kind that holds arguments and result, so that arithmetic modulo
 * 2^16, 2^32 or 2^64 gives the exact value. WebAssembly has no shift by a different count in each lane:
 * requantization's shift is a multiplication by a power of two whose high word is the result where counts
 * are in the ranges of `assumptionOf`, else two shifts for each vector. What has no instruction goes lane by lane through the scalar operations.
 */
import type { Code, PlainOp } from "../../fpvm/mod.ts";
import type { Expr, Op } from "../ir.ts";
import type { Interval } from "../kernel/intervals.ts";
import { emitFloatOp, isFloatOp } from "./lane_float.ts";
import { emitByLane } from "./lane_scalar.ts";
import {
  asKind,
  highWords,
  type IntegerKind,
  kindOf,
  type LaneKind,
  type Lanes,
  makeLanes,
  pushLane,
  shapeOf,
} from "./lane_value.ts";

/** The arguments of one operation. */
export interface LaneArgs {
  readonly exprs: readonly Expr[];
  readonly intervals: readonly Interval[];
  readonly result: Interval;
  readonly isVarying: (argument: number) => boolean;
  readonly value: (argument: number) => Lanes;
  readonly as: (argument: number, kind: LaneKind) => Lanes;
  /** Whether varying shift counts are in the ranges of `assumptionOf`. */
  readonly assumes: boolean;
  /** `shiftPowers` of an argument. */
  readonly powers: (argument: number) => Lanes;
  /** Pushes an argument that all neighbours share. */
  readonly scalar: (argument: number) => void;
  /** An f32 argument with the right bits of every NaN. */
  readonly exact: (argument: number) => Lanes;
  /** Whether a NaN of an f32 argument is the canonical one. */
  readonly isCanonical: (argument: number) => boolean;
  /** All ones where a condition holds. */
  readonly mask: (argument: number, kind: LaneKind) => Lanes;
}

const compares = ["eq", "ne", "lt_s", "le_s", "lt_u", "le_u", "lt", "le"];
const nameOf = (op: Op) => op.slice(4);

/** Whether an operation is a comparison. */
export function isCompare(op: Op): boolean {
  return compares.includes(nameOf(op));
}

/** Emits one operation; a comparison gives all ones instead of 1 where `asMask`. */
export function emitLaneOp(
  code: Code,
  op: Op,
  args: LaneArgs,
  asMask = false,
): Lanes {
  const name = nameOf(op);
  if (isCompare(op)) {
    const masks = isFloatOp(op)
      ? emitFloatOp(code, op, args)
      : emitCompare(code, op, args);
    return asMask ? masks : makeLanes(code, masks.kind, (i) => {
      const kind = masks.kind as IntegerKind;
      code.get(masks.vectors[i]).i32({ i16: 15, i32: 31, i64: 63 }[kind]);
      code.op(`${shapeOf[kind]}.shr_u`);
    });
  }
  if (isFloatOp(op)) return emitFloatOp(code, op, args);
  switch (name) {
    case "add":
    case "sub":
    case "and":
    case "or":
    case "xor":
      return emitPlain(code, name, args);
    case "min_s":
    case "max_s":
      return emitExtreme(code, name, args);
    case "neg": {
      const kind = kindOf(args.result, ...args.intervals);
      const x = args.as(0, kind);
      return makeLanes(code, kind, (i) => {
        code.get(x.vectors[i]).op(`${shapeOf[kind]}.neg`);
      });
    }
    case "mul":
    case "mul_wide_s":
      return emitProduct(code, args);
    case "extend_s":
      return args.value(0);
    case "extend_u":
      if (args.intervals[0].lo >= 0n) return args.value(0);
      break;
    case "wrap":
      return wrapLanes(code, args);
    case "shl":
    case "shr_s":
    case "shr_u": {
      const shifted = emitShift(code, op, args);
      if (shifted) return shifted;
      break;
    }
    case "select": {
      const kind = kindOf(args.intervals[1], args.intervals[2]);
      const mask = args.mask(0, kind);
      const [a, b] = [args.as(1, kind), args.as(2, kind)];
      return makeLanes(code, kind, (i) => {
        code.get(a.vectors[i]).get(b.vectors[i]).get(mask.vectors[i]);
        code.op("v128.bitselect");
      });
    }
  }
  return emitByLane(code, op, args.as);
}

function emitPlain(
  code: Code,
  name: "add" | "sub" | "and" | "or" | "xor",
  args: LaneArgs,
): Lanes {
  const kind = kindOf(args.result, ...args.intervals);
  const [a, b] = [args.as(0, kind), args.as(1, kind)];
  const bitwise = name === "and" || name === "or" || name === "xor";
  return makeLanes(code, kind, (i) => {
    code.get(a.vectors[i]).get(b.vectors[i]);
    if (bitwise) code.op(`v128.${name}`);
    else code.op(`${shapeOf[kind]}.${name}`);
  });
}

function emitExtreme(
  code: Code,
  name: "min_s" | "max_s",
  args: LaneArgs,
): Lanes {
  const kind = kindOf(args.result, ...args.intervals);
  const [a, b] = [args.as(0, kind), args.as(1, kind)];
  return makeLanes(code, kind, (i) => {
    code.get(a.vectors[i]).get(b.vectors[i]);
    if (kind !== "i64") {
      code.op(`${shapeOf[kind] as "i32x4"}.${name}`);
      return;
    }
    code.get(a.vectors[i]).get(b.vectors[i]);
    code.op(
      name === "min_s" ? "i64x2.lt_s" : "i64x2.gt_s",
      "v128.bitselect",
    );
  });
}

/** Products: 16 bits by 16 to 32 and 32 by 32 to 64 have instructions of their own. */
function emitProduct(code: Code, args: LaneArgs): Lanes {
  const from = kindOf(...args.intervals);
  const need = kindOf(args.result);
  if (from !== "i64" && need === "i64") {
    return emitWide(code, args, "i64", "i32");
  }
  if (from === "i16" && need === "i32") {
    return emitWide(code, args, "i32", "i16");
  }
  const kind = kindOf(args.result, ...args.intervals);
  const [a, b] = [args.as(0, kind), args.as(1, kind)];
  return makeLanes(code, kind, (i) => {
    code.get(a.vectors[i]).get(b.vectors[i]).op(`${shapeOf[kind]}.mul`);
  });
}

function emitWide(
  code: Code,
  args: LaneArgs,
  kind: "i32" | "i64",
  from: "i16" | "i32",
): Lanes {
  const [a, b] = [args.as(0, from), args.as(1, from)];
  return makeLanes(code, kind, (i) => {
    code.get(a.vectors[i >> 1]).get(b.vectors[i >> 1]);
    const part = i % 2 === 0 ? "low" : "high";
    code.op(
      kind === "i64"
        ? `i64x2.extmul_${part}_i32x4_s`
        : `i32x4.extmul_${part}_i16x8_s`,
    );
  });
}

function wrapLanes(code: Code, args: LaneArgs): Lanes {
  const value = args.value(0);
  return value.kind === "i64" ? asKind(code, value, "i32") : value;
}

function emitCompare(code: Code, op: Op, args: LaneArgs): Lanes {
  const name = nameOf(op);
  const unsigned = name.endsWith("_u");
  const natural = args.intervals.every((x) => x.lo >= 0n);
  let kind = kindOf(...args.intervals);
  if (unsigned && !natural) {
    if (op.startsWith("i64")) {
      const flags = emitByLane(code, op, args.as);
      return makeLanes(code, flags.kind, (i) => {
        code.get(flags.vectors[i]).op(`${shapeOf[flags.kind]}.neg`);
      });
    }
    kind = "i32";
  }
  const signed = unsigned && natural ? name.replace("_u", "_s") : name;
  const [a, b] = [args.as(0, kind), args.as(1, kind)];
  return makeLanes(code, kind, (i) => {
    code.get(a.vectors[i]).get(b.vectors[i]);
    code.op(`${shapeOf[kind]}.${signed}` as PlainOp);
  });
}

// --- shifts ----------------------------------------------------------------------------------------

function emitShift(code: Code, op: Op, args: LaneArgs): Lanes | undefined {
  const name = nameOf(op) as "shl" | "shr_s" | "shr_u";
  const wide = op.startsWith("i64");
  if (args.isVarying(1)) {
    if (op === "i64.shr_s") {
      return args.assumes ? shiftByProduct(code, args) : shiftEach(code, args);
    }
    const [x] = args.exprs;
    const isOne = x.kind === "const" && x.value === 1n;
    return args.assumes && op === "i64.shl" && isOne
      ? powerOfTwo(code, args)
      : undefined;
  }
  const count = args.exprs[1];
  if (op === "i64.shr_s" && count.kind === "const") {
    const words = shiftToWords(code, args, Number(count.value) & 63);
    if (words) return words;
  }
  const kind = wide ? "i64" : "i32";
  const x = args.as(0, kind);
  return makeLanes(code, kind, (i) => {
    code.get(x.vectors[i]);
    args.scalar(1);
    code.op(`${shapeOf[kind]}.${name}`);
  });
}

/** x >> count by high words, where the result fits them; vectors of i64 have no shift of their own on x86. */
function shiftToWords(
  code: Code,
  args: LaneArgs,
  count: number,
): Lanes | undefined {
  const x = args.value(0);
  if (x.kind === "i64" && count < 32) {
    const room = 1n << BigInt(31 + count);
    const [{ lo, hi }] = args.intervals;
    if (lo < -room || hi >= room) return undefined;
    return highWords(
      code,
      makeLanes(code, "i64", (i) => {
        code.get(x.vectors[i]).i32(32 - count).op("i64x2.shl");
      }),
    );
  }
  if (x.kind !== "i64" && count < 32) return undefined;
  const high = x.kind === "i64" ? highWords(code, x) : asKind(code, x, "i32");
  return makeLanes(code, "i32", (i) => {
    code.get(high.vectors[i]).i32(x.kind === "i64" ? count - 32 : 31);
    code.op("i32x4.shr_s");
  });
}

/** 2^count as i32x4, for counts in 0..30: an exponent made by hand, exact as an integer. */
function pushPower(code: Code): void {
  code.i32(127).op("i32x4.splat", "i32x4.add").i32(23).op("i32x4.shl");
  code.op("i32x4.trunc_sat_f32x4_s");
}

/** 2^(64 - s) as i32x4 for counts s in 34..62. */
export function shiftPowers(code: Code, counts: Lanes): Lanes {
  return makeLanes(code, "i32", (i) => {
    code.i32(64).op("i32x4.splat").get(counts.vectors[i]).op("i32x4.sub");
    pushPower(code);
  });
}

/** x >> s for s in 34..62: the high word of x, times 2^(64 - s), and of that the high word. */
function shiftByProduct(code: Code, args: LaneArgs): Lanes {
  const high = highWords(code, args.as(0, "i64"));
  const powers = args.powers(1);
  const product = makeLanes(code, "i64", (i) => {
    code.get(high.vectors[i >> 1]).get(powers.vectors[i >> 1]);
    code.op(
      i % 2 === 0 ? "i64x2.extmul_low_i32x4_s" : "i64x2.extmul_high_i32x4_s",
    );
  });
  return highWords(code, product);
}

/** x >> s for any s: each vector is shifted by the counts of both its lanes, of which each keeps its own. */
function shiftEach(code: Code, args: LaneArgs): Lanes {
  const [x, counts] = [args.as(0, "i64"), args.as(1, "i32")];
  return makeLanes(code, "i64", (i) => {
    for (let lane = 2 * i; lane < 2 * i + 2; lane++) {
      code.get(x.vectors[i]);
      pushLane(code, counts, lane);
      code.op("i64x2.shr_s");
    }
    code.shuffle([0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31]);
  });
}

/** 1 << s for s in 32..62: 2^(s - 32) in the high word. */
function powerOfTwo(code: Code, args: LaneArgs): Lanes {
  const counts = args.as(1, "i32");
  const powers = makeLanes(code, "i32", (i) => {
    code.get(counts.vectors[i]).i32(-32).op("i32x4.splat", "i32x4.add");
    pushPower(code);
  });
  return makeLanes(code, "i64", (i) => {
    const at = 8 * (i % 2);
    const word = (w: number) => [0, 1, 2, 3].map((byte) => at + 4 * w + byte);
    const zero = [16, 17, 18, 19];
    code.get(powers.vectors[i >> 1]).v128(new Uint8Array(16));
    code.shuffle([...zero, ...word(0), ...zero, ...word(1)]);
  });
}
