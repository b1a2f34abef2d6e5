import { assert, assertEquals } from "@std/assert";
import {
  add,
  axis,
  byteLength,
  convertOnnx,
  defineKernel,
  i32,
  type Kernel,
  load,
  type Model,
  mul,
  type Node,
  operandsOf,
  rem,
  type TensorType,
} from "../../compiler/mod.ts";
import { makeModel } from "../../models/mobilenet_shape/mod.ts";
import {
  createCpuExecutor,
  createInterpreterExecutor,
  planSlots,
} from "../../runtime/mod.ts";
import { Random } from "../random.ts";

const lengths = [1, 33, 64, 200, 1000];
const vector = (n: number): TensorType => ({ dtype: "i8", shape: [n] });

/** y[i] = a[i mod its length] + 3 b[i mod its length], wrapping; an update writes the first half of y alone. */
function mix(a: number, b: number, y: number, isUpdate: boolean): Kernel {
  const operands = [vector(a), vector(b)];
  const [x, z] = operandsOf(operands);
  return defineKernel({
    name: "mix",
    operands,
    result: vector(y),
    ...(isUpdate
      ? {
        update: {
          operand: 0,
          ranges: [{ first: i32(0), count: i32(y >> 1) }],
        },
      }
      : {}),
    body: add(
      load(x, isUpdate ? axis(0) : rem(axis(0), a)),
      mul(load(z, rem(axis(0), b)), 3),
    ),
  });
}

/** Nodes that read and write slots at random: before they are written, in place, never again. */
function randomModel(random: Random): Model {
  const slots = Array.from({ length: 5 + random.below(12) }, (_, i) => {
    const type = vector(lengths[random.below(lengths.length)]);
    return {
      name: `slot${i}`,
      type,
      ...(random.below(6) === 0
        ? { initial: random.bytes(byteLength(type)) }
        : {}),
    };
  });
  const length = (slot: number) => slots[slot].type.shape[0];
  // Later slots are written later, mostly: so that few are read before they are written.
  const kernels: Kernel[] = [];
  const nodes = Array.from({ length: 3 + random.below(20) }, (_, i): Node => {
    const result = random.below(4) === 0
      ? random.below(4)
      : (4 + i) % slots.length;
    const reach = Math.min(slots.length, i + 4);
    const read = () => 2 + random.below(reach - 2);
    const [a, b] = [read(), read()];
    const isUpdate = length(a) === length(result) && random.bool();
    kernels.push(mix(length(a), length(b), length(result), isUpdate));
    return {
      name: `node${i}`,
      kernel: i,
      operands: [{ kind: "slot", index: a }, { kind: "slot", index: b }],
      result,
      whole: false,
      lineage: [],
    };
  });
  const iterations = 1 + random.below(3);
  return {
    name: "random",
    mode: "fixed",
    kernels,
    nodes,
    constants: [],
    slots,
    inputs: [2, 3].map((slot) => ({
      name: `x${slot}`,
      slot,
      role: "data",
      accepts: { kind: "tensor" },
    })),
    outputs: [{
      name: "y",
      slot: nodes[random.below(nodes.length)].result,
      scale: 1,
    }],
    schedule: random.below(4) === 0
      ? { kind: "request", max: 3 }
      : { kind: "fixed", iterations },
    kept: 1 << random.below(2),
  };
}

/** After each step of a run, the slots whose bytes may still be read: from the last step backwards. */
function liveAfter(model: Model, iterations: number): Set<number>[] {
  const live = new Set(model.outputs.map(({ slot }) => slot));
  for (let slot = 0; slot < model.kept; slot++) live.add(slot);
  const after: Set<number>[] = [];
  for (let step = iterations * model.nodes.length - 1; step >= 0; step--) {
    after[step] = new Set(live);
    const { operands, result } = model.nodes[step % model.nodes.length];
    live.delete(result);
    for (const ref of operands) if (ref.kind === "slot") live.add(ref.index);
  }
  return after;
}

