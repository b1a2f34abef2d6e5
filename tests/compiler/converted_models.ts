/** The shipped models in every fixed precision, as `convert` makes them; converted once for a test file. */
import { fileURLToPath } from "node:url";
import { readCalibrationFile } from "../../cli/convert.ts";
import { convertOnnx, type Model } from "../../compiler/mod.ts";

const within = (path: string) =>
  fileURLToPath(new URL(`../../models/${path}`, import.meta.url));

let converted: Promise<Model[]> | undefined;

/** fashion_mlp and fashion_cnn in int8 and int16. */
export function convertedModels(): Promise<Model[]> {
  return converted ??= Promise.all(
    ["fashion_mlp", "fashion_cnn"].flatMap((name) =>
      (["int8", "int16"] as const).map(async (precision) => {
        const bytes = await Deno.readFile(within(`${name}/${name}.onnx`));
        const calibration = await readCalibrationFile(
          within(`${name}/${name}.calib.npz`),
        );
        return convertOnnx(bytes, { name, precision, calibration }).model;
      })
    ),
  );
}
