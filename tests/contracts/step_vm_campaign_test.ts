/**
 * Both machines side by side over whole programs, the whole state compared after every step: one tiny program per
 * instruction on edge operands, random programs to their end and beyond it, and every bit of whole witnesses.
 */
import { assert, assertEquals } from "@std/assert";
import {
  buildWitness,
  ChainLearnError,
  cloneState,
  decode,
  disassemble,
  encode,
  type Encoding,
  ENCODINGS,
  STATE_BYTES,
  STATUS,
  step,
  SYSCALL,
  type VmState,
} from "../../fpvm/mod.ts";
import { CAMPAIGN_STEPS, campaignSeed, IS_FULL } from "../fpvm/campaign.ts";
import { EDGES, machine, randomWord } from "../fpvm/machines.ts";
import { randomProgram } from "../fpvm/random_programs.ts";
import { Random } from "../random.ts";
import { programState } from "./program.ts";
import {
  type Answer,
  type Chain,
  expectedAnswer,
  mirroredAnswer,
  startChain,
} from "./step_batch.ts";

let chain: Chain;
Deno.test.beforeAll(async () => {
  chain = await startChain();
});
Deno.test.afterAll(() => chain.stop());

/** Witnesses and expected answers of programs' steps, until there are enough to ask the chain. */
class SideBySide {
  steps = 0;
  /** Steps by what they end in, as `status/exit code`. */
  readonly ends = new Map<string, number>();
  #waiting: { witness: Uint8Array; expected: Answer; what: string }[] = [];

  /** Adds at most `limit` steps, `beyond` of them after the program stopped; ends early where content is missing. */
  add(state: VmState, limit: number, beyond: number, what: string): void {
    for (let i = 0, after = 0; i < limit && after <= beyond; i++) {
      let next: VmState;
      try {
        next = cloneState(state);
        step(next);
        const expected = expectedAnswer(state);
        const witness = buildWitness(state);
        this.#waiting.push({ witness, expected, what: `${what}, step ${i}` });
      } catch (error) {
        // An unknown key that the program loaded: no machine can go on.
        if (error instanceof ChainLearnError) return;
        throw error;
      }
      if (state.status !== STATUS.running) after++;
      else {
        const end = `${next.status}/${next.exitCode}`;
        this.ends.set(end, (this.ends.get(end) ?? 0) + 1);
      }
      state = next;
      this.steps++;
    }
  }

  /** Asks the chain about all that waits, or all over a number. */
  async ask(least = 1): Promise<void> {
    if (this.#waiting.length < least) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    const answers = await chain.run(waiting.map(({ witness }) => witness));
    waiting.forEach(({ witness, expected, what }, i) => {
      assertEquals(answers[i], expected, what);
      assertEquals(mirroredAnswer(witness), expected, what);
    });
  }
}

/** An instruction at edge operands, then one that shows what is in every kind of place, then exit. */
function tinyProgram(random: Random, encoding: Encoding): VmState {
  let word = randomWord(random, encoding);
  while (decode(word) === null) word = randomWord(random, encoding);
  const registers: Record<number, number> = {};
  for (let i = 1; i < 32; i++) registers[i] = random.pick(EDGES);
  registers[2] = SYSCALL.exit;
  const { kind, fields } = encoding;
  if (kind === "load" || kind === "store") {
    const { rs, imm } = decode(word)!;
    if (rs !== 0) registers[rs] = 0x3000_0000 + random.below(8) - imm;
  } else if (fields.includes("offset")) {
    word = (word & ~0xffff) | (random.below(4) - 1) & 0xffff;
  } else if (kind === "jump") {
    if (fields.includes("target")) word = (word & ~0x3ffffff) | 0x102;
    else if (decode(word)!.rs !== 0) registers[decode(word)!.rs] = 0x40c;
  }
  return machine({
    code: [
      word >>> 0,
      encode("addiu", { rt: 9, rs: 9, imm: 1 }),
      encode("xor", { rd: 10, rs: 10, rt: 9 }),
      encode("mflo", { rd: 11 }),
      encode("addu", { rd: 2, rs: 0, rt: 2 }),
      encode("syscall"),
    ],
    registers,
    hi: random.pick(EDGES) | 0,
    lo: random.pick(EDGES) | 0,
    words: { 0x3000_0000: random.u32(), 0x3000_0004: random.u32() },
  });
}

Deno.test("StepVm and step agree after every step of a tiny program for each instruction, V1 to V10", async () => {
  const seed = campaignSeed("tiny programs", 404);
  const random = new Random(seed);
  const sides = new SideBySide();
  for (let variant = 0; variant < (IS_FULL ? 16 : 2); variant++) {
    for (const encoding of ENCODINGS) {
      const state = tinyProgram(random, encoding);
      const text = disassemble(state.memory.load32(0x400));
      sides.add(state, 12, 1, `seed ${seed}, ${text}`);
      await sides.ask(1000);
    }
  }
  await sides.ask();
  console.log(`${sides.steps} steps`);
  assert(sides.steps > 4 * ENCODINGS.length);
});

Deno.test("StepVm and step agree after every step of random programs, and beyond their end", async () => {
  const seed = campaignSeed("random programs", 505);
  const random = new Random(seed);
  const sides = new SideBySide();
  for (let i = 0; sides.steps < CAMPAIGN_STEPS / 50; i++) {
    sides.add(randomProgram(random), 60, 1, `seed ${seed}, program ${i}`);
    await sides.ask(1000);
  }
  await sides.ask();
  console.log(`${sides.steps} steps, by end:`, Object.fromEntries(sides.ends));
  // Of the causes of a trap these are frequent; others need a rare address.
  for (const end of ["0/0", "2/3", "2/4", "2/5"]) {
    assert((sides.ends.get(end) ?? 0) > 0, `seed ${seed}: none ends ${end}`);
  }
});

/** A step of every kind in a program with neighbours in memory: one that only computes, load, store, graft, save. */
function kindsOfStep(): Map<string, VmState> {
  const found = new Map<string, VmState>();
  const state = programState(12);
  while (state.status === STATUS.running) {
    const instruction = decode(state.memory.load32(state.pc))!;
    const { kind } = instruction.encoding;
    const name = kind === "syscall" ? `syscall ${state.registers[2]}` : kind;
    if (!found.has(name)) found.set(name, cloneState(state));
    step(state);
  }
  found.set("stopped", cloneState(state));
  return found;
}

Deno.test("StepVm and stepWitness refuse every single flipped bit of a proof, and of a state give another prestate", async () => {
  const seed = campaignSeed("flipped bits", 606);
  const kinds = [...kindsOfStep()];
  assert(kinds.length >= 8, `${kinds.length} kinds of step`);
  const random = new Random(seed);
  const chosen = IS_FULL ? kinds : [random.pick(kinds)];
  for (const [name, state] of chosen) {
    const witness = buildWitness(state);
    const { prestate } = expectedAnswer(state)!;
    const flips = Array.from({ length: 8 * witness.length }, (_, bit) => {
      const flipped = witness.slice();
      flipped[bit >>> 3] ^= 1 << (bit & 7);
      return flipped;
    });
    const answers = await chain.run(flips);
    answers.forEach((answer, bit) => {
      const what = `seed ${seed}, ${name}, bit ${bit}`;
      assertEquals(mirroredAnswer(flips[bit]), answer, what);
      if (bit >= 8 * STATE_BYTES) assertEquals(answer, null, what);
      else assert(answer?.prestate !== prestate, what);
    });
  }
});
