/**
 * Both decoders on the whole space of instruction words: every opcode, function, REGIMM code and value of the fields that
 * must be zero, random operands.
 */
import { assert, assertEquals } from "@std/assert";
import {
  createPublicClient,
  decodeFunctionResult,
  encodeFunctionData,
  type Hex,
  http,
} from "viem";
import { startAnvil } from "../../contracts/anvil.ts";
import { artifact } from "../../contracts/artifacts.ts";
import { compileFile, readSources } from "../../contracts/build.ts";
import { deployLocally } from "../../contracts/gas.ts";
import { decode, type Encoding, ENCODINGS } from "../../fpvm/mod.ts";
import { campaignSeed, IS_FULL } from "../fpvm/campaign.ts";
import { Random } from "../random.ts";

/** Bits that choose an instruction within an opcode: function, REGIMM code, or none. */
function selectorOf(opcode: number): number {
  if (opcode === 1) return 0x001f0000;
  return [0, 28, 31].includes(opcode) ? 0x3f : 0;
}

/** The values of `bits` set in a mask, spread from the bits of a counter. */
function spread(counter: number, mask: number): number {
  let value = 0;
  for (let bit = 0, from = 0; bit < 32; bit++) {
    if ((mask >>> bit) & 1) value |= ((counter >>> from++) & 1) << bit;
  }
  return value >>> 0;
}

const bitsIn = (mask: number) => mask.toString(2).replaceAll("0", "").length;

/** Fields whose values decide whether the word is an instruction at all. */
function decidingBits(rows: readonly Encoding[], selector: number): number {
  const fixed = rows.reduce((bits, { mask }) => bits | mask, 0) & 0x03ffffff;
  // rt = rd; position and size.
  const constrained = rows.reduce(
    (bits, { constraint }) =>
      bits |
      (constraint === undefined
        ? 0
        : constraint === "rt = rd"
        ? 0x001ff800
        : 0x0000ffc0),
    0,
  );
  return ((fixed | constrained) & ~selector) >>> 0;
}

/** Words of one opcode and selector: all values of what decides (or `limit` of them), operands random. */
function wordsOf(
  random: Random,
  opcode: number,
  code: number,
  limit: number,
): number[] {
  const selector = selectorOf(opcode);
  const base = (opcode * 2 ** 26 + spread(code, selector)) >>> 0;
  const rows = ENCODINGS.filter(({ mask, match }) => {
    const common = (mask & (0xfc000000 | selector)) >>> 0;
    return (base & common) >>> 0 === (match & common) >>> 0;
  });
  const free = (0x03ffffff & ~selector) >>> 0;
  const deciding = rows.length > 0 ? decidingBits(rows, selector) : free;
  const count = 2 ** bitsIn(deciding);
  const isAll = count <= limit;
  // At least zeros and every single bit, then random values, where not all are tried.
  const singles = [0, ...Array.from({ length: 26 }, (_, bit) => 1 << bit)];
  const values = isAll
    ? Array.from({ length: count }, (_, i) => spread(i, deciding))
    : [
      ...singles.map((bit) => bit & deciding),
      ...Array.from({ length: limit }, () => random.u32() & deciding),
    ];
  const operands = (free & ~deciding) >>> 0;
  const known = rows.flatMap(({ match, mask }) =>
    Array.from({ length: 16 }, () => (match | (random.u32() & ~mask)) >>> 0)
  );
  const tried = values.flatMap((value) =>
    (isAll || rows.length > 0 ? [random.u32()] : [0, random.u32()]).map(
      (rest) => (base | value | (rest & operands)) >>> 0,
    )
  );
  return [...known, ...tried];
}

function allWords(random: Random, limit: number, unknown: number): number[] {
  const words: number[] = [];
  for (let opcode = 0; opcode < 64; opcode++) {
    const selector = selectorOf(opcode);
    for (let code = 0; code < 2 ** bitsIn(selector); code++) {
      const sample = wordsOf(random, opcode, code, limit);
      const isKnown = sample.some((word) => decode(word) !== null);
      words.push(...(isKnown ? sample : sample.slice(0, unknown)));
    }
  }
  return words;
}

/** Words per call: some 30,000 gas each. */
const CHUNK = 5000;

Deno.test("step: V6 every opcode, function and field that must be zero decodes on chain as in the table", async () => {
  const random = new Random(campaignSeed("decoders", 99));
  const anvil = await startAnvil({ gasLimit: 10_000_000_000n });
  try {
    const { rpcUrl } = anvil;
    const client = createPublicClient({ transport: http(rpcUrl) });
    const sources = await readSources(
      new URL("../../contracts/test/", import.meta.url),
    );
    const decoder = compileFile(sources, "StepDecode.sol")!;
    const machine = await deployLocally(rpcUrl, artifact("StepVm"));
    const to = await deployLocally(rpcUrl, decoder);
    const { abi } = decoder;
    // 15 bits are the most that a row of the table wants to be zero: all their values are tried at full length.
    const words = IS_FULL
      ? allWords(random, 2 ** 15, 300)
      : allWords(random, 2 ** 7, 60);
    let instructions = 0;
    for (let at = 0; at < words.length; at += CHUNK) {
      const chunk = words.slice(at, at + CHUNK);
      const bytes = chunk.map((word) => word.toString(16).padStart(8, "0"));
      const args = [machine, `0x${bytes.join("")}`];
      const data = encodeFunctionData({ abi, functionName: "run", args });
      const result = (await client.call({ to, data })).data!;
      const traps = decodeFunctionResult({
        abi,
        functionName: "run",
        data: result,
      });
      const found = Uint8Array.fromHex((traps as Hex).slice(2));
      assertEquals(found.length, chunk.length);
      chunk.forEach((word, i) => {
        const isKnown = decode(word) !== null;
        instructions += +isKnown;
        const what = `seed ${random.seed}, word 0x${word.toString(16)}`;
        assertEquals(found[i], isKnown ? 0 : 1, what);
      });
    }
    console.log(`${words.length} words, ${instructions} instructions`);
    assert(instructions > 1000);
  } finally {
    await anvil.stop();
  }
});
