import { assert, assertEquals } from "@std/assert";
import { runWasm } from "../../compiler/conformance/mod.ts";
import { erf } from "../../compiler/graph/deterministic_math.ts";
import { axis, call, load, operandsOf } from "../../compiler/kernel/build.ts";
import { withCallees } from "../../compiler/kernel/callees.ts";
import { defineKernel } from "../../compiler/kernel/define.ts";
import { interpret } from "../../compiler/kernel/interpreter.ts";
import { floatLibrary } from "../../compiler/lower/float_library.ts";
import { Random } from "../random.ts";

const COUNT = 2 ** 18;
const SEED = 31;

/** The function in doubles and the largest error, in units in the last place of the binary32 nearest to its value. */
const truths: Record<
  keyof typeof floatLibrary,
  { readonly of: (x: number) => number; readonly ulps: number }
> = {
  exp: { of: Math.exp, ulps: 1.3 },
  log: { of: Math.log, ulps: 1 },
  tanh: { of: Math.tanh, ulps: 1.5 },
  sigmoid: { of: (x) => 1 / (1 + Math.exp(-x)), ulps: 2.5 },
  erf: { of: erf, ulps: 1.5 },
  sin: { of: Math.sin, ulps: 1.7 },
  cos: { of: Math.cos, ulps: 1.7 },
};

function kernelOf(name: keyof typeof floatLibrary, count: number) {
  const type = { dtype: "f32", shape: [count] } as const;
  const [x] = operandsOf([type]);
  return defineKernel({
    name,
    operands: [type],
    result: type,
    functions: withCallees(Object.values(floatLibrary), [name]),
    body: call(floatLibrary[name], load(x, axis(0))),
  });
}

/** Any bits; numbers of every size up to 2^10; numbers near 0 and 1. */
function inputs(random: Random): Float32Array {
  const x = new Float32Array(COUNT);
  const bits = new Int32Array(x.buffer);
  for (let i = 0; i < COUNT; i++) {
    const unit = (random.below(2 ** 32) - 2 ** 31) / 2 ** 31;
    if (i % 3 === 0) bits[i] = random.below(2 ** 32) | 0;
    else if (i % 3 === 1) x[i] = unit * 2 ** (random.below(24) - 13);
    else x[i] = random.bool() ? 1 + unit / 4 : 20 * unit;
  }
  return x;
}

/** Distance of two neighbours at a binary32. */
function ulpOf(x: number): number {
  const bits = new Int32Array(Float32Array.of(Math.abs(x)).buffer)[0];
  return 2 ** (Math.max(bits >>> 23, 1) - 150);
}

for (const [name, { of, ulps }] of Object.entries(truths)) {
  Deno.test(`floatLibrary: ${name} is within ${ulps} units in the last place, with the right ends`, () => {
    const kernel = kernelOf(name as keyof typeof floatLibrary, COUNT);
    const x = inputs(new Random(SEED));
    const y = new Float32Array(
      runWasm(kernel, [new Uint8Array(x.buffer)], 0).slice().buffer,
    );
    x.forEach((x, i) => {
      const truth = of(x);
      const at = `${name}(${x}) (seed ${SEED}): expected ${truth}, found`;
      const nearest = Math.fround(truth);
      if (!Number.isFinite(nearest)) {
        assert(Object.is(y[i], nearest), `${at} ${y[i]}`);
      } else {
        const error = Math.abs(y[i] - truth) / ulpOf(nearest);
        assert(error <= ulps, `${at} ${y[i]}, ${error} units away`);
      }
    });
  });
}

Deno.test("floatLibrary: the interpreter gives the same bits", () => {
  const count = 2000;
  const x = inputs(new Random(SEED)).slice(0, count);
  for (const name of Object.keys(floatLibrary)) {
    const kernel = kernelOf(name as keyof typeof floatLibrary, count);
    const bytes = [new Uint8Array(x.buffer)];
    assertEquals(interpret(kernel, bytes, 0), runWasm(kernel, bytes, 0), name);
  }
});
