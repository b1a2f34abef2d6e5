import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  ChainLearnError,
  cloneState,
  encode,
  MemoryContentStore,
  packState,
  run,
  runTranslated,
  setFrameLimit,
  STATUS,
  SYSCALL,
  TRAP,
} from "../../fpvm/mod.ts";
import { Random } from "../random.ts";
import { flowProgram } from "./flow_programs.ts";
import { machine } from "./machines.ts";
import { check, checkEveryStop, outcome, words } from "./translated.ts";

/** Numbers of steps that fall anywhere. */
const randomStops = (random: Random, count: number, most: number) =>
  Array.from({ length: count }, () => random.below(most));

Deno.test("runTranslated: random programs of many blocks, calls and jump tables stop where run stops", () => {
  let steps = 0;
  for (let seed = 0; seed < 60; seed++) {
    const random = new Random(seed);
    const state = flowProgram(random, 2 + random.below(30));
    check(state, randomStops(random, 8, 3000), `seed ${seed}`);
    steps += Number(outcome(() => run(state, 12_000))) || 0;
  }
  assert(steps > 300_000, `programs stop too early: ${steps} steps in all`);
});

Deno.test("runTranslated: a random program may stop after every step", () => {
  for (let seed = 100; seed < 104; seed++) {
    const state = flowProgram(new Random(seed), 12);
    runTranslated(cloneState(state), 4000);
    checkEveryStop(state, 500, `seed ${seed}`);
  }
});

Deno.test("runTranslated: programs of more than a thousand blocks, in several functions that jump to each other", () => {
  for (let seed = 0; seed < 3; seed++) {
    const random = new Random(seed);
    const state = flowProgram(random, 1500);
    check(state, [1, ...randomStops(random, 6, 20_000)], `seed ${seed}`);
  }
});

Deno.test("runTranslated: loops with several edges back, nested, left from the middle", () => {
  const code = words(
    ["addiu", { rt: 8, rs: 8, imm: 1 }],
    ["andi", { rt: 9, rs: 8, imm: 3 }],
    ["bne", { rs: 9, offset: -3 }],
    ["addiu", { rt: 10, rs: 10, imm: 1 }],
    ["andi", { rt: 9, rs: 8, imm: 4 }],
    ["beq", { rs: 9, offset: -6 }],
    ["addiu", { rt: 11, rs: 11, imm: 3 }],
    ["slti", { rt: 9, rs: 8, imm: 90 }],
    ["bne", { rs: 9, offset: -8 }],
    ["xor", { rd: 12, rs: 12, rt: 8 }],
    ["beq", { rs: 9, offset: -11 }],
    ["addu", { rd: 8 }],
  );
  checkEveryStop(machine({ code }), 400, "loops");
});

Deno.test("runTranslated: irreducible control flow, a loop entered at both of its blocks", () => {
  for (const condition of [0, 1]) {
    const code = words(
      ["bne", { rs: 8, offset: 4 }],
      ["addiu", { rt: 10, rs: 10, imm: 1 }],
      ["addiu", { rt: 11, rs: 11, imm: 2 }],
      ["addu", { rd: 12, rs: 12, rt: 11 }],
      ["addiu", { rt: 9, rs: 9, imm: -1 }],
      ["xor", { rd: 12, rs: 12, rt: 9 }],
      ["bgtz", { rs: 9, offset: -5 }],
      ["addiu", { rt: 13, rs: 13, imm: 1 }],
      ["blez", { rs: 13, offset: -4 }],
      ["addiu", { rt: 9, imm: 40 }],
      ["beq", { offset: -11 }],
      ["xori", { rt: 8, rs: 8, imm: 1 }],
    );
    const state = machine({ code, registers: { 8: condition, 9: 33 } });
    checkEveryStop(state, 500, `from ${condition}`);
  }
});

Deno.test("runTranslated: jumps into the middle of a block and to its delay slot, in a loop", () => {
  const code = words(
    ["addiu", { rt: 8, rs: 8, imm: 1 }],
    ["addiu", { rt: 9, rs: 9, imm: 2 }],
    ["addiu", { rt: 10, rs: 10, imm: 3 }],
    ["andi", { rt: 11, rs: 8, imm: 7 }],
    ["bne", { rs: 11, offset: -3 }],
    ["addiu", { rt: 8, rs: 8, imm: 1 }],
    ["andi", { rt: 11, rs: 9, imm: 6 }],
    // To the delay slot of the branch above, and to one's own.
    ["beq", { rs: 11, offset: -3 }],
    ["addiu", { rt: 12, rs: 12, imm: 1 }],
    ["bgtz", { rs: 8, offset: 0 }],
    ["addiu", { rt: 13, rs: 13, imm: 1 }],
    ["beq", { offset: -12 }],
    ["addu", { rd: 14, rs: 14, rt: 9 }],
  );
  checkEveryStop(machine({ code }), 400, "into the middle");
});

