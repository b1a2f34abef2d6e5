/**
 * The client of the market: one function a verb, each one transaction, each with its receipt and decoded events.
 *
 * It computes nothing about a model: claims, proofs and moves come from whoever ran it. Reads and writes go to one
 * deployment, which `connect` has checked to be the one that was meant.
 */
import {
  type Abi,
  type Account,
  type Address,
  bytesToHex,
  decodeEventLog,
  type Hex,
  type Log,
  type TransactionReceipt,
  zeroAddress,
  zeroHash,
} from "viem";
import { ChainLearnError } from "../fpvm/mod.ts";
import { chainFailure, ContractRefusal } from "./chain_error.ts";
import { submissionCommitment } from "./commitment.ts";
import {
  type Connection,
  type ConnectionOptions,
  openConnection,
} from "./connection.ts";
import type { Deployment } from "./deploy.ts";
import { gameAbi } from "./game_abi.ts";
import { encodeSettle } from "./game_client.ts";
import { marketAbi, registryAbi } from "./market_abi.ts";
import { createMarketReader, type MarketReader } from "./market_reader.ts";
import type {
  InputData,
  OutputData,
  RegistrationTerms,
  RequestOptions,
} from "./market_types.ts";
import { registrationProof } from "./slots_proof.ts";

/** Every error that a call may come back with: contracts pass each other's on. */
const errors = [...marketAbi, ...registryAbi, ...gameAbi].filter((item) =>
  item.type === "error"
);
const everyEvent: Abi = [...marketAbi, ...registryAbi, ...gameAbi].filter(
  (item) => item.type === "event",
);
const marketCalls: Abi = [
  ...marketAbi.filter((item) => item.type === "function"),
  ...errors,
];
const registryCalls: Abi = [
  ...registryAbi.filter((item) => item.type === "function"),
  ...errors,
];
const gameCalls: Abi = [
  ...gameAbi.filter((item) => item.type === "function"),
  ...errors,
];

/** An event of any of the contracts, decoded. */
export interface ChainEvent {
  readonly name: string;
  readonly address: Address;
  readonly args: Readonly<Record<string, unknown>>;
  readonly block: bigint;
  readonly log: Log<bigint, number, false>;
}

/** A transaction that succeeded. */
export interface Sent {
  readonly hash: Hex;
  readonly gasUsed: bigint;
  readonly block: bigint;
  readonly events: readonly ChainEvent[];
}

/** What `reveal` sends beside the request's id. */
export interface Revelation {
  /** S_n. */
  readonly claim: Hex;
  readonly salt: Hex;
  readonly outputs: readonly OutputData[];
  /** The rest of the slots tree, see `revealProof`. */
  readonly siblings: readonly Hex[];
}

/** One account's view of one deployment: the reads of `MarketReader`, and the verbs. */
export interface MarketClient extends MarketReader {
  readonly connection: Connection;
  readonly deployment: Deployment;
  register(
    model: { preimage: Uint8Array; initialSlotRoots: readonly Uint8Array[] },
    terms: RegistrationTerms,
  ): Promise<Sent & { registrationId: Hex }>;
  /** Hashes a chunk of at most 32 << height bytes on chain. */
  upload(data: Uint8Array, height: number): Promise<Sent & { root: Hex }>;
  request(options: RequestOptions): Promise<Sent & { requestId: Hex }>;
  /** Locks the request's stake behind S_n and a salt. */
  commit(
    requestId: Hex,
    claim: Hex,
    salt: Hex,
  ): Promise<Sent & { submissionId: Hex }>;
  reveal(requestId: Hex, revelation: Revelation): Promise<Sent>;
  forfeit(requestId: Hex): Promise<Sent>;
  refund(requestId: Hex): Promise<Sent>;
  /** Disputes a submission behind the commitment of a first move (`firstMoveCommitment`) and the registration's stake. */
  openDispute(
    submissionId: Hex,
    commitment: Hex,
  ): Promise<Sent & { disputeId: Hex }>;
  /** Sends a move of the game, from `encodeMove`. */
  move(data: Hex): Promise<Sent>;
  settleDispute(disputeId: Hex): Promise<Sent>;
  finalize(requestId: Hex): Promise<Sent>;
  retryCallback(requestId: Hex): Promise<Sent>;
  /** Pulls the account's whole credit, to itself unless told otherwise. */
  withdraw(to?: Address): Promise<Sent>;
  /** Events of the deployment's contracts from `fromBlock` on, in order. */
  events(fromBlock: bigint, toBlock?: bigint): Promise<ChainEvent[]>;
}

