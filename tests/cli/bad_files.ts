/** Files that a user could give by mistake or in bad faith, made from the shipped models. */
import { encode } from "fast-png";
import { fileURLToPath } from "node:url";

const models = new URL("../../models/", import.meta.url);

/** A file of the shipped models. */
export const shipped = (path: string): Uint8Array =>
  Deno.readFileSync(new URL(path, models));

/** Path of a file of the shipped models. */
export const shippedPath = (path: string): string =>
  fileURLToPath(new URL(path, models));

/** All places of a byte string. */
function placesOf(bytes: Uint8Array, part: Uint8Array): number[] {
  const places: number[] = [];
  for (
    let at = bytes.indexOf(part[0]);
    at >= 0;
    at = bytes.indexOf(part[0], at + 1)
  ) {
    if (part.every((byte, i) => bytes[at + i] === byte)) places.push(at);
  }
  return places;
}

/** An ONNX file whose operators of one kind have another name of the same length. */
export function withOperator(
  onnx: Uint8Array,
  from: string,
  to: string,
): Uint8Array {
  const bytes = onnx.slice();
  const text = new TextEncoder();
  // NodeProto.op_type is field 4: tag 0x22, length, name.
  const field = Uint8Array.of(0x22, from.length, ...text.encode(from));
  const places = placesOf(bytes, field);
  if (places.length === 0) throw new Error(`No operator ${from}`);
  for (const at of places) bytes.set(text.encode(to), at + 2);
  return bytes;
}

/** An ONNX file with one weight of its largest tensor replaced by the float of these bits. */
export function withWeight(onnx: Uint8Array, bits: number): Uint8Array {
  const bytes = onnx.slice();
  const view = new DataView(bytes.buffer);
  // TensorProto.raw_data is field 9: tag 0x4a, length in groups of seven bits, data.
  let [place, most] = [0, 0];
  for (const at of placesOf(bytes, Uint8Array.of(0x4a))) {
    let [length, shift, i] = [0, 1, at + 1];
    for (; bytes[i] >= 128 && i < at + 4; i++, shift *= 128) {
      length += (bytes[i] & 127) * shift;
    }
    length += bytes[i++] * shift;
    if (length % 4 === 0 && length > most && i + length <= bytes.length) {
      [place, most] = [i, length];
    }
  }
  view.setUint32(place + 4 * 7, bits, true);
  return bytes;
}

/** A PNG of zeros. */
export const png = (width: number, height: number, channels = 1): Uint8Array =>
  encode({
    width,
    height,
    channels,
    depth: 8,
    data: new Uint8Array(width * height * channels),
  });

/** A NumPy file. */
export function npy(
  descr: string,
  shape: readonly number[],
  data: Uint8Array,
): Uint8Array {
  const tuple = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
  const header =
    `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`
      .padEnd(117) + "\n";
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0];
  return Uint8Array.of(...magic, ...new TextEncoder().encode(header), ...data);
}
