/**
 * What every way of computing a result shares: the function, its parameters, and the box of indices.
 *
 * `run(operand addresses ..., result address, iteration, begin, end, scratch)` computes the part
 * [begin, end) of the work, cut along one axis or as a plan says. `scalar_nest.ts`, `lane_nest.ts` and
 * `matrix_nest.ts` are the ways.
 */
import type { Code, Local, WasmModule } from "../../fpvm/mod.ts";
import { dtypes, elementCount, type Expr, type Kernel } from "../ir.ts";
import { mapParts } from "../kernel/parts.ts";
import { emitConstant, type EmitContext, Emitter } from "./emitter.ts";
import { type FlatBody, flatten, pointerName } from "./flatten.ts";

/** Indices [from, to) are computed; [max(from, to), end) are zeros. */
export interface Box {
  readonly from: Local;
  readonly to: Local;
  readonly end?: Local;
}

/** A kernel's body and the address of its result, flat together so that both are hoisted alike. */
export interface FlatKernel {
  readonly body: Expr;
  readonly address: Expr;
  readonly flat: FlatBody;
}

/** The result's address is one more load address. */
export function flattenKernel(kernel: Kernel): FlatKernel {
  const { shape } = kernel.result;
  const indices = shape.map((_, axis): Expr => ({ kind: "axis", axis }));
  const operand = kernel.operands.length;
  const place: Expr = { kind: "load", operand, index: indices };
  const both: Expr = { kind: "call", fn: "", args: [kernel.body, place] };
  const operands = [...kernel.operands, kernel.result];
  const flat = flatten({ operands }, both);
  const [body, stored] = partsOf(flat.body);
  return { body, address: partsOf(stored)[0], flat };
}

/** The function `run` under construction. */
export class Nest {
  readonly code: Code;
  readonly emitter: Emitter;
  readonly kernel: Kernel;
  readonly body: Expr;
  readonly address: Expr;
  readonly iteration: Local;
  readonly begin: Local;
  readonly end: Local;
  /** Address of memory that this thread may use. */
  readonly scratch: Local;
  readonly #result: Local;

  constructor(
    module: WasmModule,
    readonly context: EmitContext,
    { body, address, flat }: FlatKernel,
    /** The axis that work is cut along; -1 where it is not cut along one. */
    readonly cut: number,
  ) {
    const kernel = this.kernel = context.kernel;
    const count = kernel.operands.length;
    const params = Array.from({ length: count + 5 }, () => "i32" as const);
    this.code = module.function(params, [], "run");
    this.#result = count;
    this.iteration = count + 1;
    this.begin = count + 2;
    this.end = count + 3;
    this.scratch = count + 4;
    this.body = body;
    this.address = address;
    this.emitter = new Emitter(this.code, context, flat, this.iteration);
    for (let operand = 0; operand <= count; operand++) {
      this.emitter.bind(pointerName(operand), operand);
    }
  }

  /** Computes and stores one element; every axis is open. */
  element(): void {
    this.emitter.emit(this.address);
    this.emitter.emitCanonical(this.body);
    this.context.storage.store(this.code, this.kernel.result.dtype);
  }

  /** Which indices along an axis are computed, and where zeros follow them. */
  box(axis: number): Box {
    const { result, extents, update } = this.kernel;
    const code = this.code;
    const [from, to] = [code.local("i32"), code.local("i32")];
    const whole = code.local("i32");
    if (axis === this.cut) {
      code.get(this.begin).set(from).get(this.end).set(to);
    } else {
      code.i32(0).set(from).i32(result.shape[axis]).set(to);
    }
    const range = update?.ranges[axis];
    if (range) {
      const first = this.#widened(range.first);
      const last = this.#widened(range.count);
      // first + max(count, 0) in 64 bits: it does not wrap.
      code.get(last).i64(0).get(last).i64(0).op("i64.gt_s", "select");
      code.get(first).op("i64.add").set(last);
      this.#clamp(from, first, "i64.gt_s");
      this.#clamp(to, last, "i64.lt_s");
      return { from, to };
    }
    const extent = extents?.[axis];
    if (!extent) return { from, to };
    const limit = this.#widened(extent);
    code.get(to).set(whole);
    this.#clamp(to, limit, "i64.lt_s");
    return { from, to, end: whole };
  }

  /** An i32 expression over the iteration, as i64 in a local. */
  #widened(expr: Expr): Local {
    const flat = flatten(this.kernel, expr);
    const emitter = new Emitter(
      this.code,
      this.context,
      flat,
      this.iteration,
    );
    const local = this.code.local("i64");
    emitter.emit(flat.body);
    this.code.op("i64.extend_i32_s").set(local);
    return local;
  }

  /** Moves `bound` to `value` where that is further in, but not below 0. */
  #clamp(
    bound: Local,
    value: Local,
    further: "i64.gt_s" | "i64.lt_s",
  ): void {
    const code = this.code;
    code.get(value).get(bound).op("i64.extend_i32_s", further).if(() => {
      code.get(value).i64(0).get(value).i64(0).op("i64.gt_s", "select");
      code.op("i32.wrap_i64").set(bound);
    });
  }

  /** Fills the elements from the extent to the end of an axis, all inner axes included, with zeros. */
  clear(axis: number, { from, to, end }: Box): void {
    const { shape, dtype } = this.kernel.result;
    const code = this.code;
    const start = code.local("i32");
    const strides = shape.map((_, a) =>
      elementCount(shape.slice(a + 1)) * dtypes[dtype].bytes
    );
    code.get(from).get(to).get(from).get(to).op("i32.gt_s", "select");
    code.set(start).get(this.#result);
    for (let a = 0; a < axis; a++) {
      code.get(this.emitter.axes[a]).i32(strides[a]).op("i32.mul", "i32.add");
    }
    code.get(start).i32(strides[axis]).op("i32.mul", "i32.add");
    emitConstant(code, "i32", 0);
    code.get(end!).get(start).op("i32.sub").i32(strides[axis]).op("i32.mul");
    code.memoryFill();
  }

  /** Runs `body` for each index from `index`'s value up to `to`. */
  each(index: Local, to: Local, step: number, body: () => void): void {
    const code = this.code;
    const left = () => code.get(index).i32(step).op("i32.add").get(to);
    left().op("i32.le_s").if(() =>
      code.loop((again) => {
        body();
        code.get(index).i32(step).op("i32.add").set(index);
        left().op("i32.le_s").brIf(again);
      })
    );
  }
}

function partsOf(expr: Expr): Expr[] {
  const parts: Expr[] = [];
  mapParts(expr, (part) => {
    parts.push(part);
    return part;
  });
  return parts;
}