/** Reaches a deployment; throws with exit code 3 where chain or contracts are not those that the deployment names. */
export async function connect(
  options: ConnectionOptions & { deployment: Deployment; account?: Account },
): Promise<MarketClient> {
  const connection = await openConnection(options);
  await checkDeployment(connection, options.deployment);
  return createClient(connection, options.deployment);
}

async function checkDeployment(
  connection: Connection,
  deployment: Deployment,
): Promise<void> {
  const action = `connect to ${connection.rpcUrl}`;
  if (connection.chainId !== deployment.chainId) {
    throw chainFailure(
      action,
      `chain ${deployment.chainId}`,
      `chain ${connection.chainId}`,
      {
        hint: "Give the address of a node of the chain that was deployed to.",
      },
    );
  }
  const { reader } = connection;
  const { market, registry, game } = deployment;
  const found = await connection.ask(action, async () => {
    // Contracts of another kind refuse the questions, or answer nothing: no addresses then.
    const code = await reader.getCode({ address: market });
    if (code === undefined) return undefined;
    const [itsRegistry, itsGame, marketOfGame, registryOfGame] = await Promise
      .all([
        reader.readContract({
          address: market,
          abi: marketAbi,
          functionName: "registry",
        }),
        reader.readContract({
          address: market,
          abi: marketAbi,
          functionName: "game",
        }),
        reader.readContract({
          address: game,
          abi: gameAbi,
          functionName: "market",
        }),
        reader.readContract({
          address: game,
          abi: gameAbi,
          functionName: "registry",
        }),
      ]);
    return [itsRegistry, itsGame, marketOfGame, registryOfGame];
  }).catch((error: ChainLearnError): Address[] => {
    if (error instanceof ContractRefusal) return [];
    throw error;
  });
  const expected = [registry, game, market, registry];
  const same = found?.length === 4 &&
    found.every((address, i) =>
      address.toLowerCase() === expected[i].toLowerCase()
    );
  if (!same) {
    throw chainFailure(
      action,
      `a market at ${market} with registry ${registry} and game ${game}`,
      found === undefined
        ? "no code"
        : `others: ${found.join(", ") || "they do not answer"}`,
      { hint: "Deploy first, or give the file that `deploy` wrote." },
    );
  }
}

function decodeEvents(logs: readonly Log<bigint, number, false>[]) {
  return logs.map((log): ChainEvent => {
    const { eventName, args } = decodeEventLog({
      abi: everyEvent,
      topics: log.topics,
      data: log.data,
    });
    return {
      name: eventName ?? "",
      address: log.address,
      args: args as unknown as Readonly<Record<string, unknown>>,
      block: log.blockNumber,
      log,
    };
  });
}

/** The argument of the receipt's event `name`; throws where the contract did not say it. */
function argument(
  events: readonly ChainEvent[],
  name: string,
  key: string,
): Hex {
  const value = events.find((event) => event.name === name)?.args[key];
  if (typeof value === "string") return value as Hex;
  throw new ChainLearnError(
    `Cannot read the receipt: expected an event ${name} with ${key}, found none`,
    { exitCode: 3 },
  );
}

function encodeInput(input: InputData) {
  const nothing = { source: 0, chunkHeight: 0, data: "0x", roots: [] };
  if ("bytes" in input) return { ...nothing, data: bytesToHex(input.bytes) };
  if ("root" in input) return { ...nothing, source: 2, roots: [input.root] };
  const { chunks: roots, chunkHeight } = input;
  return { ...nothing, source: 1, chunkHeight, roots };
}

const hex = (list: readonly Uint8Array[]) =>
  list.map((bytes) => bytesToHex(bytes));

const noAttention = {
  maxOpen: 0,
  bond: 0n,
  wage: 0n,
  threshold: 0n,
  answerWindow: 0,
  accusationWindow: 0,
};

