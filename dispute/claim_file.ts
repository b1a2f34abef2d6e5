/**
 * The files of `prove`, `bisect` and `arbitrate`: claims and witnesses as versioned JSON (docs/formats.md).
 *
 * A claim holds the inputs, every state root and every result, so that two of them can be played against each other.
 * Text in and out; reading files is the caller's work.
 */
import type { Commitment } from "../compiler/mod.ts";
import { ChainLearnError, tensorRoot } from "../fpvm/mod.ts";
import { Execution, type RequestTerms } from "./execution.ts";
import { type FaultKind, faultKinds, partyOf } from "./faults.ts";
import { Party } from "./party.ts";

const CLAIM_FORMAT = "chainlearn claim 1";
const WITNESS_FORMAT = "chainlearn witness 1";

/** A claim as it is stored. */
export interface ClaimFile {
  readonly format: string;
  readonly modelRoot: string;
  /** Path of the bundle, as it was given. */
  readonly bundle: string;
  readonly iterations: number;
  readonly finish: boolean;
  /** Bytes of each input, base64. */
  readonly inputs: readonly string[];
  readonly inputRoots: readonly string[];
  /** S_0 .. S_n, hex. */
  readonly stateRoots: readonly string[];
  /** What each step wrote, base64. */
  readonly results: readonly {
    readonly step: number;
    readonly bytes: string;
  }[];
  /** How a deliberately false claim is defended; absent in an honest one. */
  readonly fault?: {
    readonly kind: FaultKind;
    readonly step: number;
    readonly vmStep: number | null;
  };
}

/** A disputed step of the machine, judged from this file alone. */
export interface WitnessFile {
  readonly format: string;
  readonly modelRoot: string;
  /** Step of the model, leaf of its result, step of the machine. */
  readonly step: number;
  readonly leaf: number;
  readonly vmStep: number;
  /** State hashes, hex: agreed before, claimed after. */
  readonly prestate: string;
  readonly claimed: string;
  /** The packed witness, hex. */
  readonly witness: string;
}

/** The text of a claim file. */
export function writeClaim(
  execution: Execution,
  bundle: string,
  fault?: ClaimFile["fault"],
): string {
  const { commitment, terms } = execution;
  const claim: ClaimFile = {
    format: CLAIM_FORMAT,
    modelRoot: commitment.modelRoot.toHex(),
    bundle,
    iterations: terms.iterations,
    finish: terms.finish,
    inputs: terms.inputs.map((i) => i.toBase64()),
    inputRoots: terms.inputs.map((i) => tensorRoot(i).toHex()),
    stateRoots: Array.from(
      { length: execution.steps + 1 },
      (_, i) => execution.stateRoot(i).toHex(),
    ),
    results: execution.results().map(({ step, bytes }) => ({
      step,
      bytes: bytes.toBase64(),
    })),
    ...(fault ? { fault } : {}),
  };
  return JSON.stringify(claim) + "\n";
}

function fail(file: string, expected: string, found: unknown): never {
  const text = JSON.stringify(found)?.slice(0, 60) ?? "nothing";
  throw new ChainLearnError(
    `Cannot read ${file}: expected ${expected}, found ${text}`,
  );
}

function parseObject(
  text: string,
  file: string,
  format: string,
): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    fail(file, "JSON", text.slice(0, 20));
  }
  if (typeof value !== "object" || value === null) {
    fail(file, "an object", value);
  }
  const found = (value as Record<string, unknown>).format;
  if (found !== format) fail(file, `format "${format}"`, found);
  return value as Record<string, unknown>;
}

const isText = (v: unknown): v is string => typeof v === "string";
const isCount = (v: unknown): v is number =>
  Number.isSafeInteger(v) && (v as number) >= 0;
const isHex = (v: unknown): v is string =>
  isText(v) && /^[0-9a-f]{64}$/.test(v);

