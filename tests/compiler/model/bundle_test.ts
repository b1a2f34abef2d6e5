import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  commitModel,
  type Model,
  readBundle,
  writeBundle,
} from "../../../compiler/mod.ts";
import { ChainLearnError, tensorRoot } from "../../../fpvm/mod.ts";
import {
  readHeader,
  readSafetensors,
} from "../../../compiler/model/safetensors.ts";
import { Random } from "../../random.ts";
import { testModel } from "../../runtime/models.ts";
import {
  type BundleParts,
  changeGraph,
  rebuilt,
  tensorOf,
} from "../bundle_file.ts";

/** Two constants; the second one has a name that is a number and a layout with gaps. */
function bundledModel(): Model {
  const model = testModel(9);
  const type = {
    dtype: "i16",
    shape: [3, 5],
    layout: [{ axis: 0, size: 3 }, { axis: 1, size: 8 }],
  } as const;
  return {
    ...model,
    // The weights table would have another length.
    nodes: model.nodes.filter((n) => n.kernel !== 5),
    constants: [
      ...model.constants,
      { name: "7", type, bytes: new Random(3).bytes(48) },
      {
        name: "__proto__",
        type: { dtype: "u8", shape: [0] },
        bytes: new Uint8Array(),
      },
    ],
    outputs: [{ ...model.outputs[0], labels: ["naïve", '"digest":"', "😀"] }],
  };
}

const commitment = commitModel(bundledModel());
const bundle = writeBundle(commitment);

const refuses = (bytes: Uint8Array, text: string) =>
  assertThrows(() => readBundle(bytes, "m.clm"), ChainLearnError, text);
const refusesChange = (change: (parts: BundleParts) => void, text: string) =>
  refuses(rebuilt(bundle, change), text);

Deno.test("readBundle: gives back the model, byte for byte", () => {
  const found = readBundle(bundle, "m.clm");
  assertEquals(found.model, bundledModel());
  assertEquals(found.modelRoot, commitment.modelRoot);
  assertEquals(writeBundle(found), bundle);
});

Deno.test("writeBundle: the same model gives the same bytes", () => {
  assertEquals(writeBundle(commitModel(bundledModel())), bundle);
  const reordered = Object.fromEntries(
    Object.entries(bundledModel()).reverse(),
  ) as unknown as Model;
  assertEquals(writeBundle(commitModel(reordered)), bundle);
});

Deno.test("writeBundle: every tensor starts at a multiple of 64 bytes, and no byte is left over", () => {
  const { length } = readHeader(bundle, "m.clm");
  assertEquals((8 + length) % 64, 0);
  const header = JSON.parse(
    new TextDecoder().decode(bundle.subarray(8, 8 + length)),
  );
  delete header.__metadata__;
  const places = Object.entries<{ data_offsets: [number, number] }>(header)
    .map(([name, entry]) => ({ name, offsets: entry.data_offsets }))
    .sort((a, b) => a.offsets[0] - b.offsets[0] || a.offsets[1] - b.offsets[1]);
  let end = 0;
  for (const { name, offsets: [from, to] } of places) {
    assertEquals(from, end, name);
    if (!name.startsWith("__pad.")) assertEquals(from % 64, 0, name);
    end = to;
  }
  assertEquals(8 + length + end, bundle.length);
  assertEquals(
    readSafetensors(bundle, "m.clm").tensors.map(({ name }) => name),
    ["w", "7", "__proto__", "__initial.0", "__code", "__tree"],
  );
});

Deno.test("writeBundle: __tree holds the nodes of whole pages, and roots of what is lower", () => {
  const { tensors } = readSafetensors(bundle, "m.clm");
  const tree = tensors.find((t) => t.name === "__tree")!.bytes;
  const { constants } = commitment.model;
  assertEquals(constants[0].bytes.length, 4096);
  assertEquals(
    tree,
    Uint8Array.from(constants.flatMap((c) => [...tensorRoot(c.bytes)])),
  );
  const type = { dtype: "u8", shape: [9000] } as const;
  const bytes = new Random(4).bytes(9000);
  const large = commitModel({
    ...commitment.model,
    constants: [...constants, { name: "large", type, bytes }],
  });
  const pages = readSafetensors(writeBundle(large), "m.clm").tensors
    .find((t) => t.name === "__tree")!.bytes.subarray(96);
  assertEquals(pages.length, 3 * 32);
  for (let i = 0; i < 3; i++) {
    assertEquals(
      pages.slice(32 * i, 32 * i + 32),
      tensorRoot(bytes.slice(4096 * i, 4096 * (i + 1)), 7),
    );
  }
});

