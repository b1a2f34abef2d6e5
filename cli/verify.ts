/** `chainlearn verify`: the determinism check; every device must give the same bytes. */
import type { Command } from "commander";
import type { Commitment } from "../compiler/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import { iterationsOf } from "../runtime/mod.ts";
import { openBundle } from "./bundles.ts";
import { compareDevices, type Outcome, type Plan } from "./compare_devices.ts";
import { writeFile } from "./files.ts";
import { readReceipt } from "./golden_receipt.ts";
import { readInputs } from "./inputs.ts";
import { junitReport, type TestCase } from "./junit.ts";
import { collect, parseChoice, parseCount } from "./options.ts";
import { executorFor, type Receipt, runDevices } from "./run.ts";
import {
  formatSeconds,
  formatTable,
  note,
  paint,
  printJson,
} from "./terminal.ts";

interface VerifyOptions {
  input: string[];
  device: (typeof devices)[number];
  iterations?: number;
  receipt?: string;
  junit?: string;
  json?: boolean;
}

const devices = ["all", ...runDevices] as const;

/** Every device that `--device` means; the CPU with one thread and with two. */
function plansOf(
  commitment: Commitment,
  device: VerifyOptions["device"],
): Plan[] {
  const runnable = { model: commitment.model, commitment };
  const wanted = device === "all"
    ? ([["cpu", 1], ["cpu", 2], ["interpreter", 1], ["vm", 1]] as const)
    : ([[device, undefined]] as const);
  return wanted.map(([device, threads]) => ({
    device: device === "cpu" && threads
      ? `cpu, ${threads} thread${threads > 1 ? "s" : ""}`
      : device,
    open: () => executorFor(runnable, device, threads),
  }));
}

/** A report whose cases are the receipt, where there is one, and every device. */
async function writeReport(
  path: string,
  { model, modelRoot }: Commitment,
  cases: readonly TestCase[],
): Promise<void> {
  const report = junitReport({
    name: "chainlearn verify",
    group: model.name,
    timestamp: new Date(),
    properties: {
      modelRoot: modelRoot.toHex(),
      architecture: Deno.build.arch,
      os: Deno.build.os,
    },
    cases,
  });
  await writeFile(path, report, "report");
}

const receiptCase: TestCase = { name: "receipt", seconds: 0 };

/** The receipt that the runs are held to; a report tells of one that is another's too. */
async function expectedReceipt(
  commitment: Commitment,
  inputs: readonly Uint8Array[],
  iterations: number,
  { receipt, junit }: VerifyOptions,
): Promise<Receipt | undefined> {
  if (receipt === undefined) return undefined;
  try {
    return await readReceipt(receipt, commitment, inputs, iterations);
  } catch (error) {
    if (
      error instanceof ChainLearnError && error.exitCode === 1 &&
      junit !== undefined
    ) {
      const failure = error.message;
      await writeReport(junit, commitment, [{ ...receiptCase, failure }]);
    }
    throw error;
  }
}

function caseOf({ device, seconds, equal, ...outcome }: Outcome): TestCase {
  const { error, difference } = outcome;
  if (error !== undefined) return { name: device, seconds, error };
  if (equal) return { name: device, seconds };
  return { name: device, seconds, failure: difference };
}

function printOutcomes(outcomes: readonly Outcome[], receipt: boolean): void {
  const word = ({ equal, error }: Outcome) =>
    error !== undefined ? "FAILED" : equal ? "equal" : "DIFFERENT";
  console.log(formatTable(
    outcomes.map((outcome) => [
      outcome.device,
      word(outcome),
      formatSeconds(outcome.seconds),
      outcome.finalState ?? "none",
    ]),
    ["device", "bytes", "time", "final state"],
  ));
  for (const { device, error, difference } of outcomes) {
    const why = error ?? difference;
    if (why !== undefined) console.log(`${device}: ${why}`);
  }
  console.log(
    outcomes.every(({ equal }) => equal)
      ? paint.green("Every device gives the same bytes.")
      : paint.red(
        `${
          receipt
            ? "Not every device gives the receipt's bytes"
            : "Devices disagree"
        }: do not stake on this model.`,
      ),
  );
}

async function verify(path: string, options: VerifyOptions): Promise<void> {
  const commitment = await openBundle(path);
  const inputs = await readInputs(options.input, commitment.model);
  const iterations = iterationsOf(commitment.model, options.iterations);
  const receipt = await expectedReceipt(
    commitment,
    inputs,
    iterations,
    options,
  );
  const outcomes = await compareDevices(
    { commitment, inputs, iterations },
    plansOf(commitment, options.device),
    receipt,
  );
  const equal = outcomes.every((outcome) => outcome.equal);
  if (!equal) Deno.exitCode = 1;
  if (options.json) {
    const { modelRoot } = commitment;
    printJson({ equal, modelRoot, devices: outcomes });
  } else printOutcomes(outcomes, receipt !== undefined);
  if (options.junit !== undefined) {
    const cases = outcomes.map(caseOf);
    if (receipt) cases.unshift(receiptCase);
    await writeReport(options.junit, commitment, cases);
    note(`Wrote ${options.junit}`);
  }
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
      "\nExit code 0 if all bytes are equal, 1 if not.\n\nExamples:\n  chainlearn verify m.clm --input picture.png\n  chainlearn verify m.clm --input x.png --receipt golden.receipt.json --junit out.xml",
    )
    .action(verify);
}
