import { assert, assertEquals } from "@std/assert";
import { interpret } from "../../compiler/kernel/interpreter.ts";
import { randomKernel, runLeaves } from "../../compiler/conformance/mod.ts";
import { Random } from "../random.ts";

const SEED = 51_000;
const COUNT = Number(Deno.env.get("COUNT") ?? 300);

Deno.test("emitLeafProgram: gives the interpreter's bytes for random kernels, every leaf, within worstSteps", () => {
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const { kernel, operands, iteration } = randomKernel(new Random(seed), {
      float: seed % 3 === 0,
    });
    try {
      const { result, steps, program } = runLeaves(kernel, operands, iteration);
      assertEquals(result, interpret(kernel, operands, iteration));
      assert(Math.max(...steps) <= program.worstSteps, "worstSteps too low");
    } catch (error) {
      throw new Error(`Seed ${seed}`, { cause: error });
    }
  }
});
