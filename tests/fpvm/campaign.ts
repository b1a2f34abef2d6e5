/**
 * How far the random campaigns of the machine go, and how they are repeated.
 *
 * CHAINLEARN_VM_STEPS is the number of random steps by which the fast path is compared with `step`; the slower peers
 * get a share of it. `.ci/run` sets a million.
 */

/** Steps by which translated code is compared with `step`. */
export const CAMPAIGN_STEPS = Number(
  Deno.env.get("CHAINLEARN_VM_STEPS") ?? 100_000,
);

/** Whether the campaigns are played at their full length. */
export const IS_FULL = CAMPAIGN_STEPS >= 1_000_000;

/** The seed of a campaign, printed so that a failure can be repeated with CHAINLEARN_SEED. */
export function campaignSeed(what: string, otherwise: number): number {
  const seed = Number(Deno.env.get("CHAINLEARN_SEED") ?? otherwise);
  console.log(`${what}: seed ${seed}`);
  return seed;
}

/** Whether the commands exist; a missing one fails where everything is required. */
export function available(...commands: string[]): boolean {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  const exists = (command: string) =>
    folders.some((folder) => {
      try {
        return Deno.statSync(`${folder}/${command}`).isFile;
      } catch {
        return false;
      }
    });
  const missing = commands.filter((command) => !exists(command));
  if (missing.length === 0) return true;
  if (Deno.env.has("CHAINLEARN_REQUIRE_ALL")) {
    throw new Error(`Cannot compare with others: expected ${missing} on PATH`);
  }
  console.log(`Skipping what needs ${missing}: not on PATH`);
  return false;
}
