/**
 * What the chain commands share: how a chain, a deployment and an account are named and opened.
 */
import { type Command, InvalidArgumentError } from "commander";
import { formatEther, type Hex, isAddress, isHex, parseEther } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import {
  connect,
  type Deployment,
  type MarketClient,
} from "../contracts/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import { exists, readJson, writeFile } from "./files.ts";
import { readKey } from "./keystore.ts";

const RPC_VARIABLE = "CHAINLEARN_RPC_URL";
const DEPLOYMENT_VARIABLE = "CHAINLEARN_DEPLOYMENT";
/** Where `deploy` writes and the others look, if nothing else is said. */
export const DEPLOYMENT_FILE = "deployment.json";
const DEPLOYMENT_FORMAT = "chainlearn deployment 1";

/** Options that every chain command has. */
export interface ChainOptions {
  readonly rpcUrl?: string;
  readonly deployment?: string;
  readonly keystore?: string;
  readonly json?: boolean;
}

/** Adds the options of {@linkcode ChainOptions}; `signs` where the command sends transactions. */
export function addChainOptions(command: Command, signs: boolean): Command {
  command.option(
    "--rpc-url <url>",
    `the node's address (default: ${RPC_VARIABLE})`,
    parseUrl,
  ).option(
    "--deployment <file>",
    `what deploy wrote (default: ${DEPLOYMENT_VARIABLE}, else ${DEPLOYMENT_FILE})`,
  );
  if (signs) {
    command.option(
      "--keystore <file>",
      "encrypted key, its password in CHAINLEARN_PASSWORD (default: the key in CHAINLEARN_KEY)",
    );
  }
  return command.option("--json", "print one JSON object");
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new InvalidArgumentError(`expected http://..., found "${text}"`);
  }
  return text;
}

/** An id of a registration, request, submission or dispute. */
export function parseId(text: string): Hex {
  if (!isHex(text) || text.length !== 66) {
    throw new InvalidArgumentError(
      `expected 0x and 64 hexadecimal digits, found "${text}"`,
    );
  }
  return text.toLowerCase() as Hex;
}

/** An amount of ether, as wei. */
export function parseAmount(text: string): bigint {
  if (!/^\d+(\.\d{1,18})?$/.test(text)) {
    throw new InvalidArgumentError(
      `expected ether as 0.01, found "${text}"`,
    );
  }
  return parseEther(text);
}

/** Wei for people. */
export const ether = (wei: bigint): string => `${formatEther(wei)} ETH`;

/** The node's address, if one is named anywhere. */
export function rpcUrlOf({ rpcUrl }: ChainOptions): string | undefined {
  const text = rpcUrl ?? Deno.env.get(RPC_VARIABLE);
  if (text === undefined || text === "") return undefined;
  try {
    return parseUrl(text);
  } catch {
    throw new ChainLearnError(
      `Cannot reach a chain: expected http://... in ${RPC_VARIABLE}, found "${text}"`,
    );
  }
}

/** The node's address; throws where none is named. */
export function requireRpcUrl(options: ChainOptions, command: string): string {
  const url = rpcUrlOf(options);
  if (url !== undefined) return url;
  throw new ChainLearnError(
    `Cannot ${command}: expected a chain in --rpc-url or ${RPC_VARIABLE}, found none`,
    {
      hint:
        "Start one and leave it running: chainlearn devnet --up, then set -a; . ./.env",
    },
  );
}

/** Reads what `deploy` wrote. */
export async function readDeployment(
  options: ChainOptions,
): Promise<Deployment> {
  const path = options.deployment ?? Deno.env.get(DEPLOYMENT_VARIABLE) ??
    DEPLOYMENT_FILE;
  if (!await exists(path)) {
    throw new ChainLearnError(
      `Cannot find the contracts: expected a deployment in ${path}, found no file`,
      { hint: "Deploy first, or name the file with --deployment." },
    );
  }
  const found = await readJson(path, "deployment") as
    | Partial<Record<string, unknown>>
    | null;
  const addresses = ["registry", "machine", "game", "market"];
  const valid = found?.format === DEPLOYMENT_FORMAT &&
    addresses.every((name) => isAddress(String(found[name]))) &&
    [found.chainId, found.block].every((n) => Number.isSafeInteger(n));
  if (!valid) {
    throw new ChainLearnError(
      `Cannot read deployment ${path}: expected format "${DEPLOYMENT_FORMAT}" with four addresses, chainId and block, found others`,
      { hint: "Deploy again." },
    );
  }
  return found as unknown as Deployment;
}

/** Writes a deployment for the other commands. */
export async function writeDeployment(
  deployment: Deployment,
  path: string,
): Promise<void> {
  const file = { format: DEPLOYMENT_FORMAT, ...deployment };
  await writeFile(path, JSON.stringify(file, null, 2) + "\n", "deployment");
}

/** The deployment with an account that signs; the key is the secret of its salts. */
export async function openMarket(
  options: ChainOptions,
  command: string,
): Promise<{ market: MarketClient; secret: Hex }> {
  const rpcUrl = requireRpcUrl(options, command);
  const deployment = await readDeployment(options);
  const secret = await readKey(options.keystore);
  const account = privateKeyToAccount(secret);
  return { market: await connect({ rpcUrl, deployment, account }), secret };
}

/** The deployment, to read from only. */
export async function openReader(
  options: ChainOptions,
  command: string,
): Promise<MarketClient> {
  const rpcUrl = requireRpcUrl(options, command);
  return await connect({ rpcUrl, deployment: await readDeployment(options) });
}
