/**
 * Measures the gas of fixed games and compares it with the committed snapshot, or writes that.
 *
 *     deno run -A tools/gas_snapshot.ts           # what changed; exit code 1 if anything did
 *     deno run -A tools/gas_snapshot.ts --write   # contracts/gas_snapshot.json
 *
 * The contracts are taken as they are built: run tools/build_contracts.ts after a change of theirs.
 */
import { fileURLToPath } from "node:url";
import {
  compareGas,
  type GasSnapshot,
  measureGasSnapshot,
} from "../cli/bench/gas_snapshot.ts";

const file = new URL("../contracts/gas_snapshot.json", import.meta.url);
const models = fileURLToPath(new URL("../models", import.meta.url));

async function readSnapshot(): Promise<GasSnapshot> {
  try {
    return JSON.parse(await Deno.readTextFile(file));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}

const now = await measureGasSnapshot(models);
const changes = compareGas(await readSnapshot(), now);
for (const line of changes) console.log(line);
console.log(`${changes.length} of ${Object.keys(now).length} numbers changed`);
if (Deno.args.includes("--write")) {
  await Deno.writeTextFile(file, `${JSON.stringify(now, null, 2)}\n`);
} else if (changes.length > 0) Deno.exitCode = 1;
