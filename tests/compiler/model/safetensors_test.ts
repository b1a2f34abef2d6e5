import { assertEquals, assertThrows } from "@std/assert";
import { dtypes } from "../../../compiler/mod.ts";
import {
  readSafetensors,
  type StoredTensor,
  writeSafetensors,
} from "../../../compiler/model/safetensors.ts";
import { ChainLearnError } from "../../../fpvm/mod.ts";
import { Random } from "../../random.ts";

function randomTensors(random: Random): StoredTensor[] {
  const names = Object.keys(dtypes) as (keyof typeof dtypes)[];
  return Array.from({ length: random.below(6) }, (_, i) => {
    const dtype = random.pick(names);
    const shape = Array.from(
      { length: random.below(4) },
      () => random.below(9),
    );
    const bytes = shape.reduce((n, s) => n * s, dtypes[dtype].bytes);
    return { name: `t${i}`, dtype, shape, bytes: random.bytes(bytes) };
  });
}

Deno.test("writeSafetensors: what it writes reads back, in order and aligned", () => {
  const random = new Random(21);
  for (let i = 0; i < 100; i++) {
    const metadata: Record<string, string> = { a: "b" };
    const file = { metadata, tensors: randomTensors(random) };
    const bytes = writeSafetensors(file);
    const found = readSafetensors(bytes, "x");
    assertEquals(
      {
        ...found,
        tensors: found.tensors.map((t) => ({ ...t, bytes: t.bytes.slice() })),
      },
      file,
      `seed 21 ${i}`,
    );
    for (const tensor of found.tensors) {
      assertEquals(tensor.bytes.byteOffset % 64, 0, `seed 21 ${i}`);
    }
  }
});

/** A file of any header over so many zero bytes. */
function file(header: unknown, data = 0): Uint8Array {
  const json = new TextEncoder().encode(
    typeof header === "string" ? header : JSON.stringify(header),
  );
  const bytes = new Uint8Array(8 + json.length + data);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const metadata = {};
const entry = (
  from: number,
  to: number,
  shape = [to - from],
  dtype = "U8",
) => ({
  dtype,
  shape,
  data_offsets: [from, to],
});

Deno.test("readSafetensors: D16 refuses whatever is not exactly described", () => {
  const cases: [Uint8Array, string][] = [
    [new Uint8Array(7), "at least 8 bytes, found 7"],
    [new Uint8Array(8).fill(255), "a header of 18446744073709551615 bytes"],
    [file("[]"), "a JSON object as header"],
    [file("{"), "a JSON object as header"],
    [file('"\xff"').with(10, 0xff), "a JSON object as header"],
    [file({}), "__metadata__ of strings"],
    [file({ __metadata__: { a: 1 } }), "__metadata__ of strings"],
    [file({ __metadata__: [] }), "__metadata__ of strings"],
    [file({ __metadata__: metadata }, 1), "0 bytes of tensors, found 1"],
    [file({ __metadata__: metadata, a: null }), 'tensor "a" with dtype'],
    [
      file({ __metadata__: metadata, a: entry(0, 1, [1], "F64") }, 1),
      'tensor "a" with dtype',
    ],
    [
      file({ __metadata__: metadata, a: entry(0, 1, [1], "constructor") }, 1),
      'tensor "a" with dtype',
    ],
    [
      file({ __metadata__: metadata, a: entry(0, 1, [-1]) }, 1),
      'tensor "a" with dtype',
    ],
    [
      file({ __metadata__: metadata, a: entry(0, 1, [1.5]) }, 1),
      'tensor "a" with dtype',
    ],
    [
      file(
        { __metadata__: metadata, a: { ...entry(0, 1), data_offsets: [0] } },
        1,
      ),
      'tensor "a" with dtype',
    ],
    [
      file({ __metadata__: metadata, a: entry(0, 1, [2]) }, 1),
      '2 bytes for tensor "a", found 1',
    ],
    [
      file({ __metadata__: metadata, a: entry(0, 2) }, 1),
      'tensor "a" at byte 0, inside the file, found [0, 2]',
    ],
    [
      file({ __metadata__: metadata, a: entry(1, 2) }, 2),
      'tensor "a" at byte 0, inside the file, found [1, 2]',
    ],
    [
      file({ __metadata__: metadata, a: entry(0, 2), b: entry(1, 3) }, 3),
      'tensor "b" at byte 2, inside the file, found [1, 3]',
    ],
    [
      file({ __metadata__: metadata, a: entry(0, 2), b: entry(0, 2) }, 2),
      'tensor "b" at byte 2, inside the file, found [0, 2]',
    ],
    [
      file({ __metadata__: metadata, "__pad.1": entry(0, 2) }, 2).with(-1, 5),
      'zeros in "__pad.1", found other bytes',
    ],
  ];
  for (const [bytes, text] of cases) {
    assertThrows(
      () => readSafetensors(bytes, "x.clm"),
      ChainLearnError,
      text,
    );
  }
});
