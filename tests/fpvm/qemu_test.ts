/** The machine against qemu-mipsel: same file, same registers and memory at the first `write`. */
import { assert, assertEquals } from "@std/assert";
import { Random } from "../random.ts";
import {
  cloneState,
  encode,
  ENCODINGS,
  type Fields,
  type InstructionName,
  loadElf,
  run,
  STATUS,
  step,
  TRAP,
  type VmState,
} from "../../fpvm/mod.ts";
import { available, CAMPAIGN_STEPS, campaignSeed } from "./campaign.ts";
import { DATA, elfOf, TEXT } from "./elf_files.ts";
import { C_PROGRAMS, compileC } from "./c_programs.ts";

const DATA_BYTES = 4096;
/** Where a program writes its registers, hi and lo before the end. */
const DUMP = 2048;
const LINUX_WRITE = 4004;

const canRun = available("qemu-mipsel");
const canCompile = available("qemu-mipsel", "mipsel-linux-gnu-gcc");

/** What the program writes to standard output under QEMU. */
async function qemuOutput(file: Uint8Array): Promise<Uint8Array> {
  const path = await Deno.makeTempFile({ suffix: ".elf" });
  try {
    await Deno.writeFile(path, file, { mode: 0o755 });
    await Deno.chmod(path, 0o755);
    const { code, stdout, stderr } = await new Deno.Command("qemu-mipsel", {
      args: [path],
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    return stdout;
  } finally {
    await Deno.remove(path);
  }
}

/** What the machine would write: it stops at `write`, a system call it does not have. */
function machineOutput(state: VmState): Uint8Array {
  run(state, 50_000_000);
  assertEquals(state.status, STATUS.trapped, "trapped");
  assertEquals(state.exitCode, TRAP.encoding);
  assertEquals(state.registers[2], LINUX_WRITE);
  const [from, length] = [state.registers[5], state.registers[6]];
  const words = new Int32Array(length / 4);
  words.forEach((_, i) => words[i] = state.memory.load32(from + 4 * i));
  return new Uint8Array(words.buffer);
}

const loadConstant = (register: number, value: number) => [
  encode("lui", { rt: register, imm: value >>> 16 }),
  encode("ori", { rt: register, rs: register, imm: value & 0xffff }),
];

/** Dumps registers, hi and lo through $k1 and writes all data. */
function epilogue(): number[] {
  const dump = Array.from(
    { length: 27 },
    (_, register) =>
      encode("sw", { rt: register, rs: 27, imm: DUMP + 4 * register }),
  );
  return [
    ...loadConstant(27, DATA),
    ...dump,
    ...[28, 29, 30, 31].map((register) =>
      encode("sw", { rt: register, rs: 27, imm: DUMP + 4 * register })
    ),
    encode("mfhi", { rd: 8 }),
    encode("sw", { rt: 8, rs: 27, imm: DUMP + 128 }),
    encode("mflo", { rd: 8 }),
    encode("sw", { rt: 8, rs: 27, imm: DUMP + 132 }),
    ...loadConstant(2, LINUX_WRITE),
    ...loadConstant(4, 1),
    ...loadConstant(5, DATA),
    ...loadConstant(6, DATA_BYTES),
    encode("syscall"),
    ...loadConstant(2, 4001),
    ...loadConstant(4, 0),
    encode("syscall"),
  ];
}

/** $k1 is the data pointer and the epilogue's; $k0 is kernel's under QEMU too. */
const RESERVED = [26, 27];
const straight = ENCODINGS.filter(({ kind, name }) =>
  !["syscall", "jump", "branch", "likely"].includes(kind) &&
  !["ll", "sc"].includes(name)
);
const branches = ENCODINGS.filter(({ kind }) =>
  kind === "branch" || kind === "likely"
);

function randomFields(
  random: Random,
  { fields, kind }: (typeof ENCODINGS)[number],
): Fields {
  const result: Fields = {};
  for (const field of fields) {
    if (field === "imm") {
      result.imm = random.pick([0, 1, -1, -32768, 0x7fff, random.below(65536)]);
    } else {
      do result[field] = random.below(32); while (
        RESERVED.includes(result[field]!) && field.startsWith("r")
      );
    }
  }
  if (kind === "load" || kind === "store") {
    result.rs = 27;
    result.imm = random.below(DUMP - 4);
  }
  return result;
}

/** One random instruction, or a short pattern around one that needs others. */
function randomPiece(random: Random): number[] {
  const plain = () => {
    const encoding = random.pick(straight);
    return encode(encoding.name, randomFields(random, encoding));
  };
  const register = () => random.below(26);
  switch (random.below(12)) {
    case 0: {
      const encoding = random.pick(branches);
      const fields = { ...randomFields(random, encoding), offset: 2 };
      return [encode(encoding.name, fields), plain(), plain()];
    }
    case 1: {
      const imm = 4 * random.below(DUMP / 4);
      return [
        encode("ll", { rt: register(), rs: 27, imm }),
        plain(),
        encode("sc", { rt: register(), rs: 27, imm }),
      ];
    }
    case 2:
      return loadConstant(register(), random.u32());
    default:
      return [plain()];
  }
}

/** Whether the pieces run to their end on a copy of the state, which then becomes the state. */
function tryPiece(state: VmState, piece: number[]): VmState | null {
  const next = cloneState(state);
  const start = next.pc;
  piece.forEach((word, i) => next.memory.store32(start + 4 * i, word));
  while (next.status === STATUS.running && next.pc < start + 4 * piece.length) {
    step(next);
  }
  return next.status === STATUS.running && next.nextPc === next.pc + 4 &&
      next.pc === start + 4 * piece.length
    ? next
    : null;
}

/** A random program that the machine runs without a trap: what would trap is dropped as it is made. */
function randomProgram(random: Random, pieces: number): Uint8Array {
  const code: number[] = [];
  for (let register = 1; register < 32; register++) {
    code.push(...loadConstant(register, random.u32()));
  }
  code.push(...loadConstant(27, DATA), ...loadConstant(26, 0));
  const data = random.bytes(DATA_BYTES);
  let state = loadElf(elfOf(code, data));
  run(state, code.length);
  for (let i = 0; i < pieces; i++) {
    let piece: number[];
    try {
      piece = randomPiece(random);
    } catch {
      continue; // Random fields broke a constraint of clz, ext or ins.
    }
    const next = tryPiece(state, piece);
    if (next === null) continue;
    state = next;
    code.push(...piece);
  }
  return elfOf([...code, ...epilogue()], data);
}

Deno.test({
  name: "step: random straight-line programs end as under QEMU",
  ignore: !canRun, // Needs qemu-mipsel; required where CHAINLEARN_REQUIRE_ALL is set.
  fn: async () => {
    const seed = campaignSeed("ends under QEMU", 77);
    for (let i = 0; i < 8; i++) {
      const file = randomProgram(new Random(seed + i), 1500);
      const expected = await qemuOutput(file);
      assertEquals(expected.length, DATA_BYTES);
      const found = machineOutput(loadElf(file));
      assertEquals(found, expected, `seed ${seed + i}`);
    }
  },
});

/** QEMU's flags of a place that is reached with a branch pending, whether its instruction is executed or skipped. */
const IN_DELAY_SLOT = 0x803800;

/** What QEMU had before an instruction that is in no delay slot. */
interface Observed {
  pc: number;
  /** hi, lo and 32 registers. */
  values: Int32Array;
}

/** QEMU's registers before every instruction of a program. */
async function qemuTrace(file: Uint8Array): Promise<Observed[]> {
  const folder = await Deno.makeTempDir();
  try {
    const [program, log] = [`${folder}/program.elf`, `${folder}/log`];
    await Deno.writeFile(program, file, { mode: 0o755 });
    const { code } = await new Deno.Command("qemu-mipsel", {
      // One instruction a block, none chained to the next, the processor logged before each.
      args: ["-singlestep", "-d", "cpu,nochain", "-D", log, program],
      stdout: "null",
    }).output();
    assertEquals(code, 0);
    const blocks = (await Deno.readTextFile(log)).split("\npc=");
    return blocks.filter((block) => {
      const flags = parseInt(/ ds ([0-9a-f]+)/.exec(block)![1], 16);
      return (flags & IN_DELAY_SLOT) === 0;
    }).map((block) => {
      const [pc, ...values] = block.split("CP0")[0]
        .match(/(?<=^(?:pc=)?0x|HI=0x|LO=0x| \w\w )[0-9a-f]{8}/g)!
        .map((digits) => parseInt(digits, 16));
      assertEquals(values.length, 34);
      return { pc, values: Int32Array.from(values) };
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Steps the machine along QEMU's trace and compares before every block; returns the steps until `write`. */
function followTrace(
  state: VmState,
  trace: readonly Observed[],
  what: string,
): number {
  let steps = 0;
  // QEMU starts with a stack of its own; programs set all registers first.
  state.registers[29] = trace[0].values[31];
  for (const { pc, values } of trace) {
    // A branch and its delay slot are one block there.
    const limit = steps + 2;
    while (state.pc !== pc || state.nextPc !== pc + 4) {
      assert(steps++ < limit, `${what}: expected pc ${pc}, found ${state.pc}`);
      step(state);
    }
    const { hi, lo, registers } = state;
    assertEquals(
      Int32Array.from([hi, lo, ...registers]),
      values,
      `${what}: before pc 0x${pc.toString(16)}, after ${steps} steps`,
    );
    if (state.memory.load32(pc) === encode("syscall")) break;
  }
  return steps;
}

Deno.test({
  name:
    "step: registers are those of QEMU after every instruction of random programs",
  ignore: !canRun, // Needs qemu-mipsel; required where CHAINLEARN_REQUIRE_ALL is set.
  fn: async () => {
    const seed = campaignSeed("every step under QEMU", 177);
    let steps = 0;
    for (let i = 0; steps < CAMPAIGN_STEPS / 10; i++) {
      const what = `seed ${seed + i}`;
      const file = randomProgram(new Random(seed + i), 4000);
      steps += followTrace(loadElf(file), await qemuTrace(file), what);
    }
    console.log(`${steps} steps beside QEMU`);
    const jumps = elfOf(jumpProgram(), new Uint8Array(DATA_BYTES));
    followTrace(loadElf(jumps), await qemuTrace(jumps), "jumps");
  },
});

/** Calls and jumps around skipped words, ending in the epilogue. */
function jumpProgram(): number[] {
  const at = (word: number) => ({ target: (TEXT >>> 2) + word });
  const mark = (register: number) =>
    encode("addiu", { rt: register, rs: register, imm: 1 });
  return [
    encode("jal", at(3)), // 0
    mark(8),
    mark(9),
    encode("j", at(6)), // 3
    mark(10),
    mark(11),
    ...loadConstant(12, TEXT + 4 * 11), // 6
    encode("jalr", { rd: 13, rs: 12 }), // 8
    mark(14),
    mark(15),
    ...loadConstant(16, TEXT + 4 * 16), // 11
    encode("jr", { rs: 16 }), // 13
    mark(17),
    mark(18),
    ...loadConstant(31, TEXT + 4 * 21), // 16
    encode("jalr", { rd: 30, rs: 31 }), // 18
    mark(20),
    mark(21),
    encode("bgezal", { rs: 0, offset: 2 }), // 21
    mark(22),
    mark(23),
    encode("bltzall", { rs: 0, offset: 2 }), // 24
    mark(24),
    mark(25),
    ...loadConstant(29, 0), // QEMU starts with a stack of its own.
    ...epilogue(),
  ];
}

Deno.test({
  name: "step: jumps, calls and links end as under QEMU",
  ignore: !canRun, // Needs qemu-mipsel; required where CHAINLEARN_REQUIRE_ALL is set.
  fn: async () => {
    const code = jumpProgram();
    const file = elfOf(code, new Uint8Array(DATA_BYTES));
    assertEquals(machineOutput(loadElf(file)), await qemuOutput(file));
  },
});

const trapping: [InstructionName, Fields, Fields][] = [
  ["add", { rd: 8, rs: 9, rt: 9 }, { imm: 0x7fff }],
  ["addi", { rt: 8, rs: 9, imm: 0x7fff }, { imm: 0x7fff }],
  ["sub", { rd: 8, rs: 9, rt: 10 }, { imm: 0x8000 }],
  ["teq", { rs: 8, rt: 8 }, {}],
  ["lw", { rt: 8, rs: 27, imm: 1 }, {}],
  ["sh", { rt: 8, rs: 27, imm: 1 }, {}],
];

Deno.test({
  name: "step: V2 V3 what traps here ends by a signal under QEMU",
  ignore: !canRun, // Needs qemu-mipsel; required where CHAINLEARN_REQUIRE_ALL is set.
  fn: async () => {
    for (const [name, fields, { imm = 0 }] of trapping) {
      const code = [
        ...loadConstant(27, DATA),
        ...loadConstant(9, (imm << 16) | 0xffff),
        ...loadConstant(10, 0x7fffffff),
        encode(name, fields),
        ...epilogue(),
      ];
      const file = elfOf(code, new Uint8Array(DATA_BYTES));
      const state = loadElf(file);
      run(state, 7);
      assertEquals(state.status, STATUS.trapped, name);
      const error = await qemuOutput(file).catch((error) => error);
      assert(error instanceof Error, `${name} runs under QEMU`);
    }
  },
});

for (const source of C_PROGRAMS) {
  Deno.test({
    name: `loadElf: the C program ${source} computes what it does under QEMU`,
    ignore: !canCompile, // Needs QEMU and a MIPS compiler; required where CHAINLEARN_REQUIRE_ALL is set.
    fn: async () => {
      const file = await compileC(source, "-O2");
      const found = machineOutput(loadElf(file));
      assert(found.some((byte) => byte !== 0), source);
      assertEquals(found, await qemuOutput(file), source);
    },
  });
}
