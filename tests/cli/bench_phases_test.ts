import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Commitment,
  commitModel,
  inPhases,
  type Phases,
} from "../../compiler/mod.ts";
import { phaseTables } from "../../cli/bench/phase_document.ts";
import { memoryInUse } from "../../cli/bench/phase_meter.ts";
import { chainModel } from "../../cli/bench/phase_models.ts";
import { plotSvg } from "../../cli/bench/phase_plot.ts";
import {
  ChainLearnError,
  composeInitialState,
  encode,
  MemoryContentStore,
  REGIONS,
  SYSCALL,
} from "../../fpvm/mod.ts";

const stepsOf = ({ programs }: Commitment) => programs[0].worstSteps;

Deno.test("chainModel: steps of the program in dispute grow with the nodes under one phase alone", () => {
  const commit = (nodes: number, phases: Phases) =>
    stepsOf(commitModel(inPhases(chainModel(nodes), phases)));
  const [two, three] = [commit(1, 2), commit(1, 3)];
  for (const nodes of [2, 8]) {
    assertEquals(commit(nodes, 2), two);
    assertEquals(commit(nodes, 3), three);
    const ratio = commit(nodes, 1) / (nodes * two);
    assert(Math.abs(ratio - 1) < 0.01, `${nodes} nodes: ${ratio}`);
  }
  // 32 leaves: a leaf's program has little besides its share.
  assert(three < two / 24, `${three} of ${two}`);
});

Deno.test("memoryInUse: counts pages that are touched and not replaced since", () => {
  const [v0, a0, a1, a2, t0] = [2, 4, 5, 6, 8];
  const page = 0x1000;
  const load = [
    encode("lui", { rt: a0, imm: REGIONS.model.base >>> 16 }),
    encode("addiu", { rt: a1, rs: 0, imm: 8 }),
    encode("lui", { rt: a2, imm: REGIONS.input.base >>> 16 }),
    encode("addiu", { rt: a2, rs: a2, imm: 32 }),
    encode("addiu", { rt: v0, rs: 0, imm: SYSCALL.load }),
    encode("syscall"),
    encode("lw", { rt: t0, rs: a0, imm: 0 }),
    encode("lw", { rt: t0, rs: a0, imm: page }),
  ];
  const words = [
    ...load,
    ...load,
    encode("addiu", { rt: v0, rs: 0, imm: SYSCALL.exit }),
    encode("syscall"),
  ];
  const store = new MemoryContentStore();
  const root = store.put(new Uint8Array(2 * page).fill(1));
  const state = composeInitialState({
    program: new Uint8Array(Uint32Array.from(words).buffer),
    programHeight: 4,
    leafIndex: 0,
    iteration: 0,
    operandRoots: [root],
    store,
  });
  // Code, input and two pages of the window; the second load replaces the first's.
  assertEquals(memoryInUse(state), 4 * page);
});

Deno.test("phaseTables: names the key that was not measured", () => {
  assertThrows(
    () => phaseTables({}),
    ChainLearnError,
    "expected the key vm.phases.fashion_mlp.1.steps, found none",
  );
});

Deno.test("plotSvg: draws every line of every panel", () => {
  const line = (label: string) => ({
    label,
    color: "#123456",
    points: [[1, 10], [2, 1000]] as const,
  });
  const svg = plotSvg([
    { title: "A", xLabel: "x", lines: [line("one"), line("two")] },
    { title: "B", xLabel: "x", lines: [line("three")] },
  ]);
  assertEquals(svg.match(/<polyline/g)?.length, 3);
  for (const text of ["A", "B", "one", "two", "three", "1k"]) {
    assert(svg.includes(`>${text}<`), text);
  }
  assert(!svg.includes("NaN"));
});
