/**
 * Writes tests/vectors/models.json: the bundles that the models in models/ convert to, by hash and model root.
 *
 * A root that changes makes every bundle unloadable that was made before. So a change to what is emitted or laid out
 * needs a new FORMAT_VERSION (compiler/model/model_root.ts), and then a new run of this tool:
 *
 *     deno run -A tools/make_model_vectors.ts            write the file
 *     deno run -A tools/make_model_vectors.ts --print    print it instead
 */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { readCalibrationFile } from "../cli/convert.ts";
import {
  commitModel,
  convertOnnx,
  FORMAT_VERSION,
  inPhases,
  type Phases,
  writeBundle,
} from "../compiler/mod.ts";

const sources: readonly Source[] = [
  { name: "fashion_mlp", precision: "int16" },
  { name: "fashion_mlp", precision: "int8" },
  { name: "fashion_cnn", precision: "int16" },
  { name: "fashion_cnn", precision: "int8" },
  { name: "fashion_cnn", precision: "int16", phases: 1 },
  { name: "fashion_cnn", precision: "int16", phases: 2 },
];

/** One conversion; three phases unless it says otherwise. */
interface Source {
  readonly name: string;
  readonly precision: "int8" | "int16";
  readonly phases?: Phases;
}

const within = (path: string) =>
  fileURLToPath(new URL(`../${path}`, import.meta.url));

/** The bundle of a model in models/, as `chainlearn convert` writes it. */
export async function convertSource(
  { name, precision, phases = 3 }: Source,
): Promise<Uint8Array> {
  const folder = `models/${name}`;
  const labels = await Deno.readTextFile(within(`${folder}/labels.txt`));
  const { model } = convertOnnx(
    await Deno.readFile(within(`${folder}/${name}.onnx`)),
    {
      name,
      precision,
      calibration: await readCalibrationFile(
        within(`${folder}/${name}.calib.npz`),
      ),
      labels: labels.trimEnd().split("\n"),
    },
  );
  return writeBundle(commitModel(inPhases(model, phases)));
}

/** The file's text: one line for each conversion. */
export async function modelVectorsText(): Promise<string> {
  const rows: string[] = [];
  for (const source of sources) {
    const bundle = await convertSource(source);
    const text = new TextDecoder().decode(bundle.subarray(0, 100_000));
    rows.push(JSON.stringify({
      ...source,
      bytes: bundle.length,
      sha256: createHash("sha256").update(bundle).digest("hex"),
      modelRoot: /"modelRoot":"([0-9a-f]{64})"/.exec(text)?.[1],
    }));
  }
  return `{"formatVersion": ${FORMAT_VERSION}, "models": [\n${
    rows.join(",\n")
  }\n]}\n`;
}

if (import.meta.main) {
  const text = await modelVectorsText();
  if (Deno.args.includes("--print")) console.log(text.trimEnd());
  else {
    await Deno.writeTextFile(within("tests/vectors/models.json"), text);
  }
}
