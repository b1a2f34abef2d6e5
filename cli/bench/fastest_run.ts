/**
 * Times a model's fastest run here and in onnxruntime, which comes from npm in a process of its own.
 */
import { fileURLToPath } from "node:url";
import { elementCount, type Model } from "../../compiler/mod.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import { createCpuExecutor } from "../../runtime/mod.ts";
import { exists } from "../files.ts";
import type { BenchContext } from "./group.ts";

/** Seconds that each runtime is measured for. */
const SECONDS = 3;
export const WEB = "onnxruntime-web@1.30.0";
export const NATIVE = "onnxruntime-node@1.23.0";

/** Seconds of the fastest run of a model. */
export async function secondsOf(
  model: Model,
  threads: number,
  plain: boolean,
): Promise<number> {
  const executor = await createCpuExecutor(model, { threads, plain });
  try {
    const [{ slot }] = model.inputs;
    const { shape, dtype } = model.slots[slot].type;
    const values = new Uint8Array(elementCount(shape))
      .map((_, i) => (i * 7919 >> 3) % 128);
    const input = dtype === "f32"
      ? new Uint8Array(Float32Array.from(values, (x) => x / 64 - 1).buffer)
      : values;
    for (let i = 0; i < 40; i++) await executor.run([input]);
    let best = Infinity;
    const end = performance.now() + 1000 * SECONDS;
    while (performance.now() < end) {
      const started = performance.now();
      await executor.run([input], {
        keep: "model",
        onNode(_, node) {
          if (node < model.nodes.length - 1) return;
          best = Math.min(best, performance.now() - started);
        },
      });
    }
    return best / 1000;
  } finally {
    executor.close();
  }
}

/** Seconds of a peer's fastest run; undefined, and told why, where it does not run here. */
export async function peerSeconds(
  { say }: BenchContext,
  name: string,
  path: string,
  threads: number,
  input: { type: string; shape: readonly number[] },
): Promise<number | undefined> {
  const script = fileURLToPath(
    new URL("./onnxruntime_peer.ts", import.meta.url),
  );
  if (!await exists(script)) {
    throw new ChainLearnError(
      `Cannot measure peers: expected ${script}, found none`,
      { exitCode: 3, hint: "Run the benchmark from the project's sources" },
    );
  }
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-config", "--no-lock", "--node-modules-dir=none"],
      ...[script, name, path, `${threads}`, `${SECONDS}`],
      ...[input.type, input.shape.join("x")],
    ],
    stdin: "null",
  }).output();
  const line = new TextDecoder().decode(stdout).trim().split("\n").at(-1)!;
  if (success && line.startsWith("{")) {
    return JSON.parse(line).milliseconds / 1000;
  }
  say(
    `${name} does not run here: ${
      new TextDecoder().decode(stderr).trim().split("\n").at(-1)
    }`,
  );
  return undefined;
}
