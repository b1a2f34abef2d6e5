import { assertEquals, assertThrows } from "@std/assert";
import { ChainLearnError, keccak256 } from "../../../fpvm/mod.ts";
import {
  modelRoot,
  type ModelRootFields,
  modelRootPreimage,
  parseModelRootPreimage,
} from "../../../compiler/mod.ts";

const fields: ModelRootFields = {
  programRoot: new Uint8Array(32).fill(0xa1),
  nodes: 0x01020304,
  weightsRoot: new Uint8Array(32).fill(0xa2),
  weights: 0x05060708,
  initialSlotsRoot: new Uint8Array(32).fill(0xa3),
  slots: 0x090a0b0c,
  schedule: "request",
  iterations: 0x0d0e0f101112,
  kept: 0x00100000,
  stopSlot: 0x01131415,
  metadataHash: new Uint8Array(32).fill(0xa4),
  inputs: [
    { role: "data", height: 26, slot: 0x010203, byteLength: 0x80000000 },
    { role: "seed", height: 0, slot: 0x010204, byteLength: 32 },
    { role: "sampling", height: 0, slot: 0x010205, byteLength: 32 },
  ],
  outputs: [{ role: "data", height: 1, slot: 0, byteLength: 40 }],
};

Deno.test("modelRootPreimage: every field stands at the offset that the format names", () => {
  assertEquals(
    modelRootPreimage(fields).toHex(),
    "00000002" + "a1".repeat(32) + "01020304" + "a2".repeat(32) + "05060708" +
      "a3".repeat(32) + "090a0b0c" + "01" + "00000d0e0f101112" + "00100000" +
      "01131415" + "a4".repeat(32) + "0003" + "0001" +
      "001a000102030000000080000000" +
      "0100000102040000000000000020" +
      "0200000102050000000000000020" +
      "0001000000000000000000000028",
  );
  assertEquals(modelRoot(fields), keccak256(modelRootPreimage(fields)));
});

Deno.test("parseModelRootPreimage: gives back what was encoded", () => {
  assertEquals(parseModelRootPreimage(modelRootPreimage(fields)), fields);
  const { stopSlot: _, ...rest } = fields;
  const without = { ...rest, schedule: "fixed" } as const;
  assertEquals(parseModelRootPreimage(modelRootPreimage(without)), without);
});

Deno.test("parseModelRootPreimage: names what it refuses", () => {
  const refuses = (change: (bytes: Uint8Array) => Uint8Array, text: string) =>
    assertThrows(
      () => parseModelRootPreimage(change(modelRootPreimage(fields))),
      ChainLearnError,
      text,
    );
  const set = (at: number, value: number) => (bytes: Uint8Array) => {
    bytes[at] = value;
    return bytes;
  };
  refuses((b) => b.slice(0, -1), "expected 221 bytes, found 220");
  refuses((b) => b.slice(0, 100), "expected 165 bytes, found 100");
  refuses(set(3, 1), "expected format version 2, found 1");
  refuses(set(112, 7), "expected schedule 0 or 1, found 7");
  refuses(set(165, 3), "expected role 0, 1 or 2, found 3");
  refuses(set(113, 255), "expected a number below 2^53, found 18374");
  refuses(set(171, 255), "expected a number below 2^53, found 18374");
});
