/**
 * The compiler: model bytes in, plain data out.
 *
 * Its middle is the kernel IR. A kernel is a pure function from operand tensors to one result tensor,
 * written once; the interpreter here defines what it means, and WebAssembly, MIPS32 and further targets
 * must give the same bytes. Models are lowered to kernels with the builders, checked by the verifier
 * before anything runs them, and stored as JSON in a bundle. The compiler knows no device, file, clock or
 * network.
 *
 * `ir.ts` is the op table and the shape of a kernel, `kernel/` what kernels mean (interpreter, verifier, text and JSON),
 * `wasm/` and `mips/` the targets with `legalize/`, `conformance/` the suite every target must pass. From a model's file
 * to kernels: `import/` to the float `graph/`, `passes/`, `quantize/`, `lower/`, all called by `convert.ts`. `model/` is
 * what comes out: the executable model, its commitments and its bundle.
 *
 * @example Double and saturate bytes
 * ```ts
 * import { add, axis, clamp, defineKernel, interpret, load, operandsOf, printKernel, verifyKernel } from "./mod.ts";
 *
 * const operands = [{ dtype: "i8", shape: [4] }] as const;
 * const [x] = operandsOf(operands);
 * const value = load(x, axis(0));
 * const kernel = defineKernel({
 *   name: "double",
 *   operands,
 *   result: { dtype: "i8", shape: [4] },
 *   body: clamp(add(value, value), -128, 127),
 * });
 * verifyKernel(kernel);
 * console.log(printKernel(kernel));
 * const bytes = Uint8Array.of(1, 100, 0xff, 0x80);
 * console.log(new Int8Array(interpret(kernel, [bytes], 0))); // 2, 127, -2, -128
 * ```
 *
 * @module
 */

// The IR: element types, operations, kernels.
export {
  byteLength,
  CANONICAL_NAN,
  type Carry,
  type DType,
  dtypes,
  elementCount,
  type Expr,
  f32FromBits,
  f32ToBits,
  type Kernel,
  type Layout,
  type Loop,
  type Op,
  ops,
  type Range,
  type Scalar,
  type ScalarFunction,
  type Sum,
  type TensorType,
  typeOf,
  type UpdateRange,
  type Value,
} from "./ir.ts";

// Building kernels.
export {
  abs,
  add,
  and,
  type Arg,
  axis,
  bind,
  call,
  clamp,
  constant,
  div,
  eq,
  f32,
  f32Bits,
  ge,
  gt,
  i32,
  i64,
  iteration,
  le,
  load,
  loop,
  type LoopOptions,
  lt,
  max,
  min,
  mul,
  ne,
  neg,
  op,
  type Operand,
  operandsOf,
  or,
  rem,
  requantize,
  scalarFunction,
  scalarOf,
  select,
  shl,
  shr,
  shrU,
  sub,
  sum,
  toF32,
  widen,
  wrap,
  xor,
} from "./kernel/build.ts";
export { defineKernel, wholeAxis } from "./kernel/define.ts";

// What a kernel means, and what is known of it before it runs.
export {
  interpret,
  type PreparedKernel,
  prepareKernel,
} from "./kernel/interpreter.ts";
export { type KernelFacts, limits, verifyKernel } from "./kernel/verify.ts";
export type { Work } from "./kernel/work.ts";
export {
  type Dependence,
  type Dependences,
  dependences,
  isHoisted,
} from "./kernel/hoisting.ts";
export { updatesInPlace } from "./kernel/in_place.ts";
export { type Intervals, ITERATIONS } from "./kernel/ranges.ts";
export {
  fit,
  fullInterval,
  hull,
  type Interval,
  interval,
  isWithin,
  opInterval,
  storedIntervals,
  sumInterval,
} from "./kernel/intervals.ts";
export { offsetTables } from "./kernel/layout.ts";
export {
  narrowBf16,
  narrowF16,
  readers,
  widenBf16,
  widenF16,
  writers,
} from "./kernel/storage.ts";

// Kernels as text and as JSON.
export { printExpr, printKernel, printTensorType } from "./kernel/printer.ts";
export {
  exprToJson,
  type Json,
  kernelFromJson,
  kernelToJson,
} from "./kernel/serialize.ts";

// A model: what every executor and player takes.
export type {
  Constant,
  Input,
  InputKind,
  InputRole,
  LeafProgram,
  Model,
  Node,
  NumericsMode,
  OperandRef,
  Output,
  Schedule,
  Slot,
} from "./model/model.ts";

// Targets.
export {
  compileWasm,
  type Dot,
  fitsSevenBits,
  type MatrixSchedule,
  type Pack,
  packConstant,
  type WasmKernel,
  type WasmTarget,
} from "./wasm/mod.ts";
export {
  emitLeafProgram,
  emitModelProgram,
  emitWholeProgram,
  printLeafProgram,
} from "./mips/mod.ts";

// Commitments and the bundle.
export {
  type Commitment,
  commitModel,
  type CommittedProgram,
  metadataOf,
  resultLeaves,
  tensorHeight,
} from "./model/commit.ts";
export {
  decodeDescriptor,
  type Descriptor,
  type DescriptorLimits,
  type DescriptorOperand,
  encodeDescriptor,
  operandKinds,
} from "./model/descriptor.ts";
export {
  FORMAT_VERSION,
  modelRoot,
  type ModelRootFields,
  modelRootPreimage,
  NO_SLOT,
  parseModelRootPreimage,
  type Port,
} from "./model/model_root.ts";
export {
  graphOf,
  inPhases,
  openedSlots,
  type Phases,
  phasesOf,
} from "./model/phases.ts";
export { validateModel } from "./model/validate.ts";
export {
  bundleDigest,
  openBundle,
  type OpenedBundle,
  readBundle,
  writeBundle,
} from "./model/bundle.ts";
export type { ByteSource } from "./model/safetensors.ts";

// Language models.
export { LLAMA_7B, type LlamaShape } from "./llama/shape.ts";
export { llamaModel, type LlamaWeights } from "./llama/model.ts";

// Conversion.
export {
  type Conversion,
  convertOnnx,
  type ConvertOptions,
} from "./convert.ts";
export type {
  Calibration,
  CalibrationDType,
  CalibrationTensor,
} from "./quantize/calibration_data.ts";
export type { ConversionReport } from "./conversion_report.ts";
export { type Inspection, inspectOnnx } from "./inspect.ts";
