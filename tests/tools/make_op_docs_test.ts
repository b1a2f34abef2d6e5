import { assert, assertEquals, assertThrows } from "@std/assert";
import { ops } from "../../compiler/mod.ts";
import { withOpTable } from "../../tools/make_op_docs.ts";

const page = Deno.readTextFileSync(
  new URL("../../docs/kernels.md", import.meta.url),
);

Deno.test("make_op_docs: docs/kernels.md has the table that the op table gives", () => {
  assertEquals(page, withOpTable(page), "Run tools/make_op_docs.ts");
});

Deno.test("make_op_docs: every operation has a row", () => {
  for (const op of Object.keys(ops)) assert(page.includes(`| \`${op}\` |`), op);
});

Deno.test("make_op_docs: refuses a page without its marks", () => {
  assertThrows(() => withOpTable("# Kernels"), Error, "expected the marks");
});
