import { assert, assertEquals } from "@std/assert";
import { conformanceKernels } from "../../../compiler/conformance/mod.ts";
import type { Expr } from "../../../compiler/ir.ts";
import { mapParts, partsOf, someExpr } from "../../../compiler/kernel/parts.ts";
import { removeFloat } from "../../../compiler/legalize/remove_float.ts";

/** Every expression of the conformance kernels, whose float operations are calls. */
function* expressions(): Generator<Expr> {
  function* inside(expr: Expr): Generator<Expr> {
    yield expr;
    for (const part of partsOf(expr)) yield* inside(part);
  }
  for (const { kernel } of conformanceKernels()) {
    const { body, functions } = removeFloat(kernel);
    for (const root of [body, ...functions.map((f) => f.body)]) {
      yield* inside(root);
    }
  }
}

Deno.test("partsOf gives the parts that mapParts visits, in the same order, of every kind", () => {
  const kinds = new Set<string>();
  for (const expr of expressions()) {
    const visited: Expr[] = [];
    const same = mapParts(expr, (part) => {
      visited.push(part);
      return part;
    });
    assertEquals(same, expr);
    assertEquals(partsOf(expr).length, visited.length, expr.kind);
    assert(partsOf(expr).every((part, i) => part === visited[i]), expr.kind);
    kinds.add(expr.kind);
  }
  assertEquals([...kinds].sort(), [
    ...["axis", "call", "const", "iteration", "let", "load"],
    ...["loop", "op", "sum", "var"],
  ]);
});

Deno.test("someExpr finds the expression itself and what is deepest in it", () => {
  for (const expr of expressions()) {
    assert(someExpr(expr, (e) => e === expr));
    let deepest = expr;
    while (partsOf(deepest).length > 0) deepest = partsOf(deepest).at(-1)!;
    assert(someExpr(expr, (e) => e === deepest));
    assert(!someExpr(expr, () => false));
  }
});
