/**
 * One account on one chain: sends a transaction, waits for its receipt, and names what goes wrong.
 *
 * It knows no contract; client.ts has the verbs. Transactions of one connection are signed and sent one after the
 * other, so that parallel callers never fight over a nonce; their receipts are waited for side by side.
 */
import {
  type Abi,
  type Account,
  type Address,
  type Chain,
  createPublicClient,
  createWalletClient,
  decodeFunctionData,
  defineChain,
  encodeDeployData,
  encodeFunctionData,
  type Hex,
  http,
  type PublicClient,
  type TransactionReceipt,
  TransactionReceiptNotFoundError,
  type Transport,
  type WalletClient,
} from "viem";
import { chainError, chainFailure } from "./chain_error.ts";
import { ChainLearnError } from "../fpvm/mod.ts";

/** How a chain is reached. */
export interface ConnectionOptions {
  readonly rpcUrl: string;
  /** Signs transactions; without one the connection only reads. */
  readonly account?: Account;
  /** Milliseconds between questions for receipts, 50 by default. */
  readonly pollingInterval?: number;
  /** Seconds to wait for a transaction to be included, 300 by default. */
  readonly receiptTimeout?: number;
}

/** A call to be sent; `abi` holds the function and every error that may come back. */
export interface Call {
  readonly abi: Abi;
  readonly address: Address;
  readonly functionName: string;
  readonly args: readonly unknown[];
  readonly value?: bigint;
}

/** An account's place on a chain. */
export interface Connection {
  readonly rpcUrl: string;
  readonly chainId: number;
  readonly reader: PublicClient<Transport, Chain>;
  /** The sender's address; throws where the connection only reads. */
  sender(): Address;
  /** Sends a call, `action` being its name in errors, and returns the receipt of its success. */
  send(action: string, call: Call): Promise<TransactionReceipt>;
  /** As `send`, with the data already encoded; `abi` decodes refusals. */
  sendData(
    action: string,
    to: Address,
    data: Hex,
    abi: Abi,
  ): Promise<TransactionReceipt>;
  /** Deploys creation code. */
  create(
    action: string,
    abi: Abi,
    bytecode: Hex,
    args: readonly unknown[],
  ): Promise<TransactionReceipt>;
  /** Runs a read, so that its failure is named too. */
  ask<T>(action: string, question: () => Promise<T>): Promise<T>;
}

/** More than the estimate: a credit that was set meanwhile, or a clock that ticked, changes the cost a little. */
const GAS_MARGIN = { times: 5n, over: 4n };

/** Milliseconds for which a node may fail to answer while a receipt is waited for. */
const LONGEST_SILENCE = 10_000;

/** A transaction that the node has taken; `explain` asks the contract why it was refused. */
interface Taken {
  readonly hash: Hex;
  readonly explain: () => Promise<unknown>;
}

/** Reaches a chain; throws with exit code 3 when nothing answers. */
export async function openConnection(
  options: ConnectionOptions,
): Promise<Connection> {
  const { rpcUrl, account } = options;
  const transport = http(rpcUrl, { retryCount: 1, timeout: 20_000 });
  let chainId: number;
  try {
    chainId = await createPublicClient({ transport }).getChainId();
  } catch (error) {
    throw chainError(error, "reach the chain", rpcUrl);
  }
  const chain = defineChain({
    id: chainId,
    name: `chain ${chainId}`,
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [rpcUrl] } },
  });
  // Contract calls of one tick share a request; heads are never cached, so each question sees the newest block.
  const reader = createPublicClient({ chain, transport, cacheTime: 0 });
  const writer = account && createWalletClient({ account, chain, transport });
  return new OpenConnection(options, chainId, reader, writer);
}

class OpenConnection implements Connection {
  readonly rpcUrl: string;
  /** Ends when the transaction before the next one is sent or has failed. */
  #queue: Promise<unknown> = Promise.resolve();
  /** Transactions that are sent and not known to be in a block. */
  #inFlight = 0;
  /** One more than the last nonce that was sent. */
  #nextNonce = 0;

  constructor(
    private readonly options: ConnectionOptions,
    readonly chainId: number,
    readonly reader: PublicClient<Transport, Chain>,
    private readonly writer:
      | WalletClient<Transport, Chain, Account>
      | undefined,
  ) {
    this.rpcUrl = options.rpcUrl;
  }

  sender(): Address {
    return this.#writer().account.address;
  }

