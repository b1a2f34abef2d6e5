import { assert, assertEquals } from "@std/assert";
import {
  buildWitness,
  cloneState,
  encode,
  type Fields,
  type InstructionName,
  STATE_BYTES,
  stateHash,
  step,
  type VmState,
} from "../../fpvm/mod.ts";
import { type Chain, expectedAnswer, startChain } from "./step_batch.ts";
import { at, stateOf, type StateOptions } from "./vm_states.ts";

let chain: Chain;
Deno.test.beforeAll(async () => {
  chain = await startChain();
});
Deno.test.afterAll(() => chain.stop());

const MIN = -0x80000000;
const [V0, A0, A1, A2, T0, T1, T2, RA] = [2, 4, 5, 6, 8, 9, 10, 31];

/** A state, and what must be so after its next step: named registers and words, and the fields given. */
interface Case {
  state: VmState;
  registers?: Record<number, number>;
  words?: Record<number, number>;
  pc?: number;
  nextPc?: number;
  hi?: number;
  lo?: number;
  /** Exit code of the trap that the step ends in. */
  trap?: number;
}

/** Both machines take the step; the reference's result is compared with the case, the chain's with the reference's. */
async function check(cases: Case[]): Promise<void> {
  assert(cases.length > 0);
  const answers = await chain.run(
    cases.map(({ state }) => buildWitness(state)),
  );
  cases.forEach(({ state, registers = {}, words = {}, trap, ...fields }, i) => {
    assertEquals(answers[i], expectedAnswer(state), `case ${i}`);
    const after = cloneState(state);
    step(after);
    if (trap !== undefined) {
      assertEquals([after.status, after.exitCode], [2, trap], `case ${i}`);
      const untrapped = { ...after, status: 0, exitCode: state.exitCode };
      assertEquals(stateHash(untrapped), stateHash(state), `case ${i}`);
    } else {
      assertEquals(after.status, 0, `case ${i}`);
    }
    for (const [index, value] of Object.entries(registers)) {
      assertEquals(
        after.registers[Number(index)],
        value | 0,
        `case ${i}, $${index}`,
      );
    }
    for (const [address, value] of Object.entries(words)) {
      assertEquals(
        after.memory.load32(Number(address)),
        value | 0,
        `case ${i}, ${address}`,
      );
    }
    for (const name of ["pc", "nextPc", "hi", "lo"] as const) {
      if (fields[name] !== undefined) {
        assertEquals(after[name], fields[name], `case ${i}, ${name}`);
      }
    }
  });
}

/** `name $t2, $t0, $t1` with these values, and what $t2 becomes. */
function three(
  name: InstructionName,
  rs: number,
  rt: number,
  rd: number,
): Case {
  return {
    state: at(name, { rs: T0, rt: T1, rd: T2 }, {
      registers: { [T0]: rs, [T1]: rt },
    }),
    registers: { [T2]: rd },
  };
}

const trapped = (
  trap: number,
  name: InstructionName,
  fields: Fields,
  options: StateOptions,
): Case => ({
  state: at(name, fields, options),
  trap,
});

Deno.test("step: V1 variable shifts mask the count", async () => {
  await check([0, 31, 32, 33, 0xffffffff].flatMap((count) => {
    const value = 0x80000005 | 0;
    const n = count & 31;
    return [
      three("sllv", count, value, value << n),
      three("srlv", count, value, value >>> n),
      three("srav", count, value, value >> n),
      three(
        "rotrv",
        count,
        value,
        n === 0 ? value : (value >>> n) | (value << (32 - n)),
      ),
    ];
  }));
});

Deno.test("step: V2 unaligned addresses trap, and lwl lwr swl swr join halves at all four offsets", async () => {
  const base = 0x30000000;
  const words = { [base]: 0x44332211 };
  const aligned: [InstructionName, number][] = [
    ["lw", 4],
    ["lh", 2],
    ["lhu", 2],
    ["sw", 4],
    ["sh", 2],
    ["ll", 4],
    ["sc", 4],
  ];
  const traps = aligned.flatMap(([name, size]) =>
    [1, 2, 3].filter((offset) => offset % size !== 0).map((imm) =>
      trapped(6, name, { rt: T1, rs: T0, imm }, {
        registers: { [T0]: base, [T1]: 5 },
        words,
      })
    )
  );
  const joined: [InstructionName, number[]][] = [
    ["lwl", [0x11bbccdd, 0x2211ccdd, 0x332211dd, 0x44332211]],
    ["lwr", [0x44332211, 0xaa443322, 0xaabb4433, 0xaabbcc44]],
    ["swl", [0x443322aa, 0x4433aabb, 0x44aabbcc, 0xaabbccdd]],
    ["swr", [0xaabbccdd, 0xbbccdd11, 0xccdd2211, 0xdd332211]],
  ];
  const joins = joined.flatMap(([name, results]) =>
    results.map((result, imm): Case => ({
      state: at(name, { rt: T1, rs: T0, imm }, {
        registers: { [T0]: base, [T1]: 0xaabbccdd },
        words,
      }),
      ...(name[0] === "l"
        ? { registers: { [T1]: result } }
        : { words: { [base]: result } }),
    }))
  );
  await check([...traps, ...joins]);
});

