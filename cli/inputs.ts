/**
 * A person's input files as the bytes a model eats: .png, .npy, .npz, .json.
 *
 * Decoding ends at u8 pixels or raw elements; normalization is in the model. What the model accepts decides which files
 * fit, so two parties with the same picture have the same input root.
 */
import { decode as decodePng } from "fast-png";
import { unzipSync } from "fflate";
import { load as loadNpy } from "npyjs";
import {
  byteLength,
  type DType,
  dtypes,
  f32ToBits,
  type Input,
  type Model,
  writers,
} from "../compiler/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import { readFile, readJson } from "./files.ts";

/** An array as a file holds it: values in row-major order. */
export interface FileArray {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: ArrayLike<number | bigint>;
}

const extensionOf = (path: string) =>
  path.slice(path.lastIndexOf(".") + 1).toLowerCase();

async function parseNpy(bytes: Uint8Array, path: string): Promise<FileArray> {
  try {
    const { dtype, shape, data, fortranOrder } = await loadNpy(
      bytes.slice().buffer,
    );
    const values = data as ArrayBufferView & ArrayLike<number | bigint>;
    if (fortranOrder && shape.length > 1) {
      throw new TypeError("it is in Fortran order");
    }
    if (values.length !== shape.reduce((a, b) => a * b, 1)) {
      throw new TypeError("it is truncated");
    }
    return { dtype, shape, values };
  } catch (cause) {
    throw new ChainLearnError(
      `Cannot read array ${path}: expected a NumPy file, found a problem: ${
        (cause as Error).message
      }`,
      { cause },
    );
  }
}

/** Every array of an .npz file by name. */
export async function readNpz(path: string): Promise<Map<string, FileArray>> {
  const bytes = await readFile(path, "arrays");
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(bytes);
  } catch (cause) {
    throw new ChainLearnError(
      `Cannot read arrays ${path}: expected an .npz file, found something else`,
      { cause },
    );
  }
  const arrays = new Map<string, FileArray>();
  for (const [name, data] of Object.entries(files)) {
    arrays.set(
      name.replace(/\.npy$/, ""),
      await parseNpy(data, `${path}:${name}`),
    );
  }
  return arrays;
}

/** u8 pixels of a PNG, row-major, height x width x channels; 16-bit and paletted files are refused. */
async function readPng(path: string, input: Input): Promise<Uint8Array> {
  if (input.accepts.kind !== "image") {
    throw new ChainLearnError(
      `Cannot take picture ${path}: input "${input.name}" expects a tensor, found a PNG`,
      {
        hint: "Give the values as .npy, .npz or .json",
      },
    );
  }
  const bytes = await readFile(path, "picture");
  let png: ReturnType<typeof decodePng>;
  try {
    png = decodePng(bytes);
  } catch (cause) {
    throw new ChainLearnError(
      `Cannot read picture ${path}: expected a PNG, found a damaged file or another kind`,
      { cause },
    );
  }
  const { height, width, channels } = input.accepts;
  const found =
    `${png.height} x ${png.width} x ${png.channels} of ${png.depth} bits${
      png.palette ? ", paletted" : ""
    }`;
  if (
    png.height !== height || png.width !== width || png.channels !== channels ||
    png.depth !== 8 || png.palette
  ) {
    throw new ChainLearnError(
      `Cannot take picture ${path}: expected ${height} x ${width} x ${channels} of 8 bits, found ${found}`,
      {
        hint:
          "Scale the picture and save it with the expected channels (1 is gray, 3 is RGB)",
      },
    );
  }
  return new Uint8Array(
    png.data.buffer,
    png.data.byteOffset,
    png.data.byteLength,
  );
}

const numpyTypes: Partial<Record<string, DType>> = {
  b1: "bool",
  i1: "i8",
  u1: "u8",
  i2: "i16",
  u2: "u16",
  i4: "i32",
  i8: "i64",
  f4: "f32",
};

/** Bytes of an array for an input: its own element type as it is, floats divided by the input's scale. */
export function arrayBytes(
  array: FileArray,
  input: Input,
  model: Model,
  path: string,
): Uint8Array {
  const { type } = model.slots[input.slot];
  const { bytes: width } = dtypes[type.dtype];
  const count = byteLength(type) / width;
  if (array.values.length !== count) {
    throw new ChainLearnError(
      `Cannot take ${path} for input "${input.name}": expected ${count} elements of [${type.shape}], found [${array.shape}]`,
    );
  }
  const floats = array.dtype.startsWith("f");
  const same = numpyTypes[array.dtype] === type.dtype;
  if (!same && !floats && array.dtype !== "json") {
    throw new ChainLearnError(
      `Cannot take ${path} for input "${input.name}": expected ${type.dtype} or floats, found NumPy type ${array.dtype}`,
    );
  }
  const scale = input.accepts.kind === "tensor" && floats
    ? input.accepts.scale
    : undefined;
  const bytes = new Uint8Array(byteLength(type));
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i++) {
    writers[type.dtype](
      view,
      i * width,
      elementOf(array.values[i], type.dtype, scale, `element ${i} of ${path}`),
    );
  }
  return bytes;
}

