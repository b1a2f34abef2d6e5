/** docs/formats.md in TypeScript: what the encoders give is what tests/vectors/formats.json holds. */
import { assertEquals } from "@std/assert";
import {
  decodeDescriptor,
  parseModelRootPreimage,
} from "../../compiler/mod.ts";
import { formatVectorsText } from "../../tools/make_format_vectors.ts";
import { descriptorLimits } from "../../tools/vectors/models.ts";

const path = new URL("../vectors/formats.json", import.meta.url);
const text = Deno.readTextFileSync(path);
const vectors = JSON.parse(text);
const unhex = (hex: string) => Uint8Array.fromHex(hex.slice(2));

interface Row {
  readonly name: string;
  readonly [field: string]: unknown;
}

Deno.test("formats: every encoder gives its golden bytes", () => {
  assertEquals(
    text,
    formatVectorsText(),
    "A format changed: that needs a new FORMAT_VERSION. Rows were added: run tools/make_format_vectors.ts",
  );
});

Deno.test("decodeDescriptor: D9 reads valid vectors back and gives null for void ones", () => {
  for (const row of vectors.descriptors as Row[]) {
    const found = decodeDescriptor(
      unhex(row.bytes as string),
      descriptorLimits,
    );
    if (row.void) {
      assertEquals(found, null, row.name);
      continue;
    }
    assertEquals(
      found && {
        ...found,
        programRoot: `0x${found.programRoot.toHex()}`,
        maxSteps: `${found.maxSteps}`,
      },
      {
        programRoot: row.programRoot,
        programHeight: row.programHeight,
        whole: row.whole,
        resultHeight: row.resultHeight,
        maxSteps: row.maxSteps,
        resultSlot: row.resultSlot,
        operands: row.operands,
      } as never,
      row.name,
    );
  }
});

Deno.test("parseModelRootPreimage: reads valid vectors back and refuses the others", () => {
  for (const row of vectors.modelRoots as Row[]) {
    let found: Record<string, unknown> | string;
    try {
      const fields = parseModelRootPreimage(unhex(row.preimage as string));
      found = Object.fromEntries(
        Object.entries(fields).map(([key, value]) => [
          key,
          value instanceof Uint8Array ? `0x${value.toHex()}` : value,
        ]),
      );
      found = { stopSlot: 0xffffffff, ...found };
    } catch (error) {
      found = String(error);
    }
    if (row.refused) {
      const start =
        "ChainLearnError: Cannot read the model root's preimage: expected";
      assertEquals(String(found).slice(0, start.length), start, row.name);
      continue;
    }
    for (const [key, value] of Object.entries(found)) {
      assertEquals(value, row[key], `${row.name}: ${key}`);
    }
    assertEquals(Object.keys(found).length, 13, row.name);
  }
});
