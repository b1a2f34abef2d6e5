/**
 * Why not on chain: what a Solidity product of int8 matrices costs, beside one dispute about such a product.
 *
 * Measured for n = 16, 32, 64 and extrapolated to 1000 by the cubic through these points: no block has room for more.
 */
import {
  axis,
  type Commitment,
  commitModel,
  defineKernel,
  load,
  type Model,
  mul,
  operandsOf,
  sum,
  validateModel,
} from "../../compiler/mod.ts";
import { gasOfMatmul, matmulOnChain, startAnvil } from "../../contracts/mod.ts";
import { drawsFrom } from "../../dispute/mod.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import { formatCount } from "../terminal.ts";
import { playFaults } from "./arena.ts";
import type { BenchContext, Measures } from "./group.ts";

const SIZES = [16, 32, 64] as const;
const LARGE = 1000;

/** Bytes of n by n int8 elements, drawn. */
function drawMatrix(n: number, seed: number): Int8Array {
  const draw = drawsFrom(seed);
  return Int8Array.from({ length: n * n }, () => draw(256) - 128);
}

/** Row by column, for the comparison. */
function product(n: number, a: Int8Array, b: Int8Array): Int32Array {
  return Int32Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let total = 0;
    for (let k = 0; k < n; k++) total += a[i * n + k] * b[k * n + j];
    return total;
  });
}

/** Value at n of c3 n^3 + c2 n^2 + c0 through three points; a linear part would be lost in the others. */
export function extrapolateCubic(
  points: ReadonlyMap<number, number>,
  n: number,
): number {
  const [[x, fx], [y, fy], [z, fz]] = [...points];
  // Differences leave c3 and c2.
  const [p, q] = [(fy - fx) / (y * y - x * x), (fz - fx) / (z * z - x * x)];
  const ratio = (m: number) => (m ** 3 - x ** 3) / (m * m - x * x);
  const cubic = (q - p) / (ratio(z) - ratio(y));
  const square = p - cubic * ratio(y);
  const rest = fx - cubic * x ** 3 - square * x * x;
  return Math.round(cubic * n ** 3 + square * n * n + rest);
}

/** A model of one product of that size; the matrices are a slot's first value and a constant. */
function productModel(n: number, seed: number): Commitment {
  const matrix = { dtype: "i8", shape: [n, n] } as const;
  const result = { dtype: "i32", shape: [n, n] } as const;
  const [a, b] = operandsOf([matrix, matrix]);
  const bytes = (salt: number) =>
    new Uint8Array(drawMatrix(n, seed + salt).buffer);
  const model: Model = {
    name: `product_${n}`,
    mode: "fixed",
    kernels: [defineKernel({
      name: "product",
      operands: [matrix, matrix],
      result,
      body: sum(n, (k) => mul(load(a, axis(0), k), load(b, k, axis(1)))),
    })],
    nodes: [{
      name: "product",
      kernel: 0,
      operands: [{ kind: "slot", index: 1 }, { kind: "weight", index: 0 }],
      result: 0,
      whole: false,
      lineage: ["product"],
    }],
    constants: [{ name: "b", type: matrix, bytes: bytes(1) }],
    slots: [
      { name: "c", type: result },
      { name: "a", type: matrix, initial: bytes(0) },
      { name: "x", type: { dtype: "u8", shape: [32] } },
    ],
    // Every request has an input; this one is not looked at.
    inputs: [{ name: "x", slot: 2, role: "data", accepts: { kind: "tensor" } }],
    outputs: [{ name: "c", slot: 0, scale: 1 }],
    schedule: { kind: "fixed", iterations: 1 },
    kept: 1,
  };
  validateModel(model);
  return commitModel(model);
}

/** Multiplies on chain, checks the products, and plays one dispute about a product of the large size. */
export async function measureOnchain(
  { seed, say }: BenchContext,
): Promise<Measures> {
  await using anvil = await startAnvil();
  const address = await matmulOnChain(anvil.rpcUrl);
  const points = new Map<number, number>();
  for (const n of SIZES) {
    const [a, b] = [drawMatrix(n, seed), drawMatrix(n, seed + 1)];
    const found = await gasOfMatmul(anvil.rpcUrl, address, n, a, b);
    const expected = product(n, a, b);
    if (found.product.some((x, i) => x !== expected[i])) {
      throw new ChainLearnError(
        `Cannot trust the product on chain: expected that of two ${n}x${n} matrices, found another`,
        { exitCode: 1 },
      );
    }
    points.set(n, found.gas);
    say(
      `Product of two ${n}x${n} int8 matrices on chain: ${
        formatCount(found.gas)
      } gas`,
    );
  }
  const large = extrapolateCubic(points, LARGE);
  const commitment = productModel(LARGE, seed);
  const cases = [[new Uint8Array(32)]];
  const [dispute] = await playFaults({ commitment, cases, seed }, [{
    step: 0,
  }]);
  say(
    `${LARGE}x${LARGE}: about ${formatCount(large)} gas, ${
      Math.round(large / 36e6)
    } blocks of 36 million; a dispute about it: ${
      formatCount(dispute.gas)
    } gas in ${dispute.transactions} transactions`,
  );
  return { "gas.onchainMatmul1000": large };
}
