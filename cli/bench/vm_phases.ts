/**
 * `vm.phases.*`: the same lie in the same model, disputed in one, two and three phases.
 *
 * The shipped models are disputed on a local chain, growing chains of equal nodes without one. Steps are those of the
 * program in dispute, which each side runs; hashes and memory are the honest side's. `phase_document.ts` makes the
 * tables and the plot of docs/phases.md from these keys.
 */
import {
  type Commitment,
  commitModel,
  inPhases,
  type Model,
  type Phases,
} from "../../compiler/mod.ts";
import {
  answerRequest,
  drawsFrom,
  Execution,
  findFault,
  LeafTrace,
  type Liar,
  type LocalChain,
  type LocalParty,
  type Party,
  partyOf,
  playDispute,
  playLocally,
  registerLocally,
  requestLocally,
  shapeOf,
  startLocalChain,
} from "../../dispute/mod.ts";
import {
  ChainLearnError,
  cloneState,
  hashedNodes,
  run,
  runTranslated,
  type VmState,
} from "../../fpvm/mod.ts";
import { createCpuExecutor, nodeWork } from "../../runtime/mod.ts";
import { type BenchContext, type Measures, median } from "./group.ts";
import { memoryInUse, MeteredParty } from "./phase_meter.ts";
import { chainModel } from "./phase_models.ts";
import { fixedModel, shippedInputs, shippedModels } from "./shipped_models.ts";
import { busiestNode, leavesOf } from "./small.ts";

/** Ways to commit a model, the paper's baseline first. */
export const ALL_PHASES: readonly Phases[] = [1, 2, 3];
/** Nodes of the growing chains. */
export const CHAIN_NODES: readonly number[] = [1, 2, 4, 8, 16, 32, 64];
/** Inputs among which one is sought on which the lie matters. */
const PICTURES = 10;

/** A lie in one leaf of one node of the three-phase model, and what becomes of it. */
interface Lie {
  readonly inputs: readonly Uint8Array[];
  readonly node: number;
  readonly leaf: number;
  /** False bytes of the node's result, and the output that follows from them. */
  readonly result: Uint8Array;
  readonly output: Uint8Array;
}

/** Finds a leaf of the node at which a lie changes the answer to one of the inputs. */
async function findLie(
  commitment: Commitment,
  cases: readonly (readonly Uint8Array[])[],
  node: number,
  seed: number,
): Promise<Lie> {
  const executor = await createCpuExecutor(commitment.model);
  const draw = drawsFrom(seed);
  let refusal: unknown;
  try {
    for (const inputs of cases) {
      const terms = { inputs, iterations: 1, finish: true };
      const truth = await Execution.run(commitment, terms, executor);
      const wish = { kind: "consistent", step: node, vmStep: null } as const;
      try {
        const { fault, party } = await findFault(truth, executor, wish, draw);
        const slot = commitment.model.nodes[node].result;
        const { execution } = party as Liar["party"];
        return {
          inputs,
          node,
          leaf: fault.leaf,
          result: execution.slotBytes(node + 1, slot),
          output: execution.outputs[0],
        };
      } catch (error) {
        if (!(error instanceof ChainLearnError)) throw error;
        refusal = error;
      }
    }
  } finally {
    executor.close();
  }
  throw refusal;
}

/** Where the lie is in the model of so many phases: its step, and the first false step of that step's program. */
function placeOf(
  commitments: Readonly<Record<Phases, Commitment>>,
  phases: Phases,
  { node, leaf }: Lie,
): { step: number; vmStep: number } {
  const stepsOf = ({ programs, nodePrograms }: Commitment, node: number) =>
    programs[nodePrograms[node]].worstSteps;
  if (phases === 3) {
    return { step: node, vmStep: Math.ceil(stepsOf(commitments[3], node) / 2) };
  }
  const share = (leaf + 0.5) / leavesOf(commitments[3], node);
  const inNode = Math.ceil(share * stepsOf(commitments[2], node));
  if (phases === 2) return { step: node, vmStep: inNode };
  let before = 0;
  for (let i = 0; i < node; i++) before += stepsOf(commitments[2], i);
  return { step: 0, vmStep: before + inNode };
}

/** Both sides of a dispute about the lie. */
interface Sides {
  readonly honest: MeteredParty;
  readonly liar: Party;
  readonly step: number;
  /** Nodes that the honest side hashed for the states of its run. */
  readonly stateHashes: number;
}

