import { assert, assertEquals, assertThrows } from "@std/assert";
import { ChainLearnError } from "../../fpvm/mod.ts";
import {
  type Commitment,
  commitModel,
  inPhases,
  type Phases,
  phasesOf,
  readBundle,
  validateModel,
  writeBundle,
} from "../../compiler/mod.ts";
import {
  createCpuExecutor,
  createInterpreterExecutor,
  createVmExecutor,
  type Executor,
  selfCheck,
} from "../../runtime/mod.ts";
import { modelFromJson, modelToJson } from "../../compiler/model/model_json.ts";
import { testInput, testModel } from "./models.ts";
import { onePass } from "./phases.ts";

async function outputOf(executor: Executor): Promise<string> {
  const { outputs } = await executor.run([testInput()]);
  executor.close();
  return outputs[0].toHex();
}

Deno.test("inPhases: every device gives the same output of a model in one, two and three phases", async () => {
  const expected = await outputOf(createInterpreterExecutor(onePass(3)));
  for (const phases of [1, 2, 3] as const) {
    const model = onePass(phases);
    validateModel(model);
    assertEquals(phasesOf(model), phases);
    const commitment = commitModel(model);
    const executors = [
      createInterpreterExecutor(model),
      await createCpuExecutor(model, { threads: 2 }),
      createVmExecutor(commitment),
    ];
    for (const executor of executors) {
      const { device } = executor;
      assertEquals(
        await outputOf(executor),
        expected,
        `${phases} on ${device}`,
      );
    }
    const cpu = await createCpuExecutor(model);
    const check = await selfCheck(commitment, cpu, [testInput()]);
    cpu.close();
    assert(check.whole);
    if (phases === 1) {
      assertEquals(commitment.descriptors.length, 1);
      // One program without computed loop counts: the worst case is what was measured.
      assertEquals(check.steps, commitment.programs[0].worstSteps);
    }
  }
});

Deno.test("inPhases: a model taken to other phases and back is the same model", () => {
  const root = (commitment: Commitment) => commitment.modelRoot.toHex();
  const three = root(commitModel(onePass(3)));
  for (const phases of [1, 2] as const) {
    const there = onePass(phases);
    assertEquals(root(commitModel(inPhases(there, 3))), three);
    assert(root(commitModel(there)) !== three);
  }
  assertEquals(
    root(commitModel(inPhases(onePass(2), 1))),
    root(commitModel(onePass(1))),
  );
});

Deno.test("inPhases: several outputs, iterations or a stop slot cannot be one program", () => {
  const model = onePass(3);
  const two = [...model.outputs, { ...model.outputs[0], name: "b", slot: 1 }];
  const refused = (changed: typeof model, message: string) =>
    assertThrows(() => inPhases(changed, 1), ChainLearnError, message);
  refused({ ...model, outputs: two }, "expected one output, found 2");
  refused(testModel(9), "expected one iteration");
  refused({ ...model, stopSlot: 1 }, "expected no stop slot");
});

Deno.test("readBundle: gives back bundles of one, two and three phases", () => {
  for (const phases of [1, 2, 3] as Phases[]) {
    const commitment = commitModel(onePass(phases));
    const bytes = writeBundle(commitment);
    const read = readBundle(bytes, "test");
    assertEquals(read.modelRoot, commitment.modelRoot);
    assertEquals(phasesOf(read.model), phases);
    assertEquals(writeBundle(read), bytes);
  }
});

Deno.test("modelFromJson: one phase needs a valid graph that one program can be, and no other count stands in a bundle", () => {
  const graph = JSON.parse(modelToJson(onePass(1)));
  const { constants, slots } = onePass(3);
  const read = (changes: Record<string, unknown>) =>
    modelFromJson(JSON.stringify({ ...graph, ...changes }), {
      constant: (i) => constants[i].bytes,
      initial: (slot) => slots[slot].initial!,
    });
  assertEquals(phasesOf(read({})), 1);
  const refused = (changes: Record<string, unknown>, message: string) =>
    assertThrows(() => read(changes), ChainLearnError, message);
  for (const phases of [0, 2, 3]) refused({ phases }, "graph.phases");
  refused({ phases: "1" }, "graph.phases");
  const schedule = { kind: "request", max: 4 };
  refused({ schedule }, "expected one iteration");
  refused({ stopSlot: 1 }, "expected no stop slot");
  const [first, ...others] = graph.nodes;
  refused({ nodes: [{ ...first, whole: true }, ...others] }, "a whole node");
  refused({ nodes: [{ ...first, result: 99 }, ...others] }, "result slot");
  refused({ outputs: [{ ...graph.outputs[0], slot: 99 }] }, "slot of");
  refused({ inputs: [{ ...graph.inputs[0], slot: -1 }] }, "slot of");
});

Deno.test("validateModel: a single-phase model must follow from its body", () => {
  const model = onePass(1);
  const refused = (changed: typeof model) =>
    assertThrows(() => validateModel(changed), ChainLearnError, "body");
  refused({ ...model, kept: 2 });
  refused({ ...model, body: model });
  refused({ ...model, constants: [...model.constants] });
  refused({ ...model, nodes: [{ ...model.nodes[0], whole: false }] });
  const slots = model.slots.map((slot) => ({
    ...slot,
    ...(slot.initial ? { initial: slot.initial.slice() } : {}),
  }));
  refused({ ...model, slots });
});

Deno.test("validateModel: a whole result has at most 16 MiB", () => {
  const model = onePass(2);
  const shape = [2 ** 24 + 1];
  const bytes = { dtype: "u8", shape } as const;
  const copy = {
    name: "copy",
    operands: [],
    functions: [],
    result: bytes,
    body: { kind: "const", type: "i32", value: 1 } as const,
  };
  const large = {
    ...model,
    kernels: [...model.kernels, copy],
    slots: [...model.slots, { name: "large", type: bytes }],
    nodes: [...model.nodes, {
      ...model.nodes[0],
      kernel: model.kernels.length,
      operands: [],
      result: model.slots.length,
    }],
  };
  assertThrows(
    () => validateModel(large),
    ChainLearnError,
    "whole: expected at most 16777216 bytes, found 16777217",
  );
  validateModel(inPhases(large, 3));
});
