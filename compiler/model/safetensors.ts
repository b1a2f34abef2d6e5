/**
 * The safetensors container: a length, a JSON header, tensor bytes without holes.
 *
 * Written so that every tensor starts at a multiple of 64 bytes of the file: the header is filled with spaces
 * and `__pad.N` tensors stand between. Read strictly: everything must be described, nothing twice.
 */
import { ChainLearnError } from "../../fpvm/mod.ts";
import { type DType, dtypes } from "../ir.ts";

/** A tensor in the container; `shape` is the physical one. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Bytes of a file, in memory or read when asked for. */
export interface ByteSource {
  readonly size: number;
  /** `length` bytes from `offset`; the caller stays within `size` and does not write to them. */
  read(offset: number, length: number): Uint8Array;
}

export interface SafetensorsFile {
  readonly metadata: Readonly<Record<string, string>>;
  /** In file order, pads left out. */
  readonly tensors: readonly StoredTensor[];
}

const ALIGNMENT = 64;
const PAD = "__pad.";
/** Longer headers are refused, as the reference reader does. */
const MAX_HEADER = 100_000_000;

const dtypeNames: Record<DType, string> = {
  bool: "BOOL",
  i8: "I8",
  u8: "U8",
  i16: "I16",
  u16: "U16",
  i32: "I32",
  i64: "I64",
  f32: "F32",
  f16: "F16",
  bf16: "BF16",
};
const dtypeBytes: Record<string, number> = Object.fromEntries(
  Object.entries(dtypeNames).map((
    [dtype, name],
  ) => [name, dtypes[dtype as DType].bytes]),
);

/** Packs tensors, in order, and metadata into one file. */
export function writeSafetensors(file: SafetensorsFile): Uint8Array {
  // Without a prototype, so that every name is a key like any other.
  const entries: Record<string, unknown> = Object.create(null);
  entries.__metadata__ = file.metadata;
  const pieces: Uint8Array[] = [];
  let at = 0;
  const add = (
    name: string,
    dtype: string,
    shape: readonly number[],
    bytes: Uint8Array,
  ) => {
    entries[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    pieces.push(bytes);
    at += bytes.length;
  };
  for (const tensor of file.tensors) {
    add(tensor.name, dtypeNames[tensor.dtype], tensor.shape, tensor.bytes);
    const pad = -at & (ALIGNMENT - 1);
    if (pad) add(`${PAD}${pieces.length}`, "U8", [pad], new Uint8Array(pad));
  }
  const json = new TextEncoder().encode(JSON.stringify(entries));
  const headerLength = json.length + (-(json.length + 8) & (ALIGNMENT - 1));
  const out = new Uint8Array(8 + headerLength + at).fill(
    0x20,
    8,
    8 + headerLength,
  );
  new DataView(out.buffer).setBigUint64(0, BigInt(headerLength), true);
  out.set(json, 8);
  let offset = 8 + headerLength;
  for (const piece of pieces) {
    out.set(piece, offset);
    offset += piece.length;
  }
  return out;
}

/** A file that is in memory; reads are views. */
export function sourceOf(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: (offset, length) => bytes.subarray(offset, offset + length),
  };
}

/** The header's bytes; its length is checked against the file's size. */
export function readHeader(
  given: Uint8Array | ByteSource,
  file: string,
): Uint8Array {
  const source = given instanceof Uint8Array ? sourceOf(given) : given;
  const { size } = source;
  if (size < 8) fail(file, "at least 8 bytes", `${size}`);
  const start = source.read(0, 8);
  const view = new DataView(start.buffer, start.byteOffset, 8);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(Math.min(MAX_HEADER, size - 8))) {
    fail(
      file,
      `a header within the file's ${size} bytes`,
      `a header of ${length} bytes`,
    );
  }
  return source.read(8, Number(length));
}

