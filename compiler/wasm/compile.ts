/**
 * The WebAssembly target: a kernel becomes a module with one function that computes a part of the result.
 *
 * The module imports `env.memory` and exports `run(operand addresses ..., result address, iteration,
 * begin, end)`. The work is cut along one axis of the result; `begin` and `end` are indices along it, so
 * that threads share a node. Only what the kernel's body, extents and update say is computed; an update
 * kernel expects the old tensor at the result address. Addresses are multiples of 16, never 0, and 16
 * bytes behind every operand may be read, whatever they hold.
 */
import { type Code, type Local, WasmModule } from "../../fpvm/mod.ts";
import type { FunctionRef } from "../../fpvm/mod.ts";
import { dtypes, elementCount, type Expr, type Kernel } from "../ir.ts";
import { updatesInPlace } from "../kernel/in_place.ts";
import { Contractions } from "./contraction.ts";
import { emitConstant, type EmitContext, Emitter } from "./emitter.ts";
import { flatten, mapParts, pointerName } from "./flatten.ts";
import { Storage } from "./storage.ts";
import { Accumulators } from "./vector.ts";

/** A kernel as WebAssembly; plain data. */
export interface WasmKernel {
  readonly module: Uint8Array<ArrayBuffer>;
  /** Work may be cut anywhere in [0, units); all of it is begin 0, end units. */
  readonly units: number;
  /** Parts of a multiple of so many units lose no time. */
  readonly grain: number;
  /** Operand that an update may share its memory with; absent where the old tensor must be kept. */
  readonly inPlace?: number;
}

/** What the memory that kernels import looks like. */
export interface WasmTarget {
  /** Shared between threads; default false. */
  readonly shared?: boolean;
  /** Most pages of 64 KiB; default 65536. */
  readonly maxPages?: number;
}

/** Neighbours along the innermost axis that share a pass. */
const TILE = 8;

/** Compiles a kernel that `verifyKernel` has accepted. */
export function compileWasm(
  kernel: Kernel,
  target: WasmTarget = {},
): WasmKernel {
  const module = new WasmModule();
  module.importMemory("env", "memory", {
    min: 0,
    max: target.maxPages ?? 65536,
    shared: target.shared ?? false,
  });
  const context: EmitContext = {
    kernel,
    storage: new Storage(module),
    functions: new Map(),
  };
  const functions = new Map<string, FunctionRef>();
  const complete = { ...context, functions };
  for (const fn of kernel.functions) {
    functions.set(fn.name, emitFunction(module, complete, fn));
  }
  const nest = new Nest(module, complete);
  nest.emit();
  return {
    module: module.encode(),
    units: nest.units,
    grain: nest.grain,
    ...(kernel.update && updatesInPlace(kernel)
      ? { inPlace: kernel.update.operand }
      : {}),
  };
}

function emitFunction(
  module: WasmModule,
  context: EmitContext,
  fn: Kernel["functions"][number],
): FunctionRef {
  const code = module.function(fn.params.map((p) => p.type), [fn.result]);
  const flat = flatten(context.kernel, fn.body);
  const emitter = new Emitter(code, context, flat);
  fn.params.forEach((param, i) => emitter.bind(param.name, i));
  emitter.emitCanonical(flat.body);
  return code;
}

/** The loops over the result's axes around the kernel's body. */
class Nest {
  readonly units: number;
  readonly grain: number;
  readonly #kernel: Kernel;
  readonly #context: EmitContext;
  readonly #code: Code;
  readonly #emitter: Emitter;
  readonly #body: Expr;
  readonly #address: Expr;
  readonly #contractions: Contractions;
  /** The part of the body that a tile of neighbours shares a pass for. */
  readonly #tile?: Expr;
  /** The axis that work is cut along; -1 for a scalar result. */
  readonly #cut: number;
  readonly #iteration: Local;
  readonly #result: Local;

