/** Damaged and forged bundles of a real model: only a ChainLearnError may come out, soon, and without eating the memory. */
import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { openModel } from "../../cli/model_files.ts";
import { commitModel, readBundle, writeBundle } from "../../compiler/mod.ts";
import { readHeader } from "../../compiler/model/safetensors.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import { Random } from "../random.ts";
import { testModel } from "../runtime/models.ts";
import { rebuilt } from "./bundle_file.ts";

const inputs = Number(Deno.env.get("CHAINLEARN_FUZZ") ?? 1000);
const seed = Number(Deno.env.get("CHAINLEARN_SEED") ?? 1);
const MAX_SECONDS = 5;
const MAX_BYTES = 2 ** 30;

const model = fileURLToPath(
  new URL("../../models/fashion_cnn/fashion_cnn.onnx", import.meta.url),
);
const shipped = await openModel(model);
const bundle = writeBundle(shipped);
const headerEnd = 8 + readHeader(bundle, "a bundle").length;

/** True if the bundle loads; anything but a named error is thrown on with `what` it was about. */
function loads(bytes: Uint8Array, what: string): boolean {
  const started = performance.now();
  try {
    readBundle(bytes, "m.clm");
    return true;
  } catch (error) {
    const named = error instanceof ChainLearnError &&
      /^Cannot \w+/.test(error.message);
    if (!named) throw new Error(`${what}: ${error}`, { cause: error });
    return false;
  } finally {
    const seconds = (performance.now() - started) / 1000;
    assert(seconds < MAX_SECONDS, `${what}: ${seconds} s`);
    // Of this test's isolate: the process runs other tests beside it.
    const { heapUsed, external } = Deno.memoryUsage();
    assert(heapUsed + external < MAX_BYTES, `${what}: ${heapUsed} bytes`);
  }
}

Deno.test("readBundle: D16 every bit of the first 200 bytes, and 400 bits all over a shipped model's bundle", () => {
  const random = new Random(seed);
  const bits = Array.from({ length: 8 * 200 }, (_, i) => i);
  // Half of them where most fields are, the header; half where most bytes are.
  for (let i = 0; i < 400; i++) {
    const from = i % 2 === 0 ? 0 : headerEnd;
    const to = i % 2 === 0 ? headerEnd : bundle.length;
    bits.push(8 * from + random.below(8 * (to - from)));
  }
  for (const bit of bits) {
    const bytes = bundle.slice();
    bytes[bit >> 3] ^= 1 << (bit & 7);
    const what = `seed ${seed}, bit ${bit}`;
    assert(!loads(bytes, what), `${what}: it loads`);
  }
});

Deno.test("readBundle: D16 a bundle cut anywhere", () => {
  const random = new Random(seed);
  for (let i = 0; i < 200; i++) {
    const length = random.below(bundle.length);
    assert(!loads(bundle.slice(0, length), `seed ${seed}, ${length} bytes`));
  }
});

/** JSON values at which parsers and checkers break. */
const awkward: readonly unknown[] = [
  ...[null, true, "", "x", "__proto__", [], {}, [[]], -1, 0, 1, 2, 0.5, 33],
  ...[
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    -(2 ** 31),
    1e300,
    "9".repeat(40),
  ],
  ...[[2 ** 20, 2 ** 20, 2 ** 20], ["slot", 0], ["weight", 10 ** 9]],
];

/** Changes one place of a JSON value, below the root. */
function changeJson(random: Random, json: unknown): void {
  let parent = json as Record<string, unknown>;
  for (;;) {
    const keys = Object.keys(parent);
    if (keys.length === 0) return;
    const key = random.pick(keys);
    const value = parent[key];
    if (typeof value === "object" && value !== null && random.below(8) > 0) {
      parent = value as Record<string, unknown>;
      continue;
    }
    switch (random.below(4)) {
      case 0:
        if (Array.isArray(parent)) parent.splice(Number(key), 1);
        else delete parent[key];
        return;
      case 1: // Something of its own kind from elsewhere in the same list or object.
        parent[key] = parent[random.pick(keys)];
        return;
      case 2:
        parent[key] = typeof value === "number"
          ? value + random.pick([-1, 1, 7, -value * 2, 2 ** 16])
          : random.pick(awkward);
        return;
      default:
        parent[key] = random.pick(awkward);
        return;
    }
  }
}

/** A bundle with changes that its digest covers up: in the graph, in the metadata's strings, in tensors. */
function forged(random: Random, source: Uint8Array): Uint8Array {
  return rebuilt(source, (parts) => {
    for (let n = 1 + random.below(3); n > 0; n--) {
      const kind = random.below(8);
      if (kind < 5) {
        const graph = JSON.parse(parts.metadata.graph);
        changeJson(random, graph);
        parts.metadata.graph = JSON.stringify(graph);
      } else if (kind === 5) {
        const key = random.pick(["format", "modelRoot", "metadata", "graph"]);
        const text = parts.metadata[key];
        const at = random.below(Math.max(1, text.length));
        parts.metadata[key] = text.slice(0, at) + random.pick(['"', "0", "é"]) +
          text.slice(at + random.below(3));
      } else if (kind === 6) {
        const { bytes } = random.pick(parts.tensors);
        if (bytes.length > 0) bytes[random.below(bytes.length)] ^= 1;
      } else {
        parts.tensors.splice(random.below(parts.tensors.length), 1);
      }
      if (parts.tensors.length === 0 || !isJson(parts.metadata.graph)) return;
    }
  });
}

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === "object" && JSON.parse(text) !== null;
  } catch {
    return false;
  }
}

Deno.test(`readBundle: D16 ${inputs} forged bundles whose digest fits load or give a ChainLearnError`, () => {
  const random = new Random(seed);
  const small = writeBundle(commitModel(testModel(9)));
  let refused = 0;
  for (let i = 0; i < inputs; i++) {
    const source = i % 4 === 0 ? bundle : small;
    const what = `seed ${seed}, input ${i}`;
    if (!loads(forged(random, source), what)) refused++;
  }
  // The root fits no other model: what loads was changed to what it was.
  assert(
    refused > 0.9 * inputs,
    `seed ${seed}: ${refused} of ${inputs} refused`,
  );
  assertEquals(loads(bundle, "as it was"), true);
});
