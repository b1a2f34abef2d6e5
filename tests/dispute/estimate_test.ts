import { assert, assertEquals } from "@std/assert";
import { innerEnds, segmentCount, segmentEnd } from "../../contracts/mod.ts";
import {
  estimateDispute,
  estimateModel,
  intervalRounds,
  moveGas,
  Party,
  playLocally,
  shapeOf,
  sufficientParameters,
} from "../../dispute/mod.ts";
import { Random } from "../random.ts";
import { liarOf, smallTruth } from "./arena.ts";

const truth = await smallTruth(9);
const { commitment } = truth;

Deno.test("intervalRounds: no interval takes more rounds in the game, and the widest takes as many", () => {
  const random = new Random(41);
  for (let i = 0; i < 200; i++) {
    const k = 2 + random.below(31);
    const steps = 1n + BigInt(random.below(i < 100 ? 100 : 2 ** 28));
    let [lo, hi, rounds] = [0n, steps, 0];
    while (hi - lo > 1n) {
      const s = segmentCount(lo, hi, k);
      // The widest segment: the worst an opponent can choose.
      const widths = Array.from(
        { length: s },
        (_, j) => segmentEnd(lo, hi, s, j + 1) - segmentEnd(lo, hi, s, j),
      );
      const widest = widths.reduce((a, b) => a > b ? a : b);
      const j = widths.indexOf(widest);
      assertEquals(innerEnds(lo, hi, k).length, s - 1);
      [lo, hi] = [segmentEnd(lo, hi, s, j), segmentEnd(lo, hi, s, j + 1)];
      rounds++;
    }
    assertEquals(rounds, intervalRounds(steps, k), `seed 41: ${steps}, ${k}`);
  }
  assertEquals([1n, 2n, 16n, 17n, 256n].map((n) => intervalRounds(n, 16)), [
    0,
    1,
    1,
    2,
    2,
  ]);
});

Deno.test("estimateDispute: counts each side's moves and their gas", () => {
  const found = estimateDispute(33n, 7, 10_000n, { k: 16, q: 4 });
  assertEquals(found.rounds, { graph: 2, tensor: 2, instruction: 4 });
  // open, reveal, openNode, openLeaf, arbitrate; a post for each round that no opening brings; an answer to each.
  assertEquals(found.transactions, 5 + 5 + 8);
  assertEquals(found.submitterGas, 8 * moveGas.answer);
  assertEquals(
    found.challengerGas,
    moveGas.open + moveGas.reveal + moveGas.openNode + moveGas.openLeaf +
      moveGas.arbitrate + 5 * moveGas.post +
      // Two rounds of 15 hashes, two of 16 nodes, four of 15 hashes.
      (2 * 15 + 2 * 16 + 4 * 15) * moveGas.hash,
  );
  assertEquals(found.gas, found.challengerGas + found.submitterGas);
  // One step, one leaf, one instruction: nothing to answer.
  const least = estimateDispute(1n, 0, 1n, { k: 2, q: 1 });
  assertEquals([least.transactions, least.submitterGas], [5, 0]);
});

Deno.test("estimateModel: no dispute about the model takes more moves than forecast", async () => {
  const honest = new Party(truth);
  const shape = shapeOf(commitment);
  for (const rounds of [{ k: 16, q: 4 }, { k: 2, q: 1 }]) {
    const { dispute } = estimateModel(commitment, 4, rounds);
    for (
      const [step, leaf] of [[3, 7], [11, 0], [31, 0]] as const
    ) {
      for (const kind of ["consistent", "fake_timeout"] as const) {
        const liar = await liarOf(truth, kind, step, leaf, null);
        assert(liar, `${kind} at ${step}`);
        for (
          const [challenger, submitter] of [[liar, honest], [honest, liar]]
        ) {
          const { moves } = playLocally(
            shape,
            challenger,
            submitter,
            true,
            rounds,
          );
          // The opening transaction is no move of the local game.
          assertEquals(
            moves.length + 1 <= dispute.transactions,
            true,
            `${kind} at ${step}: ${moves.length} + 1, ${dispute.transactions}`,
          );
        }
      }
    }
  }
});

Deno.test("estimateModel: a run that a liar makes as long as the limit is counted", () => {
  const rounds = { k: 2, q: 1 };
  const { dispute } = estimateModel(commitment, 4, rounds);
  const { maxSteps } = commitment.descriptors[dispute.node];
  assertEquals(maxSteps, 2n * BigInt(dispute.worstSteps));
  assertEquals(dispute.rounds.instruction, intervalRounds(maxSteps, 2));
  assertEquals(dispute.rounds.graph, intervalRounds(33n, 2));
});

Deno.test("estimateModel: counts memory, and time that grows with the iterations", () => {
  const one = estimateModel(commitment, 1, { k: 16, q: 4 });
  const four = estimateModel(commitment, 4, { k: 16, q: 4 });
  assertEquals(one.memoryBytes, 4096 + 256 + 4 + 4096 + 4096 + 256 + 4);
  assertEquals(four.runSeconds, 4 * one.runSeconds);
  assertEquals(
    one.runSeconds > 0 && four.answerSeconds > four.runSeconds,
    true,
  );
});

Deno.test("sufficientParameters: stake, share and clock keep the market's rules", () => {
  const estimate = estimateModel(commitment, 4, { k: 16, q: 4 });
  const { challengerGas, submitterGas, transactions } = estimate.dispute;
  const gasPrice = 10n ** 9n;
  const found = sufficientParameters(
    estimate,
    gasPrice,
    12,
  );
  const { share, compensation, minStake, clock, challengePeriod } = found;
  const dearer = BigInt(Math.max(challengerGas, submitterGas));
  assertEquals(share > dearer * gasPrice, true);
  // INVARIANT MARKET-30: share and compensations are at most half of a stake.
  assertEquals(2n * (share + 16n * compensation) <= minStake, true);
  assertEquals(2n * share <= found.challengerStake, true);
  const slowest = estimate.answerSeconds + 12 * (transactions / 2);
  assertEquals(clock >= 3 * slowest && challengePeriod >= clock, true);
});
