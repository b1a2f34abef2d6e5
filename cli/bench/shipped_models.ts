/** The models that come with the project, as the groups use them. */
import { join } from "node:path";
import {
  type Commitment,
  convertOnnx,
  type Model,
  validateModel,
} from "../../compiler/mod.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import { readCalibrationFile } from "../convert.ts";
import { exists, readFile } from "../files.ts";
import { readInputs } from "../inputs.ts";
import { openModel } from "../model_files.ts";

export const shippedModels = ["fashion_mlp", "fashion_cnn"] as const;
export type ShippedModel = (typeof shippedModels)[number];

/** Path of a shipped model's ONNX file; throws where the project's models are not at hand. */
export async function shippedPath(
  models: string,
  name: ShippedModel,
): Promise<string> {
  const path = join(models, name, `${name}.onnx`);
  if (await exists(path)) return path;
  throw new ChainLearnError(
    `Cannot find the model ${name}: expected ${path}, found none`,
    { exitCode: 3, hint: "Name the project's folder of models: --models" },
  );
}

/** The model in fixed mode, as `convert` makes it. */
export async function fixedModel(
  models: string,
  name: ShippedModel,
): Promise<Commitment> {
  return await openModel(await shippedPath(models, name));
}

/** The model in another precision; not committed. */
export async function modelOfPrecision(
  models: string,
  name: ShippedModel,
  precision: "float" | "int8",
): Promise<Model> {
  const path = await shippedPath(models, name);
  const calibration = precision === "float"
    ? undefined
    : await readCalibrationFile(path.replace(/\.onnx$/, ".calib.npz"));
  const bytes = await readFile(path, "model");
  const { model } = convertOnnx(bytes, { name, precision, calibration });
  validateModel(model);
  return model;
}

/** Inputs of the first pictures that lie beside a model. */
export async function shippedInputs(
  models: string,
  { model }: Commitment,
  count: number,
): Promise<Uint8Array[][]> {
  const folder = join(models, model.name, "pictures");
  const names = await Array.fromAsync(Deno.readDir(folder), (e) => e.name)
    .catch(() => []);
  const pictures = names.filter((name) => name.endsWith(".png")).sort();
  if (pictures.length < count) {
    throw new ChainLearnError(
      `Cannot take inputs of ${model.name}: expected ${count} pictures in ${folder}, found ${pictures.length}`,
      { exitCode: 3 },
    );
  }
  return await Promise.all(
    pictures.slice(0, count).map((name) =>
      readInputs([join(folder, name)], model)
    ),
  );
}
