import { assert, assertEquals } from "@std/assert";
import { innerEnds } from "../../contracts/mod.ts";
import { ProgramRun } from "../../dispute/program_run.ts";
import {
  cloneState,
  encode,
  Memory,
  newProcessor,
  run,
  stateHash,
  type VmState,
} from "../../fpvm/mod.ts";
import { Random } from "../random.ts";

/** A program of about 6 * `rounds` steps that writes a word in every `stride` bytes, round and round 1 MiB. */
function writer(rounds: number, stride: number): VmState {
  const words = [
    encode("addu", { rd: 11, rs: 8, rt: 10 }),
    encode("sw", { rt: 9, rs: 11 }),
    encode("addiu", { rt: 10, rs: 10, imm: stride }),
    encode("ext", { rt: 10, rs: 10, lsb: 0, msb: 19 }),
    encode("bgtz", { rs: 9, offset: -5 }),
    encode("addiu", { rt: 9, rs: 9, imm: -1 }),
    encode("syscall"),
  ];
  const memory = new Memory();
  words.forEach((word, i) => memory.store32(4 * i, word));
  const state = { ...newProcessor(), memory };
  state.registers.set([4001], 2);
  state.registers.set([0x3000_0000, rounds], 8);
  return state;
}

/** Plays the halving, or k-ary, part of a dispute; returns the state hashes at the two ends that are left. */
function narrow(
  trace: ProgramRun,
  k: number,
  choose: (count: number) => number,
): number {
  let lo = 0n, hi = BigInt(trace.length);
  while (hi - lo > 1n) {
    const ends = [lo, ...innerEnds(lo, hi, k), hi];
    for (const end of ends.slice(1, -1)) trace.hashAt(Number(end));
    const chosen = choose(ends.length - 1);
    lo = ends[chosen];
    hi = ends[chosen + 1];
  }
  trace.stateAt(Number(lo));
  return Number(lo);
}

Deno.test("ProgramRun: a whole dispute executes at most 1.3 times the program's steps beyond the first run", () => {
  const random = new Random(41);
  const everyK = Array.from({ length: 31 }, (_, i) => i + 2);
  let worst = 0;
  for (const rounds of [0, 1, 9, 170, 5000]) {
    // How long it will be is guessed too short, about right, much too long.
    for (const guess of [0, 6 * rounds, 5000 * rounds]) {
      for (const k of rounds === 170 ? everyK : [2, 3, 16, 31, 32]) {
        const choices = [
          (count: number) => count - 1,
          (count: number) => random.below(count),
        ];
        for (const choose of choices) {
          const state = writer(rounds, 4);
          const trace = new ProgramRun(state, 1e9, guess);
          const first = trace.executedSteps;
          assertEquals(first, trace.length);
          narrow(trace, k, choose);
          const share = (trace.executedSteps - first) / first;
          assert(share <= 1.3, `seed 41, k ${k}, ${first} steps: ${share}`);
          worst = Math.max(worst, share);
        }
      }
    }
  }
  assert(worst > 0.05, `${worst}`);
});

Deno.test("ProgramRun: without any snapshots but the first the bound holds as well", () => {
  for (const k of [2, 3, 7, 16, 32]) {
    const limits = { snapshots: 1 };
    const trace = new ProgramRun(writer(3000, 4), 1e9, 0, limits);
    narrow(trace, k, (count) => count - 1);
    assert(trace.executedSteps <= 2.3 * trace.length, `k ${k}`);
  }
});

Deno.test("ProgramRun: hashes are those of the machine, in any order and from little memory", () => {
  const random = new Random(42);
  const whole = writer(700, 4096);
  const limits = [{}, { snapshots: 3, recent: 2 }, { bytes: 50_000 }];
  const traces = limits.map((limit) =>
    new ProgramRun(cloneState(whole), 1e9, 4000, limit)
  );
  const { length } = traces[0];
  for (let i = 0; i < 60; i++) {
    const m = random.below(length + 10);
    const state = cloneState(whole);
    run(state, m);
    for (const trace of traces) {
      assertEquals(trace.hashAt(m), stateHash(state), `seed 42, step ${m}`);
      assertEquals(
        stateHash(trace.stateAt(m)),
        stateHash(state),
        `seed 42, step ${m}`,
      );
    }
  }
});

Deno.test("ProgramRun: what is kept stays within the limit, and snapshots are even, however long the program", () => {
  const bytes = 16 * 2 ** 20;
  for (const rounds of [100, 3000, 40_000]) {
    // Every step in six writes another of 256 pages.
    const trace = new ProgramRun(writer(rounds, 4096), 1e9, 0, { bytes });
    narrow(trace, 4, (count) => count >> 1);
    // The last state and one of each kind beyond it: 1 MiB of pages each.
    assert(trace.heldBytes <= bytes + 3 * 2 ** 20, `${trace.heldBytes} bytes`);
    assert(trace.executedSteps <= 2.3 * trace.length, `${rounds} rounds`);
  }
  const few = new ProgramRun(writer(50_000, 4), 1e9, 0, { snapshots: 16 });
  const before = few.executedSteps;
  const points = Array.from({ length: 50 }, (_, i) => i * few.length / 50 | 0);
  // Backwards, so that no asked state helps: never further than an interval of at most a ninth of the run.
  for (const m of points.toReversed()) {
    const executed = few.executedSteps;
    few.hashAt(m);
    const taken = few.executedSteps - executed;
    assert(taken <= few.length / 8, `${taken} of ${few.length}, step ${m}`);
  }
  assert(few.executedSteps > before);
});

Deno.test("ProgramRun: a program that never stops ends at the limit and goes on when asked", () => {
  const endless = writer(1000, 4);
  const trace = new ProgramRun(cloneState(endless), 777, 0);
  assertEquals([trace.length, trace.end.status], [777, 0]);
  run(endless, 800);
  assertEquals(trace.hashAt(800), stateHash(endless));
});
