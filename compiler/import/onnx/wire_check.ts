/**
 * Walks the bytes of an ONNX file against the field numbers that `onnx-proto` knows.
 *
 * That library drops fields it does not know (newer attributes, packed types), and a model without them
 * may mean something else. So every message is checked first: unknown fields are listed by place,
 * malformed bytes are an error. Fields that only describe (metadata) are passed over by name.
 */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

type Kind = "varint" | "fixed32" | "fixed64" | "bytes" | "ignored" | Message;
interface Field {
  readonly name: string;
  readonly kind: Kind;
}
interface Message {
  readonly name: string;
  readonly fields: Map<number, Field>;
}

/** A message by lines of `number name kind`; kinds of other messages are set afterwards. */
function message(
  name: string,
  fields: Record<number, [string, Kind]>,
): Message {
  return {
    name,
    fields: new Map(
      Object.entries(fields).map(([n, [name, kind]]) => [
        Number(n),
        { name, kind },
      ]),
    ),
  };
}

const entry = message("StringStringEntryProto", {
  1: ["key", "bytes"],
  2: ["value", "bytes"],
});
const operatorSet = message("OperatorSetIdProto", {
  1: ["domain", "bytes"],
  2: ["version", "varint"],
});
const segment = message("Segment", {
  1: ["begin", "varint"],
  2: ["end", "varint"],
});
const tensor = message("TensorProto", {
  1: ["dims", "varint"],
  2: ["data_type", "varint"],
  3: ["segment", segment],
  4: ["float_data", "fixed32"],
  5: ["int32_data", "varint"],
  6: ["string_data", "bytes"],
  7: ["int64_data", "varint"],
  8: ["name", "bytes"],
  9: ["raw_data", "bytes"],
  10: ["double_data", "fixed64"],
  11: ["uint64_data", "varint"],
  12: ["doc_string", "bytes"],
  13: ["external_data", entry],
  14: ["data_location", "varint"],
  16: ["metadata_props", "ignored"],
});
const sparseTensor = message("SparseTensorProto", {
  1: ["values", tensor],
  2: ["indices", tensor],
  3: ["dims", "varint"],
});
const dimension = message("Dimension", {
  1: ["dim_value", "varint"],
  2: ["dim_param", "bytes"],
  3: ["denotation", "bytes"],
});
const shape = message("TensorShapeProto", { 1: ["dim", dimension] });
const tensorType = message("Tensor", {
  1: ["elem_type", "varint"],
  2: ["shape", shape],
});
const type = message("TypeProto", {
  1: ["tensor_type", tensorType],
  6: ["denotation", "bytes"],
});
const valueInfo = message("ValueInfoProto", {
  1: ["name", "bytes"],
  2: ["type", type],
  3: ["doc_string", "bytes"],
  4: ["metadata_props", "ignored"],
});
const attribute = message("AttributeProto", {
  1: ["name", "bytes"],
  2: ["f", "fixed32"],
  3: ["i", "varint"],
  4: ["s", "bytes"],
  5: ["t", tensor],
  6: ["g", "bytes"],
  7: ["floats", "fixed32"],
  8: ["ints", "varint"],
  9: ["strings", "bytes"],
  10: ["tensors", tensor],
  11: ["graphs", "bytes"],
  13: ["doc_string", "bytes"],
  14: ["tp", type],
  15: ["type_protos", type],
  20: ["type", "varint"],
  21: ["ref_attr_name", "bytes"],
  22: ["sparse_tensor", sparseTensor],
  23: ["sparse_tensors", sparseTensor],
});
const node = message("NodeProto", {
  1: ["input", "bytes"],
  2: ["output", "bytes"],
  3: ["name", "bytes"],
  4: ["op_type", "bytes"],
  5: ["attribute", attribute],
  6: ["doc_string", "bytes"],
  7: ["domain", "bytes"],
  9: ["metadata_props", "ignored"],
});
const annotation = message("TensorAnnotation", {
  1: ["tensor_name", "bytes"],
  2: ["quant_parameter_tensor_names", entry],
});
const graph = message("GraphProto", {
  1: ["node", node],
  2: ["name", "bytes"],
  5: ["initializer", tensor],
  10: ["doc_string", "bytes"],
  11: ["input", valueInfo],
  12: ["output", valueInfo],
  13: ["value_info", valueInfo],
  14: ["quantization_annotation", annotation],
  15: ["sparse_initializer", sparseTensor],
  16: ["metadata_props", "ignored"],
});
const model = message("ModelProto", {
  1: ["ir_version", "varint"],
  2: ["producer_name", "bytes"],
  3: ["producer_version", "bytes"],
  4: ["domain", "bytes"],
  5: ["model_version", "varint"],
  6: ["doc_string", "bytes"],
  7: ["graph", graph],
  8: ["opset_import", operatorSet],
  14: ["metadata_props", entry],
  20: ["training_info", "ignored"],
  25: ["functions", "bytes"],
});

const wireTypes = {
  varint: WireType.Varint,
  fixed32: WireType.Bit32,
  fixed64: WireType.Bit64,
} as const;

/** Most problems that are listed; a random file would have thousands. */
const MAX_PROBLEMS = 20;

/**
 * Unknown and ill-typed fields of an ONNX file, each with its place.
 *
 * Throws what the reader throws (RangeError, Error) where the bytes are no protobuf message at all.
 */
export function checkWire(bytes: Uint8Array): string[] {
  const problems: string[] = [];
  const walk = (bytes: Uint8Array, message: Message, place: string) => {
    const reader = new BinaryReader(bytes);
    const counts = new Map<number, number>();
    while (reader.pos < reader.len) {
      const [number, wire] = reader.tag();
      const field = message.fields.get(number);
      const index = counts.get(number) ?? 0;
      counts.set(number, index + 1);
      if (!field) {
        if (problems.length < MAX_PROBLEMS) {
          problems.push(
            `unknown protobuf field ${number} in ${message.name} at ${place}`,
          );
        }
        reader.skip(wire, number, 8);
        continue;
      }
      const here = `${place}.${field.name}[${index}]`;
      const { kind } = field;
      const scalar = typeof kind === "string" && kind in wireTypes
        ? wireTypes[kind as keyof typeof wireTypes]
        : undefined;
      // Numbers may be packed into one field.
      const fits = wire === WireType.LengthDelimited || wire === scalar;
      if (!fits) {
        problems.push(`wire type ${wire} of ${here} does not fit its field`);
        reader.skip(wire, number, 8);
        continue;
      }
      if (wire !== WireType.LengthDelimited || scalar !== undefined) {
        const packed = reader.skip(wire, number, 8);
        if (wire === WireType.LengthDelimited) checkPacked(packed, kind, here);
        continue;
      }
      const content = reader.bytes();
      if (typeof kind === "object") walk(content, kind, here);
    }
  };
  walk(bytes, model, "model");
  return problems;
}

/** Throws unless the content of a packed field is a whole number of values. */
function checkPacked(field: Uint8Array, kind: Kind, place: string): void {
  const reader = new BinaryReader(field);
  const length = reader.uint32();
  const size = kind === "fixed32" ? 4 : kind === "fixed64" ? 8 : 1;
  if (length % size !== 0) {
    throw new RangeError(`packed field ${place} has ${length} bytes`);
  }
  if (kind === "varint" && length > 0 && field[field.length - 1] & 0x80) {
    throw new RangeError(`packed field ${place} ends inside a number`);
  }
}
