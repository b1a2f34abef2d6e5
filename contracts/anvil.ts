/**
 * A local Ethereum chain for tests, the demonstration and measurements: starts `anvil` on a free port.
 *
 * It only owns the process; clients and accounts are the caller's matter.
 */
import { ChainLearnError } from "../fpvm/mod.ts";
import { foundryBinary } from "./npm_binary.ts";

/** How the chain is set up. */
export interface AnvilOptions {
  /** Port to listen on; by default the system picks a free one. */
  port?: number;
  /** Seconds between blocks; by default a block per transaction. */
  blockTime?: number;
  /** No block until one is asked for with `evm_mine`. */
  noMining?: boolean;
  /** Number of funded accounts, 10 by default. */
  accounts?: number;
  /** Balance of each in ether, 10,000 by default. */
  balance?: number;
  chainId?: number;
  /** Time of the first block, seconds since 1970; by default now. */
  timestamp?: number;
  /** Gas limit of a block. */
  gasLimit?: bigint;
  /** Executes without the block's gas limit (for measurements beyond it). */
  disableBlockGasLimit?: boolean;
  /** File that the chain's state is loaded from and written to. */
  state?: string;
  /** Seconds to wait for the chain to answer, 20 by default. */
  startTimeout?: number;
}

/** A running chain. */
export interface Anvil extends AsyncDisposable {
  rpcUrl: string;
  /** Ends the process and waits for it; further calls do nothing. */
  stop(): Promise<void>;
}

function anvilArguments(options: AnvilOptions): string[] {
  const args = ["--hardfork", "prague", "--port", String(options.port ?? 0)];
  const add = (flag: string, value: number | bigint | string | undefined) => {
    if (value !== undefined) args.push(flag, String(value));
  };
  add("--block-time", options.blockTime);
  add("--accounts", options.accounts);
  add("--balance", options.balance);
  add("--chain-id", options.chainId);
  add("--timestamp", options.timestamp);
  add("--gas-limit", options.gasLimit);
  add("--state", options.state);
  if (options.noMining) args.push("--no-mining");
  if (options.disableBlockGasLimit) args.push("--disable-block-gas-limit");
  return args;
}

/**
 * Starts a chain and returns once it listens.
 * Throws a {@linkcode ChainLearnError} with exit code 3 when `anvil` is not found or does not start.
 */
export async function startAnvil(options: AnvilOptions = {}): Promise<Anvil> {
  const process = new Deno.Command(await foundryBinary("anvil"), {
    args: anvilArguments(options),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // Both streams are drained for the life of the process: a full pipe would stop it.
  const complaints = collect(process.stderr);
  const { promise: listening, resolve } = Promise.withResolvers<
    string | undefined
  >();
  const output = watchOutput(process.stdout, resolve);
  const timer = setTimeout(
    () => resolve(undefined),
    1000 * (options.startTimeout ?? 20),
  );
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    stopped ??= (async () => {
      try {
        process.kill("SIGTERM");
      } catch {
        // It ended by itself.
      }
      await Promise.all([process.status, output, complaints]);
    })();
  const address = await listening;
  clearTimeout(timer);
  if (address === undefined) {
    await stop();
    throw new ChainLearnError(
      `Cannot start anvil: expected "Listening on", found ${
        (await complaints).trim() || "no answer"
      }`,
      { exitCode: 3 },
    );
  }
  return {
    rpcUrl: `http://${address}`,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Reports the address that anvil prints, or `undefined` when the output ends without one. */
async function watchOutput(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  report: (address: string | undefined) => void,
): Promise<void> {
  let text: string | undefined = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    if (text === undefined) continue;
    text += chunk;
    const match = /Listening on ([\w.:[\]]+:\d+)\s/.exec(text);
    if (match) {
      report(match[1]);
      text = undefined;
    }
  }
  report(undefined);
}

/** The stream's text, cut at 64 KiB. */
async function collect(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): Promise<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    if (text.length < 65536) text += chunk;
  }
  return text;
}
