/**
 * Puts the four contracts on a chain: registry, machine, game, market.
 *
 * Game and market name each other, so the market's address is computed before the game is deployed.
 */
import { type Account, type Address, getContractAddress } from "viem";
import { artifact, type ArtifactName } from "./artifacts.ts";
import { chainFailure } from "./chain_error.ts";
import { type Connection, openConnection } from "./connection.ts";
import type { Limits } from "./market_types.ts";

/** Where the contracts are; plain JSON, kept by whoever deployed. */
export interface Deployment {
  readonly chainId: number;
  readonly registry: Address;
  readonly machine: Address;
  readonly game: Address;
  readonly market: Address;
  /** Block of the first contract, from which events are read. */
  readonly block: number;
}

/** Gas that each contract's deployment used. */
export type DeploymentGas = Record<
  "registry" | "machine" | "game" | "market",
  bigint
>;

/** Limits for a local chain and for tests: small stakes, short clocks. */
export const localLimits: Limits = {
  minStake: 10n ** 16n,
  minChallengerStake: 10n ** 15n,
  maxChallengerStake: 10n ** 19n,
  minShare: 10n ** 14n,
  minCompensation: 10n ** 12n,
  transactionGas: 120_000,
  minChallengePeriod: 10,
  minClock: 10,
  minRevealWindow: 10,
  maxChallengePeriod: 7 * 86_400,
  maxClock: 2 * 86_400,
  maxRevealWindow: 86_400,
  maxSubmitWindow: 7 * 86_400,
  maxCallbackGas: 2_000_000,
  maxReopenings: 8,
};

/** Deploys everything from one account; throws where another transaction of it came in between. */
export async function deploy(
  options: { rpcUrl: string; account: Account; limits: Limits },
): Promise<{ deployment: Deployment; gasUsed: DeploymentGas }> {
  const connection = await openConnection(options);
  const from = options.account.address;
  const start = await connection.ask(
    "deploy",
    () => connection.reader.getTransactionCount({ address: from }),
  );
  const at = (offset: number) =>
    getContractAddress({ from, nonce: BigInt(start + offset) });
  const [registry, machine, game, market] = [0, 1, 2, 3].map(at);
  const first = await create(connection, "Registry", registry, [
    options.limits,
  ]);
  const second = await create(connection, "StepVm", machine, []);
  const third = await create(connection, "DisputeGame", game, [
    market,
    machine,
    registry,
  ]);
  const fourth = await create(connection, "Market", market, [registry, game]);
  return {
    deployment: {
      chainId: connection.chainId,
      registry,
      machine,
      game,
      market,
      block: Number(first.blockNumber),
    },
    gasUsed: {
      registry: first.gasUsed,
      machine: second.gasUsed,
      game: third.gasUsed,
      market: fourth.gasUsed,
    },
  };
}

async function create(
  connection: Connection,
  name: ArtifactName,
  expected: Address,
  args: readonly unknown[],
) {
  const { abi, bytecode } = artifact(name);
  const receipt = await connection.create(
    `deploy ${name}`,
    abi,
    bytecode,
    args,
  );
  if (receipt.contractAddress?.toLowerCase() !== expected.toLowerCase()) {
    throw chainFailure(
      `deploy ${name}`,
      `the address ${expected}`,
      String(receipt.contractAddress),
      { hint: "Deploy from an account that sends nothing else meanwhile." },
    );
  }
  return receipt;
}
