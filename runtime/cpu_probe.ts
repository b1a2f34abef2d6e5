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
/** Milliseconds for each of the two ways. */
const TIME = 2.5;
/** Calls after which V8 has replaced its baseline code, at 60 us each at most; it does so between calls. */
const WARM_UP = 40;
/** How much faster it must be: less is within what a probe so short can tell. */
const MARGIN = 1.1;

let known: Promise<boolean> | undefined;

/** Whether the relaxed dot product exists, is right, and is faster; measured once in a process. */
export function isRelaxedFaster(): Promise<boolean> {
  return known ??= probe();
}

async function probe(): Promise<boolean> {
  try {
    const plain = await prepare("plain");
    const relaxed = await prepare("relaxed_constant");
    if (!plain.result().every((byte, i) => byte === relaxed.result()[i])) {
      return false;
    }
    return plain.time() > MARGIN * relaxed.time();
  } catch (error) {
    // An engine without relaxed SIMD refuses the module.
    if (error instanceof WebAssembly.CompileError) return false;
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
    result(): Uint8Array {
      once();
      return bytes.slice(result, result + 4 * ROWS * COLUMNS);
    },
    /** Milliseconds of the fastest pass. */
    time(): number {
      for (let i = 0; i < WARM_UP; i++) once();
      let best = Infinity;
      const end = performance.now() + TIME;
      for (let now = performance.now(); now < end;) {
        once();
        const after = performance.now();
        best = Math.min(best, after - now);
        now = after;
      }
      return best;
    },
  };
}
