import { assertEquals, assertThrows } from "@std/assert";
import { Random } from "../random.ts";
import {
  ChainLearnError,
  composeInitialState,
  initialStateHash,
  MemoryContentStore,
  packProcessor,
  packState,
  stateHash,
  tensorRoot,
  unpackState,
} from "../../fpvm/mod.ts";
import { machine, randomMachine } from "./machines.ts";

Deno.test("initialStateHash: equals the composed state's for any height and number of operands", () => {
  const random = new Random(1);
  const store = new MemoryContentStore();
  for (const programHeight of [0, 1, 6, 7, 8, 12, 19]) {
    const length = Math.min(32 * 2 ** programHeight, 9000);
    const program = random.bytes(length - random.below(Math.min(length, 30)));
    const count = random.pick([0, 1, 2, 31]);
    const operandRoots = Array.from(
      { length: count },
      () => store.put(random.bytes(100)),
    );
    const input = {
      leafIndex: random.u32(),
      iteration: random.u32(),
      operandRoots,
      programHeight,
    };
    const state = composeInitialState({ program, store, ...input });
    const programRoot = tensorRoot(program, programHeight);
    assertEquals(
      initialStateHash({ programRoot, ...input }),
      stateHash(state),
      `height ${programHeight}, ${count} operands`,
    );
    assertEquals(state.memory.load32(0x10000000) >>> 0, input.leafIndex);
    assertEquals(state.memory.load32(0x10000004) >>> 0, input.iteration);
  }
});

Deno.test("composeInitialState: starts at 0 with a stack and refuses 32 operands", () => {
  const compose = (count: number) =>
    composeInitialState({
      program: new Uint8Array(32),
      programHeight: 0,
      leafIndex: 0,
      iteration: 0,
      operandRoots: Array.from({ length: count }, () => new Uint8Array(32)),
    });
  const { pc, nextPc, registers, status } = compose(31);
  assertEquals([pc, nextPc, status], [0, 4, 0]);
  assertEquals(registers[29], 0x3fffffe0);
  assertEquals(registers.filter((value) => value !== 0).length, 1);
  assertThrows(() => compose(32), ChainLearnError, "at most 31 operands");
});

Deno.test("unpackState: gives back what was packed", () => {
  const random = new Random(2);
  for (let i = 0; i < 20; i++) {
    const packed = packState(randomMachine(random));
    assertEquals(packed.length, 178);
    const { memoryRoot, ...processor } = unpackState(packed);
    assertEquals(packProcessor(memoryRoot, processor), packed, `seed 2 ${i}`);
  }
});

Deno.test("unpackState: P6 refuses other lengths and a register 0 that is not zero", () => {
  const packed = packState(machine());
  assertThrows(() => unpackState(packed.slice(1)), ChainLearnError, "178");
  packed[52] = 1;
  assertThrows(() => unpackState(packed), ChainLearnError, "register 0");
});

Deno.test("packState: fields are big-endian and in their place", () => {
  const state = machine({
    pc: 0x01020304,
    nextPc: 0x05060708,
    hi: 0x090a0b0c,
    lo: 0x0d0e0f10,
    status: 0x11,
    exitCode: 0x12,
    registers: { 1: 0x13141516, 31: -2 },
  });
  const packed = packState(state);
  assertEquals(packed.slice(0, 32), state.memory.root());
  assertEquals(
    packed.slice(32, 58).toHex(),
    "0102030405060708090a0b0c0d0e0f1011120000000013141516",
  );
  assertEquals(packed.slice(174).toHex(), "fffffffe");
});
