/** Small ONNX models with inputs and the reference runtime's results; see tests/fixtures/make_onnx.py. */
import type { Calibration } from "../../compiler/quantize/calibration_data.ts";
import { prepareKernel } from "../../compiler/kernel/interpreter.ts";
import { byteLength, f32FromBits } from "../../compiler/ir.ts";
import type { Model } from "../../compiler/model/model.ts";
import { readers } from "../../compiler/kernel/storage.ts";
import cases from "../fixtures/onnx_operators.json" with { type: "json" };

/** A stack of samples, the first axis. */
export interface FixtureTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: string;
}

export interface OperatorCase {
  readonly name: string;
  readonly model: string;
  readonly dims: Record<string, number>;
  readonly inputs: Record<string, FixtureTensor>;
  readonly outputs: Record<string, FixtureTensor>;
}

export const operatorCases = cases as unknown as readonly OperatorCase[];
export const samples = 3;

export const fromBase64 = (text: string): Uint8Array =>
  Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

/** The case's inputs as calibration data. */
export function calibrationOf({ inputs }: OperatorCase): Calibration {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { dtype, shape, data }]) => {
      const type = dtype === "u8" ? "u8" : "f32";
      return [name, { dtype: type, shape, bytes: fromBase64(data) }];
    }),
  );
}

/** The reference results of an output, one array for each sample. */
export function expectedOf(
  { dtype, data }: FixtureTensor,
): number[][] {
  const view = new DataView(fromBase64(data).buffer);
  const size = dtype === "int64" ? 8 : 4;
  const values = Array.from(
    { length: view.byteLength / size },
    (_, i) =>
      dtype === "int64"
        ? Number(view.getBigInt64(i * 8, true))
        : dtype === "int32"
        ? view.getInt32(i * 4, true)
        : view.getFloat32(i * 4, true),
  );
  const width = values.length / samples;
  return Array.from(
    { length: samples },
    (_, i) => values.slice(i * width, (i + 1) * width),
  );
}

/** Real values of one sample of an input, in the order in which the model eats them. */
export function inputBytes(
  model: Model,
  name: string,
  tensor: FixtureTensor,
  sample: number,
): Uint8Array {
  const input = model.inputs.find((i) => i.name === name)!;
  const { type } = model.slots[input.slot];
  const bytes = fromBase64(tensor.data);
  const size = bytes.length / samples;
  const own = bytes.slice(sample * size, (sample + 1) * size);
  if (input.accepts.kind === "image") {
    const { height, width, channels } = input.accepts;
    if (tensor.shape[2] !== channels) return own;
    // The fixture is channels-first, a picture is not.
    return Uint8Array.from(own, (_, i) => {
      const [pixel, channel] = [Math.floor(i / channels), i % channels];
      return own[channel * height * width + pixel];
    });
  }
  const { scale } = input.accepts;
  if (scale === undefined) return own;
  const view = new DataView(own.buffer);
  const stored = new DataView(new ArrayBuffer(byteLength(type)));
  for (let i = 0; i < own.length / 4; i++) {
    const x = Math.floor(view.getFloat32(4 * i, true) / scale + 0.5);
    if (type.dtype === "i8") {
      stored.setInt8(i, Math.max(-127, Math.min(127, x)));
    } else stored.setInt16(2 * i, Math.max(-32767, Math.min(32767, x)), true);
  }
  return new Uint8Array(stored.buffer);
}

/** Runs a model by the interpreter; gives the bytes of every slot. */
export function interpretModel(
  model: Model,
  inputs: ReadonlyMap<string, Uint8Array>,
): Uint8Array[] {
  const slots: Uint8Array[] = model.slots.map((slot) =>
    slot.initial?.slice() ?? new Uint8Array(byteLength(slot.type))
  );
  for (const { name, slot } of model.inputs) slots[slot] = inputs.get(name)!;
  for (const node of model.nodes) {
    const operands = node.operands.map((ref) =>
      ref.kind === "weight"
        ? model.constants[ref.index].bytes
        : ref.kind === "slot"
        ? slots[ref.index]
        : new Uint8Array()
    );
    const run = prepareKernel(model.kernels[node.kernel]);
    slots[node.result] = run(operands, 0);
  }
  return slots;
}

/** Real values of a model's outputs by name, for one sample of a case. */
export function runCase(
  model: Model,
  testCase: OperatorCase,
  sample: number,
): Map<string, number[]> {
  const inputs = new Map(
    Object.entries(testCase.inputs).map(([name, tensor]) => [
      name,
      inputBytes(model, name, tensor, sample),
    ]),
  );
  const slots = interpretModel(model, inputs);
  return new Map(model.outputs.map(({ name, slot, scale }) => {
    const { dtype } = model.slots[slot].type;
    const bytes = slots[slot];
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const size = byteLength({ dtype, shape: [1] });
    const values = Array.from({ length: bytes.length / size }, (_, i) => {
      const x = Number(readers[dtype](view, i * size));
      return (dtype === "f32" ? f32FromBits(x) : x) * scale;
    });
    return [name, values];
  }));
}
