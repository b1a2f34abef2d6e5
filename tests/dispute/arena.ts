/** What the tests of players share: a small committed model, true executions, liars. */
import { commitModel } from "../../compiler/mod.ts";
import {
  Execution,
  type FaultKind,
  faultyParty,
  type Party,
} from "../../dispute/mod.ts";
import {
  createCpuExecutor,
  createInterpreterExecutor,
} from "../../runtime/mod.ts";
import { testModel } from "../runtime/models.ts";
import { Random } from "../random.ts";

/** The executors' test model, committed, with its true execution; it stops after `stop` iterations. */
export async function smallTruth(stop: number): Promise<Execution> {
  const model = testModel(stop);
  const input = new Random(5).bytes(64 * 64);
  const terms = { inputs: [input], iterations: 4, finish: true };
  return await Execution.run(
    commitModel(model),
    terms,
    createInterpreterExecutor(model),
  );
}

/** A liar about one leaf of one step; `undefined` where the lie does not reach the final state. */
export async function liarOf(
  truth: Execution,
  kind: FaultKind,
  step: number,
  leaf: number,
  vmStep: number | null,
): Promise<Party | undefined> {
  const { commitment, terms, steps } = truth;
  const executor = await createCpuExecutor(commitment.model, { threads: 1 });
  const fault = { kind, step, leaf, vmStep, moves: 0 };
  const party = await faultyParty(commitment, terms, executor, fault)
    .finally(() => executor.close());
  const claim = party.execution.stateRoot(steps).toHex();
  return claim === truth.stateRoot(steps).toHex() ? undefined : party;
}

/** Steps of the test model whose result reaches the kept slots: both updates in place, and the stop slot's own node. */
export const tellingSteps = [3, 4, 7, 11, 12, 15, 19, 20, 23, 27, 28, 31];
