import { assertEquals, assertRejects } from "@std/assert";
import {
  type Commitment,
  commitModel,
  type Model,
} from "../../compiler/mod.ts";
import { ChainLearnError, decode } from "../../fpvm/mod.ts";
import {
  createCpuExecutor,
  createInterpreterExecutor,
  type Executor,
  probeBytes,
  selfCheck,
} from "../../runtime/mod.ts";
import { testInput, testModel } from "./models.ts";

const model = testModel(9);
const commitment = commitModel(model);
/** Leaves of all results: three products, two caches, two words and the reversal. */
const LEAVES = 3 * 128 + 3 * 8 + 2;

/** The commitment with one program's code changed, as by a back end that is wrong. */
function withProgram(
  node: number,
  change: (code: DataView) => void,
): Commitment {
  const index = commitment.nodePrograms[node];
  const programs = commitment.programs.map((program, i) => {
    if (i !== index) return program;
    const code = program.code.slice();
    change(new DataView(code.buffer));
    return { ...program, code };
  });
  return { ...commitment, programs };
}

async function check(
  commitment: Commitment,
  executor: Executor,
  inputs = [testInput()],
) {
  try {
    return await selfCheck(commitment, executor, inputs);
  } finally {
    executor.close();
  }
}

Deno.test("selfCheck: compares every leaf of a small model with the CPU", async () => {
  const calls: number[][] = [];
  const cpu = await createCpuExecutor(model, { threads: 1 });
  const found = await selfCheck(
    commitment,
    cpu,
    [testInput()],
    (done, total) => calls.push([done, total]),
  );
  cpu.close();
  assertEquals(found.leaves, LEAVES);
  assertEquals(found.whole, true);
  assertEquals(found.steps > 100 * LEAVES, true, `${found.steps}`);
  assertEquals(calls, model.nodes.map((_, i) => [i + 1, 8]));
});

Deno.test("selfCheck: D3 names the node whose program computes something else", async () => {
  const { code } = commitment.programs[commitment.nodePrograms[0]];
  const words = new DataView(code.buffer, code.byteOffset, code.byteLength);
  let at = 0;
  while (decode(words.getUint32(at, true))?.name !== "sra") at += 4;
  // The arithmetic shift of the sum becomes a logical one.
  const planted = withProgram(
    0,
    (words) => words.setUint32(at, words.getUint32(at, true) ^ 1, true),
  );
  await assertRejects(
    () => check(planted, createInterpreterExecutor(model)),
    ChainLearnError,
    'Self-check failed in leaf 0 of node "node 0": expected',
  );
});

Deno.test("selfCheck: D3 names the node whose program does not end well", async () => {
  const break_ = 0x0000000d;
  await assertRejects(
    () =>
      check(
        withProgram(2, (words) => words.setUint32(0, break_, true)),
        createInterpreterExecutor(model),
      ),
    ChainLearnError,
    'Cannot run leaf 0 of node "node 1" in the machine: expected exit code 0',
  );
});

Deno.test("selfCheck: D3 finds a native kernel that computes something else", async () => {
  const inner = createInterpreterExecutor(model);
  const wrong: Executor = {
    ...inner,
    device: "wrong",
    run: (inputs, options) =>
      inner.run(inputs, {
        ...options,
        onNode(step, node, slots) {
          if (node === 5) slots[model.nodes[5].result][200] ^= 1;
          return options?.onNode?.(step, node, slots);
        },
      }),
  };
  await assertRejects(
    () => check(commitment, wrong),
    ChainLearnError,
    'Self-check failed in leaf 6 of node "node 2"',
  );
});

Deno.test("selfCheck: D3 an emitted step limit one too low is found", async () => {
  const index = commitment.nodePrograms[6];
  const programs = commitment.programs.map((program, i) =>
    i === index ? { ...program, worstSteps: program.worstSteps - 1 } : program
  );
  await assertRejects(
    () => check({ ...commitment, programs }, createInterpreterExecutor(model)),
    ChainLearnError,
    `expected exit code 0 within ${
      commitment.programs[index].worstSteps - 1
    } steps, found status 0`,
  );
});

Deno.test("selfCheck: D3 an operand height one too low is found", async () => {
  const descriptors = commitment.descriptors.map((d, i) =>
    i === 2
      ? {
        ...d,
        operands: d.operands.map((o) => ({ ...o, height: o.height - 1 })),
      }
      : d
  );
  await assertRejects(
    () =>
      check({ ...commitment, descriptors }, createInterpreterExecutor(model)),
    ChainLearnError,
    "expected at most 2048 bytes, found 4096",
  );
});

Deno.test("selfCheck: runs every iteration of a fixed schedule", async () => {
  const twice: Model = { ...model, schedule: { kind: "fixed", iterations: 2 } };
  const { leaves } = await check(
    commitModel(twice),
    createInterpreterExecutor(twice),
  );
  assertEquals(leaves, 2 * LEAVES);
});

Deno.test("selfCheck: compares nothing after the stop", async () => {
  const early: Model = {
    ...testModel(0),
    nodes: [testModel(0).nodes[7], ...testModel(0).nodes.slice(0, 7)],
  };
  const { leaves } = await check(
    commitModel(early),
    createInterpreterExecutor(early),
  );
  assertEquals(leaves, 1);
});

Deno.test("probeBytes: gives the same bytes everywhere", () => {
  // Numerical Recipes, chapter 7.1, prints the generator's first numbers: 3C6EF35F, 47502932, D1CCF6E9, AAF95334.
  assertEquals(probeBytes(4, 0).toHex(), "3c47d1aa");
  assertEquals(probeBytes(20).subarray(0, 8), probeBytes(8));
});
