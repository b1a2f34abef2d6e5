import { assert, assertEquals, assertThrows } from "@std/assert";
import { emitLeafProgram } from "../../compiler/mod.ts";
import { byteLength } from "../../compiler/ir.ts";
import {
  ChainLearnError,
  cloneState,
  composeInitialState,
  type ContentStore,
  disassemble,
  encode,
  ENCODINGS,
  type Fields,
  type InstructionName,
  MemoryContentStore,
  run,
  runTranslated,
  stateHash,
  STATUS,
  SYSCALL,
  tensorRoot,
  treeHeight,
} from "../../fpvm/mod.ts";
import { matmul } from "../compiler/mips_kernels.ts";
import { programState } from "../contracts/program.ts";
import { Random } from "../random.ts";
import vectors from "../vectors/vm.json" with { type: "json" };
import { vmCases } from "./cases.ts";
import { EDGES, machine, randomWord } from "./machines.ts";
import { check, checkEveryStop, outcome, words } from "./translated.ts";
import { randomProgram } from "./random_programs.ts";

const nop = encode("sll");

Deno.test("runTranslated: one step of every golden vector gives the vector's poststate", () => {
  const cases = vmCases();
  assertEquals(cases.length, vectors.valid.length);
  cases.forEach(({ name, state }, i) => {
    const { poststate } = vectors.valid[i];
    const isRunning = state.status === STATUS.running;
    assertEquals(runTranslated(state, 1), isRunning ? 1 : 0, name);
    assertEquals(`0x${stateHash(state).toHex()}`, poststate, name);
    // One step is less than a block; what follows runs translated.
    check(state, [300], name);
  });
});

Deno.test("runTranslated: every instruction on edge operands, in a block that is executed whole", () => {
  const random = new Random(21);
  for (const encoding of ENCODINGS) {
    const isMemory = encoding.kind === "load" || encoding.kind === "store";
    for (let variant = 0; variant < 4; variant++) {
      let word = randomWord(random, encoding);
      if (isMemory) word = (word & 0xfc1f_0000) | 16 << 21 | random.below(16);
      else if (encoding.kind === "trap" && encoding.fields.includes("imm")) {
        // One of the operands, so that it may hold.
        word = (word & ~0xffff) | (random.pick(EDGES) & 0xffff);
      }
      // The store brings the page in; a block that misses a page is left to step.
      const touch = words(["sw", { rt: 8, rs: 16 }], ["beq", { offset: 1 }]);
      const code = [...touch, nop, word >>> 0];
      for (let operands = 0; operands < 8; operands++) {
        const registers: Record<number, number> = {};
        for (let i = 1; i < 32; i++) registers[i] = random.pick(EDGES);
        registers[16] = 0x3000_0000 + 4 * random.below(4);
        const state = machine({
          code,
          registers,
          hi: random.pick(EDGES) | 0,
          lo: random.pick(EDGES) | 0,
          words: { 0x3000_0004: random.u32(), 0x3000_0008: random.u32() },
        });
        check(state, [150], `seed 21 ${disassemble(word)}`);
      }
    }
  }
});

Deno.test("runTranslated: random programs leave what run leaves after any number of steps", () => {
  let steps = 0;
  for (let seed = 0; seed < 320; seed++) {
    const random = new Random(seed);
    const state = randomProgram(random);
    const stops = [random.below(12), 1, random.below(200), random.below(2000)];
    check(state, stops, `seed ${seed}`);
    steps += Number(outcome(() => run(state, 1000))) || 0;
  }
  assert(steps > 100_000, `programs stop too early: ${steps} steps in all`);
});

Deno.test("runTranslated: may stop after every step of a program with loads, saves, calls and loops", () => {
  checkEveryStop(programState(3), 520, "seed 3");
});

Deno.test("runTranslated: may stop after every step of a loop in one block", () => {
  const loop = (name: InstructionName) =>
    words(
      ["madd", { rs: 8, rt: 9 }],
      ["addiu", { rt: 8, rs: 8, imm: -1 }],
      ["sw", { rt: 8, rs: 16 }],
      [name, { rs: 8, offset: -4 }],
      ["lw", { rt: 9, rs: 16, imm: -4 }],
      ["addiu", { rt: 16, rs: 16, imm: 4 }],
      ["syscall"],
    );
  for (const name of ["bgtz", "bgtzl", "bgezal", "bgezall"] as const) {
    const state = machine({
      code: loop(name),
      registers: { 8: 9, 9: 5, 16: 0x3000_0ff0 },
    });
    checkEveryStop(state, 60, name);
  }
});