Deno.test("step: V3 overflow traps, mul keeps the low word, division by zero and of MIN by -1 is defined", async () => {
  const divide = (
    name: "div" | "divu",
    rs: number,
    rt: number,
    lo: number,
    hi: number,
  ): Case => ({
    state: at(name, { rs: T0, rt: T1 }, {
      registers: { [T0]: rs, [T1]: rt },
      hi: 7,
      lo: 9,
    }),
    lo,
    hi,
  });
  await check([
    { ...three("add", 0x7fffffff, 1, 0), trap: 5 },
    { ...three("add", MIN, -1, 0), trap: 5 },
    { ...three("sub", MIN, 1, 0), trap: 5 },
    { ...three("sub", 0, MIN, 0), trap: 5 },
    trapped(5, "addi", { rs: T0, rt: T1, imm: -1 }, {
      registers: { [T0]: MIN },
    }),
    three("addu", 0x7fffffff, 1, MIN),
    three("mul", 0x10001, 0x10001, 0x20001),
    divide("div", MIN, -1, MIN, 0),
    divide("div", -7, 2, -3, -1),
    divide("div", -7, 0, -7, 0),
    divide("divu", -7, 0, -7, 0),
    divide("divu", -1, 2, 0x7fffffff, 1),
  ]);
});

Deno.test("step: V4 a jump keeps the region of its delay slot at the end of the code", async () => {
  await check([0, 0x00fffff8, 0x00fffffc].map((pc) => ({
    state: at("j", { target: 0x3ffffff }, { pc }),
    pc: pc + 4,
    nextPc: 0x0ffffffc,
  })));
});

Deno.test("step: V5 a branch or jump in a delay slot traps, whatever the target", async () => {
  const controls: [InstructionName, Fields][] = [
    ["beq", {}],
    ["bne", {}],
    ["j", {}],
    ["jal", {}],
    ["jr", {}],
    ["jalr", { rd: RA }],
    ["bgezal", {}],
    ["bltzl", {}],
    ["blezl", {}],
  ];
  // The delay slot of a branch to pc + 4 has nextPc = pc; far targets differ more.
  await check([
    ...controls.flatMap(([name, fields]) =>
      [0x100, 0x108, 0x10c, 0x40000000].map((nextPc) =>
        trapped(4, name, fields, { pc: 0x100, nextPc })
      )
    ),
    // The delay slot of a branch to pc + 8 looks like any other place.
    {
      state: at("beq", { offset: 4 }, { pc: 0x100, nextPc: 0x104 }),
      pc: 0x104,
      nextPc: 0x114,
    },
  ]);
});

Deno.test("step: V6 unknown encodings trap, and nothing writes register 0", async () => {
  const unknown = [
    0x0000000d, // break
    0x00000001, // movf
    0x00000005,
    0x0000000e,
    0x00000014,
    0x0000001c,
    0x00000028,
    0x0000002c,
    0x00000035,
    0x00000038,
    0x0000003f,
    0x00200000, // sll with rs
    0x00000044, // sllv with sa
    encode("mult") | 1 << 11,
    encode("mthi") | 1 << 11,
    encode("mtlo") | 1 << 16,
    encode("mflo") | 1 << 21,
    encode("jr") | 1 << 6, // jr.hb
    encode("sync") | 1 << 11,
    encode("lui") | 1 << 21,
    encode("blez") | 1 << 16,
    encode("addu") | 1 << 6,
    0x040d0000, // regimm without an instruction
    0x04040000,
    0x04180000,
    0x40000000, // mfc0
    0x44000000, // fpu
    0x70000003,
    0x70010020, // clz with rt other than rd
    0x7c00083b, // rdhwr
    0x7c000060, // bshfl without an instruction
    0x7c008004 | 31 << 6, // ins with lsb above msb
    0x7c00f800 | 1 << 6, // ext beyond bit 31
    0xbc000000, // cache
    0xc4000000, // lwc1
    0xec000000,
    0xffffffff,
  ].map((word): Case => ({ state: stateOf([word >>> 0]), trap: 3 }));
  const toZero: Case[] = [
    { state: at("addiu", { rt: 0, imm: 5 }), registers: { 0: 0 } },
    { state: at("lw", { rt: 0, rs: 0, imm: 0 }), registers: { 0: 0 } },
    { state: at("jalr", { rd: 0, rs: T0 }), registers: { 0: 0 } },
    {
      state: at("sc", { rt: 0, rs: T0 }, { registers: { [T0]: 0x30000000 } }),
      registers: { 0: 0 },
    },
  ];
  await check([...unknown, ...toZero]);
});

