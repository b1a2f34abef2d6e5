/** Operations without a vector instruction: lane by lane, through the scalar ones. */
import type { Code, Local } from "../../fpvm/mod.ts";
import { type Op, ops, type Scalar } from "../ir.ts";
import {
  type LaneKind,
  LANES,
  type Lanes,
  makeLanes,
  pushLane,
  shapeOf,
  vectorsOf,
} from "./lane_value.ts";
import { scalarOps, type Scratch } from "./scalar_ops.ts";

const scratches = new WeakMap<Code, Scratch>();

function scratchOf(code: Code): Scratch {
  let scratch = scratches.get(code);
  if (!scratch) {
    const three = (type: Scalar): [Local, Local, Local] => [
      code.local(type),
      code.local(type),
      code.local(type),
    ];
    scratch = { i32: three("i32"), i64: three("i64"), f32: three("f32") };
    scratches.set(code, scratch);
  }
  return scratch;
}

/** Emits one operation; arguments come in the kind of their type. */
export function emitByLane(
  code: Code,
  op: Op,
  as: (argument: number, kind: LaneKind) => Lanes,
): Lanes {
  const row = ops[op];
  const lanes = row.args.map((type, i) => as(i, type));
  const kind: LaneKind = row.result;
  const each = LANES / vectorsOf[kind];
  return makeLanes(code, kind, (vector) => {
    code.v128(new Uint8Array(16));
    for (let i = 0; i < each; i++) {
      for (const arg of lanes) pushLane(code, arg, vector * each + i);
      scalarOps[op](code, scratchOf(code));
      code.lane(`${shapeOf[kind]}.replace_lane` as "i32x4.replace_lane", i);
    }
  });
}
