import { assert, assertEquals, assertThrows } from "@std/assert";
import { commitModel } from "../../compiler/mod.ts";
import {
  LeafTrace,
  parseClaim,
  parseWitness,
  partyOfClaim,
  writeClaim,
  writeWitness,
} from "../../dispute/mod.ts";
import { ChainLearnError, stepWitness, tensorRoot } from "../../fpvm/mod.ts";
import { testModel } from "../runtime/models.ts";
import { liarOf, smallTruth } from "./arena.ts";

const truth = await smallTruth(9);
const { commitment } = truth;
const text = writeClaim(truth, "test.clm");

/** The text with some fields replaced; undefined takes one away. */
const withFields = (text: string, fields: Record<string, unknown>) =>
  JSON.stringify({ ...JSON.parse(text), ...fields });

Deno.test("writeClaim: holds what docs/formats.md says, and nothing else", () => {
  const claim = JSON.parse(text);
  assertEquals(Object.keys(claim), [
    "format",
    "modelRoot",
    "bundle",
    "iterations",
    "finish",
    "inputs",
    "inputRoots",
    "stateRoots",
    "results",
  ]);
  assertEquals(claim.format, "chainlearn claim 1");
  assertEquals(claim.modelRoot, commitment.modelRoot.toHex());
  assertEquals(claim.inputRoots, [tensorRoot(truth.terms.inputs[0]).toHex()]);
  assertEquals(claim.stateRoots.length, 34);
  assertEquals(claim.results.length, 32);
  assertEquals(writeClaim(truth, "test.clm"), text);
});

Deno.test("partyOfClaim: gives back who made the claim, honest or not", async () => {
  const party = partyOfClaim(
    parseClaim(text, "a.claim"),
    commitment,
    "a.claim",
  );
  assertEquals(party.execution.results(), truth.results());
  assertEquals(party.forgery, undefined);

  const liar = await liarOf(truth, "random", 3, 5, 7);
  assert(liar);
  const fault = { kind: "random", step: 3, vmStep: 7 } as const;
  const written = writeClaim(liar.execution, "test.clm", fault);
  const found = partyOfClaim(parseClaim(written, "b"), commitment, "b");
  assertEquals(found.forgery, { kind: "random", step: 7 });
  assertEquals(found.leaf(3n, 5).opening, liar.leaf(3n, 5).opening);
});

Deno.test("parseClaim: refuses fields that are missing or of another type, naming the file", () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ format: "chainlearn claim 2" }, 'expected format "chainlearn claim 1"'],
    [{ modelRoot: "0x12" }, 'expected a model root, found "0x12"'],
    [{ bundle: undefined }, "expected a bundle name, found nothing"],
    [{ iterations: 0 }, "expected iterations, found 0"],
    [{ iterations: 1.5 }, "expected iterations, found 1.5"],
    [{ finish: 1 }, "expected finish, found 1"],
    [{ inputs: "AA==" }, 'expected a list "inputs"'],
    [{ inputRoots: undefined }, 'expected a list "inputRoots", found nothing'],
    [{ inputRoots: ["ab"] }, 'expected a list "inputRoots", found ["ab"]'],
    [{ stateRoots: [1] }, 'expected a list "stateRoots", found [1]'],
    [{ results: [null] }, 'expected a list "results"'],
    [{ results: [{ step: -1, bytes: "" }] }, 'expected a list "results"'],
    [{ fault: null }, "expected a fault with kind, step and vmStep"],
    [{ fault: { kind: "x", step: 0, vmStep: null } }, "expected a fault"],
    [{ fault: { kind: "random", step: 0 } }, "expected a fault"],
  ];
  for (const [fields, expected] of cases) {
    assertThrows(
      () => parseClaim(withFields(text, fields), "a.claim"),
      ChainLearnError,
      `Cannot read a.claim: ${expected}`,
    );
  }
  for (const other of ["", "{", "null", "[]", "7"]) {
    assertThrows(() => parseClaim(other, "a.claim"), ChainLearnError);
  }
});

