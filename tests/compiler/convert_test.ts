/** Every operator and attribute of the fixtures against the reference runtime, in float and fixed mode. */
import { assert, assertEquals } from "@std/assert";
import { convertOnnx } from "../../compiler/convert.ts";
import { validateModel } from "../../compiler/model/validate.ts";
import {
  calibrationOf,
  expectedOf,
  fromBase64,
  operatorCases,
  runCase,
  samples,
} from "./onnx_fixtures.ts";

/** Largest difference allowed, as a fraction of the output's largest magnitude. */
const TOLERANCE = { float: 1e-4, int16: 0.02, int8: 0.08 };

for (const precision of ["float", "int16", "int8"] as const) {
  Deno.test(`convertOnnx: every operator agrees with the reference in ${precision} mode`, () => {
    const problems: string[] = [];
    for (const testCase of operatorCases) {
      const calibration = precision === "float"
        ? undefined
        : calibrationOf(testCase);
      const { model } = convertOnnx(fromBase64(testCase.model), {
        name: testCase.name,
        precision,
        calibration,
        dims: testCase.dims,
      });
      validateModel(model);
      assertEquals(model.mode, precision === "float" ? "float" : "fixed");
      for (let sample = 0; sample < samples; sample++) {
        const results = runCase(model, testCase, sample);
        for (const [name, tensor] of Object.entries(testCase.outputs)) {
          const expected = expectedOf(tensor)[sample];
          const found = results.get(name)!;
          assertEquals(found.length, expected.length, testCase.name);
          const range = Math.max(...expectedOf(tensor).flat().map(Math.abs));
          const worst = Math.max(
            ...found.map((x, i) => Math.abs(x - expected[i])),
          );
          const exact = tensor.dtype.startsWith("int");
          const limit = exact ? 0 : TOLERANCE[precision] * range;
          if (!(worst <= limit)) {
            problems.push(
              `${testCase.name} ${name}: ${worst} of ${range} in sample ${sample}`,
            );
          }
        }
      }
    }
    assert(problems.length === 0, problems.join("\n"));
  });
}
