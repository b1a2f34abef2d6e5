import { assert, assertEquals, assertThrows } from "@std/assert";
import { ChainLearnError } from "../../fpvm/mod.ts";
import type { Expr } from "../../compiler/ir.ts";
import {
  conformanceKernels,
  runLeaves,
} from "../../compiler/conformance/mod.ts";

/** f32 operations that only move bits, which the machine can do. */
const MOVES = ["f32.select", "i32.bits_of_f32", "f32.of_bits"];

/** Whether the expression computes with f32; moving its bits does not count. */
function computesFloats(expr: Expr): boolean {
  const any = (list: readonly Expr[]) => list.some(computesFloats);
  switch (expr.kind) {
    case "op":
      return any(expr.args) ||
        (/f32/.test(expr.op) && !MOVES.includes(expr.op));
    case "call":
      return any(expr.args);
    case "load":
      return any(expr.index);
    case "let":
      return any([expr.value, expr.body]);
    case "sum":
      return expr.type === "f32" || any([expr.term]);
    case "loop":
      return any([...expr.carry.map((c) => c.next), expr.result]);
    default:
      return false;
  }
}

Deno.test("emitLeafProgram: gives every operation but f32 arithmetic, and every storage type, of the conformance suite", () => {
  let cases = 0;
  for (const one of conformanceKernels()) {
    const { kernel, operands, iteration, expected } = one;
    if (computesFloats(kernel.body)) {
      assertThrows(
        () => runLeaves(kernel, operands, iteration),
        ChainLearnError,
        "f32 arithmetic is unsupported",
      );
      continue;
    }
    const { result, steps, program } = runLeaves(kernel, operands, iteration);
    assertEquals(result, expected, kernel.name);
    assert(Math.max(...steps) <= program.worstSteps, kernel.name);
    cases++;
  }
  assert(cases >= 60, `Only ${cases} cases ran`);
});
