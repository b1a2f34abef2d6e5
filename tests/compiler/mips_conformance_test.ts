import { assert, assertEquals } from "@std/assert";
import {
  conformanceKernels,
  runLeaves,
} from "../../compiler/conformance/mod.ts";

Deno.test("emitLeafProgram: gives every operation and every storage type, of the conformance suite", () => {
  let cases = 0;
  for (const one of conformanceKernels()) {
    const { kernel, operands, iteration, expected } = one;
    const { result, steps, program } = runLeaves(kernel, operands, iteration);
    assertEquals(result, expected, kernel.name);
    assert(Math.max(...steps) <= program.worstSteps, kernel.name);
    cases++;
  }
  assert(cases >= 60, `Only ${cases} cases ran`);
});