async function sidesOf(
  commitments: Readonly<Record<Phases, Commitment>>,
  phases: Phases,
  lie: Lie,
): Promise<Sides> {
  const commitment = commitments[phases];
  const place = placeOf(commitments, phases, lie);
  const terms = { inputs: lie.inputs, iterations: 1, finish: true };
  const executor = await createCpuExecutor(commitment.model);
  try {
    const hashed = hashedNodes();
    const truth = await Execution.run(commitment, terms, executor);
    const stateHashes = hashedNodes() - hashed;
    const lying = await Execution.run(
      commitment,
      terms,
      executor,
      (step, result) => {
        if (step === place.step) {
          result.set(phases === 1 ? lie.output : lie.result);
        }
      },
    );
    return {
      honest: new MeteredParty(truth),
      liar: partyOf(lying, { kind: "consistent", ...place }),
      step: place.step,
      stateHashes,
    };
  } finally {
    executor.close();
  }
}

/** Commits the model in every way. */
function commitAll(model: Model): Record<Phases, Commitment> {
  const commit = (phases: Phases) => commitModel(inPhases(model, phases));
  return { 1: commit(1), 2: commit(2), 3: commit(3) };
}

/** Steps, memory and hashes of the honest side, once the dispute has been played. */
function costsOf(
  { honest, step, stateHashes }: Sides,
  phases: Phases,
  leaf: number,
) {
  const index = phases === 3 ? leaf : 0;
  const { steps } = honest.leaf(BigInt(step), index).opening;
  const { hashes, seconds } = honest.meter;
  const trace = new LeafTrace(honest.execution, step, index);
  return {
    steps: Number(steps),
    bytes: memoryInUse(trace.stateAt(0)),
    hashes: stateHashes + hashes,
    playerSeconds: seconds,
  };
}

function requireHonest(winner: string, phases: Phases, name: string): void {
  if (winner === "challenger") return;
  throw new ChainLearnError(
    `Cannot trust the dispute about ${name} in ${phases} phase(s): expected the honest challenger to win, found the liar`,
    { exitCode: 1 },
  );
}

interface Arena {
  readonly chain: LocalChain;
  readonly honest: LocalParty;
  readonly liar: LocalParty;
}

/** A whole dispute on a chain. */
async function playOnChain(
  { chain, honest, liar }: Arena,
  commitment: Commitment,
  sides: Sides,
) {
  const { registrationId } = await registerLocally(honest.market, commitment);
  const { requestId } = await requestLocally(
    honest.market,
    registrationId,
    sides.honest.execution.terms,
    { nonce: 0n, fee: 1n },
  );
  const submitter = { account: liar, party: sides.liar };
  const challenger = { account: honest, party: sides.honest };
  await answerRequest(requestId, submitter);
  return await playDispute(
    chain,
    requestId,
    { challenger, submitter },
    "submitter",
  );
}

async function measureShipped(
  arena: Arena,
  name: (typeof shippedModels)[number],
  { models, seed, say }: BenchContext,
): Promise<Measures> {
  const three = await fixedModel(models, name);
  const commitments = commitAll(three.model);
  const cases = await shippedInputs(models, three, PICTURES);
  const lie = await findLie(three, cases, busiestNode(commitments[2]), seed);
  const measures: Record<string, number> = {};
  for (const phases of ALL_PHASES) {
    const sides = await sidesOf(commitments, phases, lie);
    const played = await playOnChain(arena, commitments[phases], sides);
    requireHonest(played.winner, phases, name);
    const { gas, transactions, seconds } = played;
    const costs = costsOf(sides, phases, lie.leaf);
    Object.assign(
      measures,
      keyed(`${name}.${phases}`, { ...costs, seconds, transactions, gas }),
    );
    say(
      `${name} in ${phases} phase(s): ${costs.steps} steps, ${costs.hashes} hashes, ${transactions} transactions, ${gas} gas, ${
        seconds.toFixed(2)
      } s`,
    );
  }
  return { ...measures, ...await measureSpeeds(name, commitments, lie.inputs) };
}

const keyed = (prefix: string, values: Readonly<Record<string, number>>) =>
  Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      `vm.phases.${prefix}.${key}`,
      Math.round(value * 1e4) / 1e4,
    ]),
  );

