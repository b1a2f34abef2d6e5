/**
 * Walks the machine through more content than its memory may hold and prints what that took.
 *
 *     deno run -A tools/vm_memory.ts [--interpreted] [GiB] [MiB of memory]
 *
 * 6 GiB and 256 MiB unless told otherwise. The content is distinct and made when asked for, see
 * cli/bench/vm_walk.ts. Prints resident memory before the run and its peak during it, as Linux counts it.
 */
import { walkState } from "../cli/bench/vm_walk.ts";
import { boundMemory } from "../cli/vm_memory.ts";
import { run, runTranslated, STATUS } from "../fpvm/mod.ts";

/** Sets the peak back to what is resident now. */
const resetPeak = () => Deno.writeTextFileSync("/proc/self/clear_refs", "5");

/** MiB of a row of /proc/self/status. */
function resident(row: "VmRSS" | "VmHWM"): number {
  const text = Deno.readTextFileSync("/proc/self/status");
  return Number(new RegExp(`${row}:\\s+(\\d+)`).exec(text)![1]) / 1024;
}

const isInterpreted = Deno.args.includes("--interpreted");
const [gibibytes = 6, mebibytes = 256] = Deno.args
  .filter((argument) => !argument.startsWith("--")).map(Number);
const state = walkState(1024 * gibibytes);
resetPeak();
const before = resident("VmRSS");
const started = performance.now();
using store = boundMemory(state, mebibytes * 2 ** 20);
const steps = (isInterpreted ? run : runTranslated)(state, 2 ** 40);
const seconds = (performance.now() - started) / 1000;
const peak = resident("VmHWM");
if (state.status !== STATUS.exited || state.exitCode !== 0) {
  throw new Error(`Expected exit code 0, found status ${state.status}`);
}
const rounded = (value: number) => value.toFixed(0);
console.log(
  `${gibibytes} GiB in ${mebibytes} MiB: ${
    rounded(seconds)
  } s, ${steps} steps, ${
    rounded(store.keptBytes / 2 ** 20)
  } MiB in the file; resident ${rounded(before)} MiB before, peak ${
    rounded(peak)
  } MiB, ${rounded(peak - before)} MiB more`,
);
