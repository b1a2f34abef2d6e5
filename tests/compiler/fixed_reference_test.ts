/** The quantized graph's evaluator against the kernels, bit for bit, over every operator fixture. */
import { assert, assertEquals } from "@std/assert";
import {
  type Calibration,
  readCalibration,
} from "../../compiler/quantize/calibration_data.ts";
import type { Graph } from "../../compiler/graph/graph.ts";
import { importOnnx } from "../../compiler/import/onnx/importer.ts";
import { lowerFixed } from "../../compiler/lower/fixed_model.ts";
import { tensorBytes } from "../../compiler/lower/lowering.ts";
import { foldContractions } from "../../compiler/passes/fold.ts";
import { fuseMaps } from "../../compiler/passes/fuse.ts";
import { calibrate } from "../../compiler/quantize/calibrate.ts";
import { evaluateFixed } from "../../compiler/quantize/fixed_reference.ts";
import {
  quantizeMultiplier,
  quantizeTogether,
  requantizeNumber,
} from "../../compiler/quantize/multiplier.ts";
import { quantizeGraph } from "../../compiler/quantize/quantize.ts";
import type { Model } from "../../compiler/model/model.ts";
import { Random } from "../random.ts";
import {
  calibrationOf,
  fromBase64,
  interpretModel,
  operatorCases,
} from "./onnx_fixtures.ts";

function folded(bytes: Uint8Array, dims: Record<string, number>): Graph {
  const { graph, problems } = importOnnx(bytes, dims);
  assert(graph, problems.join("\n"));
  return foldContractions(fuseMaps(foldContractions(graph), "unary"));
}

/** Compares every node's stored integers on random inputs of the full stored range. */
function compare(
  name: string,
  graph: Graph,
  calibration: Calibration,
  precision: "int8" | "int16",
  random: Random,
): void {
  const samples = readCalibration(graph, calibration);
  const { observations } = calibrate(graph, samples, precision === "int8", 0);
  const fixed = quantizeGraph(graph, observations, precision);
  const assembled = lowerFixed(fixed);
  const inputs = fixed.inputs.map(({ node }) => {
    const { dtype, shape } = fixed.nodes[node];
    const count = shape.reduce((a, b) => a * b, 1);
    return Float64Array.from(
      { length: count },
      () =>
        dtype === "u8"
          ? random.below(256)
          : dtype === "i8"
          ? random.below(255) - 127
          : random.below(65535) - 32767,
    );
  });
  const expected = evaluateFixed(fixed, inputs);
  const model = {
    ...assembled,
    inputs: fixed.inputs.map((input, i) => ({
      name: input.name,
      slot: assembled.inputSlots[i],
    })),
  } as unknown as Model;
  const bytes = new Map(
    fixed.inputs.map(({ name, node }, i) => [
      name,
      tensorBytes(inputs[i], fixed.nodes[node].dtype),
    ]),
  );
  const slots = interpretModel(model, bytes);
  assembled.sources.forEach((id, i) => {
    assertEquals(
      slots[assembled.nodes[i].result],
      tensorBytes(expected[id], fixed.nodes[id].dtype),
      `${name} ${precision} ${assembled.nodes[i].name}, seed ${random.seed}`,
    );
  });
}

for (const precision of ["int16", "int8"] as const) {
  Deno.test(`evaluateFixed: equals the kernels bit for bit in ${precision}`, () => {
    const random = new Random(11);
    for (const testCase of operatorCases) {
      const graph = folded(fromBase64(testCase.model), testCase.dims);
      const calibration = calibrationOf(testCase);
      compare(testCase.name, graph, calibration, precision, random);
    }
  });
}

Deno.test("requantizeNumber: equals the rule in 64-bit integers", () => {
  const random = new Random(5);
  const bounds = { lo: -(2 ** 31), hi: 2 ** 31 - 1 };
  for (let i = 0; i < 20_000; i++) {
    const acc = random.u32() | 0;
    const m = random.below(2 ** 30) + 2 ** 30;
    const s = 1 + random.below(62);
    const exact = (BigInt(acc) * BigInt(m) + (1n << BigInt(s - 1))) >>
      BigInt(s);
    const clamped = Math.min(Math.max(Number(exact), bounds.lo), bounds.hi);
    assertEquals(
      requantizeNumber(acc, m, s, bounds),
      clamped,
      `${acc} ${m} ${s}`,
    );
  }
});

Deno.test("quantizeMultiplier: normalized, nearest, 0 for what never rounds up", () => {
  const random = new Random(6);
  for (let i = 0; i < 1000; i++) {
    const factor = (1 + random.below(2 ** 20)) / 2 ** random.below(50);
    const { m, s } = quantizeMultiplier(factor);
    if (factor < 2 ** -32) continue;
    assert(m >= 2 ** 30 && m < 2 ** 31 && s >= 1 && s <= 62, `${factor}`);
    assert(Math.abs(m / 2 ** s - factor) <= factor * 2 ** -31, `${factor}`);
  }
  assertEquals(quantizeMultiplier(0), { m: 0, s: 1 });
  assertEquals(quantizeMultiplier(2 ** -40), { m: 0, s: 1 });
  assertEquals(quantizeTogether([0.5, -0.25]), {
    multipliers: [2 ** 30, -(2 ** 29)],
    s: 31,
  });
});
