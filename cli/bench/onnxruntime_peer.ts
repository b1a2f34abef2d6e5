/**
 * Measures a peer on an ONNX file, in a process of its own: onnxruntime-web or onnxruntime-node.
 *
 * Arguments: the package with its version, the file, threads, seconds. Prints the milliseconds of the
 * fastest run. A process has one number of threads, and no flag or cache of ours reaches it.
 */
interface Tensor {
  readonly data: ArrayLike<number | bigint>;
}

interface Session {
  readonly inputNames: readonly string[];
  readonly inputMetadata?: readonly {
    readonly type: string;
    readonly shape: readonly number[];
  }[];
  run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>>;
}

interface Runtime {
  readonly env: { wasm?: { numThreads: number } };
  readonly Tensor: new (
    type: string,
    data: unknown,
    shape: readonly number[],
  ) => Tensor;
  readonly InferenceSession: {
    create(model: Uint8Array, options: unknown): Promise<Session>;
  };
}

const [pkg, path, threads, seconds, type, shape] = Deno.args;
const module = await import(`npm:${pkg}`);
const runtime: Runtime = module.default ?? module;
const isWeb = pkg.startsWith("onnxruntime-web");
if (isWeb) runtime.env.wasm!.numThreads = Number(threads);
const session = await runtime.InferenceSession.create(
  Deno.readFileSync(path),
  isWeb
    ? { executionProviders: ["wasm"] }
    : { intraOpNumThreads: Number(threads), interOpNumThreads: 1 },
);
const dims = shape.split("x").map(Number);
const count = dims.reduce((a, b) => a * b);
const values = Array.from({ length: count }, (_, i) => (i * 7919 >> 3) % 128);
const input = new runtime.Tensor(
  type,
  type === "float32"
    ? Float32Array.from(values, (x) => x / 64 - 1)
    : Uint8Array.from(values),
  dims,
);
const feeds = { [session.inputNames[0]]: input };
for (let i = 0; i < 3; i++) await session.run(feeds);
let best = Infinity;
const end = performance.now() + 1000 * Number(seconds);
for (let now = performance.now(); now < end;) {
  await session.run(feeds);
  const after = performance.now();
  best = Math.min(best, after - now);
  now = after;
}
console.log(JSON.stringify({ milliseconds: best }));
Deno.exit(0);
