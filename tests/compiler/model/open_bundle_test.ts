import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type ByteSource,
  commitModel,
  openBundle,
  readBundle,
  writeBundle,
} from "../../../compiler/mod.ts";
import { readHeader, sourceOf } from "../../../compiler/model/safetensors.ts";
import { ChainLearnError, keccak256 } from "../../../fpvm/mod.ts";
import { testModel } from "../../runtime/models.ts";

const bundle = writeBundle(commitModel(testModel(9)));
const GIGABYTE = 2 ** 30;

/** Tells how many bytes were read. */
function counting(source: ByteSource): ByteSource & { count: number } {
  return {
    size: source.size,
    count: 0,
    read(offset, length) {
      this.count += length;
      return source.read(offset, length);
    },
  };
}

/** The bundle with one more constant, of 1 GiB of the number 7, which exists only while it is read. */
function hugeBundle(): ByteSource {
  const utf8 = new TextEncoder();
  const header = readHeader(bundle, "a bundle");
  const data = bundle.subarray(8 + header.length);
  const json = JSON.parse(new TextDecoder().decode(header));
  const graph = JSON.parse(json.__metadata__.graph);
  const shape = [2 ** 15, 2 ** 15];
  graph.constants.push({ name: "table", type: { dtype: "u8", shape } });
  json.__metadata__.graph = JSON.stringify(graph);
  const data_offsets = [data.length, data.length + GIGABYTE];
  json.table = { dtype: "U8", shape, data_offsets };
  const blank = "0".repeat(64);
  json.__metadata__.digest = blank;
  const text = JSON.stringify(json);
  const sealed = text.replace(blank, keccak256(utf8.encode(text)).toHex());
  const start = new Uint8Array(8 + sealed.length + data.length);
  new DataView(start.buffer).setBigUint64(0, BigInt(sealed.length), true);
  start.set(utf8.encode(sealed), 8);
  start.set(data, 8 + sealed.length);
  return {
    size: start.length + GIGABYTE,
    read(offset, length) {
      if (offset + length <= start.length) {
        return start.subarray(offset, offset + length);
      }
      assert(offset >= start.length);
      return new Uint8Array(length).fill(7);
    },
  };
}

Deno.test("openBundle: gives the model that readBundle gives, root and all", () => {
  const checked = readBundle(bundle, "m.clm");
  const opened = openBundle(sourceOf(bundle), "m.clm");
  assertEquals(opened.modelRoot, checked.modelRoot);
  assertEquals(
    opened.model.constants.map(({ name, type, bytes }) => ({
      name,
      type,
      bytes,
    })),
    checked.model.constants,
  );
  assertEquals({ ...opened.model, constants: [] }, {
    ...checked.model,
    constants: [],
  });
});

Deno.test("openBundle: reads of a bundle of 1 GiB the header and initial values, then what is asked for", () => {
  const source = counting(hugeBundle());
  const { model } = openBundle(source, "m.clm");
  const initial = model.slots.reduce((n, s) => n + (s.initial?.length ?? 0), 0);
  assert(source.count < 32_768 + initial, `${source.count} bytes read`);
  assertEquals(model.constants.map(({ name }) => name), ["w", "table"]);
  const before = source.count;
  const [w] = model.constants;
  assertEquals(w.bytes, testModel(9).constants[0].bytes);
  assertEquals(source.count - before, w.bytes.length);
});

Deno.test("openBundle: D16 refuses a changed header, another listing and bytes behind the end", () => {
  const refuses = (change: (bytes: Uint8Array) => Uint8Array, text: string) =>
    assertThrows(
      () => openBundle(sourceOf(change(bundle.slice())), "m.clm"),
      ChainLearnError,
      text,
    );
  refuses((bytes) => {
    bytes[200] ^= 1;
    return bytes;
  }, "m.clm");
  refuses((bytes) => bytes.subarray(0, -1), "inside the file");
  refuses((bytes) => Uint8Array.from([...bytes, 0]), "bytes of tensors");
  refuses((bytes) => bytes.subarray(0, 7), "at least 8 bytes");
});
