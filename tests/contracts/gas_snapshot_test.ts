import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import {
  compareGas,
  measureGasSnapshot,
} from "../../cli/bench/gas_snapshot.ts";
import snapshot from "../../contracts/gas_snapshot.json" with { type: "json" };

Deno.test("gas snapshot: fixed games cost what contracts/gas_snapshot.json says", async () => {
  const models = fileURLToPath(new URL("../../models", import.meta.url));
  const now = await measureGasSnapshot(models);
  const changes = compareGas(snapshot, now);
  assertEquals(
    changes,
    [],
    "Where the change is meant: deno run -A tools/gas_snapshot.ts --write",
  );
});

Deno.test("compareGas says what changed and by how much", () => {
  const before = { post: 1000, answer: 50, gone: 1 };
  const now = { post: 900, answer: 50, born: 2 };
  assertEquals(compareGas(before, now), [
    "post: 1000 -> 900 (-100, -10.00 %)",
    "gone: gone, was 1",
    "born: new, 2",
  ]);
  assertEquals(compareGas(now, { ...now, answer: 51 }), [
    "answer: 50 -> 51 (+1, +2.00 %)",
  ]);
});
