import { assertEquals, assertNotEquals } from "@std/assert";
import {
  byteLength,
  commitModel,
  encodeDescriptor,
  type Model,
  parseModelRootPreimage,
} from "../../../compiler/mod.ts";
import {
  hashPair,
  keccak256,
  rootFromPath,
  tensorRoot,
  zeroHash,
} from "../../../fpvm/mod.ts";
import { testModel } from "../../runtime/models.ts";

const model = testModel(9);
const commitment = commitModel(model);

Deno.test("commitModel: every root follows from the model's own bytes", () => {
  const fields = parseModelRootPreimage(commitment.preimage);
  // Eight nodes, one constant, six slots: trees of depth 3, 0 and 3, hashed here by hand.
  const leaves = commitment.descriptors.map((d) =>
    keccak256(encodeDescriptor(d))
  );
  const treeOf8 = (l: readonly Uint8Array[]) => {
    const pad = (i: number) => l[i] ?? new Uint8Array(32);
    const pairs = [0, 2, 4, 6].map((i) => hashPair(pad(i), pad(i + 1)));
    return hashPair(hashPair(pairs[0], pairs[1]), hashPair(pairs[2], pairs[3]));
  };
  assertEquals(fields.programRoot, treeOf8(leaves));
  assertEquals(fields.weightsRoot, tensorRoot(model.constants[0].bytes));
  const slots = model.slots.map((slot) =>
    tensorRoot(slot.initial ?? new Uint8Array(byteLength(slot.type)))
  );
  assertEquals(fields.initialSlotsRoot, treeOf8(slots));
  assertEquals(slots[2], zeroHash(7));
  assertEquals(
    fields.metadataHash,
    keccak256(new TextEncoder().encode(commitment.metadata)),
  );
  assertEquals(
    [fields.nodes, fields.weights, fields.slots, fields.kept, fields.stopSlot],
    [8, 1, 6, 2, 1],
  );
  assertEquals([fields.schedule, fields.iterations], ["request", 4]);
  assertEquals(commitment.modelRoot, keccak256(commitment.preimage));
});

Deno.test("commitModel: descriptors say what the nodes say", () => {
  model.nodes.forEach((node, i) => {
    const d = commitment.descriptors[i];
    const program = commitment.programs[commitment.nodePrograms[i]];
    assertEquals(d.programRoot, tensorRoot(program.code), node.name);
    assertEquals(d.maxSteps, 2n * BigInt(program.worstSteps));
    assertEquals(d.resultSlot, node.result);
    assertEquals(d.operands.length, node.operands.length);
    assertEquals(
      rootFromPath(
        keccak256(encodeDescriptor(d)),
        i,
        commitment.programTree.path(i),
      ),
      commitment.programTree.root,
    );
  });
  const [product, , , , , , table] = commitment.descriptors;
  assertEquals(product.operands, [
    { kind: "slot", index: 2, height: 7 },
    { kind: "weight", index: 0, height: 7 },
  ]);
  assertEquals(table.operands, [
    { kind: "weights_table", index: 0, height: 0 },
  ]);
});

Deno.test("commitModel: a program is shared by nodes of one kernel and one kind of operands", () => {
  const [a, b] = commitment.nodePrograms;
  // Both multiply; one reads a constant, the other a slot, and they are compiled apart.
  assertNotEquals(a, b);
  assertEquals(commitment.nodePrograms[3], commitment.nodePrograms[5]);
  assertEquals(commitment.programs.length, 7);
});

Deno.test("commitModel: whatever is executed or shown changes the model root", () => {
  const changes: Record<string, (m: Model) => Model> = {
    name: (m) => ({ ...m, name: "other" }),
    labels: (m) => ({
      ...m,
      outputs: [{ ...m.outputs[0], labels: ["a", "b"] }],
    }),
    scale: (m) => ({ ...m, outputs: [{ ...m.outputs[0], scale: 2 }] }),
    "input name": (m) => ({ ...m, inputs: [{ ...m.inputs[0], name: "z" }] }),
    wiring: (m) => ({
      ...m,
      nodes: m.nodes.map((n, i) =>
        i === 2 ? { ...n, operands: [{ kind: "slot", index: 2 }] } : n
      ),
    }),
    result: (m) => ({
      ...m,
      nodes: m.nodes.map((n, i) => i === 2 ? { ...n, result: 2 } : n),
    }),
    "a weight": (m) => ({
      ...m,
      constants: [{
        ...m.constants[0],
        bytes: m.constants[0].bytes.with(4095, 1 ^ m.constants[0].bytes[4095]),
      }],
    }),
    "an initial byte": (m) => ({
      ...m,
      slots: m.slots.map((s) =>
        s.initial ? { ...s, initial: s.initial.with(0, 1 ^ s.initial[0]) } : s
      ),
    }),
    kept: (m) => ({ ...m, kept: 4 }),
    "stop slot": (m) => ({ ...m, stopSlot: undefined }),
    schedule: (m) => ({ ...m, schedule: { kind: "request", max: 5 } }),
    kernel: (m) => ({ ...m, kernels: testModel(8).kernels }),
  };
  const seen = new Map([[commitment.modelRoot.toHex(), "the model"]]);
  for (const [what, change] of Object.entries(changes)) {
    const root = commitModel(change(model)).modelRoot.toHex();
    assertEquals(seen.get(root), undefined, what);
    seen.set(root, what);
  }
});

Deno.test("commitModel: names of nodes, slots and constants are for people and change nothing", () => {
  const renamed: Model = {
    ...model,
    nodes: model.nodes.map((n) => ({ ...n, name: "n", lineage: ["x"] })),
    slots: model.slots.map((s) => ({ ...s, name: "s" })),
    constants: model.constants.map((c) => ({ ...c, name: "c" })),
  };
  assertEquals(commitModel(renamed).modelRoot, commitment.modelRoot);
});
