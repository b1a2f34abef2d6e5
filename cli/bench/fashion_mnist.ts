/** Fashion-MNIST's test set from its IDX files, gzipped or not. */
import { gunzipSync } from "fflate";
import { join } from "node:path";
import { ChainLearnError } from "../../fpvm/mod.ts";
import { exists, readFile } from "../files.ts";

export interface TestSet {
  /** 28 x 28 bytes each. */
  readonly images: readonly Uint8Array[];
  readonly labels: Uint8Array;
}

const IMAGES = 0x803;
const LABELS = 0x801;

async function readIdx(
  folder: string,
  name: string,
  magic: number,
): Promise<{ counts: number[]; values: Uint8Array }> {
  const plain = join(folder, name);
  const path = await exists(plain) ? plain : `${plain}.gz`;
  if (!await exists(path)) {
    throw new ChainLearnError(
      `Cannot measure the accuracy: expected ${path}, found none`,
      {
        exitCode: 3,
        hint:
          "Install the package dataset-fashion-mnist, or name the folder of its files: --data",
      },
    );
  }
  const damaged = (found: string) =>
    new ChainLearnError(
      `Cannot read data ${path}: expected an IDX file, found ${found}`,
    );
  const packed = await readFile(path, "data");
  let bytes = packed;
  try {
    if (path.endsWith(".gz")) bytes = gunzipSync(packed);
  } catch {
    throw damaged("a damaged archive");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = 4 + 4 * (magic & 255);
  if (bytes.length < header || view.getUint32(0) !== magic) {
    throw damaged("other contents");
  }
  const counts = Array.from(
    { length: magic & 255 },
    (_, i) => view.getUint32(4 + 4 * i),
  );
  const values = bytes.subarray(header);
  if (values.length !== counts.reduce((a, b) => a * b)) {
    throw damaged(`${values.length} values of [${counts}]`);
  }
  return { counts, values };
}

/** Reads pictures and labels of the test set. */
export async function readTestSet(folder: string): Promise<TestSet> {
  const pictures = await readIdx(folder, "t10k-images-idx3-ubyte", IMAGES);
  const labels = await readIdx(folder, "t10k-labels-idx1-ubyte", LABELS);
  const [count, height, width] = pictures.counts;
  if (count !== labels.counts[0]) {
    throw new ChainLearnError(
      `Cannot read data in ${folder}: expected as many labels as pictures, found ${
        labels.counts[0]
      } and ${count}`,
    );
  }
  const size = height * width;
  const images = Array.from(
    { length: count },
    (_, i) => pictures.values.subarray(size * i, size * (i + 1)),
  );
  return { images, labels: labels.values };
}