/** Multiply-accumulates of a model. */
const macsOf = ({ kernels, nodes }: Model) =>
  nodes.reduce((sum, { kernel }) => sum + nodeWork(kernels[kernel]).macs, 0);

/** Seconds of the whole model on two CPU threads, the median of many runs. */
async function nativeSeconds(
  model: Model,
  inputs: readonly Uint8Array[],
): Promise<number> {
  const executor = await createCpuExecutor(model, { threads: 2 });
  const times: number[] = [];
  try {
    for (let i = 0; i < 200; i++) {
      const started = performance.now();
      await executor.run(inputs);
      times.push((performance.now() - started) / 1000);
    }
  } finally {
    executor.close();
  }
  return median(times);
}

function machineSeconds(
  start: VmState,
  runner: (state: VmState, steps: number) => number,
  repetitions: number,
): number {
  let best = Infinity;
  for (let i = 0; i < repetitions; i++) {
    const state = cloneState(start);
    const started = performance.now();
    runner(state, 2 ** 52);
    best = Math.min(best, (performance.now() - started) / 1000);
  }
  return best;
}

/**
 * alpha is the time of the whole model in the machine over that on two threads. Gains are of a player's computing over
 * one phase: by the formula for nodes of equal work, and of two and three phases for the busiest node of this model.
 */
async function measureSpeeds(
  name: string,
  commitments: Readonly<Record<Phases, Commitment>>,
  inputs: readonly Uint8Array[],
): Promise<Measures> {
  const { model } = commitments[3];
  const executor = await createCpuExecutor(commitments[1].model);
  const terms = { inputs, iterations: 1, finish: true };
  const truth = await Execution.run(commitments[1], terms, executor)
    .finally(() => executor.close());
  const start = new LeafTrace(truth, 0, 0).stateAt(0);
  const native = await nativeSeconds(model, inputs);
  const interpreted = machineSeconds(start, run, 1);
  const translated = machineSeconds(start, runTranslated, 4);
  const { programs, nodePrograms } = commitments[2];
  const busiest = busiestNode(commitments[2]);
  const steps = commitments[1].programs[0].worstSteps;
  const node = programs[nodePrograms[busiest]].worstSteps / steps;
  const leaf = commitments[3]
    .programs[commitments[3].nodePrograms[busiest]].worstSteps / steps;
  const macs = macsOf(model) / 1e9;
  const nodes = model.nodes.length;
  const alpha = translated / native;
  return keyed(name, {
    nodes,
    "alpha.step": interpreted / native,
    "alpha.translated": alpha,
    "gmacs.native": macs / native,
    "gmacs.step": macs / interpreted,
    "gmacs.translated": macs / translated,
    "gain.formula": alpha * nodes / (alpha + nodes),
    "gain.2": translated / (native + node * translated),
    "gain.3": translated / (native + leaf * translated),
  });
}

/** Growing chains of equal nodes: a lie in the middle node. */
async function measureGrowth(
  { seed, say }: BenchContext,
): Promise<Measures> {
  const measures: Record<string, number> = {};
  for (const nodes of CHAIN_NODES) {
    const commitments = commitAll(chainModel(nodes));
    const { model } = commitments[3];
    const inputs = [new Uint8Array(1024).map((_, i) => i * 37)];
    const lie = await findLie(commitments[3], [inputs], nodes >> 1, seed);
    for (const phases of ALL_PHASES) {
      const sides = await sidesOf(commitments, phases, lie);
      const shape = shapeOf(commitments[phases]);
      const played = playLocally(shape, sides.honest, sides.liar, true);
      requireHonest(played.winner, phases, model.name);
      const { steps, bytes, hashes } = costsOf(sides, phases, lie.leaf);
      Object.assign(
        measures,
        keyed(`chain.${nodes}.${phases}`, { steps, bytes, hashes }),
      );
    }
  }
  say(`Chains of ${CHAIN_NODES.join(", ")} nodes, each in 1, 2 and 3 phases`);
  return measures;
}

/** All keys under `vm.phases`. */
export async function measurePhases(context: BenchContext): Promise<Measures> {
  let measures: Measures = {};
  {
    await using chain = await startLocalChain();
    const honest = await chain.party("honest");
    const liar = await chain.party("liar");
    for (const name of shippedModels) {
      const found = await measureShipped(
        { chain, honest, liar },
        name,
        context,
      );
      measures = { ...measures, ...found };
    }
  }
  return { ...measures, ...await measureGrowth(context) };
}
