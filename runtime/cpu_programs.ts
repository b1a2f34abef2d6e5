/**
 * Which WebAssembly each node runs: one program for each kernel and way of using its constants.
 *
 * The relaxed dot product is taken where the machine is faster with it (see `cpu_probe.ts`); by which
 * operand it is exact is decided by a scan of the bytes that will run. The choice never changes a byte.
 */
import {
  type Dot,
  fitsSevenBits,
  type Kernel,
  type Model,
  type Node,
  verifyKernel,
  type WasmTarget,
} from "../compiler/mod.ts";
import { isRelaxedFaster, isTwiceRelaxedFaster } from "./cpu_probe.ts";
import { codeKey, type CompiledKernel, compiledKernel } from "./wasm_cache.ts";

/** A compiled kernel; equal ones are one program. */
export interface Program extends CompiledKernel {
  /** Its place in the list of programs. */
  readonly number: number;
}

/** What a node runs. */
export interface Assignment {
  readonly program: Program;
  /** Operations of the kernel's whole result. */
  readonly work: number;
}

export interface ProgramOptions {
  /** Whether the memory is shared. */
  readonly shared: boolean;
  /** Products by pairs alone, whatever the machine is faster with. */
  readonly plain?: boolean;
}

/** Compiles what the nodes need; kernels are verified: a load out of range would read other tensors. */
export async function compilePrograms(
  model: Model,
  { shared, plain }: ProgramOptions,
): Promise<Assignment[]> {
  const relaxed = !plain && model.kernels.some(mayRelax) &&
    await isRelaxedFaster();
  const otherwise: Dot = relaxed && await isTwiceRelaxedFaster()
    ? "relaxed_computed"
    : "plain";
  const work = model.kernels.map((k) => verifyKernel(k).work.total);
  const sevenBits = new Map<number, boolean>();
  const keys = new Map<string, string>();
  const compiled = new Map<string, Promise<Program>>();
  let number = 0;
  const assignments = model.nodes.map(async (node) => {
    const kernel = model.kernels[node.kernel];
    const constants = node.operands.flatMap((ref, i) =>
      ref.kind === "weight" ? [i] : []
    );
    const dot: Dot = !mayRelax(kernel)
      ? "plain"
      : relaxed && hasSevenBits(model, node, sevenBits)
      ? "relaxed_constant"
      : otherwise;
    const short = `${node.kernel} ${constants} ${dot}`;
    const target = { shared, constants, schedule: { dot } };
    const key = keys.get(short) ?? codeKey(kernel, target);
    keys.set(short, key);
    if (!compiled.has(key)) {
      compiled.set(key, compile(kernel, target, key, number++));
    }
    const program = await compiled.get(key)!;
    return { program, work: work[node.kernel] };
  });
  return await Promise.all(assignments);
}

async function compile(
  kernel: Kernel,
  target: WasmTarget,
  key: string,
  number: number,
): Promise<Program> {
  return { number, ...await compiledKernel(kernel, target, key) };
}

/** Whether a kernel could have products of i8 at all. */
function mayRelax({ operands }: Kernel): boolean {
  return operands.filter((o) => o.dtype === "i8").length >= 2;
}

/** Whether the relaxed dot product is exact by a node's constants: all of those of i8 are in -64..63. */
function hasSevenBits(
  model: Model,
  node: Node,
  known: Map<number, boolean>,
): boolean {
  return node.operands.every((ref) => {
    if (ref.kind !== "weight") return true;
    const { type, bytes } = model.constants[ref.index];
    if (type.dtype !== "i8") return true;
    const fits = known.get(ref.index) ?? fitsSevenBits(bytes);
    known.set(ref.index, fits);
    return fits;
  });
}
