/**
 * What a product of two int8 matrices costs on chain, `bench/Matmul.sol`: the reason not to do it there.
 *
 * The artifact lies beside the source and is no part of a deployment.
 */
import {
  type Abi,
  bytesToHex,
  createPublicClient,
  type Hex,
  hexToBytes,
  http,
} from "viem";
import { foundry } from "viem/chains";
import { ChainLearnError } from "../fpvm/mod.ts";
import type { Artifact } from "./artifacts.ts";
import file from "./bench/Matmul.json" with { type: "json" };
import { deployLocally, gasOfCall } from "./gas.ts";

const matmul: Artifact = {
  ...file,
  abi: file.abi as Abi,
  bytecode: file.bytecode as Hex,
};

/** Puts the contract on a local chain; returns its address. */
export async function matmulOnChain(rpcUrl: string): Promise<Hex> {
  return await deployLocally(rpcUrl, matmul);
}

/**
 * Multiplies two n by n matrices of int8, row-major, in a transaction; n is a multiple of 16.
 *
 * Returns the gas of the transaction and the n * n elements that a call of it gives, which the caller compares.
 */
export async function gasOfMatmul(
  rpcUrl: string,
  address: Hex,
  n: number,
  a: Int8Array,
  b: Int8Array,
): Promise<{ gas: number; product: Int32Array }> {
  const call = {
    address,
    abi: matmul.abi,
    functionName: "product",
    args: [BigInt(n), hexOf(a), hexOf(b)],
  };
  const reader = createPublicClient({
    chain: foundry,
    transport: http(rpcUrl),
  });
  const result = await reader.readContract(call);
  if (typeof result !== "string") {
    throw new ChainLearnError(
      `Cannot multiply on chain: expected bytes, found ${typeof result}`,
      { exitCode: 1 },
    );
  }
  const bytes = hexToBytes(result as Hex);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const product = Int32Array.from(
    { length: bytes.length / 4 },
    (_, i) => view.getInt32(4 * i),
  );
  return { gas: await gasOfCall(rpcUrl, call), product };
}

const hexOf = ({ buffer, byteOffset, byteLength }: Int8Array): Hex =>
  bytesToHex(new Uint8Array(buffer, byteOffset, byteLength));
