import { assertEquals } from "@std/assert";
import { bytesToHex } from "viem";
import {
  DeepClaims,
  DeepModel,
  type DeepShape,
} from "../../cli/bench/deep_claims.ts";
import { deepState } from "../../cli/bench/deep_states.ts";
import { stepKinds } from "../../cli/bench/gas_steps.ts";
import { drawsFrom, type ModelShape, playLocally } from "../../dispute/mod.ts";
import { buildWitness, stateHash, step, stepWitness } from "../../fpvm/mod.ts";

const limits: DeepShape = {
  depth: 31,
  operands: 31,
  operandKind: "weight",
  height: 26,
  vmSteps: 2 ** 28 - 1,
  instruction: "graft",
  finish: false,
};

/** As the registry proves it. */
function shapeOf(model: DeepModel): ModelShape {
  return {
    programRoot: bytesToHex(model.programTree.root),
    weightsRoot: bytesToHex(model.weightsTree.root),
    nodes: model.nodes,
    weights: model.nodes,
    slots: model.nodes,
    kept: 1,
    stopSlot: model.stopSlot,
  };
}

Deno.test("DeepClaims plays a dispute at every limit to the instruction, and who is right wins", () => {
  for (const operandKind of ["weight", "slot"] as const) {
    for (const right of [true, false]) {
      const model = new DeepModel({ ...limits, operandKind }, drawsFrom(3));
      const { winner, refused, moves } = playLocally(
        shapeOf(model),
        new DeepClaims(model, "challenger", right),
        new DeepClaims(model, "submitter", !right),
        true,
        { k: 32, q: 5 },
      );
      assertEquals(
        [winner, refused, moves.at(-1)?.move.kind],
        [right ? "challenger" : "submitter", undefined, "arbitrate"],
      );
    }
  }
});

Deno.test("deepState has no zero sibling on the paths of its witness, and the witness tells its step", () => {
  // Packed state, then per path: 32 bytes, a map of 4 bytes and all siblings up to where it joins another.
  const least = {
    alu: 178 + 36 + 27 * 32,
    load: 1946,
    store: 1946,
    graft: 2718,
  };
  const draw = drawsFrom(5);
  for (const kind of stepKinds) {
    for (let i = 0; i < 8; i++) {
      const state = deepState(kind, draw);
      const witness = buildWitness(state);
      const { prestate, poststate } = stepWitness(witness);
      assertEquals(prestate, stateHash(state), `${kind} ${i}`);
      step(state);
      assertEquals(poststate, stateHash(state), `${kind} ${i}`);
      assertEquals(state.status, 0, `${kind} ${i}`);
      assertEquals(
        witness.length >= least[kind],
        true,
        `${kind} ${witness.length}`,
      );
    }
  }
});
