import { assertEquals } from "@std/assert";
import {
  type Abi,
  bytesToHex,
  createPublicClient,
  decodeFunctionResult,
  encodeFunctionData,
  type Hex,
  http,
  parseAbi,
} from "viem";
import {
  type Artifact,
  compileFile,
  readSources,
} from "../../contracts/build.ts";
import { deployLocally } from "../../contracts/gas.ts";
import {
  type Anvil,
  innerEnds,
  segmentCount,
  segmentEnd,
  startAnvil,
} from "../../contracts/mod.ts";
import {
  decodeDescriptor,
  encodeDescriptor,
  operandKinds,
} from "../../compiler/model/descriptor.ts";
import { initialStateHash } from "../../fpvm/mod.ts";
import { Random } from "../random.ts";

const seed = Number(Deno.env.get("SEED") ?? 31_337);
const abi = parseAbi([
  "function voids(bytes[] descriptors, uint32 weights, uint32 slots) view returns (bool[])",
  "function innerEnds(uint64 lo, uint64 hi, uint8 k) view returns (uint64[])",
  "function initialState(bytes32 root, uint256 height, uint32 leaf, uint32 iteration, bytes32[] operands) view returns (bytes32)",
]);

let anvil: Anvil;
let harness: Hex;
Deno.test.beforeAll(async () => {
  anvil = await startAnvil();
  harness = await deployLocally(anvil.rpcUrl, await harnessArtifact());
});
Deno.test.afterAll(() => anvil.stop());

async function harnessArtifact(): Promise<Artifact> {
  const sources = await readSources(
    new URL("../../contracts/", import.meta.url),
  );
  return compileFile(sources, "test/GameHarness.sol")!;
}

async function ask(data: Hex, functionName: string): Promise<unknown> {
  const client = createPublicClient({ transport: http(anvil.rpcUrl) });
  const answer = await client.call({ to: harness, data, gas: 500_000_000n });
  return decodeFunctionResult({
    abi: abi as Abi,
    functionName,
    data: answer.data!,
  });
}

/** A descriptor in range, or with some byte of it changed, cut or extended. */
function randomDescriptor(random: Random): Uint8Array {
  const whole = random.bool();
  const bytes = encodeDescriptor({
    programRoot: random.bytes(32),
    programHeight: random.below(20),
    whole,
    resultHeight: random.below(whole ? 20 : 27),
    maxSteps: BigInt(random.u32()),
    resultSlot: random.below(5),
    operands: Array.from({ length: random.below(32) }, () => {
      const kind = random.pick(operandKinds);
      return {
        kind,
        index: random.below({ weight: 3, slot: 5, weights_table: 1 }[kind]),
        height: random.below(27),
      };
    }),
  });
  switch (random.below(4)) {
    case 0:
      return bytes;
    case 1:
      return bytes.slice(0, random.below(bytes.length));
    case 2:
      return new Uint8Array([...bytes, ...random.bytes(1 + random.below(9))]);
    default:
      bytes[32 + random.below(bytes.length - 32)] ^= 1 << random.below(8);
      return bytes;
  }
}

Deno.test("Descriptor.isVoid equals decodeDescriptor (D9)", async () => {
  const random = new Random(seed);
  const list = Array.from({ length: 400 }, () => randomDescriptor(random));
  const found = await ask(
    encodeFunctionData({
      abi,
      functionName: "voids",
      args: [list.map((bytes) => bytesToHex(bytes)), 3, 5],
    }),
    "voids",
  );
  const expected = list.map((bytes) =>
    decodeDescriptor(bytes, { weights: 3, slots: 5 }) === null
  );
  assertEquals(found, expected, `seed ${seed}`);
  assertEquals(new Set(expected).size, 2);
});

Deno.test("Segments equal segments.ts at every width and k (G6)", async () => {
  const random = new Random(seed);
  const widths = [1n, 2n, 3n, 15n, 16n, 17n, 33n, 1000n, 2n ** 63n];
  for (const width of widths) {
    const lo = BigInt(random.u32());
    const k = 2 + random.below(31);
    const found = await ask(
      encodeFunctionData({
        abi,
        functionName: "innerEnds",
        args: [lo, lo + width, k],
      }),
      "innerEnds",
    );
    assertEquals(found, innerEnds(lo, lo + width, k), `width ${width} k ${k}`);
  }
});

Deno.test("segmentEnd cuts an interval into non-empty parts (G6)", () => {
  const random = new Random(seed);
  for (let i = 0; i < 500; i++) {
    const lo = BigInt(random.u32());
    const hi = lo + 1n + BigInt(random.below(100));
    const s = segmentCount(lo, hi, 2 + random.below(31));
    assertEquals(segmentEnd(lo, hi, s, 0), lo);
    assertEquals(segmentEnd(lo, hi, s, s), hi);
    for (let j = 0; j < s; j++) {
      const size = segmentEnd(lo, hi, s, j + 1) - segmentEnd(lo, hi, s, j);
      assertEquals(size >= 1n, true, `seed ${seed}, [${lo}, ${hi}], ${s}`);
    }
  }
});

Deno.test("InitialState equals initialStateHash", async () => {
  const random = new Random(seed);
  for (let i = 0; i < 24; i++) {
    const programRoot = random.bytes(32);
    const programHeight = i % 20;
    const leafIndex = random.u32();
    const iteration = random.u32();
    const operandRoots = Array.from(
      { length: i < 2 ? 31 * i : random.below(32) },
      () => random.bytes(32),
    );
    const found = await ask(
      encodeFunctionData({
        abi,
        functionName: "initialState",
        args: [
          bytesToHex(programRoot),
          BigInt(programHeight),
          leafIndex,
          iteration,
          operandRoots.map((root) => bytesToHex(root)),
        ],
      }),
      "initialState",
    );
    const expected = initialStateHash({
      programRoot,
      programHeight,
      leafIndex,
      iteration,
      operandRoots,
    });
    assertEquals(found, bytesToHex(expected), `seed ${seed}, case ${i}`);
  }
});
