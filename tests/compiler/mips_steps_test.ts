/** Steps of leaf programs are known before they run: no branch on data, and the worst case is reached. */
import { assert, assertEquals } from "@std/assert";
import {
  conformanceKernels,
  randomKernel,
  runLeaves,
} from "../../compiler/conformance/mod.ts";
import { byteLength, type Kernel } from "../../compiler/ir.ts";
import { emitLeafProgram } from "../../compiler/mips/mod.ts";
import { leafOperands } from "../../compiler/conformance/mod.ts";
import { convertedModels } from "./converted_models.ts";
import {
  argMax,
  computesCounts,
  convolution,
  matmul,
  maxPool,
  saturatedAdd,
  softmax,
  wideMatmul,
} from "./mips_kernels.ts";
import { leafState, traceData } from "./mips_taint.ts";
import { Random } from "../random.ts";

const isExact = ({ body, functions }: Kernel) =>
  ![body, ...functions.map((f) => f.body)].some(computesCounts);

/** Random bytes, the least and the greatest numbers, zeros. */
function inputsOf(kernel: Kernel): Uint8Array[][] {
  const random = new Random(5);
  const filled = (byte: number) =>
    kernel.operands.map((t) => new Uint8Array(byteLength(t)).fill(byte));
  return [
    kernel.operands.map((t) => random.bytes(byteLength(t))),
    filled(0x80),
    filled(0x7f),
    filled(0),
  ];
}

/** Every leaf takes the same steps for all inputs, and the dearest as many as the program says. */
function checkSteps(kernel: Kernel, iteration: number): void {
  const runs = inputsOf(kernel).map((operands) =>
    runLeaves(kernel, operands, iteration)
  );
  for (const { steps } of runs) {
    assertEquals(steps, runs[0].steps, `steps of ${kernel.name}`);
  }
  const most = Math.max(...runs[0].steps);
  const { worstSteps } = runs[0].program;
  if (isExact(kernel)) assertEquals(worstSteps, most, kernel.name);
  else assert(worstSteps >= most, kernel.name);
}

/** No branch of a leaf's run reads a register that depends on an operand. */
function checkBranches(kernel: Kernel, iteration: number, leaf: number) {
  const program = emitLeafProgram(kernel, leafOperands(kernel));
  const [operands] = inputsOf(kernel);
  const state = leafState(kernel, { program }, operands, leaf, iteration);
  const traced = traceData(state, program.code);
  assertEquals(traced.found, undefined, `a branch of ${kernel.name} on data`);
  return traced;
}

const USUAL: readonly Kernel[] = [
  matmul([3, 40, 33]),
  matmul([2, 67, 16], { transposed: true }),
  wideMatmul([3, 24, 7]),
  convolution({ size: 6, inputs: 16, outputs: 8, kernel: 3, pad: 1 }),
  convolution({ size: 6, inputs: 8, outputs: 8, kernel: 3, pad: 1, groups: 8 }),
  convolution({ size: 8, inputs: 4, outputs: 12, kernel: 5, pad: 2 }),
  maxPool(9, 5, 2),
  argMax(37, 10, "i64"),
  softmax(5, 16),
  saturatedAdd([7, 24], "i16"),
  saturatedAdd([65], "i8"),
];

const STRAIGHT = conformanceKernels({ float: false });

Deno.test("emitLeafProgram: the worst case is reached, whatever the operands, by the usual operators", () => {
  for (const kernel of USUAL) checkSteps(kernel, 0);
});

Deno.test("emitLeafProgram: the worst case is reached, whatever the operands, by the conformance suite", () => {
  assert(STRAIGHT.filter(({ kernel }) => isExact(kernel)).length >= 60);
  for (const { kernel, iteration } of STRAIGHT) {
    // A program as long as all of its leaves together says nothing about leaves.
    const { program } = runLeaves(kernel, inputsOf(kernel)[0], iteration, [0]);
    if (program.worstSteps * byteLength(kernel.result) < 3e6) {
      checkSteps(kernel, iteration);
    }
  }
});

Deno.test("emitLeafProgram: the worst case is reached by every kernel of the shipped models", async () => {
  for (const { kernels } of await convertedModels()) {
    for (const kernel of kernels) {
      const [random, least] = inputsOf(kernel).map((operands) =>
        runLeaves(kernel, operands, 0)
      );
      assertEquals(random.steps, least.steps, kernel.name);
      assertEquals(
        Math.max(...random.steps),
        random.program.worstSteps,
        kernel.name,
      );
    }
  }
});

Deno.test("emitLeafProgram: no branch depends on an operand, in any emitted form", async () => {
  const models = await convertedModels();
  const cases = [
    ...USUAL.map((kernel) => ({ kernel, iteration: 0 })),
    ...STRAIGHT,
    ...models.flatMap(({ kernels }) =>
      kernels.map((kernel) => ({ kernel, iteration: 0 }))
    ),
    ...Array.from(
      { length: 100 },
      (_, i) => randomKernel(new Random(900 + i), { float: false }),
    ),
  ];
  let [branches, loads] = [0, 0];
  for (const { kernel, iteration } of cases) {
    const leaves = Math.ceil(byteLength(kernel.result) / 32);
    const traced = checkBranches(kernel, iteration, leaves >> 1);
    branches += traced.branches;
    loads += traced.loads;
  }
  assert(branches > 10_000 && loads > 100_000, `${branches} ${loads}`);
});

Deno.test("traceData: finds a branch on an operand", () => {
  const kernel = saturatedAdd([32], "i32");
  const program = emitLeafProgram(kernel, leafOperands(kernel));
  const code = program.code.slice();
  const view = new DataView(code.buffer);
  // The first load of an operand is followed by a branch on it: lw, then bne that register, $zero.
  const at = Array.from({ length: code.length / 4 }, (_, i) => 4 * i)
    .filter((pc) => view.getUint32(pc, true) >>> 26 === 0x23).at(-1)!;
  const rt = (view.getUint32(at, true) >>> 16) & 31;
  view.setUint32(at + 4, (0x05 << 26 | rt << 21 | 1) >>> 0, true);
  const operands = inputsOf(kernel)[0];
  const state = leafState(
    kernel,
    { program: { ...program, code } },
    operands,
    0,
    0,
  );
  assertEquals(
    traceData(state, code).found?.startsWith(`${(at + 4).toString(16)}: bne`),
    true,
  );
});
