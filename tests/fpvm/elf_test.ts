import { assertEquals, assertThrows } from "@std/assert";
import {
  ChainLearnError,
  encode,
  loadElf,
  readElfSymbols,
  run,
} from "../../fpvm/mod.ts";
import { elfOf, TEXT } from "./elf_files.ts";

/** An executable of one segment that exits with 7; `edit` breaks it. */
function file(edit: (view: DataView) => void = () => {}): Uint8Array {
  const code = [
    encode("ori", { rt: 2, imm: 4001 }),
    encode("ori", { rt: 4, imm: 7 }),
    encode("syscall"),
  ];
  const view = new DataView(new ArrayBuffer(84 + 12));
  view.setUint32(0, 0x7f454c46);
  view.setUint32(4, 0x01010100);
  const words = (at: number, values: number[]) =>
    values.forEach((value, i) => view.setUint32(at + 4 * i, value, true));
  words(16, [0x80002, 1, 0x10000, 52, 0, 0, 0x200034, 1]);
  words(52, [1, 84, 0x10000, 0x10000, 12, 20, 5, 4]);
  words(84, code);
  edit(view);
  return new Uint8Array(view.buffer);
}

Deno.test("loadElf: runs from the entry point with a stack", () => {
  const state = loadElf(file());
  assertEquals([state.pc, state.registers[29]], [0x10000, 0x3fffffe0]);
  assertEquals(run(state, 100), 3);
  assertEquals([state.status, state.exitCode], [1, 7]);
});

Deno.test("loadElf: takes an empty writable segment at address 0, as of a C program without data", () => {
  const whole = elfOf([0x0000000c], new Uint8Array(0));
  const view = new DataView(whole.buffer);
  assertEquals([view.getUint32(104, true), view.getUint32(108, true)], [0, 6]);
  view.setUint32(92, 0, true);
  const { memory } = loadElf(whole);
  assertEquals(memory.load32(TEXT), 0x0c);
  assertEquals(memory.load32(0), 0);
  // Nothing may be read from the file to there.
  view.setUint32(100, 4, true);
  assertThrows(() => loadElf(whole), ChainLearnError, "inside file and memory");
});

const set = (at: number, value: number) => (view: DataView) =>
  view.setUint32(at, value, true);

const broken: [string, (view: DataView) => void, string][] = [
  ["another magic", set(0, 0), "an ELF header"],
  ["big-endian", (view) => view.setUint8(5, 2), "little-endian"],
  ["another machine", set(16, 0x30002), "machine 3"],
  ["a relocatable", set(16, 0x80001), "type 1"],
  ["headers outside the file", set(28, 90), "program headers"],
  ["an interpreter", set(52, 3), "a static executable"],
  ["a segment outside the file", set(56, 85), "inside file and memory"],
  ["more file than memory", set(72, 11), "inside file and memory"],
  ["a writable segment below 16 MiB", set(76, 7), "writable segments"],
  ["code above 16 MiB", set(60, 0x00fffff0), "executable segments"],
  ["an odd entry point", set(24, 0x10002), "entry point"],
];

for (const [what, edit, message] of broken) {
  Deno.test(`loadElf: refuses ${what}`, () => {
    assertThrows(() => loadElf(file(edit)), ChainLearnError, message);
  });
}

Deno.test("loadElf: refuses a file cut anywhere in its headers", () => {
  const whole = file();
  for (let length = 0; length < 96; length++) {
    assertThrows(() => loadElf(whole.slice(0, length)), ChainLearnError);
  }
});

Deno.test("loadElf: refuses a small file that maps its bytes many times over", () => {
  const whole = elfOf([0x0000000c], new Uint8Array(4096));
  const view = new DataView(whole.buffer);
  const headers = 52 + 32 * 40;
  view.setUint16(44, 40, true);
  for (let at = 84; at < headers; at += 32) {
    const [offset, bytes] = [0, whole.length];
    [1, offset, 0x30000000, 0, bytes, bytes, 6].forEach((word, i) =>
      view.setUint32(at + 4 * i, word, true)
    );
  }
  assertThrows(() => loadElf(whole), ChainLearnError, "apart from each other");
});

Deno.test("readElfSymbols: refuses what grows far beyond the file: long names, tables over each other", () => {
  const named = (length: number) =>
    elfOf([0], new Uint8Array(4), [{
      name: "a".repeat(length),
      address: TEXT,
    }]);
  assertEquals(readElfSymbols(named(1024))[0].name.length, 1024);
  assertThrows(() => readElfSymbols(named(1025)), ChainLearnError, "names of");
  const whole = named(1);
  const sectionsAt = new DataView(whole.buffer).getUint32(32, true);
  // The symbol table is listed once more instead of the names; both take these from the file's first zero.
  const file = whole.slice();
  file.copyWithin(sectionsAt + 80, sectionsAt + 40, sectionsAt + 80);
  const view = new DataView(file.buffer);
  const size = file.length - file.length % 16;
  for (const at of [sectionsAt + 40, sectionsAt + 80]) {
    view.setUint32(at + 16, 0, true);
    view.setUint32(at + 20, size, true);
    view.setUint32(at + 24, 0, true);
  }
  assertThrows(
    () => readElfSymbols(file),
    ChainLearnError,
    "apart from each other",
  );
});
