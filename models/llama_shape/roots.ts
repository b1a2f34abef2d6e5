/**
 * Tensor roots of generated weights: every tensor hashed in pieces, on all cores, none of them kept.
 *
 * 6.5 GiB are 210 million nodes of the tree: a minute where all cores together hash 3.5 million nodes a second.
 */
import { byteLength, type Constant } from "../../compiler/mod.ts";
import {
  ChainLearnError,
  hashPair,
  LEAF_BYTES,
  tensorRoot,
  treeHeight,
  zeroHash,
} from "../../fpvm/mod.ts";
import { streamBytes } from "./generated.ts";

/** Height of the pieces: 4 MiB. */
const PIECE_HEIGHT = 17;
const PIECE_BYTES = LEAF_BYTES * 2 ** PIECE_HEIGHT;

/** A generated tensor. */
export interface StreamedTensor {
  readonly name: string;
  readonly seed: number;
  readonly length: number;
}

/** The tensor's root, from pieces of 4 MiB. */
export function streamedRoot(
  { name, seed, length }: StreamedTensor,
): Uint8Array {
  const height = treeHeight(length);
  if (height <= PIECE_HEIGHT) {
    return tensorRoot(streamBytes(name, seed, length), height);
  }
  let level: Uint8Array[] = [];
  for (let at = 0; at < length; at += PIECE_BYTES) {
    const size = Math.min(PIECE_BYTES, length - at);
    level.push(tensorRoot(streamBytes(name, seed, size, at / 4), PIECE_HEIGHT));
  }
  for (let h = PIECE_HEIGHT; h < height; h++) {
    level = Array.from(
      { length: Math.ceil(level.length / 2) },
      (_, i) => hashPair(level[2 * i], level[2 * i + 1] ?? zeroHash(h)),
    );
  }
  return level[0];
}

/** Whether a constant is one of the streams; the others are small and computed. */
const isStreamed = ({ name, type }: Constant) =>
  treeHeight(byteLength(type)) >= PIECE_HEIGHT &&
  name.endsWith(".weight");

/**
 * Roots of all constants of a model with generated weights, in order. `progress` is told how many bytes are done.
 *
 * Threads need this file beside them; where they cannot start, in a bundle say, this thread does everything.
 */
export async function generatedRoots(
  constants: readonly Constant[],
  seed: number,
  threads: number,
  progress: (done: number, total: number) => void,
): Promise<Uint8Array[]> {
  const roots = new Array<Uint8Array>(constants.length);
  const total = constants.reduce((n, { type }) => n + byteLength(type), 0);
  let done = 0;
  const finish = (index: number, root: Uint8Array) => {
    roots[index] = root;
    done += byteLength(constants[index].type);
    progress(done, total);
  };
  const large: number[] = [];
  constants.forEach((constant, index) => {
    if (isStreamed(constant)) large.push(index);
    else finish(index, tensorRoot(constant.bytes));
  });
  // The largest first, so that no thread ends long after the others.
  const size = (index: number) => byteLength(constants[index].type);
  large.sort((a, b) => size(b) - size(a));
  const next = (): [number, StreamedTensor] | undefined => {
    const index = large.shift();
    if (index === undefined) return undefined;
    return [index, { name: constants[index].name, seed, length: size(index) }];
  };
  try {
    await Promise.all(
      Array.from({ length: threads }, () => hashOnThread(next, finish)),
    );
  } catch (error) {
    if (!(error instanceof ChainLearnError)) throw error;
  }
  constants.forEach((_, index) => {
    if (!roots[index]) {
      finish(
        index,
        streamedRoot({
          name: constants[index].name,
          seed,
          length: size(index),
        }),
      );
    }
  });
  return roots;
}

/** Has one worker hash tensors until there are none left. */
function hashOnThread(
  next: () => [number, StreamedTensor] | undefined,
  finish: (index: number, root: Uint8Array) => void,
): Promise<void> {
  const url = new URL("./roots_worker.ts", import.meta.url);
  return new Promise((resolve, reject) => {
    const worker = new Worker(url, { type: "module" });
    let index = -1;
    const go = () => {
      const job = next();
      if (!job) {
        worker.terminate();
        return resolve();
      }
      index = job[0];
      worker.postMessage(job[1]);
    };
    worker.onmessage = ({ data }: MessageEvent<Uint8Array>) => {
      finish(index, data);
      go();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      reject(
        new ChainLearnError(
          `Cannot start a thread: expected it to answer, found ${event.message}`,
          { exitCode: 3 },
        ),
      );
    };
    go();
  });
}
