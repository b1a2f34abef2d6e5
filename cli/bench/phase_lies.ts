/**
 * One lie in a model and the two sides of a dispute about it, whatever the phases, and what the honest side pays.
 */
import {
  type Commitment,
  commitModel,
  inPhases,
  type Model,
  type Phases,
  resultLeaves,
} from "../../compiler/mod.ts";
import {
  drawsFrom,
  Execution,
  LeafTrace,
  type Party,
  partyOf,
} from "../../dispute/mod.ts";
import { hashedNodes } from "../../fpvm/mod.ts";
import { createCpuExecutor } from "../../runtime/mod.ts";
import { findLie, onceOver } from "./arena.ts";
import { memoryInUse, MeteredParty } from "./phase_meter.ts";

/** Ways to commit a model, the paper's baseline first. */
export const ALL_PHASES: readonly Phases[] = [1, 2, 3];

/** One model, committed in every way. */
export type Commitments = Readonly<Record<Phases, Commitment>>;

/** Commits the model in every way. */
export function commitAll(model: Model): Commitments {
  const commit = (phases: Phases) => commitModel(inPhases(model, phases));
  return { 1: commit(1), 2: commit(2), 3: commit(3) };
}

/** A lie in one leaf of one node of the three-phase model, and what becomes of it. */
export interface Lie {
  readonly inputs: readonly Uint8Array[];
  readonly node: number;
  readonly leaf: number;
  /** False bytes of the node's result, and the output that follows from them. */
  readonly result: Uint8Array;
  readonly output: Uint8Array;
}

/** Finds a leaf of the node at which a lie changes the answer to one of the inputs. */
export async function lieAtNode(
  commitment: Commitment,
  cases: readonly (readonly Uint8Array[])[],
  node: number,
  seed: number,
): Promise<Lie> {
  const executor = await createCpuExecutor(commitment.model);
  async function* truths() {
    for (const inputs of cases) {
      yield await Execution.run(commitment, onceOver(inputs), executor);
    }
  }
  try {
    const wish = { kind: "consistent", step: node, vmStep: null } as const;
    const draw = drawsFrom(seed);
    const found = await findLie(truths(), executor, wish, draw);
    const { execution } = found.party;
    return {
      inputs: found.truth.terms.inputs,
      node,
      leaf: found.fault.leaf,
      result: execution.slotBytes(
        node + 1,
        commitment.model.nodes[node].result,
      ),
      output: execution.outputs[0],
    };
  } finally {
    executor.close();
  }
}

/** Where the lie is in the model of so many phases: its step, and the first false step of that step's program. */
function placeOf(
  commitments: Commitments,
  phases: Phases,
  { node, leaf }: Lie,
): { step: number; vmStep: number } {
  const stepsOf = ({ programs, nodePrograms }: Commitment, node: number) =>
    programs[nodePrograms[node]].worstSteps;
  if (phases === 3) {
    return { step: node, vmStep: Math.ceil(stepsOf(commitments[3], node) / 2) };
  }
  const share = (leaf + 0.5) / resultLeaves(commitments[3].model, node);
  const inNode = Math.ceil(share * stepsOf(commitments[2], node));
  if (phases === 2) return { step: node, vmStep: inNode };
  let before = 0;
  for (let i = 0; i < node; i++) before += stepsOf(commitments[2], i);
  return { step: 0, vmStep: before + inNode };
}

/** Both sides of a dispute about the lie. */
export interface Sides {
  readonly honest: MeteredParty;
  readonly liar: Party;
  readonly step: number;
  /** Nodes that the honest side hashed for the states of its run. */
  readonly stateHashes: number;
}

export async function sidesOf(
  commitments: Commitments,
  phases: Phases,
  lie: Lie,
): Promise<Sides> {
  const commitment = commitments[phases];
  const place = placeOf(commitments, phases, lie);
  const terms = onceOver(lie.inputs);
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

/** Steps, memory and hashes of the honest side, once the dispute has been played. */
export function costsOf(
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
