import { assert, assertEquals, assertThrows } from "@std/assert";
import { Random } from "../random.ts";
import {
  buildWitness,
  ChainLearnError,
  STATE_BYTES,
  stateHash,
  step,
  stepWitness,
  type VmState,
} from "../../fpvm/mod.ts";
import { vmCases } from "./cases.ts";
import { invalidWitnesses } from "./invalid.ts";
import { randomMachine } from "./machines.ts";

function assertAgrees(state: VmState, message: string): void {
  const before = stateHash(state).toHex();
  const witness = buildWitness(state);
  assertEquals(stateHash(state).toHex(), before, `${message}: state changed`);
  const { prestate, poststate } = stepWitness(witness);
  step(state);
  assertEquals(prestate.toHex(), before, message);
  assertEquals(poststate.toHex(), stateHash(state).toHex(), message);
}

Deno.test("stepWitness: agrees with step in every named case", () => {
  for (const { name, state } of vmCases()) assertAgrees(state, name);
});

Deno.test("stepWitness: agrees with step in random states, three steps each", () => {
  const seed = Number(Deno.env.get("CHAINLEARN_SEED") ?? 31);
  const random = new Random(seed);
  for (let i = 0; i < 1000; i++) {
    const state = randomMachine(random);
    for (let k = 0; k < 3; k++) assertAgrees(state, `seed ${seed} state ${i}`);
  }
});

Deno.test("stepWitness: golden vectors", async () => {
  const url = new URL("../vectors/vm.json", import.meta.url);
  const { valid, invalid } = JSON.parse(await Deno.readTextFile(url));
  const bytes = (hex: string) => Uint8Array.fromHex(hex.slice(2));
  assertEquals(valid.length, vmCases().length);
  for (const { name, witness, prestate, poststate } of valid) {
    const result = stepWitness(bytes(witness));
    assertEquals(`0x${result.prestate.toHex()}`, prestate, name);
    assertEquals(`0x${result.poststate.toHex()}`, poststate, name);
  }
  assertEquals(invalid.length, invalidWitnesses().length);
  for (const { witness } of invalid) {
    assertThrows(() => stepWitness(bytes(witness)), ChainLearnError);
  }
});

for (const { name, witness } of invalidWitnesses()) {
  Deno.test(`stepWitness: refuses ${name}`, () => {
    assertThrows(() => stepWitness(witness), ChainLearnError);
  });
}

Deno.test("stepWitness: P every flipped bit of a proof is refused, of a state seen", () => {
  const random = new Random(5);
  for (const { name, state } of vmCases()) {
    const witness = buildWitness(state);
    const { prestate } = stepWitness(witness);
    for (let i = 0; i < 12; i++) {
      const start = i % 2 === 0 ? 0 : STATE_BYTES;
      if (start >= witness.length) continue;
      const bit = 8 * start + random.below(8 * (witness.length - start));
      const flipped = witness.slice();
      flipped[bit >>> 3] ^= 1 << (bit & 7);
      const flip = () => stepWitness(flipped);
      if (start > 0) assertThrows(flip, ChainLearnError);
      else {
        try {
          assert(flip().prestate.toHex() !== prestate.toHex(), name);
        } catch (error) {
          assert(error instanceof ChainLearnError, `${name}: ${error}`);
        }
      }
    }
  }
});

Deno.test("stepWitness: refuses every truncation and every lengthening", () => {
  for (const { state } of vmCases().slice(0, 40)) {
    const witness = buildWitness(state);
    for (const count of [1, 4, 31, 32, 36]) {
      const longer = new Uint8Array(witness.length + count);
      longer.set(witness);
      const shorter = witness.slice(0, -count);
      assertThrows(() => stepWitness(longer), ChainLearnError);
      assertThrows(() => stepWitness(shorter), ChainLearnError);
    }
  }
});
