import { assert, assertEquals } from "@std/assert";
import { commitModel } from "../../compiler/mod.ts";
import {
  Execution,
  faultKinds,
  Party,
  playLocally,
  shapeOf,
} from "../../dispute/mod.ts";
import { createInterpreterExecutor } from "../../runtime/mod.ts";
import { Random } from "../random.ts";
import { testModel } from "../runtime/models.ts";
import { liarOf, smallTruth, tellingSteps } from "./arena.ts";

const SEED = 20;

Deno.test("playLocally: the honest side wins against every kind of fault, on either side", async () => {
  const random = new Random(SEED);
  const truth = await smallTruth(9);
  const shape = shapeOf(truth.commitment);
  const honest = new Party(truth);
  let played = 0;
  for (const kind of faultKinds) {
    for (const liarSide of ["challenger", "submitter"] as const) {
      for (const rounds of [{ k: 2, q: 1 }, { k: 16, q: 4 }, { k: 5, q: 3 }]) {
        const step = random.pick(tellingSteps);
        const vmStep = random.bool() ? null : 1 + random.below(200);
        const liar = await liarOf(truth, kind, step, 0, vmStep);
        if (!liar) continue;
        const [challenger, submitter] = liarSide === "challenger"
          ? [liar, honest]
          : [honest, liar];
        const { winner, refused } = playLocally(
          shape,
          challenger,
          submitter,
          true,
          rounds,
        );
        const place = `seed ${SEED}: ${kind} by the ${liarSide} at ${step}`;
        assert(winner !== liarSide, `${place}: ${refused}`);
        // Whoever tells the truth always has a legal move.
        if (liarSide === "submitter") assertEquals(refused, undefined, place);
        played++;
      }
    }
  }
  assert(played >= 30, `only ${played} faults reached the final state`);
});

Deno.test("playLocally: a challenger who claims more after the stop slot is set loses", async () => {
  const model = testModel(1);
  const executor = createInterpreterExecutor(model);
  const inputs = [new Random(5).bytes(64 * 64)];
  const terms = { inputs, iterations: 4, finish: true };
  const commitment = commitModel(model);
  const truth = await Execution.run(commitment, terms, executor);
  // As if it had not stopped: another result of a step that is the identity, kept from there on.
  const step = 19;
  assert(truth.stopped(step) && !truth.stopped(0));
  const slot = model.nodes[step % model.nodes.length].result;
  const results = truth.results().map((result) => {
    const later = result.step >= step &&
      model.nodes[result.step % model.nodes.length].result === slot;
    return later
      ? { ...result, bytes: result.bytes.map((b) => b ^ 1) }
      : result;
  });
  const liar = new Party(Execution.restore(commitment, terms, results));
  const honest = new Party(truth);
  const shape = shapeOf(commitment);
  const first = playLocally(shape, liar, honest, true);
  assertEquals(first.winner, "submitter");
  assertEquals(first.moves.at(-1)?.view.phase, "resolved");
  assertEquals(playLocally(shape, honest, liar, true).winner, "challenger");
});

Deno.test("playLocally: a challenger who claims the submitter's state loses at once", async () => {
  const honest = new Party(await smallTruth(9));
  const shape = shapeOf(honest.execution.commitment);
  const { winner, moves } = playLocally(shape, honest, honest, true);
  assertEquals([winner, moves.length], ["submitter", 1]);
});
