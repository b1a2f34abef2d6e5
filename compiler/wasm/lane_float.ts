/**
 * Vector instructions for the operations of the op table that take or give f32, eight lanes at a time.
 *
 * WebAssembly's f32x4 is binary32 with subnormals, lane by lane the same as scalar f32. Only the bits of a
 * NaN are open; see `nan_facts.ts`.
 */
import type { Code, PlainOp } from "../../fpvm/mod.ts";
import { CANONICAL_NAN, type Expr, type Op } from "../ir.ts";
import type { LaneArgs } from "./lane_ops.ts";
import { emitByLane } from "./lane_scalar.ts";
import { kindOf, type Lanes, makeLanes } from "./lane_value.ts";

/** Whether an operation takes or gives f32. */
export const isFloatOp = (op: Op): boolean => op.includes("f32");

/** Emits one operation on f32; a comparison gives all ones where it holds. */
export function emitFloatOp(code: Code, op: Op, args: LaneArgs): Lanes {
  const name = op.slice(4);
  switch (op) {
    case "f32.eq":
    case "f32.ne":
    case "f32.lt":
    case "f32.le": {
      const [a, b] = [args.as(0, "f32"), args.as(1, "f32")];
      return makeLanes(code, "i32", (i) => {
        code.get(a.vectors[i]).get(b.vectors[i]);
        code.op(`f32x4.${name}` as PlainOp);
      });
    }
    case "f32.add":
    case "f32.sub":
    case "f32.mul":
    case "f32.div": {
      const [a, b] = [args.as(0, "f32"), args.as(1, "f32")];
      return arithmetic(code, (i) => {
        code.get(a.vectors[i]).get(b.vectors[i]);
        code.op(`f32x4.${name}` as PlainOp);
      });
    }
    case "f32.min":
    case "f32.max":
      return emitExtreme(code, name as "min" | "max", args);
    case "f32.sqrt":
    case "f32.neg":
    case "f32.abs":
    case "f32.floor":
    case "f32.ceil":
    case "f32.trunc":
    case "f32.nearest": {
      const x = args.as(0, "f32");
      return arithmetic(code, (i) => {
        code.get(x.vectors[i]).op(`f32x4.${name}` as PlainOp);
      });
    }
    case "f32.select":
      return emitSelect(code, args);
    case "f32.of_bits":
      return { kind: "f32", vectors: args.as(0, "i32").vectors };
    case "i32.bits_of_f32":
      return { kind: "i32", vectors: args.exact(0).vectors };
    case "i32.from_f32": {
      const x = args.as(0, "f32");
      return makeLanes(code, "i32", (i) => {
        code.get(x.vectors[i]).op("i32x4.trunc_sat_f32x4_s");
      });
    }
    case "f32.from_i64":
      if (kindOf(args.intervals[0]) === "i64") break;
      return fromWords(code, args);
    case "f32.from_i32":
      return fromWords(code, args);
  }
  return emitByLane(code, op, args.as);
}

/** Vectors whose NaNs may have any bits. */
function arithmetic(code: Code, push: (vector: number) => void): Lanes {
  return { ...makeLanes(code, "f32", push), anyNan: true };
}

function fromWords(code: Code, args: LaneArgs): Lanes {
  const x = args.as(0, "i32");
  return makeLanes(code, "f32", (i) => {
    code.get(x.vectors[i]).op("f32x4.convert_i32x4_s");
  });
}

/** The bits of an f32 constant that is no NaN. */
function numberOf(expr: Expr): number | undefined {
  if (expr.kind !== "const") return undefined;
  const bits = Number(expr.value);
  return (bits & 0x7fffffff) <= 0x7f800000 ? bits : undefined;
}

/**
 * The lesser or the greater. Instructions for that take seven operations on x86; beside a constant c one is
 * enough: pmax(x, c) is c where x < c, else x, so a NaN stays and equals have the same bits, but for zeros.
 * max(x, +0) gets its +0 from an addition; min(x, -0) goes the long way.
 */
function emitExtreme(code: Code, name: "min" | "max", args: LaneArgs): Lanes {
  const numbers = args.exprs.map(numberOf);
  const side = numbers[1] !== undefined ? 1 : 0;
  const bits = numbers[side];
  const [x, c] = [args.as(1 - side, "f32"), args.as(side, "f32")];
  const isShort = bits !== undefined &&
    !(name === "min" && bits === -(2 ** 31));
  return arithmetic(code, (i) => {
    code.get(x.vectors[i]).get(c.vectors[i]);
    code.op(isShort ? `f32x4.p${name}` : `f32x4.${name}`);
    if (isShort && name === "max" && bits === 0) {
      code.v128(new Uint8Array(16)).op("f32x4.add");
    }
  });
}

/** Moves bits: NaNs are made canonical first where one side may hold moved ones. */
function emitSelect(code: Code, args: LaneArgs): Lanes {
  const isOpen = args.isCanonical(1) && args.isCanonical(2);
  const side = (i: number) => isOpen ? args.as(i, "f32") : args.exact(i);
  const mask = args.mask(0, "i32");
  const [a, b] = [side(1), side(2)];
  const { exprs: [, , other] } = args;
  const lanes = makeLanes(code, "f32", (i) => {
    if (other.kind === "const" && Number(other.value) === 0) {
      code.get(a.vectors[i]).get(mask.vectors[i]).op("v128.and");
      return;
    }
    code.get(a.vectors[i]).get(b.vectors[i]).get(mask.vectors[i]);
    code.op("v128.bitselect");
  });
  return { ...lanes, anyNan: a.anyNan || b.anyNan };
}

const CANONICAL = new Uint8Array(
  Int32Array.of(...Array(4).fill(CANONICAL_NAN)).buffer,
);

/** The same values, every NaN being the canonical one. */
export function canonicalLanes(code: Code, { vectors }: Lanes): Lanes {
  return makeLanes(code, "f32", (i) => {
    code.get(vectors[i]).v128(CANONICAL);
    code.get(vectors[i]).get(vectors[i]).op("f32x4.eq", "v128.bitselect");
  });
}
