/**
 * One kernel on given operands, compiled for the CPU and run once in a memory of its own.
 *
 * For whoever needs one node of a model that is too large to be loaded; whole models are executors' matter.
 */
import {
  byteLength,
  compileWasm,
  type Kernel,
  verifyKernel,
} from "../compiler/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";

const PAGE = 65536;
const MAX_PAGES = 65536;
/** Calls that the work is cut into, so that V8 leaves its baseline code on the way. */
const PARTS = 64;

/**
 * Result bytes of the kernel in that iteration; the same as `interpret` gives.
 * Throws a ChainLearnError where operands and result need more than 4 GiB.
 */
export function runKernel(
  kernel: Kernel,
  operands: readonly Uint8Array[],
  iteration: number,
): Uint8Array {
  verifyKernel(kernel);
  let end = 64;
  const place = (bytes: number) => {
    const address = end;
    end += Math.ceil((bytes + 16) / 64) * 64;
    return address;
  };
  const addresses = operands.map((operand) => place(operand.length));
  const length = byteLength(kernel.result);
  const result = place(length);
  const pages = Math.ceil(end / PAGE);
  if (pages >= MAX_PAGES) {
    throw new ChainLearnError(
      `Cannot run kernel "${kernel.name}": expected at most 4 GiB of tensors, found ${end} bytes`,
      { exitCode: 3 },
    );
  }
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const bytes = new Uint8Array(memory.buffer);
  operands.forEach((operand, i) => bytes.set(operand, addresses[i]));
  if (kernel.update) bytes.set(operands[kernel.update.operand], result);
  const { module, units, grain } = compileWasm(kernel);
  const { run } = new WebAssembly.Instance(
    new WebAssembly.Module(module),
    { env: { memory } },
  ).exports as { run: (...args: number[]) => void };
  const part = Math.ceil(units / PARTS / grain) * grain;
  for (let begin = 0; begin < units; begin += part) {
    const last = Math.min(units, begin + part);
    run(...addresses, result, iteration, begin, last);
  }
  return bytes.slice(result, result + length);
}
