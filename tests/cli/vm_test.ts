/** `chainlearn vm` as a user starts it, on executables made by hand. */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { encode, SYSCALL } from "../../fpvm/mod.ts";
import { DATA, elfOf, TEXT } from "../fpvm/elf_files.ts";
import { chainlearn, filesIn, succeeds } from "./command.ts";

/** Sums 5 .. 1 into the word `sum` by a function `add`, and exits with the code given. */
function sumProgram(exitCode: number): Uint8Array {
  const code = [
    encode("ori", { rt: 16, imm: 5 }),
    encode("jal", { target: (TEXT + 0x28) >>> 2 }), // loop
    encode("or", { rd: 4, rs: 16, rt: 0 }),
    encode("addiu", { rt: 16, rs: 16, imm: -1 }),
    encode("bgtz", { rs: 16, offset: -4 }),
    encode("sll"),
    encode("ori", { rt: 2, imm: SYSCALL.exit }),
    encode("ori", { rt: 4, imm: exitCode }),
    encode("syscall"),
    encode("sll"),
    encode("lui", { rt: 9, imm: DATA >>> 16 }), // add
    encode("lw", { rt: 8, rs: 9, imm: 4 }),
    encode("addu", { rd: 8, rs: 8, rt: 4 }),
    encode("jr", { rs: 31 }),
    encode("sw", { rt: 8, rs: 9, imm: 4 }),
  ];
  return elfOf(code, new Uint8Array(32), [
    { name: "__start", address: TEXT, size: 0x24 },
    { name: "loop", address: TEXT + 4 },
    { name: "add", address: TEXT + 0x28, size: 0x14 },
    { name: "sum", address: DATA + 4, size: 4 },
  ]);
}

async function makeFolder(): Promise<string> {
  const folder = await Deno.makeTempDir();
  const write = (name: string, data: Uint8Array | string) =>
    typeof data === "string"
      ? Deno.writeTextFileSync(join(folder, name), data)
      : Deno.writeFileSync(join(folder, name), data);
  const good = sumProgram(0);
  write("sum.elf", good);
  write("seven.elf", sumProgram(7));
  write("trap.elf", elfOf([encode("sll"), 0x0000000d], new Uint8Array(4)));
  // Writes a word into each of 2^14 pages.
  const fill = [
    encode("lui", { rt: 8, imm: DATA >>> 16 }),
    encode("ori", { rt: 9, imm: 1 << 14 }),
    encode("sw", { rt: 9, rs: 8 }),
    encode("addiu", { rt: 9, rs: 9, imm: -1 }),
    encode("bgtz", { rs: 9, offset: -3 }),
    encode("addiu", { rt: 8, rs: 8, imm: 0x1000 }),
    encode("ori", { rt: 2, imm: SYSCALL.exit }),
    encode("or", { rd: 4, rs: 0, rt: 0 }),
    encode("syscall"),
  ];
  write("fill.elf", elfOf(fill, new Uint8Array(4)));
  write("cut.elf", good.slice(0, 0x1010));
  write("text.elf", "no executable");
  write("empty.elf", "");
  const big = good.slice();
  big[5] = 2;
  write("big.elf", big);
  const symbols = good.slice();
  new DataView(symbols.buffer).setUint32(32, 0x7fffffff, true);
  write("symbols.elf", symbols);
  write("words.hex", "0x12 and more");
  write("short.hex", "0x1234");
  write("text.clm", "x");
  return folder;
}

type Case = readonly [command: string, code: number, error: string];

