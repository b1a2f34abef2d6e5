import { assertEquals } from "@std/assert";
import { interpret } from "../../compiler/interpreter.ts";
import { verifyKernel } from "../../compiler/verify.ts";
import { conformanceKernels } from "./conformance.ts";

Deno.test("interpret: gives every case of the conformance suite bit for bit", () => {
  for (
    const { kernel, operands, iteration, expected } of conformanceKernels()
  ) {
    verifyKernel(kernel);
    const found = interpret(kernel, operands, iteration);
    if (
      found.length !== expected.length ||
      found.some((x, i) => x !== expected[i])
    ) {
      assertEquals(found, expected, kernel.name);
    }
  }
});