Deno.test("runTranslated: V5 a store to code traps and changes nothing, also in translated code that ran before", () => {
  for (const address of [0x400, 0x404, 0x00ff_fffc]) {
    const code = words(
      ["addiu", { rt: 8, rs: 8, imm: 1 }],
      ["slti", { rt: 9, rs: 8, imm: 50 }],
      ["movz", { rd: 16, rs: 17, rt: 9 }],
      ["lw", { rt: 10, rs: 17 }],
      ["sw", { rt: 18, rs: 16 }],
      ["sw", { rt: 18, rs: 16, imm: 4 }],
      ["beq", { offset: -7 }],
      ["sll"],
    );
    const registers = {
      16: 0x3000_0000,
      17: address,
      18: encode("addiu", { rt: 8, rs: 8, imm: 100 }),
    };
    const state = machine({ code, registers });
    const before = state.memory.load32(address);
    check(state, [130, 1000], `0x${address.toString(16)}`);
    runTranslated(state, 1000);
    assertEquals([state.status, state.exitCode], [
      STATUS.trapped,
      TRAP.protection,
    ]);
    assertEquals(state.memory.load32(address), before);
  }
});

Deno.test("runTranslated: accesses that share a register lie in one page, in two, or are not aligned", () => {
  const code = words(
    ["lw", { rt: 8, rs: 16, imm: -8 }],
    ["sw", { rt: 9, rs: 16, imm: 12 }],
    ["lh", { rt: 10, rs: 16, imm: 2 }],
    ["sb", { rt: 8, rs: 16, imm: 1 }],
    ["addiu", { rt: 16, rs: 16, imm: 4 }],
    ["lw", { rt: 11, rs: 16, imm: 20 }],
    ["sh", { rt: 11, rs: 16, imm: -2 }],
    ["lbu", { rt: 9, rs: 16, imm: 3 }],
    ["addu", { rd: 12, rs: 12, rt: 9 }],
    ["bne", { rs: 16, rt: 17, offset: -10 }],
    ["addiu", { rt: 9, rs: 9, imm: 77 }],
    ["bltz", { rs: 0, offset: 0 }],
    ["addiu", { rt: 17, rs: 17, imm: 2 }],
    ["beq", { offset: -14 }],
    ["addiu", { rt: 16, rs: 17, imm: -34 }],
  );
  const data = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [0x3000_0fa0 + 4 * i, i * 0x01020305]),
  );
  // The last base wraps around the end of the address space; the one before it starts below all data.
  for (const base of [0x3000_0fc0, 0x3000_0800, 0x00ff_fff0, 0xffff_ffe0]) {
    const registers = { 16: base, 17: base + 64 };
    const state = machine({ code, registers, words: data });
    check(state, [20, 37, 90, 260], `0x${base.toString(16)}`);
    checkEveryStop(state, 120, `0x${base.toString(16)}`);
  }
});

Deno.test("runTranslated: an access traps that no alignment of the register makes right beside another", () => {
  for (
    const [first, second] of [["lw", "lw"], ["sh", "sw"], ["lw", "sh"]] as const
  ) {
    for (let base = 0x3000_0000; base < 0x3000_0004; base++) {
      for (let imm = 1; imm < 4; imm++) {
        const code = words(
          ["lb", { rt: 8, rs: 16 }],
          [first, { rt: 9, rs: 16 }],
          [second, { rt: 10, rs: 16, imm }],
          ["beq", { offset: -4 }],
          ["addiu", { rt: 9, rs: 9, imm: 1 }],
        );
        const state = machine({
          code,
          registers: { 16: base },
          words: { 0x3000_0000: 7 },
        });
        check(state, [2, 9], `${first} ${second} ${base % 4} ${imm}`);
        // Now with the page in its frame before, and control that may enter after a call.
        const touch = words(
          ["sb", { rt: 8, rs: 16, imm: 40 }],
          ["bgezal", { offset: 1 }],
          ["sll"],
        );
        const both = machine({
          code: [...touch, ...code],
          registers: { 16: base },
        });
        check(both, [500], `touched ${first} ${second} ${base % 4} ${imm}`);
      }
    }
  }
});

