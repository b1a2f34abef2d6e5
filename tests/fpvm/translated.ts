/** Runs a machine by translated code and by steps, and compares. */
import { assertEquals } from "@std/assert";
import {
  ChainLearnError,
  cloneState,
  encode,
  type Fields,
  type InstructionName,
  packState,
  run,
  runTranslated,
  type VmState,
} from "../../fpvm/mod.ts";

/** Steps taken, or the message of the error. */
export function outcome(go: () => number): number | string {
  try {
    return go();
  } catch (error) {
    if (error instanceof ChainLearnError) return error.message;
    throw error;
  }
}

/** Runs both ways, stopping after each number of steps, and compares the whole states. */
export function check(
  state: VmState,
  stops: readonly number[],
  name: string,
): void {
  const reference = cloneState(state);
  const translated = cloneState(state);
  for (const steps of stops) {
    assertEquals(
      outcome(() => runTranslated(translated, steps)),
      outcome(() => run(reference, steps)),
      `${name}: steps`,
    );
    assertEquals(
      packState(translated).toHex(),
      packState(reference).toHex(),
      `${name}: state after ${stops}, at ${steps}`,
    );
  }
}

/** Stops after every number of steps up to `end`, each from the start. */
export function checkEveryStop(
  state: VmState,
  end: number,
  name: string,
): void {
  const reference = cloneState(state);
  for (let steps = 0; steps <= end; steps++) {
    const translated = cloneState(state);
    runTranslated(translated, steps);
    assertEquals(
      packState(translated).toHex(),
      packState(reference).toHex(),
      `${name}: after ${steps} steps`,
    );
    run(reference, 1);
  }
}

/** Words from [name, fields] rows. */
export const words = (...rows: [InstructionName, Fields?][]): number[] =>
  rows.map(([name, fields]) => encode(name, fields));