Deno.test("partyOfClaim: refuses claims that do not fit their own content", () => {
  const refuses = (fields: Record<string, unknown>, expected: string) =>
    assertThrows(
      () =>
        partyOfClaim(
          parseClaim(withFields(text, fields), "a.claim"),
          commitment,
          "a.claim",
        ),
      ChainLearnError,
      expected,
    );
  const { stateRoots, results, inputs } = JSON.parse(text);
  refuses(
    { modelRoot: "ab".repeat(32) },
    "Cannot read a.claim: expected a claim of model",
  );
  refuses({ inputs: ["?"] }, 'expected base64, found "?"');
  refuses({ inputs: [] }, "expected input roots");
  refuses({ inputRoots: ["00".repeat(32)] }, "expected input roots");
  refuses({ iterations: 5 }, "expected 1 to 4 iterations, found 5");
  refuses({ iterations: 3 }, "expected a step in 24 .. 23, found 24");
  refuses({ finish: false }, "expected 33 state roots, found 34");
  refuses(
    { stateRoots: stateRoots.slice(1) },
    "expected 34 state roots, found 33",
  );
  refuses(
    { stateRoots: stateRoots.with(5, stateRoots[6]) },
    "expected state root 5 of its own results",
  );
  refuses(
    { results: results.filter((r: { step: number }) => r.step !== 28) },
    "expected state root 29 of its own results",
  );
  refuses({ results: results.with(0, results[1]) }, "expected a step in 2");
  refuses(
    { inputs: [inputs[0].replace(/^./, "/")], inputRoots: undefined },
    'expected a list "inputRoots"',
  );
  assertThrows(
    () =>
      partyOfClaim(parseClaim(text, "a"), commitModel(testModel(8)), "a.claim"),
    ChainLearnError,
    "expected a claim of model",
  );
});

const trace = new LeafTrace(truth, 0, 0);
const witness = {
  modelRoot: commitment.modelRoot.toHex(),
  step: 0,
  leaf: 0,
  vmStep: 5,
  prestate: trace.hashAt(5).toHex(),
  claimed: trace.hashAt(6).toHex(),
  witness: trace.witnessAt(5).toHex(),
};

Deno.test("parseWitness: gives back what was written, enough to judge by itself", () => {
  const text = writeWitness(witness);
  const found = parseWitness(text, "a.witness");
  assertEquals({ ...found }, { format: "chainlearn witness 1", ...witness });
  assertEquals(Object.keys(JSON.parse(text)), [
    "format",
    "modelRoot",
    "step",
    "leaf",
    "vmStep",
    "prestate",
    "claimed",
    "witness",
  ]);
  const { prestate, poststate } = stepWitness(
    Uint8Array.fromHex(found.witness),
  );
  assertEquals(prestate.toHex(), found.prestate);
  assertEquals(poststate.toHex(), found.claimed);
});

Deno.test("parseWitness: refuses fields that are missing or of another type, naming the file", () => {
  const text = writeWitness(witness);
  const cases: [Record<string, unknown>, string][] = [
    [
      { format: "chainlearn claim 1" },
      'expected format "chainlearn witness 1"',
    ],
    [{ modelRoot: undefined }, '"modelRoot" of 32 bytes in hex, found nothing'],
    [{ prestate: "AB".repeat(32) }, '"prestate" of 32 bytes in hex'],
    [{ claimed: "" }, '"claimed" of 32 bytes in hex, found ""'],
    [{ step: "0" }, 'a whole number "step", found "0"'],
    [{ leaf: -1 }, 'a whole number "leaf", found -1'],
    [{ vmStep: 2 ** 60 }, 'a whole number "vmStep"'],
    [{ witness: "abc" }, 'a witness in hex, found "abc"'],
    [{ witness: 5 }, "a witness in hex, found 5"],
  ];
  for (const [fields, expected] of cases) {
    assertThrows(
      () => parseWitness(withFields(text, fields), "a.witness"),
      ChainLearnError,
      expected,
    );
  }
});
