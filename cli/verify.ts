/** `chainlearn verify`: the determinism check; every device must give the same bytes. */
import type { Command } from "commander";
import type { Commitment } from "../compiler/mod.ts";
import { ChainLearnError, tensorRoot } from "../fpvm/mod.ts";
import { iterationsOf } from "../runtime/mod.ts";
import { openBundle } from "./bundles.ts";
import { readJson, writeFile } from "./files.ts";
import { readInputs } from "./inputs.ts";
import { collect, parseChoice, parseCount } from "./options.ts";
import { executorFor, type Receipt, receiptOf, runDevices } from "./run.ts";
import { formatSeconds, formatTable, paint, printJson } from "./terminal.ts";

interface VerifyOptions {
  input: string[];
  device: (typeof devices)[number];
  iterations?: number;
  receipt?: string;
  junit?: string;
  json?: boolean;
}

const devices = ["all", ...runDevices] as const;

interface Row {
  readonly device: string;
  readonly finalState: string;
  readonly equal: boolean;
  readonly seconds: number;
}

/** Runs on each device and compares outputs and final states with the first, or with a receipt. */
async function compareDevices(
  commitment: Commitment,
  inputs: Uint8Array[],
  iterations: number,
  options: VerifyOptions,
  expected?: Receipt,
): Promise<Row[]> {
  const rows: Row[] = [];
  let reference = expected;
  const plans = options.device === "all"
    ? ([["cpu", 1], ["cpu", 2], ["interpreter", 1], ["vm", 1]] as const)
    : ([[options.device, undefined]] as const);
  for (const [device, threads] of plans) {
    const executor = await executorFor(
      { model: commitment.model, commitment },
      device,
      threads,
    );
    const started = performance.now();
    const run = await executor.run(inputs, { iterations })
      .finally(() => executor.close());
    const seconds = (performance.now() - started) / 1000;
    const name = device === "cpu" && threads
      ? `cpu, ${threads} thread${threads > 1 ? "s" : ""}`
      : device;
    const receipt = receiptOf(
      commitment,
      inputs,
      iterations,
      run,
      name,
    );
    reference ??= receipt;
    const equal = receipt.finalState === reference.finalState &&
      JSON.stringify(receipt.outputs) === JSON.stringify(reference.outputs);
    rows.push({ device: name, finalState: receipt.finalState, equal, seconds });
  }
  return rows;
}

/** Reads a receipt of this model, these inputs and so many iterations; throws where it is another's. */
async function readReceipt(
  path: string,
  commitment: Commitment,
  inputs: readonly Uint8Array[],
  iterations: number,
): Promise<Receipt> {
  const receipt = await readJson(path, "receipt") as Partial<Receipt> | null;
  const hash = (x: unknown) =>
    typeof x === "string" && /^[0-9a-f]{64}$/.test(x);
  if (
    receipt?.format !== "chainlearn receipt 1" || !hash(receipt.modelRoot) ||
    !hash(receipt.finalState) || !Array.isArray(receipt.outputs) ||
    !Array.isArray(receipt.inputRoots)
  ) {
    throw new ChainLearnError(
      `Cannot read receipt ${path}: expected format "chainlearn receipt 1", found another`,
    );
  }
  const same = (expected: string, found: string) => {
    if (expected === found) return;
    throw new ChainLearnError(
      `Cannot check receipt ${path}: expected ${expected}, found ${found}`,
      { exitCode: 1 },
    );
  };
  const { modelRoot, inputRoots } = receipt;
  same(`model root ${commitment.modelRoot.toHex()}`, `model root ${modelRoot}`);
  same(`${inputs.length} inputs`, `${inputRoots.length} inputs`);
  commitment.model.inputs.forEach(({ name }, i) => {
    const given = tensorRoot(inputs[i]).toHex();
    same(
      `root ${given} of input "${name}"`,
      `root ${inputRoots[i]} of input "${name}"`,
    );
  });
  same(`${iterations} iterations`, `${receipt.iterations} iterations`);
  return receipt as Receipt;
}

async function verify(path: string, options: VerifyOptions): Promise<void> {
  const commitment = await openBundle(path);
  const inputs = await readInputs(options.input, commitment.model);
  const iterations = iterationsOf(commitment.model, options.iterations);
  const receipt = options.receipt === undefined
    ? undefined
    : await readReceipt(options.receipt, commitment, inputs, iterations);
  const rows = await compareDevices(
    commitment,
    inputs,
    iterations,
    options,
    receipt,
  );
  const equal = rows.every((row) => row.equal);
  if (options.junit !== undefined) {
    await writeFile(
      options.junit,
      junit(commitment.model.name, rows),
      "report",
    );
  }
  if (!equal) Deno.exitCode = 1;
  if (options.json) {
    return printJson({ equal, modelRoot: commitment.modelRoot, devices: rows });
  }
  console.log(formatTable(
    rows.map((
      r,
    ) => [
      r.device,
      r.equal ? "equal" : "DIFFERENT",
      formatSeconds(r.seconds),
      r.finalState,
    ]),
    ["device", "bytes", "time", "final state"],
  ));
  console.log(
    equal
      ? paint.green("Every device gives the same bytes.")
      : paint.red("Devices disagree: do not stake on this model."),
  );
}

/** A JUnit report: one test case for each device. */
function junit(name: string, rows: readonly Row[]): string {
  const escape = (text: string) =>
    text.replace(/[<>&"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const cases = rows.map((r) =>
    `  <testcase classname="${escape(name)}" name="${escape(r.device)}" time="${
      r.seconds.toFixed(3)
    }">${
      r.equal
        ? ""
        : `<failure message="other bytes: final state ${r.finalState}"/>`
    }</testcase>`
  );
  const failures = rows.filter((r) => !r.equal).length;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="chainlearn verify" tests="${rows.length}" failures="${failures}">\n${
    cases.join("\n")
  }\n</testsuite>\n`;
}

/** Adds the command's arguments and options. */
export function define(command: Command): void {
  command
    .argument("<bundle>", "a .clm file")
    .requiredOption(
      "-i, --input <file>",
      "an input, once for each (name=file)",
      collect,
      [],
    )
    .option(
      "-d, --device <name>",
      devices.join(", "),
      parseChoice(devices),
      "all",
    )
    .option("--iterations <n>", "passes over the nodes", parseCount)
    .option("--receipt <file>", "compare with this receipt")
    .option("--junit <file>", "write a JUnit report")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExit code 0 if all bytes are equal, 1 if not.\n\nExample:\n  chainlearn verify m.clm --input picture.png",
    )
    .action(verify);
}
