/** Golden vectors of docs/formats.md, "VM state" and "Final-state claim": ends of programs, true to the rules or not. */
import {
  mappedPath,
  Memory,
  newProcessor,
  packState,
  REGIONS,
  stateHash,
  STATUS,
  TRAP,
  zeroHash,
} from "../../fpvm/mod.ts";
import { counting, hex } from "./trees.ts";

const MAX_STEPS = 1000n;

/** A final state in which every field tells its place. */
function ended(status: number, exitCode: number) {
  const memory = new Memory();
  memory.storeLeaf(0, counting(32));
  memory.storeLeaf(REGIONS.output.base, counting(32, 50));
  memory.storeLeaf(REGIONS.output.base + 32, counting(32, 90));
  const registers = Int32Array.from({ length: 32 }, (_, i) => -i);
  return {
    ...newProcessor(),
    memory,
    pc: 0x104,
    nextPc: 0x108,
    hi: -2,
    lo: 0x12345678,
    registers,
    status,
    exitCode,
  };
}

interface Claim {
  readonly state: Uint8Array;
  readonly steps: bigint;
  readonly maxSteps: bigint;
  readonly result: Uint8Array;
  readonly height: number;
  readonly outputPath: Uint8Array;
}

/** The claim that the rules demand of a state. */
function claimOf(status: number, exitCode: number, height = 0): Claim {
  const state = ended(status, exitCode);
  const { memory } = state;
  const { base } = REGIONS.output;
  const succeeded = status === STATUS.exited && exitCode === 0;
  return {
    state: packState(state),
    steps: status === STATUS.running ? MAX_STEPS : 77n,
    maxSteps: MAX_STEPS,
    height,
    result: succeeded ? memory.subtreeRoot(base, height) : zeroHash(height),
    outputPath: succeeded
      ? mappedPath(memory.path(base, height), height)
      : new Uint8Array(0),
  };
}

/** The first byte of the map is that of levels 24 and up. */
function changed(bytes: Uint8Array, at: number, mask: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] ^= mask;
  return copy;
}

function claims(): {
  accepted: Record<string, Claim>;
  refused: typeof accepted;
} {
  const done = claimOf(STATUS.exited, 0);
  const whole = claimOf(STATUS.exited, 0, 3);
  const failed = claimOf(STATUS.exited, 1);
  const trapped = claimOf(STATUS.trapped, TRAP.encoding);
  const running = claimOf(STATUS.running, 0);
  const accepted: Record<string, Claim> = {
    "exit 0": done,
    "exit 0 at the limit": { ...done, steps: MAX_STEPS },
    "exit 0 of a whole result": whole,
    "exit 1": failed,
    "exit 255 of a whole result": claimOf(STATUS.exited, 255, 19),
    trapped,
    "status 3": claimOf(3, 0),
    "running at the limit": running,
    "running with no step allowed": { ...running, steps: 1n, maxSteps: 0n },
  };
  const refused: Record<string, Claim> = {
    "a state cut by a byte": { ...done, state: done.state.slice(0, -1) },
    "a state with a byte too many": {
      ...done,
      state: Uint8Array.from([...done.state, 0]),
    },
    "no step": { ...done, steps: 0n },
    "a step beyond the limit": { ...done, steps: MAX_STEPS + 1n },
    "two steps where none is allowed": { ...done, steps: 2n, maxSteps: 0n },
    "running before the limit": { ...running, steps: MAX_STEPS - 1n },
    "exit 0 with another result": { ...done, result: counting(32, 51) },
    "exit 0 with a zero result": { ...done, result: zeroHash(0) },
    "exit 0 without a path": { ...done, outputPath: new Uint8Array(0) },
    "exit 0 of a path of another height": {
      ...whole,
      outputPath: done.outputPath,
    },
    "exit 1 with the result in memory": { ...failed, result: done.result },
    "exit 1 with a path": { ...failed, outputPath: done.outputPath },
    "trapped with the result in memory": { ...trapped, result: done.result },
    "running with the result in memory": { ...running, result: done.result },
    "a path with a byte too many": {
      ...done,
      outputPath: Uint8Array.from([...done.outputPath, 0]),
    },
    "a path cut by a byte": {
      ...done,
      outputPath: done.outputPath.slice(0, -1),
    },
    "a map with level 27": {
      ...done,
      outputPath: changed(done.outputPath, 0, 0x08),
    },
    "a map with a level below the result": {
      ...whole,
      outputPath: changed(whole.outputPath, 3, 0x01),
    },
  };
  return { accepted, refused };
}

/** Final-state claims, each with whether the rules accept it; `hash` is that of the state. */
export function finalStateVectors() {
  const { accepted, refused } = claims();
  const row = (name: string, claim: Claim, isRefused: boolean) => ({
    name,
    refused: isRefused,
    state: hex(claim.state),
    steps: `${claim.steps}`,
    maxSteps: `${claim.maxSteps}`,
    result: hex(claim.result),
    height: claim.height,
    outputPath: hex(claim.outputPath),
  });
  return [
    ...Object.entries(accepted).map(([name, claim]) => ({
      ...row(name, claim, false),
      hash: hex(
        stateHash(
          ended(claim.state[48], claim.state[49]),
        ),
      ),
    })),
    ...Object.entries(refused).map(([name, claim]) => row(name, claim, true)),
  ];
}