/** Fills all memory of slots but that of the live ones. */
function poison(slots: readonly Uint8Array[], live: Set<number>): void {
  const from = Math.min(...slots.map((s) => s.byteOffset));
  const to = Math.max(...slots.map((s) => s.byteOffset + s.length + 32));
  const saved = [...live].map((slot) => slots[slot].slice());
  new Uint8Array(slots[0].buffer, from, to - from).fill(0xa5);
  [...live].forEach((slot, i) => slots[slot].set(saved[i]));
}

Deno.test("planSlots: slots that share memory give the interpreter's bytes, with all dead memory overwritten after every node", async () => {
  let shared = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const model = randomModel(random);
    const iterations = model.schedule.kind === "fixed"
      ? model.schedule.iterations
      : 1 + random.below(3);
    const inputs = model.inputs.map(({ slot }) =>
      random.bytes(byteLength(model.slots[slot].type))
    );
    const results: Uint8Array[] = [];
    const expected = await createInterpreterExecutor(model).run(inputs, {
      iterations,
      keep: "model",
      onNode(_, node, slots) {
        results.push(slots[model.nodes[node].result].slice());
      },
    });
    const { plan, outputs } = { plan: planSlots(model), ...expected };
    shared += plan.shared.filter((isShared) => isShared).length;
    const live = liveAfter(model, iterations);
    const executor = await createCpuExecutor(model, {
      threads: 1 + random.below(2),
    });
    try {
      for (let run = 0; run < 2; run++) {
        const found = await executor.run(inputs, {
          iterations,
          keep: "model",
          onNode(step, node, slots) {
            const { result } = model.nodes[node];
            assertEquals(slots[result], results[step], `Seed ${seed}`);
            poison(slots, live[step]);
          },
        });
        assertEquals(found, expected, `Seed ${seed}`);
      }
      const all = await executor.run(inputs, { iterations, keep: "all" });
      assertEquals(all.outputs, outputs, `Seed ${seed}, everything kept`);
    } finally {
      executor.close();
    }
  }
  assert(shared > 60, `Found ${shared} shared slots`);
});

Deno.test("planSlots: a chain of equal tensors takes the memory of two", () => {
  const nodes = Array.from({ length: 9 }, (_, i): Node => ({
    name: `node${i}`,
    kernel: 0,
    operands: [0, 1].map(() => ({ kind: "slot", index: i + 1 })),
    result: i === 8 ? 0 : i + 2,
    whole: false,
    lineage: [],
  }));
  const model: Model = {
    ...randomModel(new Random(1)),
    kernels: [mix(1000, 1000, 1000, false)],
    nodes,
    slots: Array.from(
      { length: 10 },
      (_, i) => ({ name: `${i}`, type: vector(1000) }),
    ),
    inputs: [],
    outputs: [{ name: "y", slot: 0, scale: 1 }],
    schedule: { kind: "fixed", iterations: 1 },
    kept: 1,
  };
  // The first is read before it is written, the output stays: these two are apart, two more are shared.
  const { bytes, least, apart } = planSlots(model);
  assertEquals([bytes, least, apart], [4 * 1088, 4 * 1000, 10 * 1088]);
});

Deno.test("planSlots: a network of ImageNet shape takes at most 1.2 times what is live at one node", () => {
  const sample = new Float32Array(3 * 224 * 224).map((_, i) => i % 128 / 64);
  const { model } = convertOnnx(makeModel(1), {
    name: "network",
    precision: "int8",
    calibration: {
      image: {
        dtype: "f32",
        shape: [1, 3, 224, 224],
        bytes: new Uint8Array(sample.buffer),
      },
    },
  });
  const { bytes, least, apart } = planSlots(model);
  assert(bytes <= 1.2 * least, `Found ${bytes}, at most ${least} live`);
  assert(4 * bytes < apart, `Found ${bytes} of ${apart}`);
});