/** Parses a claim; every field's type is checked. */
export function parseClaim(text: string, file: string): ClaimFile {
  const claim = parseObject(text, file, CLAIM_FORMAT);
  const list = (name: string, each: (v: unknown) => boolean) => {
    const value = claim[name];
    if (!Array.isArray(value) || !value.every(each)) {
      fail(file, `a list "${name}"`, value);
    }
  };
  if (!isHex(claim.modelRoot)) fail(file, "a model root", claim.modelRoot);
  if (!isText(claim.bundle)) fail(file, "a bundle name", claim.bundle);
  if (!isCount(claim.iterations) || claim.iterations === 0) {
    fail(file, "iterations", claim.iterations);
  }
  if (typeof claim.finish !== "boolean") fail(file, "finish", claim.finish);
  list("inputs", isText);
  list("inputRoots", isHex);
  list("stateRoots", isHex);
  list(
    "results",
    (r) =>
      typeof r === "object" && r !== null &&
      isCount((r as { step: unknown }).step) &&
      isText((r as { bytes: unknown }).bytes),
  );
  const fault = claim.fault as ClaimFile["fault"] | undefined;
  if (
    fault !== undefined &&
    !(faultKinds.includes(fault?.kind) && isCount(fault.step) &&
      (fault.vmStep === null || isCount(fault.vmStep)))
  ) {
    fail(file, "a fault with kind, step and vmStep", fault);
  }
  return claim as unknown as ClaimFile;
}

function base64(text: string, file: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    return fail(file, "base64", text.slice(0, 20));
  }
}

/** The party that made a claim; throws if its model is another one or its roots are not those of its results. */
export function partyOfClaim(
  claim: ClaimFile,
  commitment: Commitment,
  file: string,
): Party {
  if (claim.modelRoot !== commitment.modelRoot.toHex()) {
    fail(
      file,
      `a claim of model ${commitment.modelRoot.toHex()}`,
      claim.modelRoot,
    );
  }
  const terms: RequestTerms = {
    inputs: claim.inputs.map((i) => base64(i, file)),
    iterations: claim.iterations,
    finish: claim.finish,
  };
  const inputRoots = terms.inputs.map((input) => tensorRoot(input).toHex());
  if (inputRoots.join() !== claim.inputRoots.join()) {
    fail(file, `input roots ${inputRoots.join()}`, claim.inputRoots.join());
  }
  const execution = Execution.restore(
    commitment,
    terms,
    claim.results.map(({ step, bytes }) => ({
      step,
      bytes: base64(bytes, file),
    })),
  );
  if (claim.stateRoots.length !== execution.steps + 1) {
    fail(file, `${execution.steps + 1} state roots`, claim.stateRoots.length);
  }
  claim.stateRoots.forEach((root, i) => {
    if (root !== execution.stateRoot(i).toHex()) {
      fail(file, `state root ${i} of its own results`, root);
    }
  });
  return claim.fault ? partyOf(execution, claim.fault) : new Party(execution);
}

/** The text of a witness file. */
export function writeWitness(witness: Omit<WitnessFile, "format">): string {
  return JSON.stringify({ format: WITNESS_FORMAT, ...witness }, null, 2) + "\n";
}

/** Parses a witness file; every field's type is checked. */
export function parseWitness(text: string, file: string): WitnessFile {
  const witness = parseObject(text, file, WITNESS_FORMAT);
  for (const name of ["modelRoot", "prestate", "claimed"]) {
    if (!isHex(witness[name])) {
      fail(file, `"${name}" of 32 bytes in hex`, witness[name]);
    }
  }
  for (const name of ["step", "leaf", "vmStep"]) {
    if (!isCount(witness[name])) {
      fail(file, `a whole number "${name}"`, witness[name]);
    }
  }
  if (!isText(witness.witness) || !/^([0-9a-f]{2})*$/.test(witness.witness)) {
    fail(file, "a witness in hex", witness.witness);
  }
  return witness as unknown as WitnessFile;
}
