import { assert, assertEquals, assertThrows } from "@std/assert";
import { ChainLearnError, ENCODINGS } from "../../fpvm/mod.ts";
import { decoderSource } from "../../tools/make_decoder.ts";

const source = (name: string) =>
  Deno.readTextFileSync(
    new URL(`../../contracts/src/${name}.sol`, import.meta.url),
  );

Deno.test("make_decoder: contracts/src/Encodings.sol is what the table of instructions gives", () => {
  assertEquals(
    source("Encodings"),
    decoderSource(),
    "Run tools/make_decoder.ts",
  );
});

Deno.test("make_decoder: the machine on chain names every instruction that its kind and form do not tell", () => {
  const meaning = ["StepVm", "Alu", "Control"].map(source).join("\n");
  const unnamed = ENCODINGS.filter(({ name }) =>
    !new RegExp(`\\bop\\.${name.toUpperCase()}\\b`).test(meaning)
  );
  const byKind = ["syscall", "sync", "synci", "pref"];
  // Jumps that do not link: their target is told by the form.
  assertEquals(unnamed.map(({ name }) => name), ["jr", "j", ...byKind]);
});

Deno.test("make_decoder: every name that the machine on chain uses is one of the table's", () => {
  const generated = decoderSource();
  const meaning = ["StepVm", "Alu", "Control"].map(source).join("\n");
  const used = new Set(
    [...meaning.matchAll(/\bop\.([A-Z_]+)\b/g)].map(([, name]) => name),
  );
  assert(used.size > 100, `${used.size} names`);
  for (const name of used) {
    assert(generated.includes(`uint256 constant ${name} = `), name);
  }
});

Deno.test("make_decoder: one changed bit of any row changes the decoder", () => {
  const whole = decoderSource();
  ENCODINGS.forEach((row, i) => {
    // The lowest of the operands' bits becomes fixed.
    const free = ~row.mask & -~row.mask;
    const changed = ENCODINGS.with(i, {
      ...row,
      mask: (row.mask | free) >>> 0,
    });
    assert(decoderSource(changed) !== whole, row.name);
    assert(decoderSource(ENCODINGS.toSpliced(i, 1)) !== whole, row.name);
  });
});

Deno.test("make_decoder: refuses rows that match one word, and rows without an opcode", () => {
  const [row, ...others] = ENCODINGS;
  assertThrows(
    () => decoderSource([row, ...others, { ...row, name: "nor" }]),
    ChainLearnError,
    "expected words that one row matches, found one of sll and nor",
  );
  const wide = { ...row, mask: (row.mask & 0x7fffffff) >>> 0 };
  assertThrows(
    () => decoderSource([wide]),
    ChainLearnError,
    "expected fixed opcodes, found a free bit in that of sll",
  );
});