Deno.test("runTranslated: V5 jumps into delay slots, jumps in delay slots and likely branches", () => {
  const jump = (word: number): [InstructionName, Fields] => [
    "j",
    { target: 0x100 + word },
  ];
  const code = words(
    ["addiu", { rt: 8, rs: 8, imm: 1 }],
    ["beq", { rs: 8, rt: 9, offset: 3 }],
    ["addiu", { rt: 10, rs: 10, imm: 3 }],
    jump(2),
    ["addiu", { rt: 11, rs: 11, imm: 5 }],
    ["bnel", { rs: 8, rt: 9, offset: -6 }],
    ["addiu", { rt: 9, rs: 9, imm: 2 }],
    jump(0),
    jump(1),
  );
  for (let start = 0; start < code.length; start++) {
    const pc = 0x400 + 4 * start;
    const options = { code, registers: { 9: 7 } };
    const at = (more: object) => {
      const state = machine(options);
      return Object.assign(state, { pc, nextPc: pc + 4, ...more });
    };
    checkEveryStop(at({}), 60, `from word ${start}`);
    checkEveryStop(at({ nextPc: 0x400 }), 20, `slot at word ${start}`);
    checkEveryStop(at({ nextPc: 0x402 }), 4, `slot to a half at ${start}`);
    checkEveryStop(at({ nextPc: 0x0100_0000 }), 4, `slot to data at ${start}`);
  }
});

Deno.test("runTranslated: jumps to registers, and calls that return", () => {
  for (const target of [0x400, 0x404, 0x40c, 0x402, 0x0100_0000, 0xfffffffc]) {
    const code = words(
      ["addiu", { rt: 8, rs: 8, imm: 1 }],
      ["jalr", { rd: 9, rs: 9 }],
      ["addu", { rd: 9, rs: 10, rt: 9 }],
      ["jr", { rs: 11 }],
      ["lw", { rt: 12, rs: 0 }],
    );
    const state = machine({ code, registers: { 9: target, 11: 0x400 } });
    checkEveryStop(state, 30, `0x${target.toString(16)}`);
  }
});

Deno.test("runTranslated: every kind of trap, in the body of a block and in a delay slot", () => {
  const trapping: [InstructionName, Fields][] = [
    ["lw", { rt: 8, rs: 16, imm: 2 }],
    ["lh", { rt: 8, rs: 16, imm: 1 }],
    ["sw", { rt: 8, rs: 16, imm: 1 }],
    ["sb", { rt: 8, rs: 0, imm: 0x400 }],
    ["swl", { rt: 8, rs: 0, imm: 0x400 }],
    ["sc", { rt: 8, rs: 0, imm: 0x400 }],
    ["add", { rd: 8, rs: 9, rt: 9 }],
    ["sub", { rd: 8, rs: 10, rt: 9 }],
    ["addi", { rt: 8, rs: 9, imm: 1 }],
    ["teq", { rs: 9, rt: 9 }],
    ["tnei", { rs: 9, imm: 1 }],
    ["syscall", {}],
    ["j", { target: 0x100 }],
  ];
  const before: [InstructionName, Fields][] = [
    ["addiu", { rt: 8, rs: 8, imm: 7 }],
    ["sw", { rt: 8, rs: 16, imm: 4 }],
    ["mult", { rs: 8, rt: 8 }],
  ];
  const registers = { 8: 3, 9: 0x7fffffff, 10: -2, 16: 0x3000_0000 };
  for (const instruction of trapping) {
    const straight = words(...before, instruction, ["mthi", { rs: 8 }]);
    checkEveryStop(machine({ code: straight, registers }), 6, instruction[0]);
    for (const branch of ["beq", "bne", "beql", "bnel", "j"] as const) {
      const fields = branch === "j" ? { target: 0x100 } : { rs: 8, offset: 2 };
      const code = words(...before, [branch, fields], instruction, [
        "mthi",
        { rs: 8 },
      ]);
      const name = `${instruction[0]} after ${branch}`;
      checkEveryStop(machine({ code, registers }), 8, name);
    }
  }
});

Deno.test("runTranslated: blocks across pages of code and up to its end", () => {
  const add: [InstructionName, Fields] = ["addiu", { rt: 8, rs: 8, imm: 1 }];
  const back: [InstructionName, Fields] = ["bne", { rs: 8, rt: 9, offset: -2 }];
  for (const last of [0x1000, 0x1ffc, 0x2000, 0x00ff_fff8, 0x00ff_fffc]) {
    // The branch is the last word, then its delay slot is; then code ends without one.
    for (const code of [words(add, back), words(add, back, add), words(add)]) {
      const pc = last - 4 * (code.length - 1);
      const state = machine({ code, pc, registers: { 9: 5 } });
      checkEveryStop(state, 20, `0x${last.toString(16)} ${code.length}`);
    }
  }
});

