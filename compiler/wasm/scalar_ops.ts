/**
 * WebAssembly for each operation of the op table, its arguments being on the stack.
 *
 * WebAssembly agrees with the table but for division (it traps), i64 shift counts (i64) and NaN bits:
 * arithmetic on f32 leaves any NaN here; the emitter makes it canonical where somebody can see its bits
 * (see `leavesAnyNan`).
 */
import type { Code, Local, PlainOp } from "../../fpvm/mod.ts";
import type { Op, Scalar } from "../ir.ts";

/** Locals that an operation may overwrite: three of each type. */
export type Scratch = Readonly<Record<Scalar, readonly [Local, Local, Local]>>;

/** Appends one operation. */
export type EmitOp = (code: Code, scratch: Scratch) => void;

const plain = (...names: PlainOp[]): EmitOp => (code) => code.op(...names);

const negate = (type: "i32" | "i64"): EmitOp => (code, scratch) => {
  const [x] = scratch[type];
  code.set(x)[type](0).get(x).op(`${type}.sub`);
};

const extreme = (type: "i32" | "i64", compare: PlainOp): EmitOp => {
  return (code, scratch) => {
    const [a, b] = scratch[type];
    code.set(b).tee(a).get(b).get(a).get(b).op(compare, "select");
  };
};

const select = (type: Scalar): EmitOp => (code, scratch) => {
  const [a, b] = scratch[type];
  const condition = scratch.i32[2];
  code.set(b).set(a).set(condition).get(a).get(b).get(condition).op("select");
};

/** x / 0 = x and MIN / -1 = MIN: both divisors go another way than the trapping instruction. */
const divideSigned = (type: "i32" | "i64"): EmitOp => (code, scratch) => {
  const [a, b] = scratch[type];
  code.set(b).set(a).get(b)[type](1).op(`${type}.add`)[type](1);
  code.op(`${type}.le_u`).if(
    () => {
      code.get(a)[type](0).get(a).op(`${type}.sub`);
      code.get(b).op(`${type}.eqz`, "select");
    },
    () => code.get(a).get(b).op(`${type}.div_s`),
    type,
  );
};

/** The instruction where b != 0, else x (division) or 0 (remainder). */
const guardZero = (
  type: "i32" | "i64",
  name: "div_u" | "rem_s" | "rem_u",
): EmitOp => {
  return (code, scratch) => {
    const [a, b] = scratch[type];
    code.set(b).set(a).get(b).op(`${type}.eqz`).if(
      () => name === "div_u" ? code.get(a) : code[type](0),
      () => code.get(a).get(b).op(`${type}.${name}`),
      type,
    );
  };
};

const multiplyWide = (extend: PlainOp): EmitOp => (code, scratch) => {
  const [b] = scratch.i32;
  code.set(b).op(extend).get(b).op(extend, "i64.mul");
};

const shift64 = (name: PlainOp): EmitOp => plain("i64.extend_i32_u", name);

const dot4: EmitOp = (code, scratch) => {
  const [a, b] = scratch.i32;
  code.set(b).set(a);
  for (let byte = 0; byte < 4; byte++) {
    for (const x of [a, b]) {
      code.get(x).i32(8 * byte).op("i32.shr_u", "i32.extend8_s");
    }
    code.op("i32.mul");
    if (byte > 0) code.op("i32.add");
  }
};

