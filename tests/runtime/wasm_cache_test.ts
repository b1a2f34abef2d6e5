import { assert, assertEquals } from "@std/assert";
import {
  add,
  axis,
  defineKernel,
  type Kernel,
  load,
  operandsOf,
} from "../../compiler/mod.ts";
import { codeKey, compiledKernel } from "../../runtime/wasm_cache.ts";

function plus(value: number, name = "plus", size = 64): Kernel {
  const operands = [{ dtype: "i32", shape: [size] }] as const;
  const [x] = operandsOf(operands);
  return defineKernel({
    name,
    operands,
    result: operands[0],
    body: add(load(x, axis(0)), value),
  });
}

Deno.test("compiledKernel gives equal kernels one module, whatever their names", async () => {
  const one = await compiledKernel(plus(7), {});
  assert(one.module === (await compiledKernel(plus(7, "other"), {})).module);
});

Deno.test("codeKey tells apart kernels and targets whose code is not the same", () => {
  const keys = [
    codeKey(plus(7), {}),
    codeKey(plus(8), {}),
    codeKey(plus(7, "plus", 65), {}),
    codeKey(plus(7), { shared: true }),
    codeKey(plus(7), { constants: [0] }),
    codeKey(plus(7), { schedule: { dot: "relaxed_constant" } }),
  ];
  assertEquals(new Set(keys).size, keys.length);
});

Deno.test("compiledKernel forgets the oldest of more kernels than it keeps", async () => {
  const first = await compiledKernel(plus(-1), {});
  for (let value = 0; value < 600; value++) {
    await compiledKernel(plus(value, "plus", 1), {});
  }
  const again = await compiledKernel(plus(-1), {});
  assert(first.module !== again.module);
  assertEquals(first.kernel.module, again.kernel.module);
});
