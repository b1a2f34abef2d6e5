/** The deterministic functions against the engine's, and at their edges. */
import { assert, assertEquals } from "@std/assert";
import {
  cos,
  decibels,
  erf,
  exp,
  log,
  powerOfTwo,
  sigmoid,
  sin,
  tanh,
} from "../../../compiler/graph/deterministic_math.ts";
import { Random } from "../../random.ts";

/** Largest relative difference over random arguments. */
function worst(
  f: (x: number) => number,
  g: (x: number) => number,
  argument: (u: number) => number,
): number {
  const random = new Random(7);
  let worst = 0;
  for (let i = 0; i < 20_000; i++) {
    const x = argument(random.u32() / 2 ** 32);
    const expected = g(x);
    const difference = Math.abs(f(x) - expected);
    worst = Math.max(worst, difference / (Math.abs(expected) || 1));
  }
  return worst;
}

Deno.test("exp: agrees with Math.exp to 1e-14", () => {
  assert(worst(exp, Math.exp, (u) => (u - 0.5) * 1400) < 1e-14);
  assert(worst(exp, Math.exp, (u) => u - 0.5) < 1e-15);
});

Deno.test("log: agrees with Math.log to 1e-14", () => {
  assert(worst(log, Math.log, (u) => 2 ** ((u - 0.5) * 2000)) < 1e-14);
  assert(worst(log, Math.log, (u) => 1.5 + u) < 1e-14);
  assert(worst((x) => log(x), Math.log, (u) => u * 2 ** -1022) < 1e-14);
});

Deno.test("tanh: agrees with Math.tanh to 1e-14", () => {
  assert(worst(tanh, Math.tanh, (u) => (u - 0.5) * 60) < 1e-14);
  assert(worst(tanh, Math.tanh, (u) => (u - 0.5) * 1e-3) < 1e-14);
});

Deno.test("sigmoid: agrees with 1 / (1 + e^-x) to 1e-14", () => {
  const expected = (x: number) => 1 / (1 + Math.exp(-x));
  assert(worst(sigmoid, expected, (u) => (u - 0.5) * 100) < 1e-14);
});

Deno.test("sin, cos: agree with Math.sin and Math.cos to 1e-10 below 2^20, and are NaN beyond", () => {
  const absolute = (f: typeof sin, g: typeof sin, size: number) =>
    worst((x) => 2 + f(x), (x) => 2 + g(x), (u) => (u - 0.5) * size);
  for (const [f, g] of [[sin, Math.sin], [cos, Math.cos]]) {
    assert(absolute(f, g, 20) < 1e-14);
    assert(absolute(f, g, 2 ** 21) < 1e-10);
    assertEquals([f(2 ** 20), f(NaN), f(-Infinity)], [NaN, NaN, NaN]);
  }
});

Deno.test("erf: agrees with tabulated values to 1e-14 (Abramowitz and Stegun, table 7.1), and both of its forms agree", () => {
  const table = [
    [0, 0],
    [0.1, 0.1124629160182849],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [2.5, 0.999593047982555],
    [3, 0.9999779095030014],
  ];
  for (const [x, expected] of table) {
    assert(Math.abs(erf(x) - expected) < 1e-14, `${x}: ${erf(x)}`);
    assertEquals(erf(-x) + erf(x), 0);
  }
  assert(Math.abs(erf(2.5) - erf(2.5000000001)) < 1e-12);
  assertEquals([erf(7), erf(-Infinity), erf(NaN)], [1, -1, NaN]);
});

Deno.test("exp, log, tanh: edges", () => {
  assertEquals(
    [exp(0), exp(-Infinity), exp(Infinity), exp(NaN), exp(800), exp(-800)],
    [1, 0, Infinity, NaN, Infinity, 0],
  );
  assertEquals(
    [log(1), log(0), log(-1), log(Infinity), log(NaN)],
    [0, -Infinity, NaN, Infinity, NaN],
  );
  assertEquals([tanh(0), tanh(50), tanh(-50), tanh(NaN)], [0, 1, -1, NaN]);
  assertEquals([powerOfTwo(-1022), powerOfTwo(1023)], [2 ** -1022, 2 ** 1023]);
  assert(Math.abs(decibels(1000) - 30) < 1e-13);
});
