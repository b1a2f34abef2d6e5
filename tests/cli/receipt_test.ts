/** Receipts and fixed schedules as `run`, `verify` and `prove` treat them. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { commitModel, type Model, writeBundle } from "../../compiler/mod.ts";
import { Random } from "../random.ts";
import { testInput, testModel } from "../runtime/models.ts";
import { npy } from "./bad_files.ts";
import { chainlearn, succeeds } from "./command.ts";

const size = 64;

/** A folder with a bundle of the schedule and two inputs, `x.npy` and `y.npy`. */
async function makeFolder(schedule: Model["schedule"]): Promise<string> {
  const folder = await Deno.makeTempDir();
  const model = { ...testModel(9), schedule };
  const write = (name: string, bytes: Uint8Array) =>
    Deno.writeFile(join(folder, name), bytes);
  await write("m.clm", writeBundle(commitModel(model)));
  await write("x.npy", npy("|i1", [size, size], testInput()));
  const other = new Random(3).bytes(size * size);
  await write("y.npy", npy("|i1", [size, size], other));
  return folder;
}

Deno.test("verify: names an input and iterations that are not the receipt's", async () => {
  const folder = await makeFolder({ kind: "request", max: 4 });
  const verify = (input: string, iterations: number) =>
    chainlearn(folder, [
      ..."verify m.clm --device cpu --receipt r.receipt.json".split(" "),
      ...["--input", input, "--iterations", String(iterations)],
    ]);
  await succeeds(folder, [
    ..."run m.clm --input x.npy --iterations 2".split(" "),
    ...["--receipt", "r.receipt.json"],
  ]);
  const same = await verify("x.npy", 2);
  assertEquals(same.code, 0, same.err);
  const input = await verify("y.npy", 2);
  assertEquals(input.code, 1);
  assertStringIncludes(
    input.err,
    "Cannot check receipt r.receipt.json: expected root ",
  );
  assertStringIncludes(input.err, 'of input "x", found root ');
  assert(!input.out.includes("disagree"));
  const longer = await verify("x.npy", 3);
  assertEquals(longer.code, 1);
  assertStringIncludes(longer.err, "expected 3 iterations, found 2 iterations");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("verify, prove: take the iterations of a fixed schedule", async () => {
  const folder = await makeFolder({ kind: "fixed", iterations: 3 });
  const input = ["--input", "x.npy", "--json"];
  const verified = await succeeds(folder, [
    ..."verify m.clm --device cpu".split(" "),
    ...input,
  ]);
  const { equal, devices } = JSON.parse(verified.out);
  assertEquals(equal, true);
  const proven = await succeeds(folder, ["prove", "m.clm", ...input]);
  const { steps, finalState } = JSON.parse(proven.out);
  assertEquals(steps, 3 * 8 + 1);
  assertEquals(`0x${devices[0].finalState}`, finalState);
  await Deno.remove(folder, { recursive: true });
});
