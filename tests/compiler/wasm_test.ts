import { assertEquals } from "@std/assert";
import {
  type DType,
  interpret,
  type Kernel,
  printKernel,
} from "../../compiler/mod.ts";
import {
  conformanceKernels,
  randomKernel,
  runWasm,
} from "../../compiler/conformance/mod.ts";
import { Random } from "../random.ts";

Deno.test("compileWasm gives the bytes of the conformance suite", () => {
  for (
    const { kernel, operands, iteration, expected } of conformanceKernels()
  ) {
    assertEquals(runWasm(kernel, operands, iteration), expected, kernel.name);
  }
});

Deno.test("compileWasm widens and narrows every 16-bit float", () => {
  const halves = new Uint8Array(new Uint16Array(65536).map((_, i) => i).buffer);
  const floats = new Random(6).bytes(4 * 65536);
  for (const dtype of ["f16", "bf16"] as const) {
    const copy = (from: DType, to: DType): Kernel => ({
      name: `${from} to ${to}`,
      operands: [{ dtype: from, shape: [65536] }],
      result: { dtype: to, shape: [65536] },
      functions: [],
      body: {
        kind: "load",
        operand: 0,
        index: [{ kind: "axis", axis: 0 }],
      },
    });
    const pairs = [
      [copy(dtype, "f32"), halves],
      [copy("f32", dtype), floats],
    ] as const;
    for (const [kernel, bytes] of pairs) {
      assertEquals(
        runWasm(kernel, [bytes], 0),
        interpret(kernel, [bytes], 0),
        kernel.name,
      );
    }
  }
});

Deno.test("compileWasm equals the interpreter on random kernels, however they are cut", () => {
  for (let seed = 1; seed <= 400; seed++) {
    const random = new Random(seed);
    const { kernel, operands, iteration } = randomKernel(random);
    const cuts = [random.below(40), random.below(40)];
    assertEquals(
      runWasm(kernel, operands, iteration, cuts),
      interpret(kernel, operands, iteration),
      `Seed ${seed}\n${printKernel(kernel)}`,
    );
  }
});
