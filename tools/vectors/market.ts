/**
 * One request's life in ids and commitments: docs/formats.md, "Ids and commitments of the market" and "Slots proof".
 *
 * The ids are hashed here as the page says; contracts/test/Formats.t.sol plays the same life on the market.
 */
import {
  encodeAbiParameters,
  getAbiItem,
  type Hex,
  keccak256,
  parseAbiParameters,
} from "viem";
import { type ModelRootFields, modelRootPreimage } from "../../compiler/mod.ts";
import {
  deriveSalt,
  firstMoveCommitment,
  marketAbi,
  registrationProof,
  registryAbi,
  revealProof,
  submissionCommitment,
} from "../../contracts/mod.ts";
import { MerkleTree, tensorRoot } from "../../fpvm/mod.ts";
import { counting, hex, packed } from "./trees.ts";

const CHAIN_ID = 31337n;
const market = "0x5fbdb2315678afecb367f032d93f642f64180aa3";
const registrant = "0x00000000000000000000000000000000000a11ce";
const requester = "0x0000000000000000000000000000000000000b0b";
const submitter = "0x00000000000000000000000000000000000ca401";
const challenger = "0x000000000000000000000000000000000000da5e";

const input = counting(100);
const outputs = [counting(40, 3), counting(4, 5)];
const initialSlotRoots = [
  tensorRoot(new Uint8Array(40)),
  tensorRoot(new Uint8Array(4)),
  tensorRoot(counting(100, 60)),
  counting(32, 70),
  counting(32, 80),
];

const fields: ModelRootFields = {
  programRoot: counting(32, 1),
  nodes: 3,
  weightsRoot: counting(32, 2),
  weights: 1,
  initialSlotsRoot: MerkleTree.ofLeaves(initialSlotRoots).root,
  slots: 5,
  schedule: "request",
  iterations: 10,
  kept: 2,
  metadataHash: counting(32, 4),
  inputs: [
    { role: "data", height: 2, slot: 2, byteLength: 100 },
    { role: "seed", height: 0, slot: 3, byteLength: 32 },
    { role: "sampling", height: 0, slot: 4, byteLength: 32 },
  ],
  outputs: [
    { role: "data", height: 1, slot: 0, byteLength: 40 },
    { role: "data", height: 0, slot: 1, byteLength: 4 },
  ],
};

const parameters = {
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
  attention: {
    maxOpen: 0,
    bond: 0n,
    wage: 0n,
    threshold: 0n,
    answerWindow: 0,
    accusationWindow: 0,
  },
};

const sampling = { temperature: 0x00010000, topK: 40, topP: 0xe6666666 };

const register = getAbiItem({ abi: registryAbi, name: "register" });
const request = getAbiItem({ abi: marketAbi, name: "request" });
const parametersType = register.inputs[1];
const specType = request.inputs[0];

/** temperature, top-k, top-p as little-endian words, then zeros. */
function samplingLeaf(): Uint8Array {
  const leaf = new Uint8Array(32);
  const view = new DataView(leaf.buffer);
  view.setUint32(0, sampling.temperature, true);
  view.setUint32(4, sampling.topK, true);
  view.setUint32(8, sampling.topP, true);
  return leaf;
}

/** keccak of the chain, the market and what an id is made of. */
const idOf = (types: readonly { type: string }[], values: readonly unknown[]) =>
  keccak256(encodeAbiParameters(
    [{ type: "uint256" }, { type: "address" }, ...types],
    [CHAIN_ID, market, ...values],
  ));
const idTypes = parseAbiParameters("bytes32, address, bytes32");

/** The life, from registration to dispute; structures are ABI-encoded. */
export function marketVector() {
  const preimage = modelRootPreimage(fields);
  const modelRoot = keccak256(preimage);
  const registration = registrationProof(preimage, initialSlotRoots);
  const registrationId = keccak256(encodeAbiParameters(
    [{ type: "bytes32" }, parametersType, { type: "address" }],
    [modelRoot, parameters, registrant],
  ));
  const seed = hex(counting(32, 90)) as Hex;
  const spec = {
    registrationId,
    iterations: 4n,
    seed,
    ...sampling,
    stake: 10n ** 18n,
    challengePeriod: 600,
    clock: 300,
    submitWindow: 200,
    fee: 5n * 10n ** 17n,
    callback: "0x0000000000000000000000000000000000000000",
    callbackGas: 0,
    finish: true,
    nonce: 3n,
  } as const;
  const started = initialSlotRoots.slice();
  started[2] = tensorRoot(input);
  started[3] = counting(32, 90);
  started[4] = samplingLeaf();
  const start = hex(MerkleTree.ofLeaves(started).root) as Hex;
  const requestId = idOf(
    [{ type: "address" }, specType, { type: "bytes32" }, { type: "bool" }],
    [requester, spec, start, true],
  );
  const final = outputs.map((bytes) => tensorRoot(bytes));
  const reveal = revealProof(
    preimage,
    [...final, ...started.slice(2)],
    spec.finish,
  );
  const claim = hex(reveal.claim) as Hex;
  const secret = hex(counting(32, 33)) as Hex;
  const salt = deriveSalt(secret, requestId, 1);
  const commitment = submissionCommitment(requestId, submitter, claim, salt);
  const submissionId = idOf(idTypes, [requestId, submitter, commitment]);
  const hashes = [counting(32, 12), counting(32, 13)];
  const otherClaim = hex(counting(32, 11)) as Hex;
  const firstMove = firstMoveCommitment(
    challenger,
    otherClaim,
    hashes.map((hash) => hex(hash) as Hex),
    salt,
  );
  return {
    chainId: Number(CHAIN_ID),
    market,
    registrant,
    requester,
    submitter,
    challenger,
    preimage: hex(preimage),
    modelRoot,
    values: packed(registration.values),
    siblings: packed(registration.siblings),
    parameters: encodeAbiParameters([parametersType], [parameters]),
    registrationId,
    input: hex(input),
    spec: encodeAbiParameters([specType], [spec]),
    start,
    requestId,
    claim,
    secret,
    salt,
    saltAttempt: 1,
    outputs: outputs.map(hex),
    outputSiblings: packed(reveal.siblings),
    commitment,
    submissionId,
    firstMove: { claim: otherClaim, hashes: packed(hashes), salt },
    firstMoveCommitment: firstMove,
    disputeId: idOf(idTypes, [submissionId, challenger, firstMove]),
  };
}