function fail(file: string, expected: string, found: string): never {
  throw new ChainLearnError(
    `Cannot read bundle ${file}: expected ${expected}, found ${found}`,
    {
      hint:
        "The file is damaged or not a bundle; convert the model again or fetch it again",
    },
  );
}

function parseJson(header: Uint8Array, file: string): Record<string, unknown> {
  try {
    const value = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(header),
    );
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value;
    }
  } catch {
    // reported below, with the file's name
  }
  return fail(file, "a JSON object as header", "something else");
}

function checkMetadata(value: unknown, file: string): Record<string, string> {
  const isRecord = typeof value === "object" && value !== null &&
    !Array.isArray(value);
  if (!isRecord || Object.values(value).some((v) => typeof v !== "string")) {
    return fail(file, "__metadata__ of strings", "something else");
  }
  return value as Record<string, string>;
}

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

function checkEntry(name: string, value: unknown, file: string): Entry {
  const entry = value as Partial<Entry> | null;
  const whole = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0;
  if (
    typeof entry !== "object" || entry === null ||
    !(typeof entry.dtype === "string" &&
      Object.hasOwn(dtypeBytes, entry.dtype)) ||
    !(Array.isArray(entry.shape) && entry.shape.every(whole)) ||
    !(Array.isArray(entry.data_offsets) && entry.data_offsets.length === 2 &&
      entry.data_offsets.every(whole))
  ) {
    return fail(
      file,
      `tensor "${name}" with dtype, shape and data_offsets`,
      JSON.stringify(value)?.slice(0, 80),
    );
  }
  const bytes = entry.shape.reduce((a, b) => a * b, dtypeBytes[entry.dtype]);
  const [begin, end] = entry.data_offsets;
  if (end - begin !== bytes) {
    fail(file, `${bytes} bytes for tensor "${name}"`, `${end - begin}`);
  }
  return entry as Entry;
}

/** Reads a file completely; `file` names it in errors. The tensors are views of `bytes`. */
export function readSafetensors(
  bytes: Uint8Array,
  file: string,
): SafetensorsFile {
  const source = sourceOf(bytes);
  const { metadata, tensors } = openSafetensors(
    source,
    readHeader(source, file),
    file,
  );
  for (const { name, bytes } of tensors) {
    if (isPad(name) && bytes.some((b) => b !== 0)) {
      fail(file, `zeros in "${name}"`, "other bytes");
    }
  }
  return { metadata, tensors: tensors.filter(({ name }) => !isPad(name)) };
}

/** Whether a tensor only fills a hole. */
export const isPad = (name: string): boolean => name.startsWith(PAD);

/** What the header says, pads included; a tensor's bytes are read each time that they are asked for. */
export function openSafetensors(
  source: ByteSource,
  header: Uint8Array,
  file: string,
): SafetensorsFile {
  const json = parseJson(header, file);
  const start = 8 + header.length;
  const length = source.size - start;
  const entries = Object.entries(json).filter(([name]) =>
    name !== "__metadata__"
  )
    .map(([name, value]) => ({ name, ...checkEntry(name, value, file) }))
    .sort((a, b) =>
      a.data_offsets[0] - b.data_offsets[0] ||
      a.data_offsets[1] - b.data_offsets[1]
    );
  const dtypeOf = Object.fromEntries(
    Object.entries(dtypeNames).map(([dtype, name]) => [name, dtype as DType]),
  );
  let at = 0;
  const tensors = entries.map(
    ({ name, dtype, shape, data_offsets: [begin, end] }): StoredTensor => {
      if (begin !== at || end > length) {
        fail(
          file,
          `tensor "${name}" at byte ${at}, inside the file`,
          `[${begin}, ${end}]`,
        );
      }
      at = end;
      return {
        name,
        dtype: dtypeOf[dtype],
        shape,
        get bytes() {
          return source.read(start + begin, end - begin);
        },
      };
    },
  );
  if (at !== length) fail(file, `${at} bytes of tensors`, `${length}`);
  return { metadata: checkMetadata(json.__metadata__, file), tensors };
}
