import { assertEquals } from "@std/assert";
import {
  byteLength,
  compileWasm,
  type DType,
  interpret,
  type Kernel,
  printKernel,
} from "../../compiler/mod.ts";
import { randomKernel } from "../kernels.ts";
import { Random } from "../random.ts";
import { conformanceKernels } from "./conformance.ts";

const PAGE = 65536;

/** Runs a compiled kernel in parts; memory around and between tensors is poisoned. */
function runWasm(
  kernel: Kernel,
  operands: readonly Uint8Array[],
  iteration: number,
  cuts: readonly number[] = [],
): Uint8Array {
  const compiled = compileWasm(kernel, { maxPages: 256 });
  const total = operands.reduce((sum, o) => sum + o.length + 64, 1024) +
    byteLength(kernel.result);
  const memory = new WebAssembly.Memory({
    initial: Math.ceil(total / PAGE),
    maximum: 256,
  });
  const bytes = new Uint8Array(memory.buffer).fill(0xff);
  let at = 32;
  const place = (length: number) => {
    const address = at;
    at += Math.ceil((length + 16) / 16) * 16;
    return address;
  };
  const addresses = operands.map((operand) => {
    const address = place(operand.length);
    bytes.set(operand, address);
    return address;
  });
  const result = place(byteLength(kernel.result));
  if (kernel.update) bytes.set(operands[kernel.update.operand], result);
  const before = bytes.slice();
  const { run } = new WebAssembly.Instance(
    new WebAssembly.Module(compiled.module),
    { env: { memory } },
  ).exports as { run: (...args: number[]) => void };
  const ends = [...cuts.map((c) => c % (compiled.units + 1)), compiled.units];
  let begin = 0;
  for (const end of ends.sort((a, b) => a - b)) {
    run(...addresses, result, iteration, begin, end);
    begin = end;
  }
  const found = bytes.slice(result, result + byteLength(kernel.result));
  bytes.set(before.subarray(result, result + found.length), result);
  assertEquals(bytes, before, "wrote outside the result");
  return found;
}

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
