/**
 * The market's functions with the most that a model and a request may bring: outputs that fill what can be stored, many
 * ports, an input as long as a transaction carries. For the table of dearest transactions (gas_worst.ts).
 */
import { bytesToHex } from "viem";
import { modelRootPreimage, type Port } from "../../compiler/mod.ts";
import { deriveSalt, revealProof } from "../../contracts/mod.ts";
import {
  type Draw,
  leastTerms,
  type LocalChain,
  type LocalParty,
} from "../../dispute/mod.ts";
import {
  MerkleTree,
  tensorRoot,
  treeHeight,
  zeroHash,
} from "../../fpvm/mod.ts";
import { drawBytes } from "./deep_states.ts";

/** Nodes take transactions of at most 128 KiB. */
const LONG_INPUT = 96 * 1024;
const CHUNK_HEIGHT = 11;
const INPUTS = 32;
/** Together just below the 24,575 bytes that a contract can hold. */
const OUTPUT_BYTES = [4096, 4096, 4096, 4096, 4096, 3200] as const;
const KEPT = 8;
const SUBMIT_WINDOW = 3600;

const portOf = (slot: number, byteLength: number): Port => ({
  role: "data",
  slot,
  height: treeHeight(byteLength),
  byteLength,
});

/** A model with these ports; its program and weights are never looked at. */
function wideModel(draw: Draw) {
  const outputs = OUTPUT_BYTES.map((length, i) => portOf(i, length));
  const inputs = Array.from(
    { length: INPUTS },
    (_, i) => portOf(KEPT + i, i === 0 ? LONG_INPUT : 32),
  );
  const initialSlotRoots = Array.from({ length: KEPT + INPUTS }, (_, slot) => {
    const port = [...outputs, ...inputs].find((p) => p.slot === slot);
    return zeroHash(port?.height ?? 0);
  });
  const preimage = modelRootPreimage({
    programRoot: drawBytes(draw, 32),
    nodes: 1,
    weightsRoot: drawBytes(draw, 32),
    weights: 1,
    initialSlotsRoot: MerkleTree.ofLeaves(initialSlotRoots).root,
    slots: initialSlotRoots.length,
    schedule: "fixed",
    iterations: 1,
    kept: KEPT,
    metadataHash: drawBytes(draw, 32),
    inputs,
    outputs,
  });
  return { preimage, initialSlotRoots, inputs };
}

/** An upload; a request that becomes final, one that is forfeited, one that is refunded; and a withdrawal. */
export async function playWideRequests(
  chain: LocalChain,
  { market, secret }: LocalParty,
  draw: Draw,
): Promise<void> {
  const terms = leastTerms(await market.limits());
  const { preimage, initialSlotRoots, inputs } = wideModel(draw);
  await market.upload(drawBytes(draw, 32 * 2 ** CHUNK_HEIGHT), CHUNK_HEIGHT);
  const { registrationId } = await market.register(
    { preimage, initialSlotRoots },
    terms,
  );
  const request = async (nonce: bigint) =>
    (await market.request({
      registrationId,
      inputs: inputs.map(({ byteLength }) => ({
        bytes: drawBytes(draw, byteLength),
      })),
      iterations: 1,
      submitWindow: SUBMIT_WINDOW,
      fee: 1n,
      nonce,
    })).requestId;

  const outputs = OUTPUT_BYTES.map((length) => drawBytes(draw, length));
  const roots = Array.from(
    { length: KEPT },
    (_, i) => outputs[i] ? tensorRoot(outputs[i]) : zeroHash(0),
  );
  const { claim, siblings } = revealProof(preimage, roots, true);
  const final = await request(0n);
  const salt = deriveSalt(secret, final, 0);
  await market.commit(final, bytesToHex(claim), salt);
  await market.reveal(final, {
    claim: bytesToHex(claim),
    salt,
    outputs,
    siblings: siblings.map((s) => bytesToHex(s)),
  });
  await chain.advance(terms.challengePeriod + 1);
  await market.finalize(final);

  const forfeited = await request(1n);
  await market.commit(forfeited, bytesToHex(claim), salt);
  await chain.advance(terms.revealWindow + 1);
  await market.forfeit(forfeited);

  const refunded = await request(2n);
  await chain.advance(SUBMIT_WINDOW + 1);
  await market.refund(refunded);
  await market.withdraw();
}
