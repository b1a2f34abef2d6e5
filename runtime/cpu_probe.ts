/**
 * Finds out in a few milliseconds whether this machine is faster with the relaxed dot product.
 *
 * It is one instruction where there is AVX-VNNI or its like, and several elsewhere. Both ways compute the
 * same small product, with extreme values, and must agree: a machine on which they do not is never asked
 * to use it.
 */
import {
  add,
  axis,
  compileWasm,
  defineKernel,
  type Dot,
  load,
  mul,
  operandsOf,
  packConstant,
  sum,
  type TensorType,
} from "../compiler/mod.ts";

const [ROWS, COLUMNS, TERMS] = [24, 32, 256];
/** Calls of each way that count, by turns: by time alone, one that loses its core might have a single one. */
const CALLS = 40;
/**
 * Calls in V8's baseline code, 15 to 60 us each. It is replaced between calls by code two to four times as
 * fast, when a thread that may have to wait for a core has compiled that: a ratio of the two tells nothing.
 */
const FIRST_CALLS = 5;
/** Milliseconds until it must be replaced. */
const PATIENCE = 100;
/** How much faster it must be: less is within what a probe so short can tell. */
const MARGIN = 1.1;

let known: Promise<number> | undefined;

/** Whether the relaxed dot product exists, is right, and is faster in one pass; measured once in a process. */
export async function isRelaxedFaster(): Promise<boolean> {
  return await relaxedSpeed() > MARGIN;
}

/**
 * Whether it is faster in two passes as well, which bytes of any sign take. With AVX-VNNI it is; a CPU of AMD's
 * without has 1.2 times the plain speed in one pass and 0.6 in two.
 */
export async function isTwiceRelaxedFaster(): Promise<boolean> {
  return await relaxedSpeed() > 2 * MARGIN;
}

/** How many times as fast as the plain dot product the relaxed one is; 0 where it does not exist or is not right. */
function relaxedSpeed(): Promise<number> {
  return known ??= probe();
}

async function probe(): Promise<number> {
  try {
    const plain = await prepare("plain");
    const relaxed = await prepare("relaxed_constant");
    if (!plain.result().every((byte, i) => byte === relaxed.result()[i])) {
      return 0;
    }
    return speedup(plain.once, relaxed.once);
  } catch (error) {
    // An engine without relaxed SIMD refuses the module.
    if (error instanceof WebAssembly.CompileError) return 0;
    throw error;
  }
}

async function prepare(dot: Dot) {
  const operands: TensorType[] = [
    { dtype: "i8", shape: [ROWS, TERMS] },
    { dtype: "i8", shape: [COLUMNS, TERMS] },
  ];
  const [x, w] = operandsOf(operands);
  const kernel = defineKernel({
    name: "probe",
    operands,
    result: { dtype: "i32", shape: [ROWS, COLUMNS] },
    body: add(
      sum(TERMS, (k) => mul(load(x, axis(0), k), load(w, axis(1), k))),
      axis(1),
    ),
  });
  const { module, units, scratch, pack } = compileWasm(kernel, {
    constants: [1],
    schedule: { dot },
  });
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 65536 });
  const bytes = new Uint8Array(memory.buffer);
  const values = (count: number, extremes: readonly number[]) =>
    Uint8Array.from(
      { length: count },
      (_, i) => extremes[(i * i + (i >> 3)) % extremes.length],
    );
  const [at, own, result, free] = [1024, 16384, 65536, 81920];
  bytes.set(values(ROWS * TERMS, [128, 127, 255, 1, 130]), at);
  const weights = values(COLUMNS * TERMS, [192, 63, 255, 0, 1, 200]);
  bytes.set(packConstant(pack!, weights), own);
  if (own + pack!.bytes > result || free + scratch > bytes.length) {
    throw new RangeError("The probe's tensors overlap");
  }
  const compiled = await WebAssembly.compile(module);
  const instance = new WebAssembly.Instance(compiled, { env: { memory } });
  const run = instance.exports.run as (...args: number[]) => void;
  const once = () => run(at, own, result, 0, 0, units, free);
  return {
    once,
    result(): Uint8Array {
      once();
      return bytes.slice(result, result + 4 * ROWS * COLUMNS);
    },
  };
}

/** Fastest call of the one over the fastest call of the other; 1 where that cannot be told in time. */
function speedup(slow: () => void, fast: () => void): number {
  const ways = [slow, fast].map((once) => ({ once, first: 0, best: Infinity }));
  const end = performance.now() + PATIENCE;
  let settled = 0;
  for (let i = 0; settled < CALLS; i++) {
    for (const way of ways) {
      const started = performance.now();
      way.once();
      way.best = Math.min(way.best, performance.now() - started);
      if (i < FIRST_CALLS) way.first = way.best;
    }
    const isOptimized = ways.every(({ first, best }) => 1.5 * best < first);
    if (isOptimized) settled++;
    else if (performance.now() > end) return 1;
  }
  return ways[0].best / ways[1].best;
}
