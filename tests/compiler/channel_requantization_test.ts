import { assertEquals } from "@std/assert";
import {
  ChannelRequantization,
  largestSum,
} from "../../compiler/lower/channel_requantization.ts";
import * as b from "../../compiler/kernel/build.ts";
import { defineKernel } from "../../compiler/kernel/define.ts";
import { interpret } from "../../compiler/kernel/interpreter.ts";
import { verifyKernel } from "../../compiler/kernel/verify.ts";
import { runLeaves } from "../../compiler/conformance/mod.ts";
import { requantizeNumber } from "../../compiler/quantize/multiplier.ts";
import { Random } from "../random.ts";

const CHANNELS = 8;
const LARGEST = 500_000;
const SEED = 77_000;

/** Shifts of all ranges and between them, low ones that are raised, and ones that no form holds. */
const RANGES: readonly (readonly [number, number])[] = [
  [33, 48],
  [40, 55],
  [47, 62],
  [34, 56],
  [31, 40],
  [29, 44],
  [25, 33],
  [20, 30],
  [1, 62],
];

Deno.test("ChannelRequantization: every form gives the one rule's values, in the interpreter and in the machine", () => {
  for (const [i, [least, most]] of RANGES.entries()) {
    const random = new Random(SEED + i);
    const channel = (draw: (c: number) => number) =>
      Int32Array.from({ length: CHANNELS }, (_, c) => draw(c));
    const parameters = {
      bias: channel(() => random.below(2001) - 1000),
      // The last channel is one of zeros only: its shift is 1, outside of every range.
      m: channel((c) =>
        c === CHANNELS - 1 ? 0 : 2 ** 30 + random.below(2 ** 30)
      ),
      s: channel((c) =>
        c === 0
          ? least
          : c === CHANNELS - 1
          ? 1
          : least + random.below(most - least + 1)
      ),
    };
    const bounds = { lo: -128, hi: 127 };
    const channels = new ChannelRequantization({ parameters, bounds }, LARGEST);
    const constant = channels.operand([CHANNELS]);
    const types = [
      { dtype: "i32", shape: [4, CHANNELS] },
      constant.type,
    ] as const;
    const [x, q] = b.operandsOf(types);
    const kernel = defineKernel({
      name: `requantize from ${least} to ${most}`,
      operands: types,
      result: { dtype: "i8", shape: [4, CHANNELS] },
      body: channels.apply(b.load(x, b.axis(0), b.axis(1)), q, [b.axis(1)]),
    });
    verifyKernel(kernel);
    const accumulators = Int32Array.from(
      { length: 4 * CHANNELS },
      (_, at) =>
        [LARGEST, -LARGEST][at] ?? random.below(2 * LARGEST + 1) - LARGEST,
    );
    if (constant.kind !== "constant") throw new Error("Expected a constant");
    const operands = [new Uint8Array(accumulators.buffer), constant.bytes];
    const expected = Int8Array.from(accumulators, (acc, at) => {
      const c = at % CHANNELS;
      const { bias, m, s } = parameters;
      return requantizeNumber(acc + bias[c], m[c], s[c], bounds);
    });
    const found = interpret(kernel, operands, 0);
    assertEquals([...new Int8Array(found.buffer)], [...expected], kernel.name);
    assertEquals(runLeaves(kernel, operands, 0).result, found, kernel.name);
  }
});

Deno.test("largestSum: takes the dearest channel at the type's largest magnitude", () => {
  assertEquals(largestSum([1, -2, 3, -4], 2, "i8"), 7 * 128);
  assertEquals(largestSum([1, -2, 3, -4], 2, "u8"), 7 * 255);
  assertEquals(largestSum([1, -2, 3, -4], 4, "i16"), 4 * 32768);
});
