/** What `--memory` does: shares a bound between what the machine holds, and spills what is beyond to a file. */
import { setFrameLimit, type VmState } from "../fpvm/mod.ts";
import { SpillStore } from "./spill_store.ts";

const MOST_FRAMES = 2 ** 25;
/** What a run without translated code has at hand: with less, the same parts go out and in again and again. */
const LEAST_SHARE = 2 ** 22;

/**
 * Bounds what a state's machine holds, in bytes: a tenth each for pages that translated code has at hand, for contents
 * and for pages that were written. The engine collects garbage late: arrays that are dropped, and those that hashing
 * takes, come to as much again and more. Over 6 GiB with 256 MiB, quarters came to 331 MiB, eighths to 256, tenths to
 * 236. Less than 40 MiB are taken for 40.
 */
export function boundMemory({ memory }: VmState, bytes: number): SpillStore {
  const store = new SpillStore(memory.store);
  const share = Math.max(bytes / 10, LEAST_SHARE);
  setFrameLimit(Math.min(share, MOST_FRAMES));
  memory.bound({ store, contentLimit: share, pageLimit: share });
  return store;
}