Deno.test("runTranslated: programs of more blocks than a function holds", () => {
  const random = new Random(11);
  const count = 700;
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  // Block i jumps to the next in a random order: a cycle through all of them.
  const next = new Map(
    order.map((block, i) => [block, order[(i + 1) % count]]),
  );
  const code = order.map((_, i) => i).flatMap((i) =>
    words(
      ["addiu", { rt: 8, rs: 8, imm: i }],
      ["xor", { rd: 9, rs: 9, rt: 8 }],
      ["j", { target: 0x100 + 5 * next.get(i)! }],
      ["rotr", { rd: 9, rt: 9, sa: 1 + i % 31 }],
      ["sll"],
    )
  );
  check(machine({ code }), [1, 2799, 2800, 1003, 50_001], "seed 11");
});

Deno.test("runTranslated: straight code longer than a block", () => {
  const code = Array.from(
    { length: 1000 },
    (_, i) => encode("addiu", { rt: 8 + i % 3, rs: 8 + i % 2, imm: i }),
  );
  check(machine({ code }), [5, 128, 129, 1, 400, 900], "additions");
});

Deno.test("runTranslated: translates anew what another program has at the same addresses", () => {
  for (const imm of [1, 2, 1, 3]) {
    const code = words(
      ["addiu", { rt: 8, rs: 8, imm }],
      ["j", { target: 256 }],
      [
        "sll",
      ],
    );
    check(machine({ code }), [100], `${imm}`);
  }
});

Deno.test("runTranslated: touches more pages than it has frames", () => {
  const pages = 9000;
  const code = words(
    ["sw", { rt: 8, rs: 16, imm: 12 }],
    ["lw", { rt: 9, rs: 17, imm: 12 }],
    ["addu", { rd: 10, rs: 10, rt: 9 }],
    ["addu", { rd: 16, rs: 16, rt: 18 }],
    ["addu", { rd: 17, rs: 17, rt: 18 }],
    ["addiu", { rt: 8, rs: 8, imm: -1 }],
    ["bne", { rs: 8, rt: 0, offset: -7 }],
    ["sll"],
    ["syscall"],
  );
  const from = 0x8000_0000;
  const make = () =>
    machine({
      code,
      registers: {
        2: 4001,
        8: pages,
        16: from,
        17: from - 500 * 4096,
        18: 4096,
      },
    });
  const [reference, translated] = [make(), make()];
  const steps = 8 * pages + 1;
  assertEquals(run(reference, 10 * pages), steps);
  assertEquals(runTranslated(translated, 10 * pages), steps);
  assertEquals(translated.registers, reference.registers);
  for (let page = 0; page < pages; page++) {
    const address = from + 4096 * page + 12;
    assertEquals(translated.memory.load32(address), pages - page);
  }
});

Deno.test("runTranslated: load and save over several pages that it has in frames", () => {
  const store = new MemoryContentStore();
  const root = store.put(new Random(13).bytes(16_000), 9);
  const pages = [0, 0x1000, 0x3000];
  const rows = (name: InstructionName, base: number) =>
    pages.map((imm, i): [InstructionName, Fields] => [
      name,
      { rt: 8 + i, rs: base, imm },
    ]);
  const touch = [...rows("lw", 16), ...rows("sw", 16)];
  const code = words(
    ...touch,
    ["beq", { offset: 0 }],
    ["sll"],
    ...touch,
    ["addiu", { rt: 2, rs: 20 }],
    ["syscall"],
    ...rows("lw", 16),
    ["beq", { offset: 0 }],
    ["sll"],
    ...rows("lw", 16),
    ["addiu", { rt: 8, rs: 8, imm: 1 }],
    ...rows("sw", 16),
    ["bne", { rs: 19, offset: -6 }],
    ["addiu", { rt: 19, rs: 19, imm: -1 }],
    ["addiu", { rt: 2, rs: 21 }],
    ["syscall"],
    ...rows("lw", 16),
    ["addiu", { rt: 2, rs: 20 }],
    ["addu", { rd: 6, rs: 22 }],
    ["addu", { rd: 4, rs: 23 }],
    ["syscall"],
    ...rows("lw", 23),
    ["addiu", { rt: 2, imm: 4001 }],
    ["syscall"],
  );
  const state = machine({
    code,
    store,
    registers: {
      4: 0x4000_0000,
      5: 9,
      6: 0x1000_0020,
      16: 0x4000_0000,
      19: 2,
      20: SYSCALL.load,
      21: SYSCALL.save,
      22: 0x1100_0000,
      23: 0x8000_4000,
    },
    words: { 0x4000_0000: 1, 0x4000_1000: 2, 0x4000_3000: 3 },
  });
  state.memory.storeLeaf(0x1000_0020, root);
  checkEveryStop(state, 80, "load and save");
});