const integerRanges: Partial<Record<DType, readonly [number, number]>> = {
  bool: [0, 255],
  i8: [-128, 127],
  u8: [0, 255],
  i16: [-(2 ** 15), 2 ** 15 - 1],
  u16: [0, 2 ** 16 - 1],
  i32: [-(2 ** 31), 2 ** 31 - 1],
};

/** A value as the kernels' scalar of that storage type. */
function elementOf(
  value: number | bigint,
  dtype: DType,
  scale: number | undefined,
  what: string,
): number | bigint {
  if (typeof value === "bigint") return value;
  if (!Number.isFinite(value)) {
    throw new ChainLearnError(
      `Cannot take ${what}: expected a finite number, found ${value}`,
    );
  }
  if (dtypes[dtype].scalar === "f32") return f32ToBits(value);
  if (scale !== undefined) return quantize(value, scale, dtype);
  const [least, most] = integerRanges[dtype] ??
    [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new ChainLearnError(
      `Cannot take ${what}: expected a whole number in ${least} .. ${most}, found ${value}`,
    );
  }
  return dtype === "i64" ? BigInt(value) : value;
}

/** value / scale, half rounded up as everywhere in fixed mode, saturated to the symmetric range. */
function quantize(value: number, scale: number, dtype: DType): number {
  const [, most] = integerRanges[dtype] ?? [0, 2 ** 31 - 1];
  return Math.max(-most, Math.min(most, Math.floor(value / scale + 0.5)));
}

function flattenJson(value: unknown, path: string): FileArray {
  const shape: number[] = [];
  for (let v = value; Array.isArray(v); v = v[0]) shape.push(v.length);
  const values =
    (Array.isArray(value) ? value.flat(Infinity) : [value]) as unknown[];
  if (!values.every((v) => typeof v === "number")) {
    throw new ChainLearnError(
      `Cannot read array ${path}: expected nested lists of numbers, found other values`,
    );
  }
  return { dtype: "json", shape, values: values as number[] };
}

async function readInput(
  path: string,
  input: Input,
  model: Model,
): Promise<Uint8Array> {
  switch (extensionOf(path)) {
    case "png":
      return await readPng(path, input);
    case "npy":
      return arrayBytes(
        await parseNpy(await readFile(path, "array"), path),
        input,
        model,
        path,
      );
    case "json":
      return arrayBytes(
        flattenJson(await readJson(path, "array"), path),
        input,
        model,
        path,
      );
    default:
      throw new ChainLearnError(
        `Cannot take ${path} for input "${input.name}": expected .png, .npy, .npz or .json, found .${
          extensionOf(path)
        }`,
      );
  }
}

/**
 * Bytes of every input of a model. `specs` are files, one per input in order, or `name=file`; one .npz may hold all
 * by name.
 */
export async function readInputs(
  specs: readonly string[],
  model: Model,
): Promise<Uint8Array[]> {
  if (specs.length === 1 && extensionOf(specs[0]) === "npz") {
    const arrays = await readNpz(specs[0]);
    return model.inputs.map((input) => {
      const array = arrays.get(input.name);
      if (!array) {
        throw new ChainLearnError(
          `Cannot take ${specs[0]}: expected an array "${input.name}", found ${
            [...arrays.keys()].join(", ") || "none"
          }`,
        );
      }
      return arrayBytes(array, input, model, specs[0]);
    });
  }
  if (specs.length !== model.inputs.length) {
    const names = model.inputs.map((i) => i.name).join(", ");
    throw new ChainLearnError(
      `Cannot run "${model.name}": expected inputs: ${model.inputs.length} (${names}), found ${specs.length}`,
      { hint: "Give --input once for each, as file or name=file" },
    );
  }
  const named = new Map<string, string>();
  specs.forEach((spec, i) => {
    const at = spec.indexOf("=");
    const name = at > 0 ? spec.slice(0, at) : model.inputs[i].name;
    named.set(name, at > 0 ? spec.slice(at + 1) : spec);
  });
  return await Promise.all(model.inputs.map((input) => {
    const path = named.get(input.name);
    if (path === undefined) {
      throw new ChainLearnError(
        `Cannot run "${model.name}": expected a file for input "${input.name}", found none`,
      );
    }
    return readInput(path, input, model);
  }));
}