  #writer(): WalletClient<Transport, Chain, Account> {
    if (this.writer) return this.writer;
    throw new ChainLearnError(
      "Cannot send a transaction: expected an account, found none",
      { hint: "Give a keystore file or a private key in the environment." },
    );
  }

  send(action: string, call: Call): Promise<TransactionReceipt> {
    return this.#enqueue(action, async () => {
      const account = this.#writer().account;
      // The estimate executes the call: a refusal is decoded here, before anything is sent or paid.
      const gas = await this.reader.estimateContractGas({ ...call, account });
      const { address: to, value } = call;
      return await this.#submit({
        to,
        data: encodeFunctionData(call),
        value,
        gas,
      }, () => this.reader.simulateContract({ ...call, account }));
    });
  }

  sendData(
    action: string,
    to: Address,
    data: Hex,
    abi: Abi,
  ): Promise<TransactionReceipt> {
    return this.#enqueue(action, async () => {
      const account = this.#writer().account;
      const explain = () => this.#explain(account, to, data, abi);
      let gas: bigint;
      try {
        gas = await this.reader.estimateGas({ account, to, data });
      } catch (error) {
        await explain();
        throw error;
      }
      return await this.#submit({ to, data, gas }, explain);
    });
  }

  create(
    action: string,
    abi: Abi,
    bytecode: Hex,
    args: readonly unknown[],
  ): Promise<TransactionReceipt> {
    return this.#enqueue(action, async () => {
      const data = encodeDeployData({ abi, bytecode, args });
      const account = this.#writer().account;
      const gas = await this.reader.estimateGas({ account, data });
      return await this.#submit({ data, gas }, () => Promise.resolve());
    });
  }

  async ask<T>(action: string, question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw chainError(error, action, this.rpcUrl);
    }
  }

  async #enqueue(
    action: string,
    send: () => Promise<Taken>,
  ): Promise<TransactionReceipt> {
    const sending = this.#queue.then(() => this.ask(action, send));
    this.#queue = sending.catch(() => undefined);
    const taken = await sending;
    try {
      return await this.ask(action, () => this.#outcome(action, taken));
    } finally {
      this.#inFlight--;
    }
  }

  /** Executes encoded data as a contract read, because only those decode custom errors. */
  async #explain(
    account: Account,
    address: Address,
    data: Hex,
    abi: Abi,
  ): Promise<void> {
    const { functionName, args } = decodeFunctionData({ abi, data });
    await this.reader.simulateContract({
      account,
      address,
      abi,
      functionName,
      args,
    });
  }

  async #submit(
    request: { to?: Address; data: Hex; value?: bigint; gas: bigint },
    explain: () => Promise<unknown>,
  ): Promise<Taken> {
    const gas = request.gas * GAS_MARGIN.times / GAS_MARGIN.over;
    const nonce = await this.#nonce();
    const hash = await this.#writer().sendTransaction({
      ...request,
      gas,
      nonce,
    });
    // Only now: a nonce whose sending failed is the next one's.
    this.#nextNonce = nonce + 1;
    this.#inFlight++;
    return { hash, explain };
  }

  async #nonce(): Promise<number> {
    const pending = await this.reader.getTransactionCount({
      address: this.sender(),
      blockTag: "pending",
    });
    // Of several nodes behind one address, the one that answers may not have seen the last transaction yet.
    return this.#inFlight > 0 ? Math.max(pending, this.#nextNonce) : pending;
  }

  async #outcome(
    action: string,
    { hash, explain }: Taken,
  ): Promise<TransactionReceipt> {
    const receipt = await this.#receipt(action, hash);
    if (receipt.status === "success") return receipt;
    // Accepted when estimated, refused when included: somebody was faster. Asked again, the contract says why.
    await explain();
    throw chainFailure(
      action,
      "the transaction to succeed",
      `${hash} reverted`,
    );
  }

  async #receipt(action: string, hash: Hex): Promise<TransactionReceipt> {
    const { pollingInterval = 50, receiptTimeout = 300 } = this.options;
    const deadline = Date.now() + 1000 * receiptTimeout;
    let answered = Date.now();
    while (Date.now() < deadline) {
      try {
        return await this.reader.getTransactionReceipt({ hash });
      } catch (error) {
        const silent = !(error instanceof TransactionReceiptNotFoundError);
        if (!silent) answered = Date.now();
        else if (Date.now() > answered + LONGEST_SILENCE) throw error;
      }
      // All that are in flight together ask as often as one.
      const wait = pollingInterval * this.#inFlight;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
    throw chainFailure(
      action,
      `transaction ${hash} in a block within ${receiptTimeout} s`,
      "none",
      {
        hint: "It may still be included: ask for the status before repeating.",
      },
    );
  }
}
