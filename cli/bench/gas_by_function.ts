/** What the transactions of a local chain cost, by the function that they called. */
import { type Abi, createPublicClient, decodeFunctionData, http } from "viem";
import { foundry } from "viem/chains";
import { artifact, type ArtifactName } from "../../contracts/mod.ts";
import type { LocalChain } from "../../dispute/mod.ts";

/** Gas of all transactions on the chain by `Contract.function`. */
export async function gasByFunction(
  { rpcUrl, deployment }: LocalChain,
): Promise<Map<string, number[]>> {
  const reader = createPublicClient({
    chain: foundry,
    transport: http(rpcUrl),
  });
  const names: [string, ArtifactName][] = [
    [deployment.registry, "Registry"],
    [deployment.machine, "StepVm"],
    [deployment.game, "DisputeGame"],
    [deployment.market, "Market"],
  ];
  const contracts = new Map<string, { name: string; abi: Abi }>(
    names.map(([address, name]) =>
      [address.toLowerCase(), { name, abi: artifact(name).abi }] as const
    ),
  );
  const costs = new Map<string, number[]>();
  const newest = await reader.getBlockNumber({ cacheTime: 0 });
  for (let block = 0n; block <= newest; block++) {
    const { transactions } = await reader.getBlock({
      blockNumber: block,
      includeTransactions: true,
    });
    for (const { hash, to, input } of transactions) {
      const { gasUsed, contractAddress } = await reader
        .getTransactionReceipt({ hash });
      const at = (to ?? contractAddress ?? "").toLowerCase();
      const contract = contracts.get(at);
      if (!contract) continue;
      const { name, abi } = contract;
      const fn = to === null
        ? "constructor"
        : decodeFunctionData({ abi, data: input }).functionName;
      const key = `${name}.${fn}`;
      costs.set(key, [...costs.get(key) ?? [], Number(gasUsed)]);
    }
  }
  return costs;
}
