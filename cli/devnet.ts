/**
 * `chainlearn devnet`: a local chain with the contracts, for as long as the command runs or, with --up, until --down.
 *
 * With --up it writes an .env for the other commands and a deployment beside it. Its keys are public: worth nothing.
 */
import type { Command } from "commander";
import { dirname, join, resolve } from "node:path";
import { privateKeyToAccount } from "viem/accounts";
import {
  connect,
  deploy,
  type Deployment,
  foundryBinary,
  localLimits,
} from "../contracts/mod.ts";
import {
  advanceTime,
  fund,
  localKey,
  registerLocally,
  startLocalChain,
} from "../dispute/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import { DEPLOYMENT_FILE, requireRpcUrl, writeDeployment } from "./chain.ts";
import { exists, readText, writeFile } from "./files.ts";
import { openModel } from "./model_files.ts";
import { parseCount } from "./options.ts";
import { formatTable, note, paint, printJson } from "./terminal.ts";
import { pause } from "./requested_run.ts";

interface DevnetOptions {
  readonly up?: boolean;
  readonly down?: boolean;
  readonly advance?: number;
  readonly rpcUrl?: string;
  readonly model?: string;
  readonly port?: number;
  readonly env: string;
  readonly json?: boolean;
}

/** First line of the .env, by which it is known again. */
const ENV_HEAD = "# ChainLearn devnet: public keys, worth nothing";
/** Accounts that are funded; the first one's key is CHAINLEARN_KEY. */
const accounts = ["requester", "submitter", "challenger"] as const;
const START_TIMEOUT = 20_000;
/** A chain that takes longer than this for its id does not answer. */
const ANSWER_TIMEOUT = 2_000;

async function devnet(options: DevnetOptions): Promise<void> {
  if (options.advance !== undefined) {
    const rpcUrl = requireRpcUrl(options, "turn the clock");
    await turnClock(rpcUrl, options.advance);
    note(`The chain's clock is ${options.advance} s further.`);
    return;
  }
  if (options.down) return await stopBackground(options.env);
  if (options.up) return await startBackground(options);
  await runForeground(options);
}

async function turnClock(rpcUrl: string, seconds: number): Promise<void> {
  try {
    await advanceTime(rpcUrl, seconds);
  } catch (cause) {
    throw new ChainLearnError(
      `Cannot turn the clock of ${rpcUrl}: expected a development chain that answers, found none`,
      { exitCode: 3, cause, hint: "Start one: chainlearn devnet --up" },
    );
  }
}

async function runForeground(options: DevnetOptions): Promise<void> {
  await using chain = await startLocalChain({ port: options.port });
  await fundAccounts(chain.rpcUrl);
  print({ rpcUrl: chain.rpcUrl, ...chain.deployment }, options.json);
  note("Ctrl-C ends it.");
  const { promise: interrupted, resolve } = Promise.withResolvers<void>();
  Deno.addSignalListener("SIGINT", resolve);
  Deno.addSignalListener("SIGTERM", resolve);
  await interrupted;
  Deno.removeSignalListener("SIGINT", resolve);
  Deno.removeSignalListener("SIGTERM", resolve);
}

async function fundAccounts(rpcUrl: string): Promise<void> {
  for (const name of accounts) {
    await fund(rpcUrl, privateKeyToAccount(localKey(name)).address);
  }
}

async function startBackground(options: DevnetOptions): Promise<void> {
  if (await exists(options.env)) await requireEnded(options.env);
  const commitment = options.model === undefined
    ? undefined
    : await openModel(options.model);
  const port = options.port ?? freePort();
  const rpcUrl = `http://127.0.0.1:${port}`;
  const pid = await spawnChain(rpcUrl, port);
  try {
    const deployer = privateKeyToAccount(localKey("deployer"));
    await fund(rpcUrl, deployer.address);
    await fundAccounts(rpcUrl);
    const limits = localLimits;
    const { deployment } = await deploy({ rpcUrl, account: deployer, limits });
    const registrationId = commitment && (await registerLocally(
      await connect({ rpcUrl, deployment, account: deployer }),
      commitment,
    )).registrationId;
    await writeEnv(options.env, { rpcUrl, pid, deployment, registrationId });
    print({ rpcUrl, pid, ...deployment, registrationId }, options.json);
    note(
      paint.green(
        `Wrote ${options.env}: set -a; . ${options.env}; set +a; chainlearn status`,
      ),
    );
  } catch (error) {
    Deno.kill(pid);
    throw error;
  }
}

