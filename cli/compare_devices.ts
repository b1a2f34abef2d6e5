/**
 * Runs a model on several devices and says where they give other bytes: what `chainlearn verify` shows.
 *
 * What is right comes from a receipt, or else from the first device. A device that differs is run once more beside one
 * that is right, to name the first node whose result differs; nothing is kept of a run that is right but its receipt.
 */
import type { Commitment } from "../compiler/mod.ts";
import { ChainLearnError, tensorRoot } from "../fpvm/mod.ts";
import type { Executor, Run } from "../runtime/mod.ts";
import { type Receipt, receiptOf } from "./run.ts";

/** A device to compare: its name in the table and how it is opened. */
export interface Plan {
  readonly device: string;
  readonly open: () => Promise<Executor>;
}

/** What is run: a model, its inputs in the model's order, and passes over the nodes. */
export interface Task {
  readonly commitment: Commitment;
  readonly inputs: readonly Uint8Array[];
  readonly iterations: number;
}

/** A device's outcome. */
export interface Outcome {
  readonly device: string;
  /** State root in hex; null where the device failed. */
  readonly finalState: string | null;
  readonly equal: boolean;
  readonly seconds: number;
  /** Why the device did not finish. */
  readonly error?: string;
  /** Where its bytes differ first. */
  readonly difference?: string;
}

/** An outcome with what later comparisons need. */
interface Finished {
  readonly plan: Plan;
  readonly outcome: Outcome;
  readonly receipt?: Receipt;
}

/** Runs the task on each device, one after the other, and compares it with `expected` or the first that finishes. */
export async function compareDevices(
  task: Task,
  plans: readonly Plan[],
  expected?: Receipt,
): Promise<Outcome[]> {
  let reference = expected;
  const all: Finished[] = [];
  for (const plan of plans) {
    const finished = await runOne(task, plan, reference);
    reference ??= finished.receipt;
    all.push(finished);
  }
  const right = all.find(({ outcome }) => outcome.equal)?.plan;
  const outcomes: Outcome[] = [];
  for (const { plan, outcome, receipt } of all) {
    if (outcome.equal || !receipt || !reference) {
      outcomes.push(outcome);
      continue;
    }
    const node = right && await firstOtherNode(task, right, plan);
    const difference = node ?? firstOtherOutput(task, reference, receipt) ??
      `expected final state ${reference.finalState}, found ${receipt.finalState}`;
    outcomes.push({ ...outcome, difference });
  }
  return outcomes;
}

async function runOne(
  task: Task,
  plan: Plan,
  reference?: Receipt,
): Promise<Finished> {
  const { commitment, inputs, iterations } = task;
  const { device } = plan;
  let run: Run;
  let seconds = 0;
  try {
    const executor = await plan.open();
    const started = performance.now();
    run = await executor.run(inputs, { iterations })
      .finally(() => executor.close());
    seconds = (performance.now() - started) / 1000;
  } catch (error) {
    // Whatever a device cannot do ends its own row; a fault of the program ends the command.
    if (!(error instanceof ChainLearnError)) throw error;
    const failed = { device, finalState: null, equal: false, seconds };
    return { plan, outcome: { ...failed, error: error.message } };
  }
  const receipt = receiptOf(commitment, inputs, iterations, run, device);
  const { finalState, outputs } = receipt;
  const equal = reference === undefined ||
    (finalState === reference.finalState &&
      JSON.stringify(outputs) === JSON.stringify(reference.outputs));
  return { plan, receipt, outcome: { device, finalState, equal, seconds } };
}

/** Walks a device node by node; `see` gets the result of each. */
async function walk(
  { commitment: { model }, inputs, iterations }: Task,
  plan: Plan,
  see: (step: number, node: number, result: Uint8Array) => void,
): Promise<void> {
  const executor = await plan.open();
  await executor.run(inputs, {
    iterations,
    onNode: (step, node, slots) =>
      see(step, node, slots[model.nodes[node].result]),
  }).finally(() => executor.close());
}

/**
 * The first node whose result differs between two devices, in words; null where a second run shows none.
 *
 * Three runs: the roots of all results of the right device, then the other's until one differs, then the right
 * device's bytes there. 32 bytes a step are held, not the tensors.
 */
async function firstOtherNode(
  task: Task,
  right: Plan,
  other: Plan,
): Promise<string | null> {
  const roots: Uint8Array[] = [];
  await walk(task, right, (step, _, result) => {
    roots[step] = tensorRoot(result);
  });
  let first: { step: number; node: number; found: Uint8Array } | undefined;
  await walk(task, other, (step, node, result) => {
    if (first) return;
    const root = tensorRoot(result);
    if (roots[step]?.every((byte, i) => byte === root[i])) return;
    first = { step, node, found: result.slice() };
  });
  if (!first) return null;
  const { step, node, found } = first;
  let expected: Uint8Array = new Uint8Array();
  await walk(task, right, (at, _, result) => {
    if (at === step) expected = result.slice();
  });
  const { nodes } = task.commitment.model;
  const pass = task.iterations > 1
    ? `, iteration ${Math.floor(step / nodes.length)}`
    : "";
  return `node ${node} ${JSON.stringify(nodes[node].name)}${pass}: ${
    describeBytes(expected, found)
  }`;
}

/** The first output that is not the receipt's, in words; null where all are. */
function firstOtherOutput(
  { commitment: { model } }: Task,
  expected: Receipt,
  found: Receipt,
): string | null {
  const i = found.outputs.findIndex((hex, i) => hex !== expected.outputs[i]);
  if (i < 0) return null;
  const name = JSON.stringify(model.outputs[i].name);
  const bytes = [expected, found]
    .map(({ outputs }) => Uint8Array.fromHex(outputs[i]));
  return `output ${name}: ${describeBytes(bytes[0], bytes[1])}`;
}

/** How two tensors differ: how many bytes, which first. */
function describeBytes(expected: Uint8Array, found: Uint8Array): string {
  let count = 0;
  let first = -1;
  for (let i = 0; i < found.length; i++) {
    if (found[i] === expected[i]) continue;
    if (count++ === 0) first = i;
  }
  return `${count} of ${found.length} bytes differ, first byte ${first}: expected ${
    expected[first]
  }, found ${found[first]}`;
}
