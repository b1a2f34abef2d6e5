import { assert, assertEquals } from "@std/assert";
import {
  conformanceKernels,
  randomKernel,
  runWhole,
} from "../../compiler/conformance/mod.ts";
import { interpret } from "../../compiler/kernel/interpreter.ts";
import { byteLength, type DType, type Kernel } from "../../compiler/ir.ts";
import { Random } from "../random.ts";
import {
  argMax,
  computesCounts,
  convolution,
  matmul,
  maxPool,
  saturatedAdd,
  softmax,
  wideMatmul,
} from "./mips_kernels.ts";

/** The steps of kernels without computed counts are known exactly. */
function check(kernel: Kernel): void {
  const random = new Random(7);
  const operands = kernel.operands.map((type) =>
    random.bytes(byteLength(type))
  );
  const { result, steps, program } = runWhole(kernel, operands, 3);
  assertEquals(result, interpret(kernel, operands, 3), kernel.name);
  assertEquals(program.worstSteps, steps, `steps of ${kernel.name}`);
}

Deno.test("emitWholeProgram: gives the bytes of every conformance kernel that leaf programs can give", () => {
  let [cases, computed] = [0, 0];
  for (const one of conformanceKernels()) {
    const { kernel, operands, iteration, expected } = one;
    const { result, steps, program } = runWhole(kernel, operands, iteration);
    assertEquals(result, expected, kernel.name);
    assert(steps <= program.worstSteps, kernel.name);
    const bodies = [kernel.body, ...kernel.functions.map((f) => f.body)];
    if (!bodies.some(computesCounts)) {
      assertEquals(steps, program.worstSteps, kernel.name);
    } else computed++;
    cases++;
  }
  assert(cases >= 50, `Only ${cases} cases ran`);
  assert(computed < cases / 10, `${computed} cases have computed counts`);
});

Deno.test("emitWholeProgram: gives the usual operators of any shape in exactly the computed steps", () => {
  for (const shape of [[], [1], [31], [33], [7, 5], [3, 1, 11], [2, 3, 65]]) {
    for (const dtype of ["i8", "i16", "i32", "i64"] as DType[]) {
      check(saturatedAdd(shape, dtype));
    }
  }
  check(matmul([3, 40, 33]));
  check(matmul([2, 67, 7], { transposed: true, result: "i32" }));
  check(wideMatmul([3, 67, 7]));
  const shape = { size: 6, outputs: 8, kernel: 3, pad: 1 };
  check(convolution({ ...shape, inputs: 4 }));
  check(convolution({ ...shape, inputs: 8, groups: 8 }));
  check(maxPool(9, 5, 2));
  check(argMax(37, 10, "i64"));
  check(softmax(5, 10));
});

Deno.test("emitWholeProgram: gives random kernels' bytes within the computed steps", () => {
  for (let seed = 52_000; seed < 52_100; seed++) {
    const { kernel, operands, iteration } = randomKernel(new Random(seed), {
      float: false,
    });
    try {
      const { result, steps, program } = runWhole(kernel, operands, iteration);
      assertEquals(result, interpret(kernel, operands, iteration));
      assert(steps <= program.worstSteps, "worstSteps too low");
    } catch (error) {
      throw new Error(`Seed ${seed}`, { cause: error });
    }
  }
});

Deno.test("emitWholeProgram: takes what is hoisted to a row once per row", () => {
  const { program } = runWhole(softmax(3, 1000), [new Uint8Array(3000)], 0);
  // 3 steps a column for the maximum, about 6 for the sum, about 20 for the element.
  assert(program.worstSteps < 3 * 1000 * 40, String(program.worstSteps));
});
