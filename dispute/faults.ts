/**
 * Liars: parties with one chosen fault, for tests, campaigns and the demo.
 *
 * A fault says where the lie is (step, leaf, instruction) and of which kind it is. The strategy is the honest one
 * (player.ts); only the claims differ, or the player falls silent.
 */
import { bytesToHex, type Hex } from "viem";
import type { Commitment } from "../compiler/mod.ts";
import { ChainLearnError, keccak256, LEAF_BYTES } from "../fpvm/mod.ts";
import type { Executor } from "../runtime/mod.ts";
import { Execution, type RequestTerms } from "./execution.ts";
import type { ForgeryKind } from "./forgery.ts";
import { Party } from "./party.ts";

/** Kinds of lie beside the forged runs. */
const otherKinds = [
  /** Hashes without preimage between the false step and the end. */
  "random_states",
  /** True nodes below a false root. */
  "false_parent",
  /** A false result, and no move after the given number of them. */
  "silence",
] as const;
const forgeryKinds: readonly ForgeryKind[] = [
  "consistent",
  "random",
  "too_short",
  "too_long",
  "fake_trap",
  "fake_timeout",
];

export type FaultKind = ForgeryKind | (typeof otherKinds)[number];
/** Every kind of fault. */
export const faultKinds: readonly FaultKind[] = [
  ...forgeryKinds,
  ...otherKinds,
];

export interface Fault {
  readonly kind: FaultKind;
  /** Step of the model whose result is false. */
  readonly step: number;
  /** The false 32-byte leaf of that result. */
  readonly leaf: number;
  /** First false step of the machine, or null for the last. */
  readonly vmStep: number | null;
  /** Moves that a silent player still makes. */
  readonly moves: number;
}

/** Reads `node=3,leaf=0,step=100,kind=consistent`; every part may be left out. */
export function parseFault(text: string): Fault {
  const fault = {
    kind: "consistent" as FaultKind,
    step: 0,
    leaf: 0,
    vmStep: null as number | null,
    moves: 0,
  };
  for (const part of text.split(",").filter((p) => p !== "")) {
    const [key, value] = part.split("=");
    const number = Number(value);
    const whole = /^\d+$/.test(value ?? "") && Number.isSafeInteger(number);
    if (key === "kind" && faultKinds.includes(value as FaultKind)) {
      fault.kind = value as FaultKind;
    } else if (key === "node" && whole) fault.step = number;
    else if (key === "leaf" && whole) fault.leaf = number;
    else if (key === "step" && whole) fault.vmStep = number;
    else if (key === "moves" && whole) fault.moves = number;
    else {
      throw new ChainLearnError(
        `Cannot read fault "${text}": expected node=N, leaf=N, step=N, moves=N or kind=${
          faultKinds.join("|")
        }, found "${part}"`,
      );
    }
  }
  return fault;
}

/** Changes the leaf of a result as the fault says; throws where the tensor has no such leaf. */
function bend(result: Uint8Array, { kind, leaf }: Fault): void {
  const bytes = result.subarray(LEAF_BYTES * leaf, LEAF_BYTES * (leaf + 1));
  if (bytes.length === 0) {
    throw new ChainLearnError(
      `Cannot place a fault in leaf ${leaf}: expected a leaf below ${
        Math.ceil(result.length / LEAF_BYTES)
      }, found none`,
    );
  }
  const zeroes = kind === "fake_trap" || kind === "fake_timeout";
  if (zeroes && bytes.some((b) => b !== 0)) bytes.fill(0);
  // Large in every element: a lie that outlives rounding and pooling.
  else bytes.fill(bytes.every((b) => b === 0x7f) ? 0 : 0x7f);
}

/** A party that lies in one place and is consistent from there on. */
export async function faultyParty(
  commitment: Commitment,
  terms: RequestTerms,
  executor: Executor,
  fault: Fault,
): Promise<Party> {
  const steps = terms.iterations * commitment.model.nodes.length;
  if (fault.step >= steps) {
    throw new ChainLearnError(
      `Cannot place a fault in node ${fault.step}: expected a step below ${steps}`,
    );
  }
  const execution = await Execution.run(
    commitment,
    terms,
    executor,
    (step, result) => {
      if (step === fault.step) bend(result, fault);
    },
  );
  return partyOf(execution, fault);
}

/** The party of a false execution that was made or restored elsewhere. */
export function partyOf(
  execution: Execution,
  fault: Pick<Fault, "kind" | "step" | "vmStep">,
): Party {
  switch (fault.kind) {
    case "random_states":
      return new RandomStates(execution, fault.step);
    case "false_parent":
      return new FalseParent(execution, fault.step);
    case "silence":
      return new Party(execution, { kind: "consistent", step: fault.vmStep });
    default:
      return new Party(execution, { kind: fault.kind, step: fault.vmStep });
  }
}

/** Claims states without preimage after the false step, and its own false final state. */
class RandomStates extends Party {
  constructor(execution: Execution, readonly from: number) {
    super(execution, { kind: "consistent", step: null });
  }

  override stateRoot(i: bigint): Hex {
    const root = super.stateRoot(i);
    if (i <= BigInt(this.from) || i === this.steps) return root;
    return bytesToHex(keccak256(new TextEncoder().encode(root)));
  }
}

/** Posts nodes of the tensor phase that do not hash to the root it claims. */
class FalseParent extends Party {
  constructor(execution: Execution, readonly at: number) {
    super(execution, { kind: "consistent", step: null });
  }

  override resultNode(step: bigint, level: number, index: number): Hex {
    const node = super.resultNode(step, level, index);
    if (Number(step) !== this.at || index !== 0) return node;
    return bytesToHex(keccak256(new TextEncoder().encode(node)));
  }
}