const compile = "Try: docs/vm.md says how to compile for the machine";
const bad: Case[] = [
  [
    "vm",
    2,
    'Error: Cannot run "vm": expected a subcommand (run, trace, step, debug), found none',
  ],
  [
    "vm walk sum.elf",
    2,
    'Error: Cannot run "vm": expected a subcommand (run, trace, step, debug), found "walk"',
  ],
  ["vm run", 2, "Error: missing required argument 'program'"],
  [
    "vm run absent.elf",
    2,
    "Error: Cannot read program absent.elf: expected a file, found none\nTry: Check the path and its permissions",
  ],
  [
    "vm run text.elf",
    2,
    `Error: Cannot load text.elf: expected an ELF header, found 13 bytes without one\n${compile}`,
  ],
  [
    "vm run empty.elf",
    2,
    `Error: Cannot load empty.elf: expected an ELF header, found 0 bytes without one\n${compile}`,
  ],
  [
    "vm trace cut.elf",
    2,
    `Error: Cannot load cut.elf: expected the segment at 0x10000 inside file and memory, found 60 of 60 bytes at offset 0x1000\n${compile}`,
  ],
  [
    "vm debug big.elf",
    2,
    `Error: Cannot load big.elf: expected class 1 (32 bits) and data 1 (little-endian), found class 1 and data 2\n${compile}`,
  ],
  [
    "vm debug symbols.elf",
    2,
    `Error: Cannot load symbols.elf: expected section headers inside the file, found one at 0x7fffffff\n${compile}`,
  ],
  [
    "vm run sum.elf --node 3",
    2,
    "Error: Cannot open sum.elf: expected a .clm file for --node, --leaf and --input, found another ending",
  ],
  [
    "vm run text.clm --node 3",
    2,
    "Error: Cannot read bundle text.clm: expected at least 8 bytes, found 1\nTry: The file is damaged or not a bundle; convert the model again or fetch it again",
  ],
  [
    "vm run text.clm",
    2,
    "Error: Cannot open a program of text.clm: expected --node, found none\nTry: chainlearn inspect text.clm lists the nodes",
  ],
  [
    "vm run sum.elf --steps x",
    2,
    `Error: option '--steps <n>' argument 'x' is invalid. expected a whole number, found "x"`,
  ],
  [
    "vm run sum.elf --memory 12",
    2,
    `Error: option '--memory <size>' argument '12' is invalid. expected a size of at least 1M, such as 256M, found "12"`,
  ],
  [
    "vm run sum.elf --dump total:8",
    2,
    'Error: Cannot find "total": expected a number or a symbol of the program, found none of that name',
  ],
  [
    "vm run sum.elf --dump sum:x",
    2,
    'Error: Cannot read "x": expected a whole number, found other text',
  ],
  [
    "vm step sum.elf --at 1000",
    2,
    "Error: Cannot show step 1000 of sum.elf: expected at most 54, where the program stops, found 1000",
  ],
  [
    "vm step",
    2,
    "Error: Cannot show a step: expected a program or --check with a witness, found neither",
  ],
  [
    "vm step --check words.hex",
    2,
    "Error: Cannot read witness words.hex: expected hex or a .witness file, found other text",
  ],
  [
    "vm step --check short.hex",
    1,
    "Error: Cannot execute witness short.hex: expected 178 bytes, found 2\nTry: The contract reverts on it",
  ],
];

