/** Single steps of the machine for the groups that count gas: witnesses by what the instruction does. */
import {
  buildWitness,
  decode,
  run,
  STATUS,
  SYSCALL,
  type VmState,
} from "../../fpvm/mod.ts";

/** What an instruction costs depends on: registers alone, memory, or the graft of a tensor. */
export const stepKinds = ["alu", "load", "store", "graft"] as const;
export type StepKind = (typeof stepKinds)[number];

/** Witnesses of each kind that are kept, spread over the run. */
const KEPT = 12;
/** Every so-manieth of a kind is taken: the rare kinds always. */
const every: Record<StepKind, number> = {
  alu: 401,
  load: 97,
  store: 1,
  graft: 1,
};

/** What the next instruction does; undefined for system calls but the graft. */
export function kindOf(state: VmState): StepKind | undefined {
  const kind = decode(state.memory.load32(state.pc))?.encoding.kind;
  if (kind === "load" || kind === "store") return kind;
  if (kind !== "syscall") return "alu";
  return state.registers[2] === SYSCALL.load ? "graft" : undefined;
}

/** Runs the machine to its end; at most twelve witnesses of each kind. */
export function witnessesOf(state: VmState): Record<StepKind, Uint8Array[]> {
  const seen: Record<StepKind, number> = {
    alu: 0,
    load: 0,
    store: 0,
    graft: 0,
  };
  const kept: Record<StepKind, Uint8Array[]> = {
    alu: [],
    load: [],
    store: [],
    graft: [],
  };
  while (state.status === STATUS.running) {
    const kind = kindOf(state);
    if (
      kind && seen[kind]++ % every[kind] === 0 && kept[kind].length < KEPT
    ) {
      kept[kind].push(buildWitness(state));
    }
    run(state, 1);
  }
  return kept;
}
