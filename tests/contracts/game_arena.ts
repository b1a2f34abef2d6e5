/**
 * A chain with the game and the real machine, for tests: opens disputes, sends moves, rebuilds views from logs.
 *
 * The market is a few bytes of code that answer every call with the model's shape; it is impersonated for `open`.
 */
import {
  BaseError,
  concat,
  createTestClient,
  decodeErrorResult,
  encodeAbiParameters,
  encodeDeployData,
  encodeFunctionData,
  type Hex,
  http,
  isHex,
  keccak256,
  numberToHex,
  publicActions,
  walletActions,
} from "viem";
import { foundry } from "viem/chains";
import {
  artifact,
  decodeGameEvent,
  type DisputeView,
  encodeMove,
  firstMoveCommitment,
  gameAbi,
  type GameEvent,
  innerEnds,
  type Move,
  startAnvil,
  type Terms,
  viewsOf,
} from "../../contracts/mod.ts";
import { hex, hexes, type Party, type World } from "./game_world.ts";

export const MARKET: Hex = "0x00000000000000000000000000000000000a11ce";
export const SALT: Hex = keccak256("0x5a17");
const NO_SLOT = 0xffffffff;

function chainClient(rpcUrl: string) {
  return createTestClient({
    chain: foundry,
    mode: "anvil",
    transport: http(rpcUrl),
    pollingInterval: 5,
    cacheTime: 0,
  }).extend(publicActions).extend(walletActions);
}

/** One played move. */
export interface Played {
  kind: Move["kind"] | "open";
  gas: number;
}

export class Arena implements AsyncDisposable {
  readonly played: Played[] = [];
  readonly events: GameEvent[] = [];

  private constructor(
    private readonly stop: () => Promise<void>,
    readonly client: ReturnType<typeof chainClient>,
    readonly game: Hex,
    readonly challenger: Hex,
    readonly submitter: Hex,
  ) {}

  static async start(): Promise<Arena> {
    const anvil = await startAnvil();
    const client = chainClient(anvil.rpcUrl);
    const [deployer, challenger, submitter] = await client.getAddresses();
    const deploy = async (data: Hex) => {
      const hash = await client.sendTransaction({ account: deployer, data });
      const receipt = await client.waitForTransactionReceipt({ hash });
      return receipt.contractAddress!;
    };
    const machine = await deploy(artifact("StepVm").bytecode);
    const game = await deploy(encodeDeployData({
      abi: gameAbi,
      bytecode: artifact("DisputeGame").bytecode,
      args: [MARKET, machine, MARKET],
    }));
    await client.impersonateAccount({ address: MARKET });
    await client.setBalance({ address: MARKET, value: 10n ** 20n });
    return new Arena(() => anvil.stop(), client, game, challenger, submitter);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Makes the market answer with the shape of `world`: code that copies seven words out of itself. */
  async setShape(world: World): Promise<void> {
    const { nodes, slots, kept, stopSlot } = world.options;
    const shape = encodeAbiParameters(
      ["bytes32", "bytes32", "uint32", "uint32", "uint32", "uint32", "uint32"]
        .map((type) => ({ type })),
      [
        hex(world.programTree.root),
        hex(world.weightsTree.root),
        nodes,
        world.weightRoots.length,
        slots,
        kept,
        stopSlot ?? NO_SLOT,
      ],
    );
    await this.client.setCode({
      address: MARKET,
      bytecode: concat(["0x60e0600a5f3960e05ff3", shape]),
    });
  }

  terms(submission: number, truth: Party, claim: Hex, k = 16, q = 4): Terms {
    const { world } = truth;
    return {
      registrationId: keccak256("0x01"),
      submissionId: keccak256(numberToHex(submission)),
      submitter: this.submitter,
      challenger: this.challenger,
      start: hex(truth.stateRoot(0)),
      claim,
      steps: BigInt(world.steps),
      finish: world.options.finish,
      k,
      q,
      clock: 1000,
      index: 0,
    };
  }

  /** Sends a transaction; throws the contract's error, with its name in the message, if it reverts. */
  async send(from: Hex, data: Hex, kind: Played["kind"]): Promise<void> {
    const { client, game } = this;
    try {
      await client.call({ account: from, to: game, data });
    } catch (error) {
      throw new Error(revertName(error), { cause: error });
    }
    const hash = await client.sendTransaction({
      account: from,
      to: game,
      data,
      gas: 5_000_000n,
    });
    const receipt = await client.waitForTransactionReceipt({ hash });
    if (receipt.status !== "success") throw new Error("reverted");
    this.played.push({ kind, gas: Number(receipt.gasUsed) });
    for (const log of receipt.logs) this.events.push(decodeGameEvent(log));
  }

  /** Opens the dispute that `challenger`'s states ask for. */
  async open(
    disputeId: Hex,
    terms: Terms,
    challenger: Party,
  ): Promise<DisputeView> {
    const { claim, hashes } = firstMove(challenger, terms);
    const commitment = firstMoveCommitment(
      terms.challenger,
      claim,
      hashes,
      SALT,
    );
    await this.send(
      MARKET,
      encodeFunctionData({
        abi: gameAbi,
        functionName: "open",
        args: [disputeId, terms, commitment],
      }),
      "open",
    );
    return this.view(disputeId);
  }

  /** Sends a move in the present view and returns the next one. */
  async play(view: DisputeView, from: Hex, move: Move): Promise<DisputeView> {
    await this.send(from, encodeMove(view, move), move.kind);
    return this.view(view.disputeId);
  }

  /** The view from the events alone, compared with what the contract stores. */
  async view(disputeId: Hex): Promise<DisputeView> {
    const view = viewsOf(this.events).get(disputeId)!;
    const stored = await this.client.readContract({
      address: this.game,
      abi: gameAbi,
      functionName: "transcripts",
      args: [disputeId],
    });
    if (stored !== view.transcript) {
      throw new Error(
        `transcript: expected ${stored}, seen ${view.transcript}`,
      );
    }
    return view;
  }
}

/** The first move that a party would make. */
export function firstMove(
  party: Party,
  { steps, k }: Pick<Terms, "steps" | "k">,
) {
  return {
    claim: hex(party.stateRoot(Number(steps))),
    hashes: hexes(
      innerEnds(0n, steps, k).map((i) => party.stateRoot(Number(i))),
    ),
  };
}

/** The name of the custom error that a call reverted with. */
function revertName(error: unknown): string {
  const found = error instanceof BaseError &&
    error.walk((cause) => isHex((cause as { data?: unknown }).data));
  const data = found ? (found as unknown as { data: Hex }).data : "0x";
  return data === "0x"
    ? String(error)
    : decodeErrorResult({ abi: gameAbi, data }).errorName;
}
