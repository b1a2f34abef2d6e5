/** `verify`: what it says of devices and receipts that differ, and its JUnit reports. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { compareDevices, type Plan } from "../../cli/compare_devices.ts";
import { junitReport } from "../../cli/junit.ts";
import { commitModel, type Model, writeBundle } from "../../compiler/mod.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import { createCpuExecutor } from "../../runtime/mod.ts";
import { testInput, testModel } from "../runtime/models.ts";
import { npy } from "./bad_files.ts";
import { chainlearn, filesIn, succeeds } from "./command.ts";
import { type Element, readJunit } from "./xml.ts";

const size = 64;
const iterations = 3;
const model: Model = {
  ...testModel(9),
  schedule: { kind: "fixed", iterations },
};
const commitment = commitModel(model);
const task = { commitment, inputs: [testInput()], iterations };

const honest: Plan = {
  device: "honest",
  open: () => createCpuExecutor(model, { threads: 1 }),
};

/** A device that flips one bit of a node's result in one step. */
function liar(wrong: { step: number; byte: number }): Plan {
  return {
    device: "liar",
    open: async () => {
      const executor = await createCpuExecutor(model, { threads: 1 });
      return {
        ...executor,
        run: (inputs, options) =>
          executor.run(inputs, {
            ...options,
            onNode: async (step, node, slots) => {
              if (step === wrong.step) {
                slots[model.nodes[node].result][wrong.byte] ^= 1;
              }
              await options?.onNode?.(step, node, slots);
            },
          }),
      };
    },
  };
}

/** A device that cannot run the model. */
const broken: Plan = {
  device: "broken",
  open: () => Promise.reject(new ChainLearnError("Cannot run: no such thing")),
};

Deno.test("compareDevices: names the first node, iteration and byte that differ", async () => {
  const count = model.nodes.length;
  let differing = 0;
  // Five steps apart: other nodes in every iteration.
  for (let step = 0; step < iterations * count; step += 5) {
    const plans = [honest, liar({ step, byte: 1 }), honest];
    const outcomes = await compareDevices(task, plans);
    const [, { difference }] = outcomes;
    // A node may write what nobody reads later: then the bytes at the end are right.
    assertEquals([outcomes[0].equal, outcomes[2].equal], [true, true]);
    if (outcomes[1].equal) continue;
    differing++;
    const node = step % count;
    const where = `node ${node} "${model.nodes[node].name}", iteration ${
      Math.floor(step / count)
    }: `;
    assertStringIncludes(difference!, where);
    assertStringIncludes(difference!, "1 of ");
    assertStringIncludes(difference!, "first byte 1: expected ");
  }
  assert(differing > 1, `${differing} lies are seen at the end`);
});

Deno.test("compareDevices: takes what is right from a receipt, also against the first device", async () => {
  const expected = await receiptOfModel();
  const node = model.nodes.findLastIndex(({ result }) =>
    result === model.outputs[0].slot
  );
  const step = (iterations - 1) * model.nodes.length + node;
  const lie = liar({ step, byte: 0 });
  const [first, second] = await compareDevices(task, [lie, honest], expected);
  assertEquals([first.equal, second.equal], [false, true]);
  assertStringIncludes(first.difference!, `node ${node} `);
  const [alone] = await compareDevices(task, [lie], expected);
  assertEquals(alone.equal, false);
  const name = `output "${model.outputs[0].name}": 1 of `;
  assertStringIncludes(alone.difference!, name);
});

Deno.test("compareDevices: a device that cannot run fails, the others are compared", async () => {
  const outcomes = await compareDevices(task, [broken, honest, honest]);
  assertEquals(outcomes.map(({ equal }) => equal), [false, true, true]);
  assertEquals(outcomes[0].error, "Cannot run: no such thing");
  assertEquals(outcomes[0].finalState, null);
});

async function receiptOfModel() {
  const { receiptOf } = await import("../../cli/run.ts");
  const executor = await createCpuExecutor(model, { threads: 1 });
  const run = await executor.run(task.inputs);
  executor.close();
  return receiptOf(commitment, task.inputs, iterations, run, "cpu");
}

Deno.test("junitReport: is valid whatever names and messages hold", () => {
  const odd = `a<b>&"c'\n\t\r \0\x1b[31m\ud800 \ufffe é 𝄞 ]]> --> &amp;`;
  const text = junitReport({
    name: odd,
    group: odd,
    timestamp: new Date(Date.UTC(2024, 1, 29, 12, 30, 59)),
    properties: { [odd]: odd, empty: "" },
    cases: [
      { name: odd, seconds: 1.25 },
      { name: odd, seconds: 0, failure: odd },
      { name: odd, seconds: 1e-9, error: odd },
    ],
  });
  const suite = readJunit(text);
  const bad = "\ufffd";
  const kept = `a<b>&"c'\n\t\r ${bad}${bad}[31m${bad} ${bad} é 𝄞 ]]> --> &amp;`;
  assertEquals(suite.attributes.name, kept);
  assertEquals(suite.attributes.timestamp, "2024-02-29T12:30:59");
  assertEquals(suite.attributes.time, "1.250");
  assertEquals(suite.children[2].children[0].attributes.message, kept);
  assertEquals(suite.children[3].children[0].name, "error");
});

async function makeFolder(): Promise<string> {
  const folder = await Deno.makeTempDir();
  await Deno.writeFile(join(folder, "m.clm"), writeBundle(commitment));
  const input = npy("|i1", [size, size], testInput());
  await Deno.writeFile(join(folder, "x.npy"), input);
  const receipt = JSON.stringify(await receiptOfModel());
  await Deno.writeTextFile(join(folder, "golden.json"), receipt);
  return folder;
}

