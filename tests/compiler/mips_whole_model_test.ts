import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  add,
  and,
  axis,
  byteLength,
  defineKernel,
  emitModelProgram,
  load,
  type Model,
  mul,
  operandsOf,
  type TensorType,
  verifyKernel,
} from "../../compiler/mod.ts";
import {
  ChainLearnError,
  composeInitialState,
  type ContentStore,
  REGIONS,
  runTranslated,
  STATUS,
  tensorRoot,
  treeHeight,
} from "../../fpvm/mod.ts";
import { planMemory } from "../../compiler/mips/whole_memory.ts";
import { onePass } from "../runtime/phases.ts";
import { Random } from "../random.ts";

const LANES = 64;
const HEAD_BYTES = 4 * LANES;
/** Bytes from one gathered element to the next, so that each is on a page of its own. */
const STRIDE = 2 ** 22 + 4;
const CONSTANTS = 20;
const vector: TensorType = { dtype: "i32", shape: [LANES] };
/** 256 MiB. */
const large: TensorType = { dtype: "i32", shape: [2 ** 26] };

/** y[j] = x[j] + w[j] + w[j * STRIDE / 4 mod 2^26]. */
function gather() {
  const operands = [vector, large];
  const [x, w] = operandsOf(operands);
  const j = axis(0);
  const far = and(mul(j, STRIDE / 4), 2 ** 26 - 1);
  return defineKernel({
    name: "gather",
    operands,
    result: vector,
    body: add(load(x, j), add(load(w, j), load(w, far))),
  });
}

/** A chain of gathers, each from a constant of its own; the constants' bytes are not here. */
function chain(): Model {
  const slot = (index: number) => ({ kind: "slot", index } as const);
  return {
    name: "chain",
    mode: "fixed",
    kernels: [gather()],
    nodes: Array.from({ length: CONSTANTS }, (_, i) => ({
      name: `gather ${i}`,
      kernel: 0,
      operands: [
        slot(i === 0 ? 1 : i + 1),
        { kind: "weight", index: i } as const,
      ],
      result: i === CONSTANTS - 1 ? 0 : i + 2,
      whole: false,
      lineage: [],
    })),
    constants: Array.from({ length: CONSTANTS }, (_, i) => ({
      name: `w${i}`,
      type: large,
      bytes: new Uint8Array(),
    })),
    slots: Array.from({ length: CONSTANTS + 1 }, (_, i) => ({
      name: `s${i}`,
      type: vector,
    })),
    inputs: [{
      name: "x",
      slot: 1,
      role: "data",
      accepts: { kind: "tensor" },
    }],
    outputs: [{ name: "y", slot: 0, scale: 1 }],
    schedule: { kind: "fixed", iterations: 1 },
    kept: 1,
  };
}

/** The first bytes of a constant; all others are zero. */
const headOf = (constant: number) => new Random(constant + 1).bytes(HEAD_BYTES);

Deno.test("emitModelProgram: a program walks through constants larger than the machine's memory in sum", () => {
  const model = chain();
  model.kernels.forEach((kernel) => verifyKernel(kernel));
  const height = treeHeight(byteLength(large));
  assert(CONSTANTS * byteLength(large) > 2 ** 32);
  const program = emitModelProgram(model);
  const x = new Random(99).bytes(4 * LANES);
  const table = new Uint8Array(32 * CONSTANTS);
  const made = new Map<string, () => Uint8Array>();
  for (let i = 0; i < CONSTANTS; i++) {
    const root = tensorRoot(headOf(i), height);
    table.set(root, 32 * i);
    made.set(root.toHex(), () => headOf(i));
  }
  const operandRoots = [tensorRoot(table), tensorRoot(x)];
  made.set(operandRoots[0].toHex(), () => table);
  made.set(operandRoots[1].toHex(), () => x);
  let opened = 0;
  const store: ContentStore = {
    get(root) {
      opened++;
      return made.get(root.toHex())?.();
    },
  };
  const before = Deno.memoryUsage().rss;
  const state = composeInitialState({
    program: program.code,
    programHeight: treeHeight(program.code.length),
    leafIndex: 0,
    iteration: 0,
    operandRoots,
    store,
  });
  const steps = runTranslated(state, program.worstSteps + 1);
  assertEquals([state.status, state.exitCode], [STATUS.exited, 0]);
  assertEquals(steps, program.worstSteps);
  assert(opened >= CONSTANTS, `${opened} tensors were opened`);

  const expected = new Int32Array(x.slice().buffer);
  for (let i = 0; i < CONSTANTS; i++) {
    const head = new Int32Array(headOf(i).slice().buffer);
    // Of the far elements only that of lane 0 lies in the head.
    for (let j = 0; j < LANES; j++) expected[j] += head[j];
    expected[0] += head[0];
  }
  const found = new Int32Array(LANES);
  for (let j = 0; j < LANES; j++) {
    found[j] = state.memory.load32(REGIONS.output.base + 4 * j);
  }
  assertEquals(found, expected);
  const grown = Deno.memoryUsage().rss - before;
  assert(grown < 512 * 2 ** 20, `memory grew by ${grown} bytes`);
});

/** A chain of so many values of so many bytes, each node reading the one before and `also` the first. */
function longChain(nodes: number, bytes: number, also = false): Model {
  const model = chain();
  const type: TensorType = { dtype: "u8", shape: [bytes] };
  const slot = (index: number) => ({ kind: "slot", index } as const);
  return {
    ...model,
    slots: Array.from({ length: nodes + 2 }, (_, i) => ({
      name: `s${i}`,
      type: i < 2 ? vector : type,
    })),
    nodes: Array.from({ length: nodes }, (_, i) => ({
      ...model.nodes[0],
      operands: [slot(i + 1), ...(also ? [slot(2)] : [])],
      result: i + 2,
    })),
  };
}

/** Throws where two tensors that a node touches share memory. */
function checkPlan(body: Model): void {
  const { slots, table } = planMemory(body);
  for (const { operands, result } of body.nodes) {
    const touched = new Set([
      result,
      ...operands.flatMap((o) => o.kind === "slot" ? [o.index] : []),
    ]);
    const places = [...touched].map((slot) => ({
      begin: slots[slot],
      end: slots[slot] + byteLength(body.slots[slot].type),
    })).concat({ begin: table, end: table + 32 * body.constants.length })
      .sort((a, b) => a.begin - b.begin);
    for (let i = 1; i < places.length; i++) {
      assert(places[i - 1].end <= places[i].begin, `${slots}`);
    }
  }
}

Deno.test("planMemory: gives room from first to last use, so that long chains fit, and refuses what does not", () => {
  checkPlan(onePass(1).body!);
  checkPlan(chain());
  const mebibyte = 2 ** 20;
  checkPlan(longChain(64, 100 * mebibyte));
  checkPlan(longChain(64, 100 * mebibyte, true));
  assertThrows(
    () => planMemory(longChain(64, 700 * mebibyte)),
    ChainLearnError,
    "expected room for all activations",
  );
});

Deno.test("planMemory: a slot that is read before it is written shares its memory with nothing", () => {
  const model = longChain(6, 1000);
  const nodes = [...model.nodes];
  nodes[5] = {
    ...nodes[5],
    operands: [...nodes[5].operands, { kind: "slot", index: 8 }],
  };
  const slots = [...model.slots, { name: "zero", type: vector }];
  const { slots: at } = planMemory({ ...model, nodes, slots });
  const zero = at[8];
  const others = at.slice(0, 8);
  assert(others.every((begin) => begin >= zero + 256 || begin + 1000 <= zero));
});
