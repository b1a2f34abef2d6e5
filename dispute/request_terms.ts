/**
 * What a request on a chain asks to be computed: its inputs' bytes from the market's events, its iterations, its finish.
 *
 * Whoever answers or disputes starts here, from public data alone.
 */
import { bytesToHex, getAbiItem, type Hex, hexToBytes } from "viem";
import { marketAbi, type MarketClient, registryAbi } from "../contracts/mod.ts";
import { byteLength, type Commitment, type Input } from "../compiler/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import type { RequestTerms } from "./execution.ts";

const requested = getAbiItem({ abi: marketAbi, name: "Requested" });
const uploaded = getAbiItem({ abi: registryAbi, name: "Uploaded" });

/** Numbers of the ways in which a request gives an input: contracts/src/MarketTypes.sol. */
const SOURCE = { bytes: 0, chunks: 1, root: 2 } as const;

async function readRequested(market: MarketClient, requestId: Hex) {
  const { connection, deployment } = market;
  const logs = await connection.ask(
    "read the request",
    () =>
      connection.reader.getLogs({
        address: deployment.market,
        event: requested,
        args: { requestId },
        fromBlock: BigInt(deployment.block),
        strict: true,
      }),
  );
  const [log] = logs;
  if (log) return log.args;
  throw new ChainLearnError(
    `Cannot read request ${requestId}: expected its event on the chain, found none`,
    { exitCode: 3, hint: "Ask a node that keeps the chain's events." },
  );
}

/**
 * The terms of a request for the model that it was made for; throws where the registration is another model's.
 *
 * `given` are inputs in the order of those that the request names by a root alone.
 */
export async function readRequestTerms(
  market: MarketClient,
  requestId: Hex,
  { model, modelRoot }: Commitment,
  given: readonly Uint8Array[] = [],
): Promise<RequestTerms> {
  const state = await market.requestState(requestId);
  const { modelRoot: found } = await market.registration(state.registrationId);
  if (found !== bytesToHex(modelRoot)) {
    throw new ChainLearnError(
      `Cannot run request ${requestId}: expected a bundle of model ${found}, found ${
        bytesToHex(modelRoot)
      }`,
      { hint: "Give the bundle that was registered." },
    );
  }
  const { spec, inputs: data } = await readRequested(market, requestId);
  const rest = [...data];
  const own = [...given];
  const inputs: Uint8Array[] = [];
  for (const input of model.inputs) {
    if (input.role === "seed") inputs.push(hexToBytes(spec.seed));
    else if (input.role === "sampling") inputs.push(samplingBytes(spec));
    else {
      const next = rest.shift();
      inputs.push(
        next === undefined || next.source === SOURCE.root
          ? own.shift() ?? missing(input)
          : next.source === SOURCE.bytes
          ? hexToBytes(next.data)
          : await readChunks(
            market,
            next.roots,
            next.chunkHeight,
            byteLength(model.slots[input.slot].type),
          ),
      );
    }
  }
  return {
    inputs,
    iterations: Number(spec.iterations),
    finish: state.finish,
  };
}

function missing(input: Input): never {
  throw new ChainLearnError(
    `Cannot run the request: expected the bytes of input "${input.name}", found its root alone`,
    { hint: "Give the input with --input." },
  );
}

/** u32 little-endian words: temperature, top-k, top-p, five zeros. */
function samplingBytes(
  spec: { temperature: number; topK: number; topP: number },
): Uint8Array {
  const bytes = new Uint8Array(32);
  const words = [spec.temperature, spec.topK, spec.topP];
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => view.setUint32(4 * i, word, true));
  return bytes;
}

/**
 * The bytes of an input in uploaded chunks of `height`. Many chunks may have one root: those of another height are other
 * bytes, and those of the same height differ in the zeros at their end alone, which the input's length settles.
 */
async function readChunks(
  market: MarketClient,
  roots: readonly Hex[],
  height: number,
  byteLength: number,
): Promise<Uint8Array> {
  const { connection, deployment } = market;
  const logs = await connection.ask(
    "read an input's chunks",
    () =>
      connection.reader.getLogs({
        address: deployment.registry,
        event: uploaded,
        args: { root: [...roots] },
        fromBlock: BigInt(deployment.block),
        strict: true,
      }),
  );
  const size = 32 * 2 ** height;
  const bytes = new Uint8Array(byteLength);
  roots.forEach((root, i) => {
    const log = logs.find(({ args }) =>
      args.root === root && args.height === height
    );
    if (!log) {
      throw new ChainLearnError(
        `Cannot read chunk ${root}: expected its event on the chain, found none`,
        { exitCode: 3, hint: "Ask a node that keeps the chain's events." },
      );
    }
    const chunk = hexToBytes(log.args.data);
    bytes.set(chunk.subarray(0, byteLength - size * i), size * i);
  });
  return bytes;
}