Deno.test("runTranslated: what others write between two runs is seen, by clones too", () => {
  const code = words(
    ["lw", { rt: 8, rs: 16 }],
    ["addu", { rd: 9, rs: 9, rt: 8 }],
    ["sw", { rt: 9, rs: 16, imm: 8 }],
    ["beq", { offset: -4 }],
    ["lw", { rt: 10, rs: 16, imm: 4 }],
  );
  const registers = { 16: 0x3000_0000 };
  const states = [machine({ code, registers, words: { 0x3000_0000: 1 } })];
  for (let i = 0; i < 12; i++) {
    const state = states[i % states.length];
    check(state, [i * 7 + 3, 11], `round ${i}`);
    runTranslated(state, 31);
    if (i % 3 === 0) states.push(cloneState(state));
    if (i % 2 === 0) state.memory.store32(0x3000_0000, i * 1000);
    if (i % 4 === 0) state.memory.storeLeaf(0x3000_0000, new Uint8Array(32));
  }
  const [a, b] = [states[0], cloneState(states[0])];
  runTranslated(a, 50);
  runTranslated(b, 50);
  assertEquals(packState(a).toHex(), packState(b).toHex());
});

Deno.test("runTranslated: pages met first anywhere in a long unrolled loop, the same program again and again", () => {
  const random = new Random(41);
  const body = Array.from({ length: 700 }, (_, i) => {
    const [rt, imm] = [8 + i % 5, 8 * i];
    switch (i % 7) {
      case 0:
        return encode("lw", { rt, rs: 16, imm });
      case 3:
        return encode("sw", { rt, rs: 17, imm });
      case 5:
        return encode("beq", { rs: rt, rt: 13, offset: 1 });
      default:
        return encode("addu", { rd: rt, rs: rt, rt: 8 + i % 3 });
    }
  });
  const code = [
    ...body,
    ...words(
      ["addiu", { rt: 16, rs: 16, imm: 5600 }],
      ["addiu", { rt: 17, rs: 17, imm: 5600 }],
      ["addiu", { rt: 20, rs: 20, imm: -1 }],
      ["bne", { rs: 20, offset: -704 }],
      ["sll"],
      ["syscall"],
    ),
  ];
  const data: Record<number, number> = {};
  for (let at = 0; at < 30_000; at += 1000) data[0x3001_0000 + at] = at;
  for (let round = 0; round < 60; round++) {
    const from = 0x3001_0000 + 4 * random.below(1024);
    const registers = {
      2: 4001,
      13: random.below(3),
      16: from,
      17: from + 4 * random.below(2048),
      20: 4,
    };
    const stops = [random.below(900), random.below(3000), 5000];
    check(machine({ code, registers, words: data }), stops, `round ${round}`);
  }
});

Deno.test("setFrameLimit: a program walks forty times more grafted pages than there are frames", () => {
  const store = new MemoryContentStore();
  const [height, pages] = [16, 512];
  const bytes = new Random(31).bytes(4096 * pages);
  const root = store.put(bytes, height);
  const code = words(
    // Load the tensor, then add up a word of every page three times, changing it.
    ["syscall"],
    ["lw", { rt: 8, rs: 16, imm: 20 }],
    ["addu", { rd: 9, rs: 9, rt: 8 }],
    ["sw", { rt: 9, rs: 16, imm: 24 }],
    ["addu", { rd: 16, rs: 16, rt: 17 }],
    ["bne", { rs: 16, rt: 18, offset: -5 }],
    ["sll"],
    ["addiu", { rt: 19, rs: 19, imm: -1 }],
    ["bne", { rs: 19, offset: -8 }],
    ["addu", { rd: 16, rs: 20 }],
    ["addiu", { rt: 2, imm: 4001 }],
    ["syscall"],
  );
  const state = machine({
    code,
    store,
    registers: {
      2: SYSCALL.load,
      4: 0x8000_0000,
      5: height,
      6: 0x1000_0020,
      16: 0x8000_0000,
      17: 4096,
      18: 0x8000_0000 + 4096 * pages,
      19: 3,
      20: 0x8000_0000,
    },
  });
  state.memory.storeLeaf(0x1000_0020, root);
  setFrameLimit(2 ** 16);
  try {
    check(state, [1, 100, 2000, 9000], "16 frames");
  } finally {
    setFrameLimit(2 ** 25);
  }
  check(state, [1, 100, 2000, 9000], "8192 frames");
});

Deno.test("setFrameLimit: refuses what no memory can be, and names the bounds", () => {
  for (const bytes of [0, -1, 2 ** 15, 2 ** 32, NaN]) {
    const error = assertThrows(() => setFrameLimit(bytes), ChainLearnError);
    assert(error.message.includes("65536"), error.message);
  }
});
