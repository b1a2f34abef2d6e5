import { assertEquals } from "@std/assert";
import {
  decodeDescriptor,
  type Descriptor,
  encodeDescriptor,
  operandKinds,
} from "../../../compiler/mod.ts";
import { Random } from "../../random.ts";

const limits = { weights: 3, slots: 5 };

function randomDescriptor(random: Random): Descriptor {
  const whole = random.bool();
  return {
    programRoot: random.bytes(32),
    programHeight: random.below(20),
    whole,
    resultHeight: random.below(whole ? 20 : 27),
    maxSteps: BigInt(random.u32()) << BigInt(random.below(33)),
    resultSlot: random.below(5),
    operands: Array.from({ length: random.below(32) }, () => {
      const kind = random.pick(operandKinds);
      const below = { weight: 3, slot: 5, weights_table: 1 }[kind];
      return { kind, index: random.below(below), height: random.below(27) };
    }),
  };
}

Deno.test("encodeDescriptor: every field stands at the offset that the format names", () => {
  const bytes = encodeDescriptor({
    programRoot: new Uint8Array(32).fill(0xaa),
    programHeight: 0x11,
    whole: true,
    resultHeight: 0x12,
    maxSteps: 0x0102030405060708n,
    resultSlot: 0x0a0b0c0d,
    operands: [
      { kind: "slot", index: 0x21222324, height: 0x19 },
      { kind: "weights_table", index: 0, height: 0x05 },
    ],
  });
  assertEquals(
    bytes.toHex(),
    "aa".repeat(32) + "11" + "01" + "12" + "02" + "0102030405060708" +
      "0a0b0c0d" + "00000000" + "0119000021222324" + "0205000000000000",
  );
});

Deno.test("encodeDescriptor: no descriptor has the 64 bytes of an inner node (D9)", () => {
  const random = new Random(5);
  for (let count = 0; count < 32; count++) {
    const operands = Array.from({ length: count }, () => ({
      kind: "weight" as const,
      index: 0,
      height: 0,
    }));
    const { length } = encodeDescriptor({
      ...randomDescriptor(random),
      operands,
    });
    assertEquals(length, 52 + 8 * count);
    assertEquals(length === 64, false);
  }
});

Deno.test("decodeDescriptor: gives back what was encoded", () => {
  const random = new Random(6);
  for (let i = 0; i < 300; i++) {
    const descriptor = randomDescriptor(random);
    const bytes = encodeDescriptor(descriptor);
    assertEquals(decodeDescriptor(bytes, limits), descriptor, `seed 6 ${i}`);
    // A view into larger memory reads the same.
    const larger = Uint8Array.from([1, 2, 3, ...bytes, 4]);
    assertEquals(
      decodeDescriptor(larger.subarray(3, 3 + bytes.length), limits),
      descriptor,
    );
  }
});

Deno.test("decodeDescriptor: whatever it takes encodes to the same bytes (D9)", () => {
  const random = new Random(7);
  let voids = 0;
  for (let i = 0; i < 3000; i++) {
    const bytes = encodeDescriptor(randomDescriptor(random));
    bytes[32 + random.below(bytes.length - 32)] ^= 1 << random.below(8);
    const decoded = decodeDescriptor(bytes, limits);
    if (decoded) assertEquals(encodeDescriptor(decoded), bytes, `seed 7 ${i}`);
    else voids++;
  }
  assertEquals(voids > 300 && voids < 2700, true, `${voids} void`);
});
