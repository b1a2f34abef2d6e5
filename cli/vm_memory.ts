/** What `--memory` does: shares a bound between what the machine holds, and spills what is beyond to a file. */
import { setFrameLimit, type VmState } from "../fpvm/mod.ts";
import { SpillStore } from "./spill_store.ts";

const MOST_FRAMES = 2 ** 25;

/**
 * Bounds what a state's machine holds, in bytes: an eighth each for pages that translated code has at hand, for
 * contents and for pages that were written. The engine collects garbage late: arrays that are dropped, and those that
 * hashing takes, come to as much again and more. With quarters 256 MiB became 370.
 */
export function boundMemory({ memory }: VmState, bytes: number): SpillStore {
  const store = new SpillStore(memory.store);
  const share = bytes / 8;
  setFrameLimit(Math.min(share, MOST_FRAMES));
  memory.bound({ store, contentLimit: share, pageLimit: share });
  return store;
}
