/**
 * The machine on chain for tests: a chain of their own, and thousands of witnesses in a few calls.
 */
import {
  BaseError,
  createPublicClient,
  decodeFunctionResult,
  encodeFunctionData,
  type Hex,
  http,
} from "viem";
import { startAnvil } from "../../contracts/anvil.ts";
import { artifact } from "../../contracts/artifacts.ts";
import { compileFile, readSources } from "../../contracts/build.ts";
import { deployLocally, gasOfStep } from "../../contracts/gas.ts";
import {
  ChainLearnError,
  cloneState,
  stateHash,
  step,
  stepWitness,
  type VmState,
} from "../../fpvm/mod.ts";

/** State hashes before and after a step as hex, or null where the contract reverted. */
export type Answer = { prestate: Hex; poststate: Hex } | null;

const hex = (bytes: Uint8Array): Hex => `0x${bytes.toHex()}`;

/** What the reference machine answers for the step that `state` takes next. */
export function expectedAnswer(state: VmState): Answer {
  const after = cloneState(state);
  step(after);
  return { prestate: hex(stateHash(state)), poststate: hex(stateHash(after)) };
}

/** What the TypeScript telling of the contract answers to a witness. */
export function mirroredAnswer(witness: Uint8Array): Answer {
  try {
    const { prestate, poststate } = stepWitness(witness);
    return { prestate: hex(prestate), poststate: hex(poststate) };
  } catch (error) {
    if (error instanceof ChainLearnError) return null;
    throw error;
  }
}

/** The machine on a chain. */
export interface Chain {
  /** The contract's answer to each witness. */
  run(witnesses: Uint8Array[]): Promise<Answer[]>;
  /** Gas of a transaction that executes one witness. */
  gas(witness: Uint8Array): Promise<number>;
  /** What a call of the machine with this calldata returns, or null where it reverts. */
  call(data: Hex, gas?: bigint): Promise<Hex | null>;
  stop(): Promise<void>;
}

/** Witnesses per call: some 16,000 gas each. */
const CHUNK = 250;

const ZERO = `0x${"00".repeat(32)}`;

/** Starts a chain with the machine and the batch runner on it. */
export async function startChain(): Promise<Chain> {
  const anvil = await startAnvil({ gasLimit: 10_000_000_000n });
  const { rpcUrl } = anvil;
  const client = createPublicClient({
    transport: http(rpcUrl, { retryCount: 0 }),
  });
  const sources = await readSources(
    new URL("../../contracts/test/", import.meta.url),
  );
  const batch = compileFile(sources, "StepBatch.sol")!;
  const vm = await deployLocally(rpcUrl, artifact("StepVm"));
  const runner = await deployLocally(rpcUrl, batch);

  /** The answer to a call; the error of a failed one without its megabyte of calldata. */
  const call = async (to: Hex, data: Hex, gas?: bigint): Promise<Hex> => {
    try {
      return (await client.call({ to, data, gas })).data ?? "0x";
    } catch (error) {
      throw new Error(
        error instanceof BaseError ? error.details : String(error),
      );
    }
  };
  const runChunk = async (witnesses: Uint8Array[]): Promise<Answer[]> => {
    const abi = batch.abi;
    const args = [vm, witnesses.map(hex)];
    const data = await call(
      runner,
      encodeFunctionData({ abi, functionName: "run", args }),
    );
    const pairs = decodeFunctionResult({ abi, functionName: "run", data });
    return (pairs as [Hex, Hex][]).map(([prestate, poststate]) =>
      prestate === ZERO ? null : { prestate, poststate }
    );
  };
  return {
    async run(witnesses) {
      const answers: Answer[] = [];
      for (let i = 0; i < witnesses.length; i += CHUNK) {
        answers.push(...await runChunk(witnesses.slice(i, i + CHUNK)));
      }
      return answers;
    },
    gas: (witness) => gasOfStep(rpcUrl, vm, witness),
    call: (data, gas) =>
      call(vm, data, gas).catch((error: Error) => {
        if (/revert|gas/i.test(error.message)) return null;
        throw error;
      }),
    stop: () => anvil.stop(),
  };
}