Deno.test("step: V7 unknown syscalls trap, and so do odd heights and addresses of load and save", async () => {
  const call = (v0: number, a0: number, a1: number, a2: number): VmState =>
    at("syscall", {}, {
      registers: { [V0]: v0, [A0]: a0, [A1]: a1, [A2]: a2 },
    });
  const numbers = [0, 1, 4000, 4003, 4045, 4245, 0x4c00, 0x4c03, 0xffffffff];
  const [load, save, at4] = [0x4c01, 0x4c02, 0x40000000];
  await check([
    ...numbers.map((number): Case => ({
      state: call(number, at4, 0, 0),
      trap: 3,
    })),
    { state: call(load, 3, 27, 1), trap: 5 },
    { state: call(save, at4, 0xffffffff, 0), trap: 5 },
    { state: call(load, at4 + 32, 1, 0), trap: 6 },
    { state: call(load, at4, 0, 4), trap: 6 },
    { state: call(load, 0x20, 0, 4), trap: 6 },
    { state: call(load, 0x3fffffe0, 0, 0), trap: 7 },
    { state: call(save, 0, 26, 0), trap: 7 },
    { state: call(save, 0x11000000, 0, 0), trap: 7 },
    // save ignores $a2; both may take a whole region.
    { state: call(save, 0x80000000, 26, 3), pc: 4 },
    { state: call(load, 0x40000000, 25, 0), pc: 4 },
    { state: call(load, 0xffffffe0, 0, 0xffffffe0), pc: 4 },
  ]);
});

Deno.test("step: V8 addresses wrap around, and code cannot be written through the edge", async () => {
  const high = 0xfffffffc;
  await check([
    {
      state: at("lw", { rt: T1, rs: T0, imm: -8 }, {
        registers: { [T0]: 4 },
        words: { [high]: 77 },
      }),
      registers: { [T1]: 77 },
    },
    {
      state: at("sw", { rt: T1, rs: T0, imm: -8 }, {
        registers: { [T0]: 4, [T1]: 5 },
      }),
      words: { [high]: 5 },
    },
    trapped(7, "sw", { rt: T1, rs: T0, imm: 0x20 }, {
      registers: { [T0]: 0xfffffff0 },
    }),
    trapped(7, "sb", { rt: T1, rs: T0, imm: -1 }, {
      registers: { [T0]: 0x01000000 },
    }),
    trapped(7, "swl", { rt: T1, rs: T0, imm: -1 }, {
      registers: { [T0]: 0x01000000 },
    }),
  ]);
});

Deno.test("step: V9 VM-5 every stopped state is a fixed point, and every exit code is reached", async () => {
  const stopped = [1, 2, 3, 128, 255].map((status) =>
    at("addiu", { rt: T0, imm: 1 }, { status, exitCode: 9, pc: 0x1000 })
  );
  const witnesses = stopped.map(buildWitness);
  const answers = await chain.run(witnesses);
  witnesses.forEach((witness, i) => {
    assertEquals(witness.length, STATE_BYTES);
    assertEquals(answers[i], expectedAnswer(stopped[i]));
    assertEquals(answers[i]!.prestate, answers[i]!.poststate);
  });
  await check([
    { state: stateOf([], { pc: 2 }), trap: 1 },
    { state: stateOf([], { pc: 0x01000000 }), trap: 2 },
    { state: stateOf([], { pc: 0xfffffffd }), trap: 1 },
  ]);
  const exits = [0, 1, 255, 256, 0xffffff07].map((code) =>
    at("syscall", {}, { registers: { [V0]: 4001, [A0]: code } })
  );
  const after = exits.map((state) => {
    const copy = cloneState(state);
    step(copy);
    return [copy.status, copy.exitCode, copy.pc, copy.nextPc];
  });
  assertEquals(after, [0, 1, 255, 0, 7].map((code) => [1, code, 0, 4]));
  assertEquals(
    await chain.run(exits.map(buildWitness)),
    exits.map(expectedAnswer),
  );
});

Deno.test("step: V10 sc stores and succeeds without ll", async () => {
  const address = 0x20000004;
  await check([
    {
      state: at("sc", { rt: T1, rs: T0 }, {
        registers: { [T0]: address, [T1]: 6 },
      }),
      registers: { [T1]: 1 },
      words: { [address]: 6 },
    },
    {
      state: at("ll", { rt: T1, rs: T0 }, {
        registers: { [T0]: address },
        words: { [address]: 8 },
      }),
      registers: { [T1]: 8 },
    },
    trapped(7, "sc", { rt: T1, rs: T0 }, {
      registers: { [T0]: 0x100, [T1]: 6 },
    }),
  ]);
});

Deno.test("step: D18 VM-6 of two causes of a trap the lowest exit code wins, and nothing else changes", async () => {
  await check([
    // A jump's must-be-zero field and its place, an unaligned store to code, a load too high and unaligned.
    { state: stateOf([encode("jr") | 1 << 6], { nextPc: 0x40 }), trap: 3 },
    trapped(6, "sw", { rs: T0 }, { registers: { [T0]: 0x101 } }),
    trapped(5, "syscall", {}, {
      registers: { [V0]: 0x4c01, [A0]: 1, [A1]: 27 },
    }),
    { state: stateOf([], { pc: 0x01000001 }), trap: 1 },
  ]);
});
