import { assertEquals } from "@std/assert";
import plugin from "../../tools/lint_determinism.ts";

const findings = (source: string, file = "compiler/sample.ts") =>
  Deno.lint.runPlugin(plugin, file, source).length;

Deno.test("lint_determinism: refuses what differs between machines", () => {
  for (
    const source of [
      "Math.exp(1)",
      'Math["log"](1)',
      "Math?.exp(1)",
      "const name = 'exp' as const; Math[name](1)",
      "const { exp } = Math",
      "const { sqrt } = Math",
      "const M = Math; M.floor(1)",
      "const o = { Math }",
      "f(Math)",
      "Math.random()",
      "globalThis.Math.pow(2, 3)",
      "x ** 2",
      "2 ** x",
      "2 ** 0.5",
      "let y = 2; y **= 3",
      "Date.now()",
      "new Date()",
      "performance.now()",
      "crypto.getRandomValues(new Uint8Array(4))",
      "new Intl.NumberFormat()",
      '"a".localeCompare("b")',
      "[1].toLocaleString()",
      "names.sort((a, b) => a['localeCompare'](b))",
    ]
  ) assertEquals(findings(source) > 0, true, source);
});

Deno.test("lint_determinism: lets exact arithmetic pass", () => {
  for (
    const source of [
      "Math.floor(x / 2) + Math.sqrt(y) - Math.imul(a, b)",
      "const f = Math.clz32",
      "2 ** 31 + 2n ** 63n",
      "const o = { Date: 1, performance: 2 }; o.Date",
      "a * b / c",
    ]
  ) assertEquals(findings(source), 0, source);
});

Deno.test("lint_determinism: leaves other folders alone", () => {
  for (
    const file of [
      "runtime/x.ts",
      "tests/compiler/x.ts",
      "dispute/compiler/x.ts",
    ]
  ) assertEquals(findings("Math.exp(Date.now())", file), 0, file);
});

Deno.test("lint_determinism: knows the repository's own files by absolute path", () => {
  const path = new URL("../../compiler/ir.ts", import.meta.url).pathname;
  assertEquals(findings("Math.exp(1)", path), 1);
});
