/**
 * Finds faults that matter, for campaigns and the demonstration.
 *
 * A lie that the rest of the model forgets (under a maximum, say) leaves the final state as it is: there is nothing to
 * win by it and nothing to dispute. Such places are tried and passed over.
 */
import { resultLeaves } from "../compiler/mod.ts";
import { ChainLearnError, decode, run } from "../fpvm/mod.ts";
import type { Executor } from "../runtime/mod.ts";
import type { Execution } from "./execution.ts";
import { type Fault, faultyParty, parseFault } from "./faults.ts";
import { LeafTrace } from "./leaf_trace.ts";
import type { Party } from "./party.ts";
import type { Draw } from "./seeded.ts";

/** A party with a fault that changes the final state. */
export interface Liar {
  readonly fault: Fault;
  readonly party: Party;
}

/** What is given of a fault; the rest is drawn. */
export interface FaultWish extends Partial<Fault> {
  /** Draws a machine step that computes in registers, not one of any kind. */
  readonly arithmetic?: boolean;
}

/** Places that are tried. */
const TRIES = 48;
/** Machine steps that are searched for an arithmetic one. */
const SEARCHED_STEPS = 500;

const arithmetic = new Set<string>(["addu", "subu", "mul", "sra", "slt"]);

/**
 * Draws faults until one changes the final state of the `honest` execution; throws after enough tries.
 *
 * Of those that do, one that `prefer` holds for is taken where it is found within the tries.
 */
export async function findFault(
  honest: Execution,
  executor: Executor,
  wish: FaultWish,
  draw: Draw,
  prefer: (liar: Liar) => boolean = () => true,
): Promise<Liar> {
  const { commitment, terms, nodeSteps, steps } = honest;
  const { model } = commitment;
  const truth = honest.stateRoot(steps).toHex();
  let found: Liar | undefined;
  for (let i = 0; i < TRIES; i++) {
    const step = wish.step ?? draw(nodeSteps);
    const leaf = wish.leaf ??
      draw(resultLeaves(model, step % model.nodes.length));
    const vmStep = wish.vmStep === undefined
      ? drawMachineStep(honest, step, leaf, wish, draw)
      : wish.vmStep;
    const { kind = "consistent", moves = 0 } = wish;
    const fault = { kind, step, leaf, vmStep, moves };
    const party = await faultyParty(commitment, terms, executor, fault);
    if (party.execution.stateRoot(steps).toHex() !== truth) {
      found = { fault, party };
      if (prefer(found)) return found;
    }
  }
  if (found) return found;
  const where = wish.step === undefined ? "the model" : `node ${wish.step}`;
  throw new ChainLearnError(
    `Cannot place a fault in ${where}: expected one that changes the answer, found none in ${TRIES} places`,
    { hint: "Choose another node or another input." },
  );
}

/** Reads the parts of a fault that a text gives, as `parseFault` does; the others are to be drawn. */
export function parseFaultWish(text: string): FaultWish {
  const { kind, step, leaf, vmStep, moves } = parseFault(text);
  const keys = text.split(",").map((part) => part.split("=")[0]);
  return {
    kind,
    moves,
    ...(keys.includes("node") ? { step } : {}),
    ...(keys.includes("leaf") ? { leaf } : {}),
    ...(keys.includes("step") ? { vmStep } : {}),
  };
}

/** The first step of the machine whose state a liar claims falsely: 1 .. length. */
function drawMachineStep(
  honest: Execution,
  step: number,
  leaf: number,
  wish: FaultWish,
  draw: Draw,
): number {
  const { nodes } = honest.commitment.model;
  const { whole } = nodes[step % nodes.length];
  const trace = new LeafTrace(honest, step, whole ? 0 : leaf);
  const start = draw(trace.length);
  if (!wish.arithmetic) return start + 1;
  const state = trace.stateAt(start);
  const end = Math.min(trace.length, start + SEARCHED_STEPS);
  for (let m = start; m < end; m++) {
    const name = decode(state.memory.load32(state.pc))?.name;
    if (name !== undefined && arithmetic.has(name)) return m + 1;
    run(state, 1);
  }
  return start + 1;
}
