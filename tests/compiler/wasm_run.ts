/** Runs a compiled kernel in a memory of its own, for the tests of the WebAssembly target. */
import { assertEquals } from "@std/assert";
import { byteLength, compileWasm, type Kernel } from "../../compiler/mod.ts";

const PAGE = 65536;

/** Runs a compiled kernel in parts; memory around and between tensors is poisoned. */
export function runWasm(
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