const casesOf = (suite: Element) =>
  suite.children.filter(({ name }) => name === "testcase");
const common = "verify m.clm --input x.npy".split(" ");

Deno.test("verify: --junit has a case for the receipt and each device", async () => {
  const folder = await makeFolder();
  const { out } = await succeeds(folder, [
    ...common,
    ..."--receipt golden.json --junit out.xml".split(" "),
  ]);
  assertStringIncludes(out, "Every device gives the same bytes");
  const suite = readJunit(await Deno.readTextFile(join(folder, "out.xml")));
  assertEquals(
    casesOf(suite).map(({ attributes: { name } }) => name),
    ["receipt", "cpu, 1 thread", "cpu, 2 threads", "interpreter", "vm"],
  );
  assertEquals(suite.attributes.failures, "0");
  assertEquals(filesIn(folder).length, 4, "no temporary file stays");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("verify: a receipt with other bytes fails with code 1, in the report too", async () => {
  const folder = await makeFolder();
  const golden = await receiptOfModel();
  const last = golden.outputs.length - 1;
  const bytes = Uint8Array.fromHex(golden.outputs[last]);
  bytes[3] ^= 0x80;
  const outputs = golden.outputs.with(last, bytes.toHex());
  const file = join(folder, "false.json");
  await Deno.writeTextFile(file, JSON.stringify({ ...golden, outputs }));
  const { code, out } = await chainlearn(folder, [
    ...common,
    ..."--device cpu --receipt false.json --junit out.xml".split(" "),
  ]);
  assertEquals(code, 1);
  const name = model.outputs[last].name;
  const why =
    `output "${name}": 1 of ${bytes.length} bytes differ, first byte 3`;
  assertStringIncludes(out, why);
  assertStringIncludes(out, "Not every device gives the receipt's bytes");
  const suite = readJunit(await Deno.readTextFile(join(folder, "out.xml")));
  const [receipt, device] = casesOf(suite);
  assertEquals(receipt.children.length, 0);
  assertStringIncludes(device.children[0].attributes.message, why);
  await Deno.remove(folder, { recursive: true });
});

/** Receipts of something else: exit code 1 and a failed case. */
const others: [string, object, string][] = [
  ["model root", { modelRoot: "ab".repeat(32) }, "found model root abab"],
  ["input", { inputRoots: ["cd".repeat(32)] }, "found root cdcd"],
  ["inputs", { inputRoots: [] }, "found 0 inputs"],
  ["outputs", { outputs: [] }, "found 0 outputs"],
  ["an output's bytes", { outputs: ["00"] }, "found "],
  ["iterations", { iterations: 2 }, "found 2 iterations"],
];

/** Files that are no receipts: exit code 2 and no report. */
const malformed: [string, string][] = [
  ["text", "no JSON"],
  ["null", "null"],
  ["a list", "[]"],
  ["another format", '{"format":"chainlearn receipt 2"}'],
];
const malformedFields: [string, object][] = [
  ["a short root", { modelRoot: "ab" }],
  ["a number as state", { finalState: 1 }],
  ["an input root in capitals", { inputRoots: ["AB".repeat(32)] }],
  ["an output that is no text", { outputs: [1] }],
  ["half a byte", { outputs: ["abc"] }],
  ["iterations that are no integer", { iterations: 1.5 }],
];

Deno.test("verify: a receipt of something else fails with code 1, no receipt with code 2", async (t) => {
  const folder = await makeFolder();
  const golden = await receiptOfModel();
  const check = async (text: string) => {
    await Deno.writeTextFile(join(folder, "r.json"), text);
    const report = join(folder, "out.xml");
    await Deno.remove(report).catch(() => {});
    const finished = await chainlearn(folder, [
      ...common,
      ..."--device cpu --receipt r.json --junit out.xml".split(" "),
    ]);
    assertEquals(finished.out, "");
    const suite = await Deno.readTextFile(report).then(readJunit, () => null);
    return { ...finished, suite };
  };
  for (const [what, change, why] of others) {
    await t.step(`another ${what}`, async () => {
      const changed = JSON.stringify({ ...golden, ...change });
      const { code, err, suite } = await check(changed);
      assertEquals(code, 1, err);
      assertStringIncludes(err, "Cannot check receipt r.json: expected ");
      assertStringIncludes(err, why);
      const [receipt] = casesOf(suite!);
      assertStringIncludes(receipt.children[0].attributes.message, why);
    });
  }
  const texts = [
    ...malformed,
    ...malformedFields.map(([what, change]): [string, string] => [
      what,
      JSON.stringify({ ...golden, ...change }),
    ]),
  ];
  for (const [what, text] of texts) {
    await t.step(what, async () => {
      const { code, err, suite } = await check(text);
      assertEquals(code, 2, err);
      assertStringIncludes(err, "Cannot read receipt r.json: expected ");
      assertEquals(suite, null);
    });
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("verify: names a folder of the report that is not there", async () => {
  const folder = await makeFolder();
  const before = filesIn(folder);
  const { code, out, err } = await chainlearn(folder, [
    ...common,
    ..."--device cpu --junit none/out.xml".split(" "),
  ]);
  assertEquals(code, 3);
  assertStringIncludes(
    err,
    "Cannot write report none/out.xml: expected a folder none, found none",
  );
  assert(out.includes("equal"), "what was found is shown");
  assertEquals(filesIn(folder), before);
  await Deno.remove(folder, { recursive: true });
});
