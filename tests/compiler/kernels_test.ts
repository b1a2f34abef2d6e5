import { assert, assertEquals } from "@std/assert";
import { interpret } from "../../compiler/kernel/interpreter.ts";
import { byteLength, type Expr, type Kernel, ops } from "../../compiler/ir.ts";
import {
  exprToJson,
  kernelFromJson,
  kernelToJson,
} from "../../compiler/kernel/serialize.ts";
import { verifyKernel } from "../../compiler/kernel/verify.ts";
import { randomKernel } from "../../compiler/conformance/mod.ts";
import { Random } from "../random.ts";

const SEED = 20260;
const COUNT = 600;

Deno.test("randomKernel: gives kernels that the verifier accepts and the interpreter runs", () => {
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    try {
      const { kernel, operands, iteration } = randomKernel(new Random(seed));
      verifyKernel(kernel);
      const result = interpret(kernel, operands, iteration);
      assertEquals(result.length, byteLength(kernel.result));
    } catch (error) {
      throw new Error(`Seed ${seed}`, { cause: error });
    }
  }
});

Deno.test("randomKernel: leaves every kind of float out when asked", () => {
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const { kernel } = randomKernel(new Random(seed), { float: false });
    const text = JSON.stringify(kernelToJson(kernel));
    assert(!/"(f32|f16|bf16)|_f32|f32[._]/.test(text), `Seed ${seed}`);
  }
});

Deno.test("randomKernel: reaches every operation and every kind of expression", () => {
  const seen = new Set<string>();
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const { kernel } = randomKernel(new Random(seed));
    const json = JSON.stringify([
      exprToJson(kernel.body),
      kernel.functions.map((f) => exprToJson(f.body)),
    ]);
    for (const match of json.matchAll(/"(?:op|kind)":"([^"]+)"/g)) {
      seen.add(match[1]);
    }
    for (const key of ["extents", "update"] as const) {
      if (kernel[key]) seen.add(key);
    }
    if (kernel.operands.some((t) => t.layout)) seen.add("layout");
  }
  const kinds: Expr["kind"][] = [
    "const",
    "axis",
    "iteration",
    "var",
    "op",
    "load",
    "let",
    "sum",
    "loop",
    "call",
  ];
  for (
    const name of [...Object.keys(ops), ...kinds, "extents", "update", "layout"]
  ) {
    assert(seen.has(name), name);
  }
});

Deno.test("kernelFromJson: gives back every random kernel", () => {
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const { kernel } = randomKernel(new Random(seed));
    const text = JSON.stringify(kernelToJson(kernel));
    const back: Kernel = kernelFromJson(JSON.parse(text));
    assertEquals(back, kernel, `Seed ${seed}`);
    assertEquals(JSON.stringify(kernelToJson(back)), text);
  }
});
