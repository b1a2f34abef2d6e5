/**
 * Forecasts of a dispute from a committed model alone: rounds, transactions, gas, time to answer.
 *
 * Nothing is executed. Gas per move is what `bench gas` and `bench small` measure on a local chain, rounded up; the
 * formulas for rounds are those of the game.
 */
import {
  byteLength,
  type Commitment,
  graphOf,
  verifyKernel,
} from "../compiler/mod.ts";
import type { Rounds } from "./local_game.ts";

/** Whole transactions of either side without the hashes that they post, gas; measured on fashion_cnn, rounded up. */
export const moveGas = {
  open: 90_000,
  reveal: 42_000,
  post: 38_500,
  answer: 43_000,
  openNode: 72_000,
  openLeaf: 97_000,
  arbitrate: 165_000,
  /** Each posted hash: 32 bytes of calldata at the floor price at most, of an event, and hashing. */
  hash: 1_080,
} as const;

/** Operations of a kernel per second on one thread of the CPU engine; a cautious figure. */
const NATIVE_OPERATIONS = 1.5e9;
/** Steps of the machine per second, translated; a cautious figure. */
const MACHINE_STEPS = 100e6;
/** Keccak nodes per second and core. */
const HASH_NODES = 2e6;

/** The forecast for the dearest node of a model. */
export interface DisputeEstimate {
  readonly node: number;
  readonly worstSteps: number;
  readonly rounds: {
    readonly graph: number;
    readonly tensor: number;
    readonly instruction: number;
  };
  readonly transactions: number;
  readonly gas: number;
  /** Gas of the challenger's and of the submitter's transactions. */
  readonly challengerGas: number;
  readonly submitterGas: number;
}

export interface ModelEstimate {
  readonly runSeconds: number;
  readonly memoryBytes: number;
  /** Re-run with all states committed: what an honest answer takes at most. */
  readonly answerSeconds: number;
  readonly dispute: DisputeEstimate;
}

/** Rounds over n steps with k segments: ceil(log_k n). */
export function intervalRounds(steps: bigint, k: number): number {
  let rounds = 0;
  for (let width = steps; width > 1n; rounds++) {
    width = (width + BigInt(k) - 1n) / BigInt(k);
  }
  return rounds;
}

/** What the longest dispute of one node costs: a liar may claim a run of `maxSteps`. */
export function estimateDispute(
  steps: bigint,
  height: number,
  maxSteps: bigint,
  { k, q }: Rounds,
): Omit<DisputeEstimate, "node" | "worstSteps"> {
  const rounds = {
    graph: intervalRounds(steps, k),
    tensor: Math.ceil(height / q),
    instruction: intervalRounds(maxSteps, k),
  };
  const answers = rounds.graph + rounds.tensor + rounds.instruction;
  // The first round of each phase comes with the move that opens the phase.
  const posts = Math.max(0, rounds.graph - 1) + Math.max(0, rounds.tensor - 1) +
    Math.max(0, rounds.instruction - 1);
  const inner = (n: bigint) => Number(n < BigInt(k) ? n : BigInt(k)) - 1;
  const hashes = rounds.graph * inner(steps) +
    rounds.tensor * 2 ** Math.min(q, height) +
    rounds.instruction * inner(maxSteps);
  const challengerGas = moveGas.open + moveGas.reveal + moveGas.openNode +
    moveGas.openLeaf + moveGas.arbitrate + posts * moveGas.post +
    hashes * moveGas.hash;
  const submitterGas = answers * moveGas.answer;
  return {
    rounds,
    transactions: 5 + posts + answers,
    gas: challengerGas + submitterGas,
    challengerGas,
    submitterGas,
  };
}

/** Forecasts a model: its dearest node, its run and its memory. */
export function estimateModel(
  commitment: Commitment,
  iterations: number,
  rounds: Rounds,
): ModelEstimate {
  const { model, descriptors, programs, nodePrograms } = commitment;
  const steps = BigInt(iterations) * BigInt(model.nodes.length) + 1n;
  const disputes = model.nodes.map((_, node): DisputeEstimate => {
    const { worstSteps } = programs[nodePrograms[node]];
    return {
      node,
      worstSteps,
      ...estimateDispute(
        steps,
        // A whole result is not narrowed down: there is no phase over its tree.
        descriptors[node].whole ? 0 : descriptors[node].resultHeight,
        descriptors[node].maxSteps,
        rounds,
      ),
    };
  });
  const dispute = disputes.reduce((worst, d) =>
    d.gas > worst.gas ||
      (d.gas === worst.gas && d.worstSteps > worst.worstSteps)
      ? d
      : worst
  );
  const graph = graphOf(model);
  const work = graph.kernels.map((kernel) => verifyKernel(kernel).work.total);
  const runSeconds = iterations *
    graph.nodes.reduce((sum, n) => sum + work[n.kernel], 0) /
    NATIVE_OPERATIONS;
  const slotBytes = model.slots.reduce((sum, s) => sum + byteLength(s.type), 0);
  const weightBytes = model.constants.reduce(
    (sum, c) => sum + c.bytes.length,
    0,
  );
  const hashed = iterations *
    model.nodes.reduce(
      (sum, n) => sum + byteLength(model.slots[n.result].type),
      0,
    ) /
    32;
  return {
    runSeconds,
    memoryBytes: weightBytes + slotBytes,
    answerSeconds: runSeconds + hashed / HASH_NODES +
      Math.max(...disputes.map((d) => d.worstSteps)) / MACHINE_STEPS,
    dispute,
  };
}

/** Stakes and clocks of a registration. */
export interface Stakes {
  readonly share: bigint;
  readonly compensation: bigint;
  readonly minStake: bigint;
  readonly challengerStake: bigint;
  readonly clock: number;
  readonly challengePeriod: number;
}

/** Disputes of one submission that are compensated when another one fells it. */
const COMPENSATED = 16n;

/**
 * Stakes and clocks that hold for a gas price, wei per gas, and a time to be included, seconds.
 *
 * The winner's share exceeds the dearer side's gas in the longest dispute; share and all compensations together are at
 * most half of a stake; a clock is at least three times the slowest honest answer and every move's inclusion.
 */
export function sufficientParameters(
  estimate: ModelEstimate,
  gasPrice: bigint,
  inclusionSeconds: number,
): Stakes {
  const { challengerGas, submitterGas, transactions } = estimate.dispute;
  const gas = (amount: number) => BigInt(Math.ceil(amount)) * gasPrice;
  const share = gas(1.25 * Math.max(challengerGas, submitterGas));
  const compensation = gas(1.25 * challengerGas);
  const clock = Math.ceil(
    3 *
      (estimate.answerSeconds + inclusionSeconds * Math.ceil(transactions / 2)),
  );
  return {
    share,
    compensation,
    minStake: 2n * (share + COMPENSATED * compensation),
    challengerStake: 2n * share,
    clock,
    challengePeriod: clock,
  };
}