Deno.test("writeBundle: refuses a constant with a name of the bundle's own", () => {
  for (
    const name of ["__code", "__tree", "__initial.0", "__pad.1", "__metadata__"]
  ) {
    const [first, ...rest] = commitment.model.constants;
    const constants = [{ ...first, name }, ...rest];
    assertThrows(
      () =>
        writeBundle({
          ...commitment,
          model: { ...commitment.model, constants },
        }),
      ChainLearnError,
      `Cannot write constant "${name}"`,
    );
  }
});

Deno.test("readBundle: D16 a flipped bit anywhere is a named error", () => {
  const random = new Random(8);
  const { length } = readHeader(bundle, "m.clm");
  // Every part of the file, and places at random.
  const places = [0, 3, 7, 8, 8 + length - 1, 8 + length, bundle.length - 1];
  for (let i = 0; i < 60; i++) places.push(random.below(bundle.length));
  for (const place of places) {
    const bytes = bundle.slice();
    bytes[place] ^= 1 << random.below(8);
    let text = "nothing thrown";
    try {
      readBundle(bytes, "m.clm");
    } catch (error) {
      text = String(error);
    }
    assert(
      /^ChainLearnError: Cannot (read|load) bundle m\.clm/.test(text),
      `seed 8, byte ${place}: ${text}`,
    );
  }
});

Deno.test("readBundle: D16 a truncated or extended file is a named error", () => {
  for (const length of [0, 7, 8, 100, 5000, bundle.length - 1]) {
    refuses(bundle.slice(0, length), "Cannot read bundle m.clm: expected");
  }
  refuses(Uint8Array.from([...bundle, 0]), "bytes of tensors");
});

Deno.test("readBundle: D3 refuses programs that the kernels do not compile to", () => {
  refusesChange(
    (parts) => tensorOf(parts, "__code").bytes[40] ^= 1,
    "expected the programs that its kernels compile to, found other programs",
  );
});

Deno.test("readBundle: D3 refuses a kernel beside the programs of another", () => {
  refusesChange(
    (parts) =>
      changeGraph(parts, (graph) => {
        graph.kernels[4] = JSON.parse(
          readSafetensors(writeBundle(commitModel(testModel(8))), "m").metadata
            .graph,
        ).kernels[4];
      }),
    "expected the programs that its kernels compile to",
  );
});

Deno.test("readBundle: D3 refuses another model's root over kernels, programs and metadata that fit", () => {
  refusesChange(
    (parts) => parts.metadata.modelRoot = "ab".repeat(32),
    `expected model root ${commitment.modelRoot.toHex()}, found abab`,
  );
});

Deno.test("readBundle: D16 refuses a graph with other wiring", () => {
  refusesChange(
    (parts) =>
      changeGraph(parts, (graph) => graph.nodes[3].operands[1] = ["slot", 2]),
    "expected model root",
  );
});

Deno.test("readBundle: D16 refuses swapped labels, in the graph, the metadata or both", () => {
  const swap = (text: string) =>
    text.replace("naïve", "x").replace("😀", "naïve");
  refusesChange(
    (parts) => parts.metadata.graph = swap(parts.metadata.graph),
    "expected the metadata of its graph, found other metadata",
  );
  refusesChange(
    (parts) => parts.metadata.metadata = swap(parts.metadata.metadata),
    "expected the metadata of its graph, found other metadata",
  );
  refusesChange((parts) => {
    parts.metadata.graph = swap(parts.metadata.graph);
    parts.metadata.metadata = swap(parts.metadata.metadata);
  }, "expected model root");
});

