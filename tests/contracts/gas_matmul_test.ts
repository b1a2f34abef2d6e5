import { assert, assertEquals, assertRejects } from "@std/assert";
import { startAnvil } from "../../contracts/anvil.ts";
import {
  artifactJson,
  compileAll,
  MAX_CODE_BYTES,
  readSources,
} from "../../contracts/build.ts";
import { gasOfMatmul, matmulOnChain } from "../../contracts/gas_matmul.ts";
import { extrapolateCubic } from "../../cli/bench/gas_onchain.ts";
import { Random } from "../random.ts";

const folder = new URL("../../contracts/bench/", import.meta.url);

Deno.test("contracts/bench: every contract compiles to its artifact and is small enough to deploy", async () => {
  for (const artifact of compileAll(await readSources(folder))) {
    const { contractName, deployedBytes } = artifact;
    const committed = await Deno.readTextFile(
      new URL(`${contractName}.json`, folder),
    );
    assert(
      artifactJson(artifact) === committed,
      `${contractName}: run tools/build_contracts.ts`,
    );
    assert(deployedBytes <= MAX_CODE_BYTES, contractName);
  }
});

/** Row by column. */
function multiply(n: number, a: Int8Array, b: Int8Array): Int32Array {
  return Int32Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let sum = 0;
    for (let k = 0; k < n; k++) sum += a[i * n + k] * b[k * n + j];
    return sum;
  });
}

Deno.test("Matmul.product multiplies int8 matrices, extreme elements included", async () => {
  const seed = 7;
  const random = new Random(seed);
  await using anvil = await startAnvil();
  const address = await matmulOnChain(anvil.rpcUrl);
  for (const n of [16, 48]) {
    const draw = () =>
      Int8Array.from({ length: n * n }, () => random.below(256));
    const fill = (value: number) => new Int8Array(n * n).fill(value);
    const cases = [
      [draw(), draw()],
      [fill(-128), fill(-128)],
      [fill(-128), fill(127)],
      [draw(), fill(-128)],
      [fill(0), draw()],
    ];
    for (const [i, [a, b]] of cases.entries()) {
      const { product } = await gasOfMatmul(anvil.rpcUrl, address, n, a, b);
      assertEquals(
        product,
        multiply(n, a, b),
        `n ${n}, case ${i}, seed ${seed}`,
      );
    }
  }
  const odd = new Int8Array(100);
  await assertRejects(
    () => gasOfMatmul(anvil.rpcUrl, address, 10, odd, odd),
    Error,
    "WrongSize",
  );
});

Deno.test("extrapolateCubic goes through its points and gives what a cubic gives", () => {
  const gas = (n: number) => 4 * n ** 3 + 150 * n ** 2 + 30_000;
  const points = new Map([16, 32, 64].map((n) => [n, gas(n)]));
  for (const n of [16, 64, 1000]) {
    assertEquals(extrapolateCubic(points, n), gas(n));
  }
});