  constructor(module: WasmModule, context: EmitContext) {
    const kernel = this.#kernel = context.kernel;
    this.#context = context;
    const { shape } = kernel.result;
    const count = kernel.operands.length;
    const params = Array.from({ length: count + 4 }, () => "i32" as const);
    this.#code = module.function(params, [], "run");
    this.#result = count;
    this.#iteration = count + 1;
    this.#cut = cutAxis(shape);
    this.units = this.#cut < 0 ? 1 : shape[this.#cut];

    // The result's address is one more load address: hoisted like the others.
    const indices = shape.map((_, axis): Expr => ({ kind: "axis", axis }));
    const place: Expr = { kind: "load", operand: count, index: indices };
    const both: Expr = { kind: "call", fn: "", args: [kernel.body, place] };
    const flat = flatten(
      { operands: [...kernel.operands, kernel.result] },
      both,
    );
    const [body, stored] = partsOf(flat.body);
    this.#body = body;
    this.#address = partsOf(stored)[0];
    this.#contractions = new Contractions(kernel, flat.dependences);
    if (this.#cut >= 0) this.#tile = this.#contractions.tileable(body);
    this.grain = this.#tile && this.#cut === shape.length - 1 ? TILE : 1;
    this.#emitter = new Emitter(this.#code, context, flat, this.#iteration);
    for (let operand = 0; operand <= count; operand++) {
      this.#emitter.bind(pointerName(operand), operand);
    }
  }

  emit(): void {
    const { shape } = this.#kernel.result;
    const code = this.#code;
    if (elementCount(shape) === 0) return;
    if (this.#cut < 0) {
      const [begin, end] = this.#cutRange();
      code.get(begin).get(end).op("i32.lt_s").if(() => this.#element());
      return;
    }
    const boxes = shape.map((_, axis) => this.#box(axis));
    this.#loop(0, boxes);
  }

  #cutRange(): [Local, Local] {
    return [this.#iteration + 1, this.#iteration + 2];
  }

  /** Emits one axis' loop and what is inside. */
  #loop(axis: number, boxes: readonly Box[]): void {
    const code = this.#code;
    const emitter = this.#emitter;
    if (axis === boxes.length) {
      this.#element();
      return;
    }
    emitter.hoist(this.#body);
    emitter.hoist(this.#address);
    const { from, to, end } = boxes[axis];
    const index = code.local("i32");
    emitter.axes[axis] = index;
    code.get(from).set(index);
    if (axis === boxes.length - 1 && this.#tile) {
      const width = Math.min(TILE, this.#kernel.result.shape[axis]);
      if (width > 1) this.#steps(index, to, width);
      this.#steps(index, to, 1);
    } else {
      code.get(index).get(to).op("i32.lt_s").if(() =>
        code.loop((again) => {
          emitter.nest(() => this.#loop(axis + 1, boxes));
          code.get(index).i32(1).op("i32.add").tee(index);
          code.get(to).op("i32.lt_s").brIf(again);
        })
      );
    }
    if (end !== undefined) this.#clear(axis, boxes[axis]);
  }

  /** The innermost axis while `width` elements are left: one pass of the contraction for all of them. */
  #steps(index: Local, to: Local, width: number): void {
    const code = this.#code;
    const emitter = this.#emitter;
    const tile = this.#tile!;
    const type = emitter.typeOf(tile) === "f32" ? "f32" : "i32";
    const sums = new Accumulators(emitter, this.#contractions, type, width);
    const value = code.local(type);
    const whole = () =>
      code.get(index).i32(width).op("i32.add").get(to).op("i32.le_s");
    whole().if(() =>
      code.loop((again) => {
        emitter.nest(() => {
          sums.clear();
          sums.add(tile);
        });
        for (let output = 0; output < width; output++) {
          sums.total(output);
          if (type === "f32") emitter.emitCanonicalNan();
          code.set(value);
          emitter.nest(() => {
            emitter.keep(tile, value);
            this.#element();
          });
          code.get(index).i32(1).op("i32.add").set(index);
        }
        whole().brIf(again);
      })
    );
  }

  #element(): void {
    this.#emitter.emit(this.#address);
    this.#emitter.emitCanonical(this.#body);
    this.#context.storage.store(this.#code, this.#kernel.result.dtype);
  }

  /** Which indices along an axis are computed, and where zeros follow them. */
  #box(axis: number): Box {
    const { result, extents, update } = this.#kernel;
    const size = result.shape[axis];
    const code = this.#code;
    const [from, to] = [code.local("i32"), code.local("i32")];
    const whole = code.local("i32");
    if (axis === this.#cut) {
      const [begin, end] = this.#cutRange();
      code.get(begin).set(from).get(end).set(to);
    } else {
      code.i32(size).set(to);
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
    const flat = flatten(this.#kernel, expr);
    const emitter = new Emitter(
      this.#code,
      this.#context,
      flat,
      this.#iteration,
    );
    const local = this.#code.local("i64");
    emitter.emit(flat.body);
    this.#code.op("i64.extend_i32_s").set(local);
    return local;
  }

  /** Moves `bound` to `value` where that is further in, but not below 0. */
  #clamp(
    bound: Local,
    value: Local,
    further: "i64.gt_s" | "i64.lt_s",
  ): void {
    const code = this.#code;
    code.get(value).get(bound).op("i64.extend_i32_s", further).if(() => {
      code.get(value).i64(0).get(value).i64(0).op("i64.gt_s", "select");
      code.op("i32.wrap_i64").set(bound);
    });
  }

  /** Fills the elements from the extent to the end of an axis, all inner axes included, with zeros. */
  #clear(axis: number, { from, to, end }: Box): void {
    const { shape, dtype } = this.#kernel.result;
    const code = this.#code;
    const start = code.local("i32");
    const strides = shape.map((_, a) =>
      elementCount(shape.slice(a + 1)) * dtypes[dtype].bytes
    );
    code.get(from).get(to).get(from).get(to).op("i32.gt_s", "select");
    code.set(start).get(this.#result);
    for (let a = 0; a < axis; a++) {
      code.get(this.#emitter.axes[a]).i32(strides[a]).op("i32.mul", "i32.add");
    }
    code.get(start).i32(strides[axis]).op("i32.mul", "i32.add");
    emitConstant(code, "i32", 0);
    code.get(end!).get(start).op("i32.sub").i32(strides[axis]).op("i32.mul");
    code.memoryFill();
  }
}

/** Indices [from, to) are computed; [max(from, to), end) are zeros. */
interface Box {
  readonly from: Local;
  readonly to: Local;
  readonly end?: Local;
}

/** The outermost axis long enough to share out, else the longest. */
function cutAxis(shape: readonly number[]): number {
  const long = shape.findIndex((size) => size >= 16);
  return long >= 0 ? long : shape.indexOf(Math.max(...shape));
}

function partsOf(expr: Expr): Expr[] {
  const parts: Expr[] = [];
  mapParts(expr, (part) => {
    parts.push(part);
    return part;
  });
  return parts;
}
