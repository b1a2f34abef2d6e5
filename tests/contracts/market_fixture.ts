/**
 * A chain with the whole deployment and three accounts, and a small model with somebody who has run it: what the tests
 * of the market's client play with.
 */
import { createTestClient, type Hex, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { foundry } from "viem/chains";
import { modelRootPreimage } from "../../compiler/mod.ts";
import {
  type Anvil,
  connect,
  deploy,
  type Deployment,
  localLimits,
  type MarketClient,
  type RegistrationTerms,
  type RequestOptions,
  revealProof,
  type Revelation,
  startAnvil,
} from "../../contracts/mod.ts";
import { hex, hexes, Party, World } from "./game_world.ts";

/** The first three accounts that anvil funds. */
export const keys: Hex[] = [
  "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
  "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
  "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
];

export const terms: RegistrationTerms = {
  minStake: 10n ** 18n,
  challengerStake: 2n * 10n ** 17n,
  share: 10n ** 17n,
  compensation: 2n * 10n ** 16n,
  challengePeriod: 600,
  clock: 300,
  revealWindow: 100,
  maxReopenings: 2,
  k: 16,
  q: 4,
};

const HEIGHT = 2;
export const OUTPUT_BYTES = 32 << HEIGHT;

/** Six nodes over four slots; slot 3 is the input, which is zero, and slot 0 the output. */
export const world = new World({
  nodes: 6,
  slots: 4,
  kept: 1,
  iterations: 1,
  finish: true,
  height: HEIGHT,
  whole: false,
  loops: 20,
});
export const truth = new Party(world);
export const liar = new Party(world, { step: 5, leaf: 3 });

const port = (slot: number) =>
  ({ role: "data", height: HEIGHT, slot, byteLength: OUTPUT_BYTES }) as const;

export const model = {
  preimage: modelRootPreimage({
    programRoot: world.programTree.root,
    nodes: 6,
    weightsRoot: world.weightsTree.root,
    weights: world.weightRoots.length,
    initialSlotsRoot: truth.stateRoot(0),
    slots: 4,
    schedule: "fixed",
    iterations: 1,
    kept: 1,
    metadataHash: new Uint8Array(32),
    inputs: [port(3)],
    outputs: [port(0)],
  }),
  initialSlotRoots: truth.slotRoots[0],
};

/** What a party reveals: the bytes of the last node's result, and the proof that S_n holds them. */
export function revelation(party: Party, salt: Hex): Revelation {
  const last = world.steps - 2;
  const output = new Uint8Array(OUTPUT_BYTES);
  for (let i = 0; i < 1 << HEIGHT; i++) {
    output.set(party.result(last).node(0, i), 32 * i);
  }
  const proof = revealProof(model.preimage, party.slotRoots[last + 1], true);
  return {
    claim: hex(proof.claim),
    salt,
    outputs: [output],
    siblings: hexes(proof.siblings),
  };
}

export class Place implements AsyncDisposable {
  #nonce = 0n;

  private constructor(
    readonly anvil: Anvil,
    readonly deployment: Deployment,
    readonly requester: MarketClient,
    readonly submitter: MarketClient,
    readonly challenger: MarketClient,
    readonly registrationId: Hex,
  ) {}

  static async start(): Promise<Place> {
    const anvil = await startAnvil();
    const { rpcUrl } = anvil;
    const accounts = keys.map((key) => privateKeyToAccount(key));
    const { deployment } = await deploy({
      rpcUrl,
      account: accounts[0],
      limits: localLimits,
    });
    const [requester, submitter, challenger] = await Promise.all(
      accounts.map((account) =>
        connect({ rpcUrl, account, deployment, pollingInterval: 5 })
      ),
    );
    const { registrationId } = await requester.register(model, terms);
    return new Place(
      anvil,
      deployment,
      requester,
      submitter,
      challenger,
      registrationId,
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.anvil.stop();
  }

  /** Lets seconds pass, and a block. */
  async pass(seconds: number): Promise<void> {
    const client = createTestClient({
      chain: foundry,
      mode: "anvil",
      transport: http(this.anvil.rpcUrl),
    });
    await client.increaseTime({ seconds });
    await client.mine({ blocks: 1 });
  }

  /** A request with a nonce of its own. */
  async ask(options: Partial<RequestOptions> = {}): Promise<Hex> {
    const { requestId } = await this.requester.request({
      registrationId: this.registrationId,
      inputs: [{ bytes: new Uint8Array(OUTPUT_BYTES) }],
      iterations: 1,
      submitWindow: 200,
      fee: 5n * 10n ** 17n,
      nonce: this.#nonce++,
      ...options,
    });
    return requestId;
  }

  /** Commits and reveals what `party` computed. */
  async submit(requestId: Hex, party: Party, salt: Hex): Promise<Hex> {
    const shown = revelation(party, salt);
    const { submissionId } = await this.submitter.commit(
      requestId,
      shown.claim,
      salt,
    );
    await this.submitter.reveal(requestId, shown);
    return submissionId;
  }
}
