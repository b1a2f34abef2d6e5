/** `run` and translated code against `step` over a campaign of random programs: CHAINLEARN_VM_STEPS steps in all. */
import { assert, assertEquals } from "@std/assert";
import {
  ChainLearnError,
  cloneState,
  packState,
  run,
  runTranslated,
  step,
  type VmState,
} from "../../fpvm/mod.ts";
import { programState } from "../contracts/program.ts";
import { Random } from "../random.ts";
import { CAMPAIGN_STEPS, campaignSeed } from "./campaign.ts";
import { randomProgram } from "./random_programs.ts";

/** Steps taken, or the message of the error. */
function outcome(go: () => number): number | string {
  try {
    return go();
  } catch (error) {
    if (error instanceof ChainLearnError) return error.message;
    throw error;
  }
}

/** `step` again and again, without what `run` may do to be fast. */
function stepAll(state: VmState, maxSteps: number): number {
  let steps = 0;
  for (; steps < maxSteps && state.status === 0; steps++) step(state);
  return steps;
}

Deno.test("runTranslated: agrees with step and run over a campaign of random programs, stopped after random k", () => {
  const seed = campaignSeed("translated", 808);
  let steps = 0;
  for (let i = 0; steps < CAMPAIGN_STEPS; i++) {
    const random = new Random(seed + i);
    const start = i % 50 === 0 ? programState(seed + i) : randomProgram(random);
    const reference = cloneState(start);
    const fast = [
      { name: "run", go: run, state: cloneState(start) },
      { name: "runTranslated", go: runTranslated, state: cloneState(start) },
    ];
    for (let stop = 0; stop < 5 && reference.status === 0; stop++) {
      const k = random.pick([1, random.below(16), random.below(300), 3000]);
      const expected = outcome(() => stepAll(reference, k));
      const packed = packState(reference).toHex();
      for (const { name, go, state } of fast) {
        const what = `${name}, seed ${seed + i}, stop ${stop} after ${k}`;
        assertEquals(outcome(() => go(state, k)), expected, what);
        assertEquals(packState(state).toHex(), packed, what);
      }
      if (typeof expected === "string") break;
      steps += expected;
    }
  }
  console.log(`${steps} steps`);
  assert(steps >= CAMPAIGN_STEPS);
});