Deno.test("runTranslated: V8 data that looks like the jump table is not taken for it", () => {
  const code = words(
    ["sw", { rt: 8, rs: 9 }],
    ["beq", { offset: 0 }],
    ["sll"],
    ["jr", { rs: 10 }],
    ["addiu", { rt: 11, rs: 11, imm: 1 }],
  );
  for (const target of [0x0100_0000, 0x0100_0004, 0x01ff_fffc]) {
    for (const entry of [0x100, 0x101, 0x102, 0x200]) {
      const registers = { 8: entry, 9: 0x0100_0000 + (target & 4), 10: target };
      check(machine({ code, registers }), [100], `0x${target.toString(16)}`);
    }
  }
});

Deno.test("runTranslated: reads and writes around unopened grafts smaller than a page", () => {
  const unknown = new Random(4).bytes(32);
  const code = words(
    ["lw", { rt: 8, rs: 16, imm: 128 }],
    ["sw", { rt: 8, rs: 16, imm: 256 }],
    ["swr", { rt: 8, rs: 16, imm: 1023 }],
    ["lb", { rt: 9, rs: 16, imm: 1023 }],
    ["lw", { rt: 9, rs: 16, imm: 124 }],
  );
  const state = machine({
    code,
    registers: { 16: 0x4000_0000 },
    words: { 0x4000_0080: 0x80706050 },
  });
  state.memory.graft(0x4000_0000, 2, unknown);
  const error = assertThrows(
    () => runTranslated(cloneState(state), 9),
    ChainLearnError,
  );
  assert(error.message.includes(unknown.toHex()), error.message);
  check(state, [9, 9], "small graft");
});

Deno.test("runTranslated: missing content leaves the state before the step that needs it", () => {
  const code = words(
    ["addiu", { rt: 8, rs: 8, imm: 1 }],
    ["beq", { offset: -2 }],
    ["lw", { rt: 9, rs: 16 }],
  );
  const state = machine({ code, registers: { 16: 0x8000_0000 } });
  state.memory.graft(0x8000_0000, 12, new Random(5).bytes(32));
  check(state, [2, 4], "missing content");
});

Deno.test("runTranslated: a store that runs the machine itself gets the right content", () => {
  const bytes = new Uint8Array(8192);
  const inner = () => {
    const code = words(["addiu", { rt: 8, rs: 8, imm: 40 }]);
    const state = machine({ code });
    runTranslated(state, 1);
    return state.registers[8];
  };
  bytes[5] = inner();
  const store: ContentStore = {
    get: () => {
      assertEquals(inner(), 40);
      return bytes;
    },
  };
  const memory = new MemoryContentStore();
  const state = machine({
    code: words(["lb", { rt: 9, rs: 16, imm: 5 }]),
    registers: { 16: 0x8000_0000 },
    store: Object.assign(memory, store),
  });
  state.memory.graft(0x8000_0000, 8, tensorRoot(bytes, 8));
  runTranslated(state, 1);
  assertEquals(state.registers[9], 40);
});

Deno.test("runTranslated: takes no step for no steps, nor in a stopped state", () => {
  const code = [nop];
  assertEquals(runTranslated(machine({ code }), 0), 0);
  assertEquals(runTranslated(machine({ code }), -1), 0);
  for (const status of [1, 2, 255]) {
    const state = machine({ code, status });
    assertEquals(runTranslated(state, 5), 0);
    check(state, [5], `status ${status}`);
  }
});

Deno.test("runTranslated: leaf programs of a matmul, stopped anywhere", () => {
  const random = new Random(12);
  for (const transposed of [false, true]) {
    const kernel = matmul([2, 300, 40], { transposed });
    const operands = kernel.operands.map((type) => ({
      height: treeHeight(byteLength(type)),
      constant: false,
    }));
    const { code, worstSteps } = emitLeafProgram(kernel, operands);
    const store = new MemoryContentStore();
    const operandRoots = kernel.operands.map((type) =>
      store.put(random.bytes(byteLength(type)))
    );
    for (const leafIndex of [0, 1, 2, 9]) {
      const state = composeInitialState({
        program: code,
        programHeight: treeHeight(code.length),
        leafIndex,
        iteration: 0,
        operandRoots,
        store,
      });
      const stops = [0, 0, 0].map(() => random.below(worstSteps / 3));
      check(state, [...stops, worstSteps], `seed 12 leaf ${leafIndex}`);
      runTranslated(state, worstSteps);
      assertEquals([state.status, state.exitCode], [STATUS.exited, 0]);
    }
  }
});