function createClient(
  connection: Connection,
  deployment: Deployment,
): MarketClient {
  const reader = createMarketReader(connection, deployment);
  // The contracts' own logs alone: a consumer may emit what it likes in its callback.
  const ours = new Set(
    [deployment.market, deployment.registry, deployment.game]
      .map((address) => address.toLowerCase()),
  );
  const sent = (receipt: TransactionReceipt): Sent => ({
    hash: receipt.transactionHash,
    gasUsed: receipt.gasUsed,
    block: receipt.blockNumber,
    events: decodeEvents(
      receipt.logs.filter((log) => ours.has(log.address.toLowerCase())),
    ),
  });
  const toMarket = async (
    action: string,
    functionName: string,
    args: readonly unknown[],
    value?: bigint,
  ): Promise<Sent> =>
    sent(
      await connection.send(action, {
        abi: marketCalls,
        address: deployment.market,
        functionName,
        args,
        value,
      }),
    );
  const toRegistry = async (
    action: string,
    functionName: string,
    args: readonly unknown[],
  ): Promise<Sent> =>
    sent(
      await connection.send(action, {
        abi: registryCalls,
        address: deployment.registry,
        functionName,
        args,
      }),
    );

  return {
    ...reader,
    connection,
    deployment,
    register: async ({ preimage, initialSlotRoots }, terms) => {
      const proof = registrationProof(preimage, initialSlotRoots);
      const result = await toRegistry("register the model", "register", [
        bytesToHex(preimage),
        { ...terms, attention: noAttention },
        hex(proof.values),
        hex(proof.siblings),
      ]);
      const registrationId = argument(
        result.events,
        "Registered",
        "registrationId",
      );
      return { ...result, registrationId };
    },
    upload: async (data, height) => {
      const result = await toRegistry("upload a chunk", "upload", [
        bytesToHex(data),
        height,
      ]);
      return { ...result, root: argument(result.events, "Uploaded", "root") };
    },
    request: async (options) => {
      const terms = await reader.terms(options.registrationId);
      const spec = {
        registrationId: options.registrationId,
        iterations: BigInt(options.iterations),
        seed: options.seed ?? zeroHash,
        temperature: options.temperature ?? 0,
        topK: options.topK ?? 0,
        topP: options.topP ?? 0,
        stake: options.stake ?? terms.minStake,
        challengePeriod: options.challengePeriod ?? terms.challengePeriod,
        clock: options.clock ?? terms.clock,
        submitWindow: options.submitWindow,
        fee: options.fee,
        // An account without code cannot be called; consumers ask by themselves.
        callback: zeroAddress,
        callbackGas: 0,
        finish: options.finish ?? true,
        nonce: options.nonce ?? 0n,
      };
      const result = await toMarket(
        "request a result",
        "request",
        [spec, options.inputs.map(encodeInput)],
        options.fee,
      );
      const requestId = argument(result.events, "Requested", "requestId");
      return { ...result, requestId };
    },
    commit: async (requestId, claim, salt) => {
      const { stake } = await reader.requestState(requestId);
      const commitment = submissionCommitment(
        requestId,
        connection.sender(),
        claim,
        salt,
      );
      const result = await toMarket(
        "commit a submission",
        "commit",
        [requestId, commitment],
        stake,
      );
      const submissionId = argument(result.events, "Committed", "submissionId");
      return { ...result, submissionId };
    },
    reveal: (requestId, { claim, salt, outputs, siblings }) =>
      toMarket("reveal the submission", "reveal", [
        requestId,
        claim,
        salt,
        outputs.map((output) =>
          output instanceof Uint8Array
            ? { root: zeroHash, data: bytesToHex(output) }
            : { root: output.root, data: "0x" }
        ),
        siblings,
      ]),
    forfeit: (requestId) =>
      toMarket("reject the unrevealed submission", "forfeit", [requestId]),
    refund: (requestId) =>
      toMarket("refund the request", "refund", [requestId]),
    openDispute: async (submissionId, commitment) => {
      const { requestId } = await reader.submissionState(submissionId);
      const { registrationId } = await reader.requestState(requestId);
      const { challengerStake } = await reader.terms(registrationId);
      const result = await toMarket(
        "open a dispute",
        "openDispute",
        [submissionId, commitment],
        challengerStake,
      );
      const disputeId = argument(result.events, "Opened", "disputeId");
      return { ...result, disputeId };
    },
    move: async (data) =>
      sent(
        await connection.sendData(
          "make a move",
          deployment.game,
          data,
          gameCalls,
        ),
      ),
    settleDispute: async (disputeId) => {
      const view = await reader.dispute(disputeId);
      return sent(
        await connection.sendData(
          "settle the dispute",
          deployment.game,
          encodeSettle(view),
          gameCalls,
        ),
      );
    },
    finalize: (requestId) =>
      toMarket("finalize the request", "finalize", [requestId]),
    retryCallback: (requestId) =>
      toMarket("retry the callback", "retryCallback", [requestId]),
    withdraw: (to) =>
      toMarket("withdraw", "withdraw", [to ?? connection.sender()]),
    events: (fromBlock, toBlock) =>
      connection.ask("read the events", async () => {
        const { market, registry, game } = deployment;
        const logs = await connection.reader.getLogs({
          address: [market, registry, game],
          fromBlock,
          toBlock,
        });
        return decodeEvents(logs);
      }),
  };
}
