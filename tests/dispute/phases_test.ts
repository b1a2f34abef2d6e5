import { assert, assertEquals } from "@std/assert";
import { commitModel, type Phases } from "../../compiler/mod.ts";
import {
  answerRequest,
  arbitratedStep,
  Execution,
  type FaultKind,
  faultKinds,
  faultyParty,
  Party,
  playDispute,
  playLocally,
  registerLocally,
  requestLocally,
  shapeOf,
  startLocalChain,
} from "../../dispute/mod.ts";
import { createCpuExecutor } from "../../runtime/mod.ts";
import { testInput } from "../runtime/models.ts";
import { onePass } from "../runtime/phases.ts";

/** The last write to the output: a lie in it is never forgotten. */
async function truthAndLie(
  phases: Phases,
  kind: FaultKind,
  vmStep: number | null,
) {
  const commitment = commitModel(onePass(phases));
  const executor = await createCpuExecutor(commitment.model);
  try {
    const terms = { inputs: [testInput()], iterations: 1, finish: true };
    const truth = await Execution.run(commitment, terms, executor);
    const step = phases === 1 ? 0 : 4;
    const fault = { kind, step, leaf: 3, vmStep, moves: 0 };
    const liar = await faultyParty(commitment, terms, executor, fault);
    return { truth, liar };
  } finally {
    executor.close();
  }
}

for (const phases of [1, 2] as const) {
  Deno.test(`playLocally: with ${phases} phase(s) the honest side wins against every kind of fault, on either side`, async () => {
    for (const kind of faultKinds) {
      const { truth, liar } = await truthAndLie(phases, kind, 77);
      const shape = shapeOf(truth.commitment);
      const honest = new Party(truth);
      for (const side of ["challenger", "submitter"] as const) {
        const [challenger, submitter] = side === "challenger"
          ? [liar, honest]
          : [honest, liar];
        const result = playLocally(shape, challenger, submitter, true);
        assert(result.winner !== side, `${kind} by the ${side}`);
        if (side === "submitter") assertEquals(result.refused, undefined, kind);
        // The game never enters the tree of a whole result.
        assert(result.moves.every(({ view }) => view.phase !== "tensor"));
        if (kind === "consistent") {
          const arbitrated = arbitratedStep(result);
          assertEquals(arbitrated?.interval.lo, 76n, side);
          assertEquals(arbitrated?.branch.index, 0);
        }
      }
    }
  });

  Deno.test(`playDispute: with ${phases} phase(s) a lie loses on a chain by one instruction, on either side`, async () => {
    await using chain = await startLocalChain();
    const account = await chain.party("honest");
    const other = await chain.party("liar");
    const { truth, liar } = await truthAndLie(phases, "consistent", 1234);
    const { registrationId } = await registerLocally(
      account.market,
      truth.commitment,
    );
    const right = { account, party: new Party(truth) };
    const wrong = { account: other, party: liar };
    for (const [i, side] of (["challenger", "submitter"] as const).entries()) {
      const sides = side === "challenger"
        ? { challenger: wrong, submitter: right }
        : { challenger: right, submitter: wrong };
      const { requestId } = await requestLocally(
        account.market,
        registrationId,
        truth.terms,
        { nonce: BigInt(i), fee: 1n },
      );
      await answerRequest(requestId, sides.submitter);
      const played = await playDispute(chain, requestId, sides, side);
      assert(played.winner !== side, side);
      assertEquals(played.fault.step, 1233, side);
      assert(played.instruction !== null, side);
      assertEquals(played.rounds.tensor, 0);
    }
  });
}
