import { assert, assertEquals, assertThrows } from "@std/assert";
import { Random } from "../random.ts";
import {
  ChainLearnError,
  cloneState,
  type ContentStore,
  encode,
  type InstructionName,
  Memory,
  packState,
  run,
  step,
  tensorRoot,
  type VmState,
} from "../../fpvm/mod.ts";
import { machine } from "./machines.ts";
import { randomProgram } from "./random_programs.ts";

/** What `run` is defined by. */
function stepAll(state: VmState, maxSteps: number): number {
  let steps = 0;
  for (; steps < maxSteps && state.status === 0; steps++) step(state);
  return steps;
}

Deno.test("run: random programs leave what repeated step leaves after any number of steps", () => {
  const random = new Random(71);
  let steps = 0;
  for (let i = 0; i < 500; i++) {
    const state = randomProgram(random);
    const stepped = cloneState(state);
    for (let part = 0; part < 6; part++) {
      const count = random.pick([64, 65, 100, 1000]) + random.below(64);
      const taken = run(state, count);
      assertEquals(taken, stepAll(stepped, count), `seed 71 program ${i}`);
      assertEquals(
        packState(state).toHex(),
        packState(stepped).toHex(),
        `seed 71 program ${i} part ${part}`,
      );
      steps += taken;
    }
  }
  assert(steps > 50_000, `${steps} steps`);
});

/** $8 is an address, $9 counts down, $10 a value; `body` is repeated while $9 > 0. */
function loop(
  body: number[],
  registers: Record<number, number>,
  store?: ContentStore,
): VmState {
  const code = [
    ...body,
    encode("addiu", { rt: 9, rs: 9, imm: -1 }),
    encode("bgtz", { rs: 9, offset: -(body.length + 2) }),
    encode("sll"),
    encode("syscall"),
  ];
  const state = machine({ registers: { 2: 4001, ...registers } });
  const memory = new Memory(store);
  code.forEach((word, i) => memory.store32(0x400 + 4 * i, word));
  return { ...state, memory };
}

Deno.test("run: pages beyond the number of slots, at the same places of every region", () => {
  const next = (stride: number) => encode("addu", { rd: 8, rs: 8, rt: stride });
  const body = [
    encode("lw", { rt: 11, rs: 8 }),
    encode("addu", { rd: 11, rs: 11, rt: 9 }),
    encode("sw", { rt: 11, rs: 8, imm: 4 }),
    encode("sb", { rt: 11, rs: 8, imm: 9 }),
    next(12),
  ];
  for (const stride of [0x1000, 0x40_0000, 0x1000_0000, 0x0123_4564]) {
    const start = { 8: 0x2000_0000, 9: 3000, 12: stride };
    const state = loop(body, start);
    const stepped = cloneState(state);
    const what = `stride ${stride}`;
    assertEquals(run(state, 1e6), stepAll(stepped, 1e6), what);
    assertEquals(packState(state).toHex(), packState(stepped).toHex(), what);
  }
});

Deno.test("run: every load and store at every alignment, also beside an unopened graft", () => {
  const names: InstructionName[] = ["lb", "lbu", "lh", "lhu", "lw", "ll"];
  names.push("lwl", "lwr", "sb", "sh", "sw", "sc", "swl", "swr");
  const root = new Random(3).bytes(32);
  for (const name of names) {
    for (let offset = 0; offset < 4; offset++) {
      for (const base of [0x3000_0100, 0x4000_0100, 0xffff_fffc, 0xff_fffc]) {
        const body = [
          encode(name, { rt: 10, rs: 8, imm: offset }),
          encode("xor", { rd: 11, rs: 11, rt: 10 }),
        ];
        const words = { 0x3000_0100: 0x81828384, 0x4000_0100: 0xf1f2f3f4 };
        const state = loop(body, { 8: base, 9: 90, 10: 0x98765432 });
        for (const [address, word] of Object.entries(words)) {
          state.memory.store32(Number(address), word);
        }
        state.memory.graft(0x4000_0000, 2, root);
        const stepped = cloneState(state);
        const what = `${name} at ${base} + ${offset}`;
        assertEquals(run(state, 1000), stepAll(stepped, 1000), what);
        assertEquals(
          packState(state).toHex(),
          packState(stepped).toHex(),
          what,
        );
      }
    }
  }
});

Deno.test("run: V8 code that another program had at the same place is not executed", () => {
  const value = (imm: number) => {
    const state = loop([encode("ori", { rt: 4, imm })], { 9: 50 });
    run(state, 1000);
    return state.exitCode;
  };
  assertEquals([value(3), value(4), value(3)], [3, 4, 3]);
  const state = loop([encode("ori", { rt: 4, imm: 3 })], { 9: 50 });
  const clone = cloneState(state);
  run(state, 70);
  clone.memory.store32(0x400, encode("ori", { rt: 4, imm: 9 }));
  run(clone, 1000);
  run(state, 1000);
  assertEquals([state.exitCode, clone.exitCode], [3, 9]);
});

Deno.test("run: missing content is an error that leaves the state before that step", () => {
  const body = [
    encode("addiu", { rt: 8, rs: 8, imm: 0x400 }),
    encode("lw", { rt: 10, rs: 8 }),
  ];
  const state = loop(body, { 8: 0x7fff_f000 | 0, 9: 100 });
  const root = new Random(9).bytes(32);
  state.memory.graft(0x8000_0000, 9, root);
  const stepped = cloneState(state);
  const error = assertThrows(() => run(state, 1000), ChainLearnError);
  assert(error.message.includes(root.toHex()), error.message);
  assertThrows(() => stepAll(stepped, 1000), ChainLearnError);
  assertEquals(packState(state).toHex(), packState(stepped).toHex());
});

Deno.test("run: a content store may run the machine itself", () => {
  const content = new Random(10).bytes(8192);
  let runs = 0;
  const store: ContentStore = {
    get: () => {
      const inner = loop([encode("ori", { rt: 4, imm: 5 })], { 9: 200 });
      run(inner, 1e4);
      runs += inner.exitCode;
      return content;
    },
  };
  const body = [
    encode("lw", { rt: 10, rs: 8 }),
    encode("xor", { rd: 4, rs: 4, rt: 10 }),
    encode("addiu", { rt: 8, rs: 8, imm: 4 }),
  ];
  const state = loop(body, { 8: 0x8000_0000, 9: 2000 }, store);
  state.memory.graft(0x8000_0000, 8, tensorRoot(content));
  run(state, 1e6);
  const words = new Int32Array(content.slice(0, 8000).buffer);
  assertEquals(state.registers[4], words.reduce((a, b) => a ^ b));
  assertEquals(runs, 5);
});