Deno.test("vm: bad input gives a named error, an exit code, nothing written", async () => {
  const folder = await makeFolder();
  try {
    const before = filesIn(folder);
    const waiting = [...bad];
    const worker = async () => {
      for (let one = waiting.shift(); one; one = waiting.shift()) {
        const [command, code, error] = one;
        const found = await chainlearn(folder, command.split(" "));
        assertEquals(found.err.trimEnd(), error, command);
        assertEquals(found.code, code, command);
        assertEquals(found.out, "", command);
      }
    };
    await Promise.all([worker(), worker(), worker()]);
    assertEquals(filesIn(folder), before, "something was written");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** A debugger session of these commands; its answers by command. */
async function session(folder: string, program: string, commands: string[]) {
  const args = commands.flatMap((command) => ["-c", command]);
  const found = await chainlearn(folder, ["vm", "debug", program, ...args]);
  const answers = new Map<string, string>();
  for (const part of found.out.split("\n(vm) ").slice(1)) {
    const [command, ...lines] = part.trimEnd().split("\n");
    answers.set(command, lines.join("\n"));
  }
  return { ...found, answers };
}

Deno.test("vm: run, trace, step and debug tell what a program does", async (t) => {
  const folder = await makeFolder();
  const run = (...args: string[]) => chainlearn(folder, ["vm", ...args]);
  try {
    await t.step(
      "run: 0 for exit code 0, 1 otherwise, 0 after --steps",
      async () => {
        const { out } = await succeeds(folder, ["vm", "run", "sum.elf"]);
        assert(
          /^status +exited\nexit code +0\nsteps +54\nstate hash/.test(out),
          out,
        );
        const seven = await run("run", "seven.elf", "--interpreted");
        assertEquals([seven.code, /exit code +7\n/.test(seven.out)], [1, true]);
        const trap = await run("run", "trap.elf");
        assertEquals(trap.code, 1);
        assert(trap.out.includes("exit code   3: no instruction"), trap.out);
        assert(
          trap.out.includes("at          0x00010004: .word 0xd"),
          trap.out,
        );
        const some = await run("run", "sum.elf", "--steps", "9");
        assertEquals(some.code, 0);
        assert(
          /^status +running\nat +0x00010010 <.*\nsteps +9\n/.test(some.out),
        );
      },
    );
    await t.step(
      "run --memory: the same state where the machine may hold less",
      async () => {
        const hashes = await Promise.all(
          [[], ["--memory", "16M"], ["--memory", "64M", "--interpreted"]].map(
            async (how) =>
              JSON.parse((await run("run", "fill.elf", "--json", ...how)).out)
                .stateHash,
          ),
        );
        assertEquals(new Set(hashes).size, 1);
      },
    );
    await t.step("run: both ways give the same state", async () => {
      const hashes = await Promise.all(
        [[], ["--interpreted"]].map(async (how) =>
          JSON.parse((await run("run", "sum.elf", "--json", ...how)).out)
            .stateHash
        ),
      );
      assertEquals(hashes[0], hashes[1]);
    });
    await t.step("run --dump: prints memory by symbol", async () => {
      const { out } = await run("run", "sum.elf", "--dump", "sum:4");
      assert(out.includes("30000004  0f 00 00 00"), out);
    });
    await t.step("trace: a line a step", async () => {
      const { out } = await succeeds(folder, ["vm", "trace", "sum.elf"]);
      const lines = out.trimEnd().split("\n");
      assertEquals(lines.filter((line) => /^ +\d+ {2}/.test(line)).length, 54);
      assert(
        out.includes("<add>:\n       3  00010028  3c093000  lui $t1, 12288"),
      );
      assert(out.includes("[0x30000004 <sum>] = 0x5, was 0x0"), out);
      assert(lines.at(-1)!.endsWith("exited with code 0"), out);
    });
    await t.step("trace --json: an object a line", async () => {
      const { out } = await run(
        "trace",
        "sum.elf",
        "--from",
        "7",
        "--to",
        "8",
        "--json",
      );
      const { registers, written, ...rest } = JSON.parse(out);
      assertEquals([registers, written.value, rest.step, rest.pc], [
        [],
        5,
        7,
        TEXT + 0x38,
      ]);
    });
    await t.step(
      "step: writes a witness that --check executes to the same state",
      async () => {
        const written = [
          "vm",
          "step",
          "sum.elf",
          "--at",
          "7",
          "--witness",
          "w.hex",
        ];
        const { out } = await succeeds(folder, written);
        const checked = await succeeds(folder, [
          "vm",
          "step",
          "--check",
          "w.hex",
        ]);
        const hashes = (text: string) => text.match(/^(pre|post)state .*$/gm);
        assertEquals(hashes(checked.out), hashes(out));
        const text = await Deno.readTextFile(join(folder, "w.hex"));
        const last = text.trim().length - 1;
        const changed = text.trim().slice(0, last) +
          (text[last] === "0" ? "1" : "0");
        await Deno.writeTextFile(join(folder, "bad.hex"), changed);
        const refused = await run("step", "--check", "bad.hex");
        assertEquals(refused.code, 1);
        assert(refused.err.includes("The contract reverts on it"), refused.err);
      },
    );
    await t.step(
      "debug: breaks, watches, steps over calls and goes back",
      async () => {
        const { code, answers } = await session(folder, "sum.elf", [
          "break add",
          "continue",
          "delete",
          "watch sum",
          "c",
          "rc",
          "goto 1",
          "next",
          "back 2",
          "registers s0 $sp",
          "memory sum 4",
          "list add 2",
          "quit",
        ]);
        assertEquals(code, 0);
        const starts = (command: string, text: string) =>
          assert(answers.get(command)!.startsWith(text), answers.get(command));
        starts("continue", "step 3  0x00010028 <add>  lui");
        starts(
          "c",
          "[0x30000004 <sum>] was 0x0, is 0x5, by\n       7  00010038",
        );
        starts("rc", "at the start\nstep 0  0x00010000 <__start>");
        starts("next", "[0x30000004 <sum>] was 0x0, is 0x5");
        starts("back 2", "step 6  0x00010034 <add+0xc>  jr $ra");
        starts("registers s0 $sp", "$s0 = 0x5\n$sp = 0x3fffffe0");
        starts("memory sum 4", "30000004  00 00 00 00 ");
        starts("list add 2", "<add>:\n   00010028  3c093000  lui $t1, 12288\n");
      },
    );
    await t.step(
      "debug: an error ends a session without a terminal",
      async () => {
        const { code, err } = await session(folder, "sum.elf", [
          "break nowhere",
          "c",
        ]);
        assertEquals(code, 2);
        assert(err.startsWith('Error: Cannot find "nowhere"'), err);
      },
    );
    await t.step(
      "--help: every subcommand shows usage and an example",
      async () => {
        for (const name of ["run", "trace", "step", "debug"]) {
          const { out } = await succeeds(folder, ["vm", name, "--help"]);
          assert(out.includes(`Usage: chainlearn vm ${name}`), out);
          assert(/Examples:/.test(out), out);
        }
      },
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
