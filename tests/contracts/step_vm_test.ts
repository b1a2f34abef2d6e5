import { assert, assertEquals } from "@std/assert";
import {
  buildWitness,
  cloneState,
  STATE_BYTES,
  step,
  type VmState,
} from "../../fpvm/mod.ts";
import { Random } from "../random.ts";
import { programState } from "./program.ts";
import {
  type Chain,
  expectedAnswer,
  mirroredAnswer,
  startChain,
} from "./step_batch.ts";
import { randomState } from "./vm_states.ts";
import vectors from "../vectors/vm.json" with { type: "json" };

const seed = Number(Deno.env.get("SEED") ?? 20_240_607);

let chain: Chain;
Deno.test.beforeAll(async () => {
  chain = await startChain();
});
Deno.test.afterAll(() => chain.stop());

/** Every state of a run, the stopped one included. */
function trace(state: VmState, limit: number): VmState[] {
  const states = [cloneState(state)];
  while (state.status === 0 && states.length < limit) {
    step(state);
    states.push(cloneState(state));
  }
  return states;
}

Deno.test("StepVm equals step and stepWitness on random states", async () => {
  const random = new Random(seed);
  const states = Array.from({ length: 2000 }, () => randomState(random));
  const witnesses = states.map(buildWitness);
  const answers = await chain.run(witnesses);
  const ends = new Map<string, number>();
  states.forEach((state, i) => {
    const what = `seed ${seed}, state ${i}`;
    assertEquals(answers[i], expectedAnswer(state), what);
    assertEquals(mirroredAnswer(witnesses[i]), answers[i], what);
    if (state.status !== 0) return;
    step(state);
    const end = `${state.status}/${state.exitCode}`;
    ends.set(end, (ends.get(end) ?? 0) + 1);
  });
  for (const end of ["0/0", "2/3", "2/4", "2/5", "2/6", "2/7"]) {
    assert((ends.get(end) ?? 0) > 10, `seed ${seed}: few states end ${end}`);
  }
});

Deno.test("StepVm gives every answer of the machine's test vectors", async () => {
  const { valid, invalid } = vectors;
  const bytesOf = ({ witness }: { witness: string }) =>
    Uint8Array.fromHex(witness.slice(2));
  assert(valid.length >= 300 && invalid.length >= 20);
  const answers = await chain.run([...valid, ...invalid].map(bytesOf));
  valid.forEach(({ name, prestate, poststate }, i) =>
    assertEquals<unknown>(answers[i], { prestate, poststate }, name)
  );
  invalid.forEach(({ name }, i) =>
    assertEquals(answers[valid.length + i], null, name)
  );
});

Deno.test("StepVm equals step on every step of a program", async () => {
  const states = trace(programState(7), 1000);
  const last = states.at(-1)!;
  assertEquals([last.status, last.exitCode], [1, 0]);
  assert(states.length > 300, `${states.length} states`);
  const answers = await chain.run(states.map(buildWitness));
  states.forEach((state, i) =>
    assertEquals(answers[i], expectedAnswer(state), `step ${i}`)
  );
  // The steps make a chain: what one ends in, the next begins with.
  answers.slice(1).forEach((answer, i) =>
    assertEquals(answer!.prestate, answers[i]!.poststate, `step ${i}`)
  );
});

Deno.test("StepVm rejects a random bit flipped anywhere in a proof, and binds every bit of the state", async () => {
  const random = new Random(seed ^ 1);
  const steps = trace(programState(8), 1000).map(buildWitness);
  const witnesses = Array.from(
    { length: 1500 },
    () =>
      random.below(3) === 0
        ? buildWitness(randomState(random))
        : random.pick(steps),
  );
  const honest = await chain.run(witnesses);
  const flipped = witnesses.map((witness) => {
    const copy = witness.slice();
    const inProof = copy.length > STATE_BYTES && random.below(5) > 0;
    const position = inProof
      ? STATE_BYTES + random.below(copy.length - STATE_BYTES)
      : random.below(STATE_BYTES);
    copy[position] ^= 1 << random.below(8);
    return { copy, inProof, position };
  });
  const answers = await chain.run(flipped.map(({ copy }) => copy));
  flipped.forEach(({ copy, inProof, position }, i) => {
    const what = `seed ${seed}, witness ${i}, byte ${position}`;
    if (inProof) assertEquals(answers[i], null, what);
    else assert(answers[i]?.prestate !== honest[i]!.prestate, what);
    assertEquals(mirroredAnswer(copy), answers[i], what);
  });
});

/** What a state's next step is, for the table of gas. */
function kindOf(state: VmState): "alu" | "load" | "store" | "graft" {
  const word = state.memory.load32(state.pc);
  if (word >>> 26 === 0 && (word & 63) === 12) return "graft";
  if (word >>> 26 < 32) return "alu";
  return ((word >>> 29) & 1) === 0 ? "load" : "store";
}

Deno.test("StepVm costs at most 50k, 70k, 80k and 75k gas for ALU, load, store and graft", async () => {
  const limits = { alu: 50_000, load: 70_000, store: 80_000, graft: 75_000 };
  const dearest = { alu: 0, load: 0, store: 0, graft: 0 };
  const states = trace(programState(9), 1000);
  // The first grafts, two elements of the loop and all from the save to the last step but the exit.
  const chosen = [...states.slice(0, 60), ...states.slice(-32, -2)];
  for (const state of chosen) {
    const kind = kindOf(state);
    const gas = await chain.gas(buildWitness(state));
    dearest[kind] = Math.max(dearest[kind], gas);
  }
  console.log("gas of a whole transaction, at most:", dearest);
  for (const kind of ["alu", "load", "store", "graft"] as const) {
    assert(dearest[kind] > 21_000 && dearest[kind] <= limits[kind], kind);
  }
});
