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

const TEXT = 0x10000;
const DATA = 0x30000000;
const DATA_BYTES = 4096;
/** Where a program writes its registers, hi and lo before the end. */
const DUMP = 2048;
const LINUX_WRITE = 4004;

/** Whether the commands exist; a missing one fails where everything is required. */
function available(...commands: string[]): boolean {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  const exists = (command: string) =>
    folders.some((folder) => {
      try {
        return Deno.statSync(`${folder}/${command}`).isFile;
      } catch {
        return false;
      }
    });
  const missing = commands.filter((command) => !exists(command));
  if (missing.length === 0) return true;
  if (Deno.env.has("CHAINLEARN_REQUIRE_ALL")) {
    throw new Error(`Cannot test against QEMU: expected ${missing} on PATH`);
  }
  console.log(`Skipping tests against QEMU: ${missing} not on PATH`);
  return false;
}

const canRun = available("qemu-mipsel");
const canCompile = available("qemu-mipsel", "mipsel-linux-gnu-gcc");

/** An executable with code at TEXT and one page of data at DATA. */
function elfOf(code: number[], data: Uint8Array): Uint8Array {
  const text = 0x1000;
  const dataAt = Math.ceil((text + 4 * code.length) / 0x1000) * 0x1000;
  const file = new Uint8Array(dataAt + data.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  const words = (at: number, values: number[]) =>
    values.forEach((value, i) => view.setUint32(at + 4 * i, value, true));
  // Type and machine, version, entry, headers, flags (o32, mips32r2), sizes, one header kind.
  words(16, [0x80002, 1, TEXT, 52, 0, 0x70001000, 0x200034, 2]);
  const length = 4 * code.length;
  words(52, [1, text, TEXT, TEXT, length, length, 5, 0x1000]);
  words(84, [1, dataAt, DATA, DATA, data.length, data.length, 6, 0x1000]);
  words(text, code);
  file.set(data, dataAt);
  return file;
}

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
    const seed = Number(Deno.env.get("CHAINLEARN_SEED") ?? 77);
    console.log(`seed ${seed}`);
    for (let i = 0; i < 8; i++) {
      const file = randomProgram(new Random(seed + i), 1500);
      const expected = await qemuOutput(file);
      assertEquals(expected.length, DATA_BYTES);
      const found = machineOutput(loadElf(file));
      assertEquals(found, expected, `seed ${seed + i}`);
    }
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

async function compiled(source: string): Promise<Uint8Array> {
  const folder = new URL("programs/", import.meta.url).pathname;
  const path = await Deno.makeTempFile({ suffix: ".elf" });
  const flags =
    "-mips32r2 -EL -msoft-float -ffreestanding -mno-abicalls -fno-pic -no-pie -static -nostdlib -G0 -O2 -ffunction-sections -Wl,--build-id=none";
  try {
    const { code, stderr } = await new Deno.Command("mipsel-linux-gnu-gcc", {
      args: [...flags.split(" "), "-T", "vm.ld", "-o", path, source],
      cwd: folder,
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    return await Deno.readFile(path);
  } finally {
    await Deno.remove(path);
  }
}

for (const source of ["sort.c", "arithmetic.c", "hash.c"]) {
  Deno.test({
    name: `loadElf: the C program ${source} computes what it does under QEMU`,
    ignore: !canCompile, // Needs QEMU and a MIPS compiler; required where CHAINLEARN_REQUIRE_ALL is set.
    fn: async () => {
      const file = await compiled(source);
      const found = machineOutput(loadElf(file));
      assert(found.some((byte) => byte !== 0), source);
      assertEquals(found, await qemuOutput(file), source);
    },
  });
}