/** Throws while the chain of an earlier `--up` answers: its process would be forgotten with its file. */
async function requireEnded(env: string): Promise<void> {
  await pidOf(env);
  const text = await readText(env, "environment");
  const rpcUrl = /^CHAINLEARN_RPC_URL=(\S+)$/m.exec(text)?.[1];
  if (rpcUrl === undefined || !await answers(rpcUrl)) return;
  throw new ChainLearnError(
    `Cannot start a chain: expected ${env} to name none that runs, found ${rpcUrl}`,
    {
      hint:
        `Use it: set -a; . ${env}; set +a. Or end it first: chainlearn devnet --down`,
    },
  );
}

/** A port that nobody listens on now. */
function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  // Not `using`: the bundler's minifier drops the declaration of a value that is read once, and nobody closes it.
  listener.close();
  return port;
}

/** Starts anvil for itself and returns its process id once it answers. */
async function spawnChain(rpcUrl: string, port: number): Promise<number> {
  const child = new Deno.Command(await foundryBinary("anvil"), {
    args: ["--hardfork", "prague", "--silent", "--port", String(port)],
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
  child.unref();
  let ended = false;
  child.status.then(() => ended = true);
  const deadline = Date.now() + START_TIMEOUT;
  while (!ended && Date.now() < deadline) {
    if (await answers(rpcUrl)) return child.pid;
    await pause(50);
  }
  if (!ended) child.kill();
  throw new ChainLearnError(
    `Cannot start a chain on port ${port}: expected it to answer, found ${
      ended ? "that it ended" : "nothing"
    }`,
    { exitCode: 3, hint: "Choose another port with --port." },
  );
}

async function answers(rpcUrl: string): Promise<boolean> {
  try {
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "eth_chainId",
      params: [],
    });
    const headers = { "content-type": "application/json" };
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT);
    const response = await fetch(rpcUrl, {
      method: "POST",
      headers,
      body,
      signal,
    });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

async function writeEnv(
  path: string,
  chain: {
    rpcUrl: string;
    pid: number;
    deployment: Deployment;
    registrationId?: string;
  },
): Promise<void> {
  const file = join(dirname(resolve(path)), DEPLOYMENT_FILE);
  await writeDeployment(chain.deployment, file);
  const lines = [
    ENV_HEAD,
    `CHAINLEARN_RPC_URL=${chain.rpcUrl}`,
    `CHAINLEARN_DEPLOYMENT="${file}"`,
    `CHAINLEARN_DEVNET_PID=${chain.pid}`,
    `CHAINLEARN_KEY=${localKey(accounts[0])}`,
    ...accounts.map((name) =>
      `CHAINLEARN_KEY_${name.toUpperCase()}=${localKey(name)}`
    ),
    ...(chain.registrationId
      ? [`CHAINLEARN_REGISTRATION=${chain.registrationId}`]
      : []),
  ];
  await writeFile(path, lines.join("\n") + "\n", "environment");
}

/** The process that an .env of ours names; throws for any other file. */
async function pidOf(env: string): Promise<number> {
  const text = await readText(env, "environment");
  const pid = /^CHAINLEARN_DEVNET_PID=(\d+)$/m.exec(text)?.[1];
  if (text.startsWith(ENV_HEAD) && pid !== undefined) return Number(pid);
  throw new ChainLearnError(
    `Cannot use ${env}: expected what devnet --up wrote, found another file`,
    { hint: "Name another one with --env." },
  );
}

async function stopBackground(env: string): Promise<void> {
  const pid = await pidOf(env);
  try {
    Deno.kill(pid);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    note("The chain had ended already.");
  }
  await Deno.remove(env);
  await Deno.remove(join(dirname(resolve(env)), DEPLOYMENT_FILE))
    .catch(() => {});
  note(`Removed ${env} and ${DEPLOYMENT_FILE}.`);
}

function print(facts: Record<string, unknown>, json?: boolean): void {
  if (json) return printJson(facts);
  const known = Object.entries(facts).filter(([, value]) =>
    value !== undefined
  );
  console.log(formatTable(known.map(([k, v]) => [k, String(v)])));
}

/** Adds the command's options. */
export function define(command: Command): void {
  command
    .option("--up", "leave it running and write an .env")
    .option("--down", "end what --up left, and remove its files")
    .option("--advance <seconds>", "turn the chain's clock on", parseCount)
    .option("--rpc-url <url>", "for --advance (default: CHAINLEARN_RPC_URL)")
    .option("-m, --model <file>", "register this model, too (with --up)")
    .option("--port <n>", "to listen on (default: any free one)", parseCount)
    .option("--env <file>", "written by --up", ".env")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExamples:\n  chainlearn devnet --up --model m.clm\n  set -a; . ./.env; set +a; chainlearn status\n  chainlearn devnet --advance 3601\n  chainlearn devnet --down",
    )
    .action(devnet);
}
