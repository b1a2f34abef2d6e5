/**
 * Patience with a node: what the environment made fail is tried again while there is something to lose.
 *
 * Whoever has a stake at risk does not stop for a node that fails for a minute. A refusal, by a contract or by the own
 * claims, is final and never tried again. It knows no chain: a failure is an error with exit code 3.
 */
import { ChainLearnError } from "../fpvm/mod.ts";

/** How long to try again, and who hears of it. */
export interface Patience {
  /** Seconds without success after which nothing is left to lose: every clock has run out by then. */
  readonly seconds: number;
  /** Called before each wait, which is in milliseconds. */
  readonly onFailure?: (error: ChainLearnError, wait: number) => void;
}

const FIRST_WAIT = 500;
/** Milliseconds; short against every clock, so that little of it is lost when the node is back. */
const LONGEST_WAIT = 10_000;

/** Repeats `attempt` until it succeeds, is refused, or has failed for longer than the patience; then its last error. */
export async function persist<T>(
  attempt: () => Promise<T>,
  { seconds, onFailure }: Patience,
): Promise<T> {
  const deadline = Date.now() + 1000 * seconds;
  for (let wait = FIRST_WAIT;; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    try {
      return await attempt();
    } catch (error) {
      if (!isEnvironment(error) || Date.now() + wait > deadline) throw error;
      onFailure?.(error, wait);
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

/**
 * Sends once what puts a stake at risk. Where the environment fails, `find` tells, with patience, whether it happened
 * all the same; the failure is thrown where it did not: nothing is at stake then.
 */
export async function sendOrFind<T, F>(
  send: () => Promise<T>,
  find: () => Promise<F | undefined>,
  patience: Patience,
): Promise<T | F> {
  try {
    return await send();
  } catch (error) {
    if (!isEnvironment(error)) throw error;
    patience.onFailure?.(error, FIRST_WAIT);
    const found = await persist(find, patience);
    if (found === undefined) throw error;
    return found;
  }
}

function isEnvironment(error: unknown): error is ChainLearnError {
  return error instanceof ChainLearnError && error.exitCode === 3;
}
