import { assertEquals, assertThrows } from "@std/assert";
import {
  lieAbout,
  nodesByKind,
  promptBytes,
} from "../../cli/bench/large_lies.ts";
import {
  commitModel,
  LLAMA_7B,
  llamaModel,
  validateModel,
} from "../../compiler/mod.ts";
import {
  Party,
  playLocally,
  shapeOf,
  SyntheticView,
} from "../../dispute/mod.ts";
import { ChainLearnError, tensorRoot } from "../../fpvm/mod.ts";
import {
  generatedRoots,
  generatedWeights,
} from "../../models/llama_shape/mod.ts";

/** All kinds of nodes of the large model, small; rows of leaves that straddle. */
const shape = {
  ...LLAMA_7B,
  dim: 72,
  layers: 2,
  heads: 4,
  hidden: 104,
  vocabulary: 150,
  context: 24,
  prompt: 6,
};
const model = llamaModel(shape, generatedWeights(1));
validateModel(model);
const commitment = commitModel(model);
const terms = {
  inputs: [promptBytes(commitment, 1)],
  iterations: 20,
  finish: true,
};

Deno.test("SyntheticView carries a dispute about every kind of node to its instruction", () => {
  for (const [i, node] of nodesByKind(commitment).entries()) {
    const { truth, lie, vmStep, kind } = lieAbout(commitment, terms, node, i);
    const honest = new Party(truth);
    const liar = new Party(lie, { kind: "consistent", step: vmStep });
    const play = (challenger: typeof honest, submitter: typeof honest) => {
      const played = playLocally(
        shapeOf(commitment),
        challenger,
        submitter,
        true,
      );
      return [played.winner, played.refused, played.moves.at(-1)?.move.kind];
    };
    const [first, second] = [play(liar, honest), play(honest, liar)];
    assertEquals(first, ["submitter", undefined, "arbitrate"], kind);
    assertEquals(second, ["challenger", undefined, "arbitrate"], kind);
  }
});

Deno.test("SyntheticView makes up the same states for both parties up to the disputed step", () => {
  const [node] = nodesByKind(commitment);
  const { truth, lie } = lieAbout(commitment, terms, node, 7);
  const { step } = truth.disputed;
  for (const i of [0, 1, step - 1, step]) {
    assertEquals(truth.stateRoot(i), lie.stateRoot(i), `state ${i}`);
  }
  for (const i of [step + 1, step + 2, truth.steps]) {
    assertEquals(
      truth.stateRoot(i).toHex() === lie.stateRoot(i).toHex(),
      false,
      `state ${i}`,
    );
  }
});

Deno.test("SyntheticView refuses operands that S_0 contradicts and bytes that it does not have", () => {
  const [token] = nodesByKind(commitment);
  const slot = model.slots.findIndex((s) => s.name === "tokens");
  const operands = new Map([[slot, new Uint8Array(4 * shape.context).fill(1)]]);
  const result = new Uint8Array(4);
  assertThrows(
    () =>
      new SyntheticView(
        commitment,
        terms,
        { step: token, operands, result },
        "",
      ),
    ChainLearnError,
    `expected slot ${slot} as it is in S_0`,
  );
  const { truth } = lieAbout(commitment, terms, token, 1);
  const other = model.nodes[5].result;
  assertThrows(
    () => truth.slotBytes(truth.nodeSteps, other),
    ChainLearnError,
    "found a made-up tensor",
  );
});

Deno.test("generatedRoots are the roots of the constants, pieces and threads or not", async () => {
  // Two tensors of more than 4 MiB, one of which does not end with a piece.
  const large = { ...shape, dim: 128, vocabulary: 40_000, layers: 1 };
  const { constants } = llamaModel(large, generatedWeights(3));
  const roots = await generatedRoots(constants, 3, 1, () => {});
  constants.forEach((constant, i) => {
    assertEquals(roots[i], tensorRoot(constant.bytes), constant.name);
  });
});