/** How each operation is done; a missing one is a type error. */
export const scalarOps = {
  "i32.add": plain("i32.add"),
  "i32.sub": plain("i32.sub"),
  "i32.mul": plain("i32.mul"),
  "i32.neg": negate("i32"),
  "i32.min_s": extreme("i32", "i32.lt_s"),
  "i32.max_s": extreme("i32", "i32.gt_s"),
  "i32.and": plain("i32.and"),
  "i32.or": plain("i32.or"),
  "i32.xor": plain("i32.xor"),
  "i32.shl": plain("i32.shl"),
  "i32.shr_s": plain("i32.shr_s"),
  "i32.shr_u": plain("i32.shr_u"),
  "i32.div_s": divideSigned("i32"),
  "i32.div_u": guardZero("i32", "div_u"),
  "i32.rem_s": guardZero("i32", "rem_s"),
  "i32.rem_u": guardZero("i32", "rem_u"),
  "i32.clz": plain("i32.clz"),
  "i32.eq": plain("i32.eq"),
  "i32.ne": plain("i32.ne"),
  "i32.lt_s": plain("i32.lt_s"),
  "i32.lt_u": plain("i32.lt_u"),
  "i32.le_s": plain("i32.le_s"),
  "i32.le_u": plain("i32.le_u"),
  "i32.select": select("i32"),
  "i32.dot4_s": dot4,
  "i32.mul_wide_s": multiplyWide("i64.extend_i32_s"),
  "i32.mul_wide_u": multiplyWide("i64.extend_i32_u"),
  "i64.extend_s": plain("i64.extend_i32_s"),
  "i64.extend_u": plain("i64.extend_i32_u"),
  "i32.wrap": plain("i32.wrap_i64"),
  "i64.add": plain("i64.add"),
  "i64.sub": plain("i64.sub"),
  "i64.mul": plain("i64.mul"),
  "i64.neg": negate("i64"),
  "i64.min_s": extreme("i64", "i64.lt_s"),
  "i64.max_s": extreme("i64", "i64.gt_s"),
  "i64.and": plain("i64.and"),
  "i64.or": plain("i64.or"),
  "i64.xor": plain("i64.xor"),
  "i64.shl": shift64("i64.shl"),
  "i64.shr_s": shift64("i64.shr_s"),
  "i64.shr_u": shift64("i64.shr_u"),
  "i64.div_s": divideSigned("i64"),
  "i64.div_u": guardZero("i64", "div_u"),
  "i64.rem_s": guardZero("i64", "rem_s"),
  "i64.rem_u": guardZero("i64", "rem_u"),
  "i64.eq": plain("i64.eq"),
  "i64.ne": plain("i64.ne"),
  "i64.lt_s": plain("i64.lt_s"),
  "i64.lt_u": plain("i64.lt_u"),
  "i64.le_s": plain("i64.le_s"),
  "i64.le_u": plain("i64.le_u"),
  "i64.select": select("i64"),
  "f32.add": plain("f32.add"),
  "f32.sub": plain("f32.sub"),
  "f32.mul": plain("f32.mul"),
  "f32.div": plain("f32.div"),
  "f32.sqrt": plain("f32.sqrt"),
  "f32.neg": plain("f32.neg"),
  "f32.abs": plain("f32.abs"),
  "f32.min": plain("f32.min"),
  "f32.max": plain("f32.max"),
  "f32.floor": plain("f32.floor"),
  "f32.ceil": plain("f32.ceil"),
  "f32.trunc": plain("f32.trunc"),
  "f32.nearest": plain("f32.nearest"),
  "f32.eq": plain("f32.eq"),
  "f32.ne": plain("f32.ne"),
  "f32.lt": plain("f32.lt"),
  "f32.le": plain("f32.le"),
  "f32.select": select("f32"),
  "f32.from_i32": plain("f32.convert_i32_s"),
  "f32.from_i64": plain("f32.convert_i64_s"),
  "i32.from_f32": plain("i32.trunc_sat_f32_s"),
  "i64.from_f32": plain("i64.trunc_sat_f32_s"),
  "i32.bits_of_f32": plain("i32.reinterpret_f32"),
  "f32.of_bits": plain("f32.reinterpret_i32"),
} as const satisfies Record<Op, EmitOp>;

/** Operations that move bits or cannot yield NaN, among those with an f32 result. */
const exactResults: ReadonlySet<Op> = new Set<Op>([
  "f32.select",
  "f32.from_i32",
  "f32.from_i64",
  "f32.of_bits",
]);

/** Whether the operation may leave a NaN other than the canonical one. */
export function leavesAnyNan(op: Op): boolean {
  return op.startsWith("f32.") && !yieldsI32(op) && !exactResults.has(op);
}

/** Whether the operation reads the bits of its f32 arguments, so that their NaNs must be canonical. */
export function readsNanBits(op: Op): boolean {
  return op === "f32.select" || op === "i32.bits_of_f32";
}

function yieldsI32(op: Op): boolean {
  return op === "f32.eq" || op === "f32.ne" || op === "f32.lt" ||
    op === "f32.le";
}
