/** Mutated ONNX files: only a ChainLearnError may come out, soon, and without eating the memory. */
import { assert } from "@std/assert";
import { convertOnnx } from "../../compiler/convert.ts";
import { inspectOnnx } from "../../compiler/inspect.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import { Random } from "../random.ts";
import { calibrationOf, fromBase64, operatorCases } from "./onnx_fixtures.ts";

const inputs = Number(Deno.env.get("CHAINLEARN_FUZZ") ?? 2000);
const seed = Number(Deno.env.get("CHAINLEARN_SEED") ?? 1);
const MAX_SECONDS = 5;
const MAX_BYTES = 2 ** 30;

const read = (path: string) =>
  Deno.readFileSync(new URL(`../../models/${path}`, import.meta.url));

/** Values at which parsers break. */
const interesting = [0, 1, 0x7f, 0x80, 0xff, 0x08, 0x0a, 0x12, 0x3a, 0xfe];

/** A copy with bytes flipped, cut, doubled, overwritten or taken from another file. */
function mutate(
  random: Random,
  source: Uint8Array,
  other: Uint8Array,
): Uint8Array {
  let bytes = source.slice();
  // Most of a model is weights; structure stands at both ends.
  const place = () => {
    const near = Math.min(bytes.length, 4000);
    const at = random.below(Math.max(1, random.bool() ? bytes.length : near));
    return random.bool() ? at : bytes.length - 1 - at;
  };
  for (let n = 1 + random.below(4); n > 0; n--) {
    const [at, length] = [place(), 1 + random.below(24)];
    switch (random.below(7)) {
      case 0:
        bytes[at] ^= 1 << random.below(8);
        break;
      case 1:
        bytes[at] = random.pick(interesting);
        break;
      case 2:
        bytes.set(random.bytes(Math.min(length, bytes.length - at)), at);
        break;
      case 3:
        bytes = bytes.slice(0, at + 1);
        break;
      case 4: // A piece taken out.
        bytes = Uint8Array.of(
          ...bytes.subarray(0, Math.min(at, 60_000)),
          ...bytes.subarray(at + length, at + length + 60_000),
        );
        break;
      case 5: { // A long number where a short one was.
        const many = new Uint8Array(length).fill(0xff);
        bytes.set(many.subarray(0, bytes.length - at), at);
        break;
      }
      default: { // A piece of another file.
        const from = random.below(other.length);
        const piece = other.subarray(from, from + length);
        bytes.set(piece.subarray(0, bytes.length - at), at);
      }
    }
    if (bytes.length === 0) return bytes;
  }
  return bytes;
}

Deno.test(`convertOnnx: ${inputs} mutated files give a model or a ChainLearnError`, () => {
  const random = new Random(seed);
  const small = operatorCases.map((c) => ({
    bytes: fromBase64(c.model),
    calibration: calibrationOf(c),
  }));
  const pixels = { dtype: "u8", shape: [2, 1, 28, 28] } as const;
  const calibration = {
    image: { ...pixels, bytes: random.bytes(2 * 784) },
  };
  const large = ["fashion_mlp/fashion_mlp.onnx", "fashion_cnn/fashion_cnn.onnx"]
    .map((path) => ({ bytes: read(path), calibration }));
  let refused = 0;
  for (let i = 0; i < inputs; i++) {
    const source = random.pick(i % 16 === 0 ? large : small);
    const bytes = mutate(random, source.bytes, random.pick(small).bytes);
    const start = performance.now();
    try {
      inspectOnnx(bytes);
      const fixed = random.bool();
      convertOnnx(bytes, {
        name: "fuzz",
        ...(fixed ? { calibration: source.calibration } : {}),
      });
    } catch (error) {
      if (!(error instanceof ChainLearnError)) {
        throw new Error(`seed ${seed}, input ${i}: ${error}`, { cause: error });
      }
      refused++;
    }
    const seconds = (performance.now() - start) / 1000;
    assert(seconds < MAX_SECONDS, `seed ${seed}, input ${i}: ${seconds} s`);
    if (i % 100 === 0) {
      // Of this test's isolate: the process runs other tests beside it.
      const { heapUsed, external } = Deno.memoryUsage();
      const bytes = heapUsed + external;
      assert(bytes < MAX_BYTES, `seed ${seed}, input ${i}: ${bytes} bytes`);
    }
  }
  // Neither everything nor nothing may pass, else the mutations are of no use.
  assert(refused > inputs / 4, `seed ${seed}: ${refused} of ${inputs} refused`);
  assert(refused < inputs, `seed ${seed}: all ${inputs} refused`);
});
