import { assertEquals, assertThrows } from "@std/assert";
import { ChainLearnError, encode, loadElf, run } from "../../fpvm/mod.ts";
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
