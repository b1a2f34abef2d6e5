import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  bytesToHex,
  concat,
  type Hex,
  hexToBytes,
  keccak256,
  size,
} from "viem";
import { encodeDescriptor } from "../../compiler/mod.ts";
import { Execution, faultKinds, LeafTrace, Party } from "../../dispute/mod.ts";
import {
  ChainLearnError,
  rootFromPath,
  stepWitness,
  tensorRoot,
} from "../../fpvm/mod.ts";
import { createInterpreterExecutor } from "../../runtime/mod.ts";
import { liarOf, smallTruth } from "./arena.ts";

const truth = await smallTruth(9);
const { commitment, terms } = truth;
const { model } = commitment;
const honest = new Party(truth);

const rootOf = (node: Hex, index: number, path: readonly Hex[]) =>
  bytesToHex(
    rootFromPath(hexToBytes(node), index, path.map((s) => hexToBytes(s))),
  );

Deno.test("Party.openNode: the proofs turn the agreed state into the next one", () => {
  for (let step = 0; step < 32; step++) {
    const node = step % 8;
    const slot = model.nodes[node].result;
    const opening = honest.openNode(BigInt(step));
    const state = honest.stateRoot(BigInt(step));
    assertEquals(
      opening.descriptor,
      bytesToHex(encodeDescriptor(commitment.descriptors[node])),
    );
    assertEquals(
      rootOf(keccak256(opening.descriptor), node, opening.programPath),
      bytesToHex(commitment.programTree.root),
    );
    assertEquals(rootOf(opening.oldRoot, slot, opening.slotPath), state);
    assertEquals(
      rootOf(opening.newRoot, slot, opening.slotPath),
      honest.stateRoot(BigInt(step + 1)),
    );
    assertEquals(
      rootOf(opening.stop!.leaf, model.stopSlot!, opening.stop!.path),
      state,
    );
  }
});

Deno.test("Party.openFinish: the kept subtree alone leads to both states", () => {
  assertEquals([honest.isFinish(31n), honest.isFinish(32n)], [false, true]);
  const { kept, path } = honest.openFinish(32n);
  // Two slots are kept: level 1 of 3.
  assertEquals(path.length, 2);
  assertEquals(rootOf(kept, 0, path), honest.stateRoot(32n));
  const zero: Hex = `0x${"00".repeat(64)}`;
  const first = keccak256(zero);
  const second = keccak256(concat([first, first]));
  assertEquals(rootOf(kept, 0, [first, second]), honest.stateRoot(33n));
});

Deno.test("Party.resultNode: the nodes hash to the result's root", () => {
  const step = 11n;
  const { newRoot } = honest.openNode(step);
  const tree = honest.resultTree(step);
  assertEquals(honest.resultNode(step, tree.height, 0), newRoot);
  for (let level = tree.height; level > 0; level--) {
    const index = level === tree.height ? 0 : 1;
    assertEquals(
      keccak256(
        concat([
          honest.resultNode(step, level - 1, 2 * index),
          honest.resultNode(step, level - 1, 2 * index + 1),
        ]),
      ),
      honest.resultNode(step, level, index),
    );
  }
});

Deno.test("Party.leaf: operands' roots stand under the agreed state and the weights root", () => {
  // Step 8 multiplies slot 2 by the constant; step 14 reads the weights table, which needs no proof.
  const { opening } = honest.leaf(8n, 1);
  const [x, w] = opening.operands;
  assertEquals(rootOf(x.root, 2, x.path), honest.stateRoot(8n));
  assertEquals(
    rootOf(w.root, 0, w.path),
    bytesToHex(commitment.weightsTree.root),
  );
  assertEquals(w.root, bytesToHex(tensorRoot(model.constants[0].bytes)));
  assertEquals(honest.leaf(14n, 0).opening.operands, []);
});

Deno.test("Party.leaf: claims what its program does, step for step", () => {
  const leaf = honest.leaf(8n, 1);
  const trace = new LeafTrace(truth, 8, 1);
  assertEquals(leaf.opening.steps, BigInt(trace.length));
  assertEquals(leaf.opening.finalState, bytesToHex(trace.final));
  assertEquals(
    leaf.stateHash(leaf.opening.steps),
    keccak256(leaf.opening.finalState),
  );
  const { prestate, poststate } = stepWitness(hexToBytes(leaf.witness(17n)));
  assertEquals(leaf.stateHash(17n), bytesToHex(prestate));
  assertEquals(leaf.stateHash(18n), bytesToHex(poststate));
  assertEquals(size(leaf.opening.outputPath) % 32, 4);
  assertEquals(honest.leaf(8n, 1), leaf, "the same object: traces are kept");
});

Deno.test("Party.leaf: D3 an honest party does not defend what its program does not compute", async () => {
  const executor = createInterpreterExecutor(model);
  const wrong = await Execution.run(commitment, terms, executor, (step, r) => {
    if (step === 3) r[40] ^= 1;
  });
  const party = new Party(wrong);
  party.leaf(3n, 0);
  assertThrows(
    () => party.leaf(3n, 1),
    ChainLearnError,
    'Cannot defend leaf 1 of node "node 2": expected what its program computes, found another native result',
  );
});

Deno.test("Party: a liar's final state gives his false leaf by the rules, and part of his run is false", async () => {
  for (const kind of faultKinds) {
    const liar = await liarOf(truth, kind, 3, 5, null);
    assert(liar, kind);
    const { opening, stateHash } = liar.leaf(3n, 5);
    const state = hexToBytes(opening.finalState);
    assertEquals(state.length, 178, kind);
    assertEquals(stateHash(opening.steps), keccak256(opening.finalState), kind);
    const limit = commitment.descriptors[3].maxSteps;
    assertEquals(opening.steps >= 1n && opening.steps <= limit, true, kind);
    const exited = state[48] === 1 && state[49] === 0;
    assertEquals(exited, opening.outputPath !== "0x", kind);
    const run = honest.leaf(3n, 5);
    assertEquals(stateHash(0n), run.stateHash(0n), kind);
    assertEquals(opening.finalState === run.opening.finalState, false, kind);
  }
});
