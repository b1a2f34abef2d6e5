/**
 * A chain of one's own for the demonstration, campaigns and tests: anvil, the contracts, funded parties, a clock to turn.
 *
 * Blocks are mined when a transaction comes. The parties' keys derive from their names and are worth nothing.
 */
import { createTestClient, type Hex, http, keccak256, stringToHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { foundry } from "viem/chains";
import {
  type AnvilOptions,
  connect,
  deploy,
  type Deployment,
  type DeploymentGas,
  type Limits,
  localLimits,
  type MarketClient,
  type RegistrationTerms,
  startAnvil,
} from "../contracts/mod.ts";
import { DEFAULT_ROUNDS, type Rounds } from "./local_game.ts";

/** Ether that every party starts with. */
const FUNDS = 10n ** 22n;

/** An account on the local chain with its client; the key is the secret of its salts, too. */
export interface LocalParty {
  readonly market: MarketClient;
  readonly secret: Hex;
}

export interface LocalChain extends AsyncDisposable {
  readonly rpcUrl: string;
  readonly deployment: Deployment;
  readonly deploymentGas: DeploymentGas;
  /** A funded account of that name. */
  party(name: string): Promise<LocalParty>;
  /** Moves the chain's clock on and mines a block. */
  advance(seconds: number): Promise<void>;
  stop(): Promise<void>;
}

/** The private key of a local party: public knowledge. */
export function localKey(name: string): Hex {
  return keccak256(stringToHex(`ChainLearn local account ${name}`));
}

/** Moves a development chain's clock on and mines a block. */
export async function advanceTime(
  rpcUrl: string,
  seconds: number,
): Promise<void> {
  const client = developer(rpcUrl);
  await client.increaseTime({ seconds });
  await client.mine({ blocks: 1 });
}

/** Gives an account of a development chain ether to play with. */
export async function fund(rpcUrl: string, address: Hex): Promise<void> {
  await developer(rpcUrl).setBalance({ address, value: FUNDS });
}

const developer = (rpcUrl: string) =>
  createTestClient({ chain: foundry, mode: "anvil", transport: http(rpcUrl) });

/** Starts a chain and deploys the contracts; about a second. */
export async function startLocalChain(
  options: AnvilOptions & { limits?: Limits } = {},
): Promise<LocalChain> {
  const anvil = await startAnvil(options);
  try {
    const { rpcUrl } = anvil;
    const account = privateKeyToAccount(localKey("deployer"));
    await fund(rpcUrl, account.address);
    const limits = options.limits ?? localLimits;
    const { deployment, gasUsed } = await deploy({ rpcUrl, account, limits });
    const stop = () => anvil.stop();
    return {
      rpcUrl,
      deployment,
      deploymentGas: gasUsed,
      party: (name) => openParty(rpcUrl, deployment, name),
      advance: (seconds) => advanceTime(rpcUrl, seconds),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await anvil.stop();
    throw error;
  }
}

async function openParty(
  rpcUrl: string,
  deployment: Deployment,
  name: string,
): Promise<LocalParty> {
  const secret = localKey(name);
  const account = privateKeyToAccount(secret);
  await fund(rpcUrl, account.address);
  const market = await connect({
    rpcUrl,
    account,
    deployment,
    pollingInterval: 2,
  });
  return { market, secret };
}

/** The least terms that a market's limits allow, with stakes that cover share and compensations. */
export function leastTerms(
  limits: Limits,
  rounds: Rounds = DEFAULT_ROUNDS,
): RegistrationTerms {
  const share = limits.minShare;
  const compensation = limits.minCompensation;
  // Shares and 16 compensations together stay below half of a stake.
  const stake = larger(limits.minStake, 2n * (share + 16n * compensation));
  return {
    minStake: stake,
    challengerStake: larger(limits.minChallengerStake, 2n * share),
    share,
    compensation,
    challengePeriod: Math.max(3600, limits.minChallengePeriod),
    clock: Math.max(600, limits.minClock),
    revealWindow: Math.max(600, limits.minRevealWindow),
    maxReopenings: Math.min(3, limits.maxReopenings),
    ...rounds,
  };
}

const larger = (a: bigint, b: bigint) => a > b ? a : b;
