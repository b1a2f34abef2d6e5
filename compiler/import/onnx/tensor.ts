/**
 * Reads a TensorProto: its type, shape and data, from raw bytes or from the typed fields.
 *
 * The declared shape is compared with the data that is there before anything is allocated, so a file
 * cannot ask for memory that it does not bring. NaN and infinite values are refused here.
 */
import type onnxp from "onnx-proto";
import { ChainLearnError } from "../../../fpvm/mod.ts";
import type { GraphDType } from "../../graph/graph.ts";
import { elementTypes, toNumber, typeName } from "./element_types.ts";

/** A constant tensor of the model; integers beyond 2^53 are the safe extremes. */
export interface OnnxTensor {
  readonly dtype: GraphDType;
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

const readers: Record<
  GraphDType,
  { bytes: number; read: (view: DataView, at: number) => number }
> = {
  f32: { bytes: 4, read: (v, at) => v.getFloat32(at, true) },
  u8: { bytes: 1, read: (v, at) => v.getUint8(at) },
  i8: { bytes: 1, read: (v, at) => v.getInt8(at) },
  u16: { bytes: 2, read: (v, at) => v.getUint16(at, true) },
  i16: { bytes: 2, read: (v, at) => v.getInt16(at, true) },
  i32: { bytes: 4, read: (v, at) => v.getInt32(at, true) },
  i64: { bytes: 8, read: (v, at) => clampInt(v.getBigInt64(at, true)) },
  bool: { bytes: 1, read: (v, at) => v.getUint8(at) === 0 ? 0 : 1 },
};

/** An int64 as a number; the extremes, which mean "to the end", become the safe extremes. */
function clampInt(x: bigint): number {
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  return Number(x > limit ? limit : x < -limit ? -limit : x);
}

/** A tensor of the file, or an error that begins with its owner's name. */
export function readTensor(
  proto: onnxp.onnx.ITensorProto,
  owner: string,
): OnnxTensor {
  const fail = (expected: string, found: string): never => {
    throw new ChainLearnError(
      `${owner}: expected ${expected}, found ${found}`,
    );
  };
  const type = toNumber(proto.dataType);
  const dtype = elementTypes[type];
  if (!dtype) return fail("float32 or an integer type", typeName(type));
  if (toNumber(proto.dataLocation) === 1) {
    fail(
      "data inside the file",
      "external data: save it with the weights embedded",
    );
  }
  if (proto.segment) fail("a whole tensor", "a segment of one");
  const shape = (proto.dims ?? []).map(toNumber);
  if (shape.some((n) => n < 0 || n >= 2 ** 31)) {
    fail("dimensions below 2^31", `[${shape}]`);
  }
  const count = shape.reduce((a, b) => a * b, 1);
  const raw = proto.rawData?.length ? proto.rawData : undefined;
  const data = raw
    ? fromRaw(raw, dtype, count, fail)
    : fromFields(proto, dtype, count, fail);
  const bad = data.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) fail("finite values", `${data[bad]} at element ${bad}`);
  return { dtype, shape, data };
}

function fromRaw(
  raw: Uint8Array,
  dtype: GraphDType,
  count: number,
  fail: (expected: string, found: string) => never,
): Float64Array {
  const { bytes, read } = readers[dtype];
  if (raw.length !== count * bytes) {
    fail(`${count * bytes} bytes of data`, `${raw.length}`);
  }
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
  const data = new Float64Array(count);
  for (let i = 0; i < count; i++) data[i] = read(view, i * bytes);
  return data;
}

function fromFields(
  proto: onnxp.onnx.ITensorProto,
  dtype: GraphDType,
  count: number,
  fail: (expected: string, found: string) => never,
): Float64Array {
  const values = dtype === "f32"
    ? proto.floatData
    : dtype === "i64"
    ? proto.int64Data
    : proto.int32Data;
  const found = values?.length ?? 0;
  if (found !== count) fail(`${count} values`, `${found}`);
  return Float64Array.from(values ?? [], (x) => toNumberOrFloat(x));
}

const toNumberOrFloat = (x: Parameters<typeof toNumber>[0]) =>
  typeof x === "number" ? x : toNumber(x);