Deno.test("readBundle: D16 refuses a changed page, alone and with its node", () => {
  refusesChange(
    (parts) => tensorOf(parts, "w").bytes[100] ^= 1,
    'expected page 0 of tensor "w" to hash to its node, found a changed page or node',
  );
  refusesChange((parts) => {
    const { bytes } = tensorOf(parts, "w");
    bytes[100] ^= 1;
    tensorOf(parts, "__tree").bytes.set(tensorRoot(bytes));
  }, "expected model root");
  refusesChange(
    (parts) => tensorOf(parts, "__tree").bytes.fill(0, 32, 64),
    'expected page 0 of tensor "7" to hash to its node, found an empty node',
  );
});

Deno.test("readBundle: D16 refuses other initial bytes", () => {
  refusesChange(
    (parts) => tensorOf(parts, "__initial.0").bytes[0] ^= 1,
    "expected model root",
  );
});

Deno.test("readBundle: D16 refuses tensors that are missing, left over or listed as another type", () => {
  refusesChange(
    (parts) => parts.tensors = parts.tensors.filter((t) => t.name !== "7"),
    'expected tensor "7", found none',
  );
  refusesChange(
    (parts) =>
      parts.tensors.push({
        name: "more",
        dtype: "u8",
        shape: [1],
        bytes: new Uint8Array(1),
      }),
    'expected tensors of the graph only, found "more"',
  );
  refusesChange(
    (parts) => tensorOf(parts, "w").shape = [4096],
    'expected i8 [64,64] for "w", found i8 [4096]',
  );
  refusesChange((parts) => {
    const tree = tensorOf(parts, "__tree");
    const index = parts.tensors.indexOf(tree);
    const bytes = Uint8Array.from([...tree.bytes, ...new Uint8Array(32)]);
    parts.tensors[index] = { ...tree, shape: [bytes.length], bytes };
  }, "expected 96 bytes of tree nodes, found 128");
});

Deno.test("readBundle: D16 refuses a graph that breaks a rule of the protocol", () => {
  refusesChange(
    (parts) => changeGraph(parts, (graph) => graph.kept = 16),
    "kept slots: expected at most the tree's width 8, found 16",
  );
  refusesChange(
    (parts) => changeGraph(parts, (graph) => graph.kept = 3),
    "kept slots: expected a power of two, found 3",
  );
});

Deno.test("readBundle: D16 refuses a graph of other types, naming the field", () => {
  // deno-lint-ignore no-explicit-any -- any JSON of a stranger
  const cases: [(graph: any) => void, string][] = [
    [(g) => g.kept = "2", 'graph.kept: expected a whole number, found "2"'],
    [(g) => g.nodes = {}, "graph.nodes: expected a list, found {}"],
    [(g) => g.mode = "exact", "graph.mode: expected one of fixed, float"],
    [(g) => delete g.name, "graph.name: expected a string, found nothing"],
    [
      (g) => g.nodes[1].operands[0] = [],
      "graph.nodes[1].operands[0]: expected one of",
    ],
    [
      (g) => g.nodes[1].operands[0] = ["slot"],
      "graph.nodes[1].operands[0]: expected a whole number",
    ],
    [
      (g) => g.slots[0].initial = 1,
      "graph.slots[0].initial: expected true or false",
    ],
    [(g) => g.slots[0].type.dtype = "toString", "dtype: expected one of"],
    [
      (g) => g.inputs[0].accepts = null,
      "graph.inputs[0].accepts.kind: expected one of",
    ],
    [
      (g) => g.outputs[0].scale = null,
      "graph.outputs[0].scale: expected a number",
    ],
    [
      (g) => g.schedule.max = 1.5,
      "graph.schedule.max: expected a whole number",
    ],
    [(g) => g.stopSlot = null, "graph.stopSlot: expected a whole number"],
  ];
  for (const [change, text] of cases) {
    refusesChange((parts) => changeGraph(parts, change), text);
  }
  refusesChange(
    (parts) => parts.metadata.graph = "{",
    "Cannot read the graph of the bundle: expected JSON, found other text",
  );
});

Deno.test("readBundle: refuses another format by name", () => {
  refusesChange(
    (parts) => parts.metadata.format = "chainlearn bundle 1",
    'expected format "chainlearn bundle 2", found "chainlearn bundle 1"',
  );
});
