/**
 * What one call of a contract costs as a whole transaction: calldata, execution and the base fee of 21,000 gas.
 *
 * It sends real transactions to a local chain; the figures in docs and benchmarks come from here.
 */
import {
  type Abi,
  createPublicClient,
  createWalletClient,
  type Hex,
  http,
  type PublicClient,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { foundry } from "viem/chains";
import { ChainLearnError } from "../fpvm/mod.ts";
import { type Artifact, artifact } from "./artifacts.ts";

/** The first account that anvil funds. */
const FUNDED: Hex =
  "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

function walletOf(rpcUrl: string) {
  return createWalletClient({
    account: privateKeyToAccount(FUNDED),
    chain: foundry,
    transport: http(rpcUrl),
  });
}

function clientOf(rpcUrl: string): PublicClient {
  return createPublicClient({
    chain: foundry,
    transport: http(rpcUrl),
    pollingInterval: 5,
  });
}

/** Deploys a contract without constructor arguments on the local chain at `rpcUrl`; returns its address. */
export async function deployLocally(
  rpcUrl: string,
  { contractName, abi, bytecode }: Artifact,
): Promise<Hex> {
  const hash = await walletOf(rpcUrl).deployContract({ abi, bytecode });
  const { contractAddress } = await clientOf(rpcUrl)
    .waitForTransactionReceipt({ hash });
  if (!contractAddress) {
    throw new ChainLearnError(
      `Cannot deploy ${contractName}: expected a contract address, found none`,
      { exitCode: 3 },
    );
  }
  return contractAddress;
}

/** A call of one contract. */
export interface MeasuredCall {
  readonly address: Hex;
  readonly abi: Abi;
  readonly functionName: string;
  readonly args: readonly unknown[];
}

/** Gas of a transaction that only makes this call. Throws a {@linkcode ChainLearnError} when it reverts. */
export async function gasOfCall(
  rpcUrl: string,
  call: MeasuredCall,
): Promise<number> {
  const hash = await walletOf(rpcUrl).writeContract({
    ...call,
    // Set, so that no second execution estimates it.
    gas: 25_000_000n,
  });
  const { status, gasUsed } = await clientOf(rpcUrl)
    .waitForTransactionReceipt({ hash });
  if (status !== "success") {
    throw new ChainLearnError(
      `Cannot measure ${call.functionName}: expected the transaction to succeed, found a revert`,
      { exitCode: 1 },
    );
  }
  return Number(gasUsed);
}

/**
 * Gas of a transaction that only calls `step(witness)` of the machine at `address`.
 * Throws a {@linkcode ChainLearnError} when it reverts.
 */
export async function gasOfStep(
  rpcUrl: string,
  address: Hex,
  witness: Uint8Array,
): Promise<number> {
  return await gasOfCall(rpcUrl, {
    address,
    abi: artifact("StepVm").abi,
    functionName: "step",
    args: [`0x${witness.toHex()}`],
  });
}
