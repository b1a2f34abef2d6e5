import { assertEquals } from "@std/assert";
import { LeafTrace } from "../../dispute/mod.ts";
import {
  composeInitialState,
  hashPair,
  keccak256,
  rootFromPath,
  stateHash,
  step,
  stepWitness,
  tensorRoot,
  unpackState,
  zeroHash,
} from "../../fpvm/mod.ts";
import { MemoryContentStore } from "../../fpvm/mod.ts";
import { Random } from "../random.ts";
import { smallTruth } from "./arena.ts";

const truth = await smallTruth(9);
const { commitment } = truth;
const OUTPUT_LEAF = 0x2000_0000 / 32;

Deno.test("LeafTrace: every state hash is that of the machine run step by step", () => {
  // Step 14 is the sum of the weights table's bytes in the second iteration.
  const trace = new LeafTrace(truth, 14, 0);
  const program = commitment.programs[commitment.nodePrograms[6]];
  const store = new MemoryContentStore();
  store.put(commitment.model.constants[0].bytes);
  const state = composeInitialState({
    program: program.code,
    programHeight: program.height,
    leafIndex: 0,
    iteration: 1,
    operandRoots: [store.put(commitment.weightRoots[0])],
    store,
  });
  assertEquals(trace.operandRoots, [commitment.weightsTree.root]);
  assertEquals(trace.hashAt(0), trace.initialHash);
  for (let m = 0; m <= trace.length; m++) {
    assertEquals(trace.hashAt(m), stateHash(state), `step ${m}`);
    step(state);
  }
  assertEquals(trace.hashAt(trace.length), keccak256(trace.final));
  // Past the end nothing changes.
  assertEquals(trace.hashAt(trace.length + 5), keccak256(trace.final));
  assertEquals(state.status, unpackState(trace.final).status);
});

Deno.test("LeafTrace.witnessAt: each witness leads from one state hash to the next", () => {
  const random = new Random(31);
  const trace = new LeafTrace(truth, 8, 3);
  const places = [0, 1, trace.length - 1];
  for (let i = 0; i < 20; i++) places.push(random.below(trace.length));
  for (const m of places) {
    const { prestate, poststate } = stepWitness(trace.witnessAt(m));
    assertEquals(prestate, trace.hashAt(m), `seed 31, step ${m}`);
    assertEquals(poststate, trace.hashAt(m + 1), `seed 31, step ${m}`);
  }
});

Deno.test("LeafTrace: yields the leaf that the native run has, with its path under the final memory", () => {
  truth.results().slice(0, 8).forEach(({ step, bytes }) => {
    const leaves = Math.ceil(bytes.length / 32);
    for (const leaf of new Set([0, leaves >> 1, leaves - 1])) {
      const trace = new LeafTrace(truth, step, leaf);
      const expected = new Uint8Array(32);
      expected.set(bytes.subarray(32 * leaf, 32 * leaf + 32));
      assertEquals(trace.succeeded, true);
      assertEquals(trace.resultRoot(), expected, `step ${step}, leaf ${leaf}`);
      const path = trace.outputPath();
      assertEquals(
        rootFromPath(expected, OUTPUT_LEAF, path),
        unpackState(trace.final).memoryRoot,
      );
      assertEquals(trace.resultRoot(1), hashPair(expected, path[0]));
    }
  });
});

Deno.test("LeafTrace: takes no more steps than the descriptor's limit halved", () => {
  const longest = new Map<number, number>();
  truth.results().slice(0, 8).forEach(({ step, bytes }) => {
    for (let leaf = 0; leaf < Math.ceil(bytes.length / 32); leaf += 17) {
      const { length } = new LeafTrace(truth, step, leaf);
      longest.set(step, Math.max(longest.get(step) ?? 0, length));
    }
  });
  for (const [step, length] of longest) {
    const limit = commitment.descriptors[step].maxSteps;
    assertEquals(BigInt(length) <= limit / 2n, true, `step ${step}`);
  }
});

Deno.test("LeafTrace: a program that traps or never stops yields zero (D4)", () => {
  const with_ = (words: number[], maxSteps: bigint) => {
    const code = new Uint8Array(new Uint32Array(words).buffer);
    const root = tensorRoot(code);
    const program = { code, root, height: 0, worstSteps: 4 };
    const execution = Object.create(truth, {
      commitment: {
        value: {
          ...commitment,
          programs: commitment.programs.map(() => program),
          descriptors: commitment.descriptors.map((d) => ({ ...d, maxSteps })),
        },
      },
      slotBytes: {
        value: (i: number, slot: number) => truth.slotBytes(i, slot),
      },
    });
    return new LeafTrace(execution, 0, 0);
  };
  const breakAtOnce = with_([0x0000000d], 100n);
  assertEquals([breakAtOnce.length, breakAtOnce.succeeded], [1, false]);
  assertEquals(breakAtOnce.resultRoot(2), zeroHash(2));
  // beq $zero, $zero, -1; nop
  const endless = with_([0x1000ffff, 0], 100n);
  assertEquals([endless.length, endless.succeeded], [100, false]);
  assertEquals(unpackState(endless.final).status, 0);
  assertEquals(endless.resultRoot(), zeroHash(0));
  // Even a limit of 0 leaves one step.
  assertEquals(with_([0x1000ffff, 0], 0n).length, 1);
});
