/**
 * The WebAssembly target: a kernel becomes a module with one function that computes a part of the result.
 *
 * The module imports `env.memory` and exports `run(operand addresses ..., result address, iteration,
 * begin, end, scratch)`. The work is cut into units, [begin, end) of which are computed, so that threads
 * share a node; `scratch` is the address of memory of the thread's own. Only what the kernel's body, extents and update say is computed; an update
 * kernel expects the old tensor at the result address. Addresses are multiples of 16, never 0, and 16
 * bytes behind every operand may be read, whatever they hold.
 */
import { type FunctionRef, WasmModule } from "../../fpvm/mod.ts";
import { elementCount, type Kernel } from "../ir.ts";
import { updatesInPlace } from "../kernel/in_place.ts";
import { Contractions } from "./contraction.ts";
import { type EmitContext, Emitter } from "./emitter.ts";
import { flatten } from "./flatten.ts";
import { inlineCalls } from "./inline_calls.ts";
import { LaneFacts } from "./lane_facts.ts";
import { layOutForLanes } from "./channel_layout.ts";
import { emitLaneNest, planLanes } from "./lane_nest.ts";
import { emitMatrixNest, scratchBytes } from "./matrix_nest.ts";
import { type MatrixSchedule, type Pack, planMatrix } from "./matrix_plan.ts";
import { flattenKernel, Nest } from "./nest.ts";
import { emitScalarNest, scalarCut, TILE } from "./scalar_nest.ts";
import { Storage } from "./storage.ts";

/** A kernel as WebAssembly; plain data. */
export interface WasmKernel {
  readonly module: Uint8Array<ArrayBuffer>;
  /** Work may be cut anywhere in [0, units); all of it is begin 0, end units. */
  readonly units: number;
  /** Parts of a multiple of so many units lose no time. */
  readonly grain: number;
  /** Bytes of memory that each thread wants for itself; see `run`'s last parameter. */
  readonly scratch: number;
  /** How the one operand that `run` wants packed is packed; its address is then that of the packed bytes. */
  readonly pack?: Pack;
  /** Operand that an update may share its memory with; absent where the old tensor must be kept. */
  readonly inPlace?: number;
}

/** What the memory that kernels import looks like. */
export interface WasmTarget {
  /** Shared between threads; default false. */
  readonly shared?: boolean;
  /** Most pages of 64 KiB; default 65536. */
  readonly maxPages?: number;
  /** Operands that are constants: one of them may be wanted packed; default none. */
  readonly constants?: readonly number[];
  /** What of a schedule is not left to the compiler. */
  readonly schedule?: Partial<MatrixSchedule>;
}

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
  const way = emitRun(module, complete, target);
  return {
    module: module.encode(),
    ...way,
    ...(kernel.update && updatesInPlace(kernel)
      ? { inPlace: kernel.update.operand }
      : {}),
  };
}

/** Emits `run` in the fastest way that knows the kernel. */
function emitRun(
  module: WasmModule,
  context: EmitContext,
  { constants = [], schedule = {} }: WasmTarget,
): Pick<WasmKernel, "units" | "grain" | "scratch" | "pack"> {
  const { kernel } = context;
  const inlined = inlineCalls(kernel);
  const vectors = inlined &&
    (emitMatrix(module, { ...context, kernel: inlined }, constants, schedule) ??
      emitLanes(module, { ...context, kernel: inlined }, constants));
  if (vectors) return vectors;
  const { shape } = kernel.result;
  const whole = flattenKernel(kernel);
  const contractions = new Contractions(kernel, whole.flat.dependences);
  const cut = scalarCut(shape);
  const tile = cut < 0 ? undefined : contractions.tileable(whole.body);
  const nest = new Nest(module, context, whole, cut);
  if (elementCount(shape) > 0) emitScalarNest(nest, contractions, tile);
  return {
    units: cut < 0 ? 1 : shape[cut],
    scratch: 0,
    grain: tile && cut === shape.length - 1 ? TILE : 1,
  };
}

/** Emits `run` by register tiles, where the body has a product with a constant. */
function emitMatrix(
  module: WasmModule,
  context: EmitContext,
  constants: readonly number[],
  schedule: Partial<MatrixSchedule>,
): Pick<WasmKernel, "units" | "grain" | "scratch" | "pack"> | undefined {
  const { kernel } = context;
  const whole = flattenKernel(kernel);
  const facts = new LaneFacts(kernel, whole.body, true);
  const plan = planMatrix(kernel, facts, whole.body, constants, schedule);
  if (!plan) return undefined;
  emitMatrixNest(new Nest(module, context, whole, -1), facts, plan);
  const { units, pack } = plan;
  return { units, grain: 1, scratch: scratchBytes(plan), pack };
}

/** Emits `run` by lanes, where they can do it. */
function emitLanes(
  module: WasmModule,
  context: EmitContext,
  constants: readonly number[],
): Pick<WasmKernel, "units" | "grain" | "scratch" | "pack"> | undefined {
  const laidOut = layOutForLanes(context.kernel, constants);
  const kernel = laidOut?.kernel ?? context.kernel;
  const whole = flattenKernel(kernel);
  const contractions = new Contractions(kernel, whole.flat.dependences);
  const facts = new LaneFacts(kernel, whole.body, true);
  const plan = planLanes(kernel, facts, whole.body, contractions);
  if (!plan) return undefined;
  const nest = new Nest(module, { ...context, kernel }, whole, plan.cut);
  if (elementCount(kernel.result.shape) > 0) emitLaneNest(nest, facts, plan);
  const { units, grain } = plan;
  return {
    units,
    grain,
    scratch: 0,
    ...(laidOut ? { pack: laidOut.pack } : {}),
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
