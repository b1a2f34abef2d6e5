/**
 * Lies in a model of LLaMA's shape, one for each kind of node: the truth and the lie as views of a request.
 *
 * Only the disputed node is computed, from operands that are drawn; see `SyntheticView` for what lies around it.
 */
import type { Commitment } from "../../compiler/mod.ts";
import { byteLength, LLAMA_7B } from "../../compiler/mod.ts";
import {
  type Draw,
  drawsFrom,
  LeafTrace,
  type RequestTerms,
  SyntheticView,
} from "../../dispute/mod.ts";
import { LEAF_BYTES } from "../../fpvm/mod.ts";
import { streamBytes } from "../../models/llama_shape/mod.ts";
import { runKernel } from "../../runtime/mod.ts";

/** A false result at one step, beside the true one. */
export interface LargeLie {
  /** Name of the node's kernel. */
  readonly kind: string;
  readonly node: string;
  readonly truth: SyntheticView;
  readonly lie: SyntheticView;
  /** The false leaf. */
  readonly leaf: number;
  /** First false step of its program. */
  readonly vmStep: number;
  /** Steps of its program. */
  readonly length: number;
}

/** Steps of a program that are tried for the longest witness. */
const TRIED_STEPS = 32;

/** One node of each kernel, of the layer in the middle where every layer has one. */
export function nodesByKind({ model }: Commitment): number[] {
  return model.kernels.map((_, kernel) => {
    const nodes = model.nodes.flatMap((n, i) => n.kernel === kernel ? i : []);
    return nodes[nodes.length >> 1];
  });
}

/** A prompt of tokens that are drawn: their number, then these. */
export function promptBytes({ model }: Commitment, seed: number): Uint8Array {
  const words = new Int32Array(
    byteLength(model.slots[model.inputs[0].slot].type) / 4,
  );
  const draw = drawsFrom(seed);
  words.forEach((_, i) => words[i] = draw(LLAMA_7B.vocabulary));
  words[0] = words.length - 1;
  return new Uint8Array(words.buffer);
}

/** A lie about a node in the last iteration but one, so that everything after it differs. */
export function lieAbout(
  commitment: Commitment,
  terms: RequestTerms,
  index: number,
  seed: number,
): LargeLie {
  const { model } = commitment;
  const node = model.nodes[index];
  const iteration = Math.max(0, terms.iterations - 2);
  const step = iteration * model.nodes.length + index;
  const draw = drawsFrom(seed);
  const operands = new Map<number, Uint8Array>();
  const bytes = node.operands.map((ref) => {
    if (ref.kind === "weights_table") throw new RangeError("no such operand");
    if (ref.kind === "weight") return model.constants[ref.index].bytes;
    const input = model.inputs.findIndex(({ slot }) => slot === ref.index);
    const slot = model.slots[ref.index];
    const value = operands.get(ref.index) ??
      (input < 0
        ? streamBytes(slot.name, seed, byteLength(slot.type))
        : terms.inputs[input]);
    operands.set(ref.index, value);
    return value;
  });
  const result = runKernel(model.kernels[node.kernel], bytes, iteration);
  const leaf = draw(Math.ceil(result.length / LEAF_BYTES));
  const disputed = { step, operands };
  const truth = new SyntheticView(
    commitment,
    terms,
    { ...disputed, result },
    "true",
  );
  const lie = new SyntheticView(
    commitment,
    terms,
    { ...disputed, result: bent(result, leaf) },
    "false",
  );
  const trace = new LeafTrace(truth, step, leaf);
  const vmStep = dearStep(trace, draw) + 1;
  return {
    kind: model.kernels[node.kernel].name,
    node: node.name,
    truth,
    lie,
    leaf,
    vmStep,
    length: trace.length,
  };
}

/** The result with another leaf. */
function bent(result: Uint8Array, leaf: number): Uint8Array {
  const copy = result.slice();
  const bytes = copy.subarray(LEAF_BYTES * leaf, LEAF_BYTES * (leaf + 1));
  bytes.forEach((byte, i) => bytes[i] = byte ^ 0x55);
  return copy;
}

/** Of some steps, the one whose witness is longest. */
function dearStep(trace: LeafTrace, draw: Draw): number {
  let [best, most] = [0, 0];
  for (let i = 0; i < TRIED_STEPS; i++) {
    const step = draw(trace.length);
    const { length } = trace.witnessAt(step);
    if (length > most) [best, most] = [step, length];
  }
  return best;
}
