import { assert, assertEquals } from "@std/assert";
import { VmSession } from "../../cli/vm_session.ts";
import {
  ChainLearnError,
  cloneState,
  encode,
  loadElf,
  observeStep,
  packState,
  stateHash,
  step,
  type VmState,
} from "../../fpvm/mod.ts";
import { programState } from "../contracts/program.ts";
import { DATA, elfOf, TEXT } from "../fpvm/elf_files.ts";
import { randomProgram } from "../fpvm/random_programs.ts";
import { Random } from "../random.ts";

const seed = Number(Deno.env.get("CHAINLEARN_SEED") ?? 61);
const uninterrupted = () => false;

/** The states of a run, at most so many. */
function statesOf(start: VmState, limit: number): VmState[] {
  const states = [cloneState(start)];
  const state = cloneState(start);
  while (state.status === 0 && states.length < limit) {
    step(state);
    states.push(cloneState(state));
  }
  return states;
}

/** Counts $t0 down from `count` and $v1 up; stores $v1 into the first word of data. */
function loop(count: number): VmState {
  const code = [
    encode("lui", { rt: 8, imm: count >>> 16 }),
    encode("ori", { rt: 8, rs: 8, imm: count & 0xffff }),
    encode("lui", { rt: 9, imm: DATA >>> 16 }),
    encode("addiu", { rt: 3, rs: 3, imm: 1 }), // TEXT + 12
    encode("addiu", { rt: 8, rs: 8, imm: -1 }),
    encode("bne", { rs: 8, rt: 0, offset: -3 }),
    encode("sw", { rt: 3, rs: 9 }),
    encode("ori", { rt: 2, imm: 4001 }),
    encode("syscall"),
  ];
  return loadElf(elfOf(code, new Uint8Array(32)));
}

Deno.test("VmSession: goTo is at any step what step leaves there, forwards and back", () => {
  const random = new Random(seed);
  const states = statesOf(programState(4), 1000);
  const session = new VmSession(programState(4));
  for (let i = 0; i < 60; i++) {
    const target = random.below(states.length + 3);
    session.goTo(target);
    const at = Math.min(target, states.length - 1);
    assertEquals(session.position, at, `seed ${seed}`);
    assertEquals(packState(session.state), packState(states[at]));
  }
});

Deno.test("VmSession: goes to any step of a run of many snapshots", () => {
  const session = new VmSession(loop(30_000_000));
  for (
    const target of [90_000_003, 5, 77_123_456, 77_123_455, 1, 120_000_004]
  ) {
    session.goTo(target);
    assertEquals(session.position, target);
    // Step 3 + 4n + 1 has counted n + 1 up.
    const counted = Math.min(30_000_000, Math.ceil((target - 3) / 4));
    assertEquals(session.state.registers[3], Math.max(0, counted));
  }
});

Deno.test("VmSession: resume and resumeBack stop where every step was looked at", async () => {
  const random = new Random(seed);
  let stopsFound = 0;
  for (let i = 0; i < 200; i++) {
    const what = `seed ${seed}, program ${i}`;
    const start = i === 0 ? programState(4) : randomProgram(random);
    let states: VmState[];
    try {
      states = statesOf(start, 400);
    } catch (error) {
      if (error instanceof ChainLearnError) continue;
      throw error;
    }
    if (states.at(-1)!.status === 0) continue;
    const session = new VmSession(start);
    const { addresses, steps, watched } = session.stops;
    addresses.add(random.pick(states).pc);
    steps.add(random.below(states.length));
    const word = 0x3000_0040 + 4 * random.below(9);
    watched.add(word);
    const isStop = (at: number) =>
      at > 0 &&
      (steps.has(at) ||
        (addresses.has(states[at].pc) && states[at].status === 0) ||
        states[at].memory.load32(word) !== states[at - 1].memory.load32(word));
    const expected = states.map((_, at) => at).filter(isStop);
    const found: number[] = [];
    while (session.isRunning) {
      const { kind } = await session.resume(uninterrupted);
      if (kind !== "end") found.push(session.position);
    }
    assertEquals(found, expected, what);
    session.goTo(states.length);
    const back: number[] = [];
    while (session.resumeBack().kind !== "start") back.push(session.position);
    const last = states.length - 1;
    assertEquals(back, expected.filter((at) => at < last).reverse(), what);
    stopsFound += found.length;
  }
  assert(stopsFound > 100, `seed ${seed}: ${stopsFound} stops`);
});

Deno.test("VmSession: goes back over snapshots to the last change of a word", async () => {
  const session = new VmSession(loop(1_500_000));
  session.goTo(5_000_000);
  session.stops.addresses.add(TEXT);
  session.stops.watched.add(DATA);
  session.goTo(4_900_000);
  const reason = session.resumeBack();
  assertEquals(reason.kind, "watched");
  assertEquals(session.position, 4_899_999);
  session.stops.watched.clear();
  assertEquals(session.resumeBack().kind, "start");
  assertEquals(session.position, 0);
  assertEquals((await session.resume(() => true)).kind, "interrupted");
});

Deno.test("observeStep: does what step does, and tells every register and word that changes", () => {
  const random = new Random(seed);
  const starts = [
    programState(5),
    ...Array.from({ length: 200 }, () => randomProgram(random)),
  ];
  starts.forEach((start, i) => {
    const what = `seed ${seed}, program ${i}`;
    const reference = cloneState(start), observed = cloneState(start);
    for (let n = 0; n < 200 && reference.status === 0; n++) {
      const before = cloneState(reference);
      try {
        step(reference);
      } catch (error) {
        if (error instanceof ChainLearnError) return;
        throw error;
      }
      const effect = observeStep(observed);
      assertEquals(stateHash(observed), stateHash(reference), what);
      // The effect, applied to the state before, gives the state after.
      for (const { register, value } of effect.registers) {
        if (typeof register === "number") before.registers[register] = value;
        else before[register] = value;
      }
      assertEquals(before.registers, reference.registers, what);
      assertEquals([before.hi, before.lo], [reference.hi, reference.lo], what);
      const { written, subtree } = effect;
      if (written !== null) {
        before.memory.store32(written.address, written.value);
      }
      if (subtree === null) {
        assertEquals(before.memory.root(), reference.memory.root(), what);
      }
      assertEquals(effect.status, reference.status, what);
    }
  });
});
