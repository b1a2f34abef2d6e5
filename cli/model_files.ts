/**
 * A model as the chain commands take it: a bundle as it is, an ONNX file converted in memory with what lies beside it.
 */
import {
  type Commitment,
  commitModel,
  convertOnnx,
  validateModel,
} from "../compiler/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import { openBundle } from "./bundles.ts";
import { labelsFor, readCalibrationFile } from "./convert.ts";
import { exists, readFile, stem } from "./files.ts";

/** Reads and commits a model of either kind; an ONNX file needs calibration data beside it. */
export async function openModel(path: string): Promise<Commitment> {
  if (!path.endsWith(".onnx")) return await openBundle(path);
  const bytes = await readFile(path, "model");
  const beside = path.replace(/\.[^.]+$/, ".calib.npz");
  if (!await exists(beside)) {
    throw new ChainLearnError(
      `Cannot convert ${path}: expected calibration data in ${beside}, found none`,
      { hint: "Write sample inputs there, or give a bundle (.clm)." },
    );
  }
  const { model } = convertOnnx(bytes, {
    name: stem(path),
    calibration: await readCalibrationFile(beside),
    labels: await labelsFor(path),
  });
  validateModel(model);
  return commitModel(model);
}
