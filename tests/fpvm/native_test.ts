/** C programs on the machine against the same programs compiled for this computer. */
import { assert, assertEquals } from "@std/assert";
import {
  loadElf,
  run,
  runTranslated,
  STATUS,
  TRAP,
  type VmState,
} from "../../fpvm/mod.ts";
import { available } from "./campaign.ts";
import { C_PROGRAMS, compileC, nativeOutput } from "./c_programs.ts";

const canCompile = available("gcc", "mipsel-linux-gnu-gcc");
const MAX_STEPS = 200_000_000;

/** What a program writes: the machine stops at `write`, a system call it does not have. */
function output(
  state: VmState,
  go: (state: VmState, maxSteps: number) => number,
): { steps: number; bytes: Uint8Array } {
  const steps = go(state, MAX_STEPS);
  assertEquals([state.status, state.exitCode], [STATUS.trapped, TRAP.encoding]);
  const [, , , , , from, length] = state.registers;
  const words = new Int32Array(length / 4);
  words.forEach((_, i) => words[i] = state.memory.load32(from + 4 * i));
  return { steps, bytes: new Uint8Array(words.buffer) };
}

for (const source of C_PROGRAMS) {
  Deno.test({
    name:
      `run: the C program ${source} computes at -O0 -O2 -O3 what it does natively`,
    ignore: !canCompile, // Needs compilers for both; required where CHAINLEARN_REQUIRE_ALL is set.
    fn: async () => {
      const expected = await nativeOutput(source, "-O1");
      assertEquals(expected.length, 256);
      assert(expected.some((byte) => byte !== 0));
      for (const optimization of ["-O0", "-O2", "-O3"]) {
        const what = `${source} ${optimization}`;
        const file = await compileC(source, optimization);
        const interpreted = output(loadElf(file), run);
        assertEquals(interpreted.bytes, expected, what);
        assertEquals(output(loadElf(file), runTranslated), interpreted, what);
      }
    },
  });
}
