import { assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { chainlearn } from "./command.ts";

Deno.test("bench: leaves out what was not measured, and says why", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code, out, err } = await chainlearn(folder, [
      ...["bench", "train", "accuracy", "--data", "nowhere", "--json"],
      ...["--write", "numbers.md"],
    ]);
    assertEquals([code, out], [0, "{}\n"]);
    assertMatch(err, /^train: not in this version$/m);
    assertMatch(
      err,
      /accuracy cannot run here: Cannot measure the accuracy: expected .*nowhere.*, found none/,
    );
    const text = await Deno.readTextFile(join(folder, "numbers.md"));
    assertMatch(text, /^- Date: \d{4}-\d\d-\d\d$/m);
    assertMatch(text, /^- Versions: ChainLearn 0\.1\.0, Deno /m);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("bench: an unknown group is a usage error", async () => {
  const { code, out, err } = await chainlearn(".", ["bench", "speed"]);
  assertEquals([code, out], [2, ""]);
  assertMatch(
    err,
    /^Error: Cannot measure speed: expected groups of accuracy,/,
  );
});

Deno.test("bench: measures the accuracy on the test set that it is given", async () => {
  const folder = await Deno.makeTempDir();
  try {
    // The same picture under two labels: a model is right about one of them, or none.
    const images = new Uint8Array(16 + 2 * 784);
    new DataView(images.buffer).setUint32(0, 0x803);
    [2, 28, 28].forEach((n, i) =>
      new DataView(images.buffer).setUint32(4 + 4 * i, n)
    );
    const labels = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 0, 1, ...[0, 0, 0, 0]);
    Deno.writeFileSync(join(folder, "t10k-images-idx3-ubyte"), images);
    Deno.writeFileSync(join(folder, "t10k-labels-idx1-ubyte"), labels);
    const damaged = await chainlearn(folder, [
      ...["bench", "accuracy", "--data", folder, "--json"],
    ]);
    assertEquals(damaged.code, 2);
    assertMatch(damaged.err, /expected an IDX file, found 6 values of \[2\]/);
    Deno.writeFileSync(
      join(folder, "t10k-labels-idx1-ubyte"),
      labels.slice(0, 10),
    );
    const { code, out, err } = await chainlearn(folder, [
      ...["bench", "accuracy", "--data", folder, "--json"],
    ]);
    assertEquals(code, 0, err);
    const measured = JSON.parse(out);
    for (const name of ["fashion_mlp", "fashion_cnn"]) {
      const float = measured[`accuracy.${name}.float`];
      const fixed = measured[`accuracy.${name}.fixed`];
      assertEquals([0, 50].includes(float), true, `${float}`);
      assertEquals(measured[`accuracy.${name}.delta`], fixed - float);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
