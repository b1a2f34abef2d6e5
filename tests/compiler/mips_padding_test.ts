import { assertEquals } from "@std/assert";
import { interpret } from "../../compiler/kernel/interpreter.ts";
import { verifyKernel } from "../../compiler/kernel/verify.ts";
import { byteLength } from "../../compiler/ir.ts";
import { runLeaves, runWhole } from "../../compiler/conformance/mod.ts";
import { Random } from "../random.ts";
import { convolution, type ConvolutionShape } from "./mips_kernels.ts";

const SEED = 91_000;
const COUNT = Number(Deno.env.get("COUNT") ?? 40);

/** Any convolution with padding: strides, dilations and groups, channels that blocks of neighbours divide or not. */
function randomShape(random: Random): ConvolutionShape {
  const groups = random.pick([1, 1, 2, 4, 8]);
  const isDepthwise = random.bool();
  const channels = groups * random.pick([1, 2, 3, 5, 8]);
  const kernel = random.pick([1, 2, 3, 5]);
  const dilation = random.pick([1, 1, 2, 3]);
  const pad = random.below(4);
  const least = dilation * (kernel - 1) + 1 - 2 * pad;
  return {
    size: Math.max(least, 1) + random.below(6),
    inputs: channels,
    outputs: isDepthwise ? channels : groups * random.pick([1, 2, 4, 7]),
    groups: isDepthwise ? channels : groups,
    kernel,
    dilation,
    pad,
    stride: random.pick([1, 1, 2, 3]),
    padding: random.pick(["outside", "outside", "inside", "window"] as const),
    shiftsKnown: random.bool(),
  };
}

Deno.test("emitLeafProgram: pads any convolution as the interpreter does, by leaves and whole", () => {
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const random = new Random(seed);
    const shape = randomShape(random);
    try {
      const kernel = convolution(shape);
      verifyKernel(kernel);
      const operands = kernel.operands.map((type) =>
        random.bytes(byteLength(type))
      );
      const expected = interpret(kernel, operands, 0);
      assertEquals(runLeaves(kernel, operands, 0).result, expected);
      assertEquals(runWhole(kernel, operands, 0).result, expected);
    } catch (error) {
      throw new Error(`Seed ${seed}: ${JSON.stringify(shape)}`, {
        cause: error,
      });
    }
  }
});
