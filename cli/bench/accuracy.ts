/**
 * `accuracy`: top-1 of both shipped models over the whole test set, in float and in fixed mode, on the CPU executor.
 *
 * Float is the float mode of the same ONNX file, fixed the bundle that `convert` makes of it.
 */
import type { Model } from "../../compiler/mod.ts";
import { createCpuExecutor } from "../../runtime/mod.ts";
import { outputValues } from "../run.ts";
import { readTestSet, type TestSet } from "./fashion_mnist.ts";
import type { BenchContext, Measures } from "./group.ts";
import {
  fixedModel,
  modelOfPrecision,
  type ShippedModel,
  shippedModels,
} from "./shipped_models.ts";

/** Index of the largest value; the first where there are several. */
const argmax = (values: readonly number[]) =>
  values.indexOf(Math.max(...values));

/** Percent of the pictures whose largest output is their label. */
async function top1(
  model: Model,
  { images, labels }: TestSet,
): Promise<number> {
  const executor = await createCpuExecutor(model, { threads: 1 });
  try {
    let right = 0;
    for (const [i, image] of images.entries()) {
      const { outputs } = await executor.run([image]);
      const values = outputValues(model, model.outputs[0], outputs[0]);
      if (argmax(values) === labels[i]) right++;
    }
    return 100 * right / images.length;
  } finally {
    executor.close();
  }
}

async function measureModel(
  name: ShippedModel,
  set: TestSet,
  { models, say }: BenchContext,
): Promise<Measures> {
  const float = await top1(await modelOfPrecision(models, name, "float"), set);
  const fixed = await top1((await fixedModel(models, name)).model, set);
  const round = (points: number) => Math.round(points * 1e6) / 1e6;
  say(`${name}: float ${round(float)} %, fixed ${round(fixed)} %`);
  return {
    [`accuracy.${name}.float`]: round(float),
    [`accuracy.${name}.fixed`]: round(fixed),
    [`accuracy.${name}.delta`]: round(fixed - float),
  };
}

export async function measure(context: BenchContext): Promise<Measures> {
  const set = await readTestSet(context.data);
  let measures: Measures = {};
  for (const name of shippedModels) {
    measures = { ...measures, ...await measureModel(name, set, context) };
  }
  return measures;
}
