/** `chainlearn deploy`: puts the contracts on a chain and writes where they are. */
import type { Command } from "commander";
import { privateKeyToAccount } from "viem/accounts";
import { deploy, type DeploymentGas, localLimits } from "../contracts/mod.ts";
import { startLocalChain } from "../dispute/mod.ts";
import {
  addChainOptions,
  type ChainOptions,
  DEPLOYMENT_FILE,
  rpcUrlOf,
  writeDeployment,
} from "./chain.ts";
import { readKey } from "./keystore.ts";
import {
  formatCount,
  formatTable,
  note,
  paint,
  printJson,
} from "./terminal.ts";

async function deployContracts(
  options: ChainOptions & { output: string },
): Promise<void> {
  const rpcUrl = rpcUrlOf(options);
  if (rpcUrl === undefined) return await tryDeployment(options.json);
  const account = privateKeyToAccount(await readKey(options.keystore));
  const { deployment, gasUsed } = await deploy({
    rpcUrl,
    account,
    limits: localLimits,
  });
  await writeDeployment(deployment, options.output);
  print({ ...deployment, gasUsed }, gasUsed, options.json);
  note(paint.green(`Wrote ${options.output}`));
}

/** Without a chain: what it would cost, on a local one that ends with the command. */
async function tryDeployment(json?: boolean): Promise<void> {
  await using chain = await startLocalChain();
  const { deployment, deploymentGas } = chain;
  print({ ...deployment, gasUsed: deploymentGas }, deploymentGas, json);
  note(
    "No chain was named: this one was local and is gone. Name one with --rpc-url.",
  );
}

function print(
  result: Record<string, unknown>,
  gasUsed: DeploymentGas,
  json?: boolean,
): void {
  if (json) return printJson(result);
  const rows = (["registry", "machine", "game", "market"] as const).map((
    name,
  ) => [name, String(result[name]), formatCount(gasUsed[name])]);
  console.log(formatTable(rows, ["contract", "address", "gas"]));
}

/** Adds the command's options. */
export function define(command: Command): void {
  addChainOptions(command, true)
    .option("-o, --output <file>", "where they are", DEPLOYMENT_FILE)
    .addHelpText(
      "after",
      "\nThe market's limits are those of a test network: small stakes, short clocks. Without a chain the command deploys to a local one, shows the cost and ends it.\n\nExample:\n  CHAINLEARN_KEY=0x... chainlearn deploy --rpc-url http://127.0.0.1:8545",
    )
    .action(deployContracts);
}
