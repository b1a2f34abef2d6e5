/** Runs a kernel as WebAssembly in a memory of its own and watches what it writes. */
import { ChainLearnError } from "../../fpvm/mod.ts";
import {
  byteLength,
  compileWasm,
  type Kernel,
  packConstant,
  type WasmTarget,
} from "../mod.ts";

const PAGE = 65536;

/** Runs a compiled kernel in parts; memory around and between tensors is poisoned. Throws on a write outside the result. */
export function runWasm(
  kernel: Kernel,
  operands: readonly Uint8Array[],
  iteration: number,
  cuts: readonly number[] = [],
  target: Pick<WasmTarget, "constants" | "schedule"> = {},
): Uint8Array {
  const compiled = compileWasm(kernel, { maxPages: 256, ...target });
  const { pack, scratch } = compiled;
  const given = operands.map((operand, i) =>
    pack?.operand === i ? packConstant(pack, operand) : operand
  );
  const total = given.reduce((sum, o) => sum + o.length + 64, 1024) +
    byteLength(kernel.result) + scratch;
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
  const addresses = given.map((operand) => {
    const address = place(operand.length);
    bytes.set(operand, address);
    return address;
  });
  const result = place(byteLength(kernel.result));
  if (kernel.update) bytes.set(operands[kernel.update.operand], result);
  const own = place(scratch);
  const before = bytes.slice();
  const { run } = new WebAssembly.Instance(
    new WebAssembly.Module(compiled.module),
    { env: { memory } },
  ).exports as { run: (...args: number[]) => void };
  const ends = [...cuts.map((c) => c % (compiled.units + 1)), compiled.units];
  let begin = 0;
  for (const end of ends.sort((a, b) => a - b)) {
    run(...addresses, result, iteration, begin, end, own);
    begin = end;
  }
  const found = bytes.slice(result, result + byteLength(kernel.result));
  bytes.set(before.subarray(result, result + found.length), result);
  bytes.set(before.subarray(own, own + scratch), own);
  const stray = bytes.findIndex((byte, i) => byte !== before[i]);
  if (stray >= 0) {
    throw new ChainLearnError(
      `Cannot run "${kernel.name}": expected writes to ${result} .. ${
        result + found.length
      }, found one to ${stray}`,
      { exitCode: 1 },
    );
  }
  return found;
}
