/** The tables of docs/formats.md that name the fields of files, against files as they are written. */
import { assertEquals } from "@std/assert";
import { receiptOf } from "../../cli/run.ts";
import { commitModel, writeBundle } from "../../compiler/mod.ts";
import { readSafetensors } from "../../compiler/model/safetensors.ts";
import { Execution, writeClaim, writeWitness } from "../../dispute/mod.ts";
import { createInterpreterExecutor } from "../../runtime/mod.ts";
import { testInput, testModel } from "../runtime/models.ts";

const page = Deno.readTextFileSync(
  new URL("../../docs/formats.md", import.meta.url),
);

/** First column of the table under a heading. */
function fieldsUnder(heading: string): string[] {
  const section = page.split(`\n## ${heading}`)[1].split("\n## ")[0];
  return [...section.matchAll(/^\| `(\w+)`/gm)].map((match) => match[1]);
}

const model = testModel(9);
const commitment = commitModel(model);
const executor = createInterpreterExecutor(model);
const terms = { inputs: [testInput()], iterations: 1, finish: true };

Deno.test("docs/formats.md: names every field of a claim file", async () => {
  const execution = await Execution.run(commitment, terms, executor);
  const fault = { kind: "random", step: 0, vmStep: null } as const;
  const claim = JSON.parse(writeClaim(execution, "m.clm", fault));
  assertEquals(Object.keys(claim), fieldsUnder("Claim file"));
  assertEquals(Object.keys(claim.results[0]), ["step", "bytes"]);
});

Deno.test("docs/formats.md: names every field of a witness file", () => {
  const text = writeWitness({
    modelRoot: "",
    step: 0,
    leaf: 0,
    vmStep: 0,
    prestate: "",
    claimed: "",
    witness: "",
  });
  assertEquals(Object.keys(JSON.parse(text)), fieldsUnder("Witness file"));
});

Deno.test("docs/formats.md: names every field of a receipt file", async () => {
  const run = await executor.run(terms.inputs, { iterations: 1 });
  const receipt = receiptOf(commitment, terms.inputs, 1, run, "interpreter");
  const execution = await Execution.run(commitment, terms, executor);
  assertEquals(Object.keys(receipt), fieldsUnder("Receipt file"));
  assertEquals(
    receipt.finalState,
    execution.stateRoot(execution.steps).toHex(),
  );
});

Deno.test("docs/formats.md: names every tensor and every metadata field of a bundle", () => {
  const section = page.split("\n## Bundle")[1].split("\n## ")[0];
  const { metadata, tensors } = readSafetensors(
    writeBundle(commitment),
    "m.clm",
  );
  const own = tensors.map(({ name }) => name.replace(/\d+$/, "N"))
    .filter((name) => name.startsWith("__"));
  for (const name of [...Object.keys(metadata), ...own]) {
    assertEquals(section.includes(`\`${name}\``), true, name);
  }
});
