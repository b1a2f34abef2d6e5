import { assert, assertEquals, assertRejects } from "@std/assert";
import { openChecked } from "../../cli/checked_bundles.ts";
import { commitModel, writeBundle } from "../../compiler/mod.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import { testModel } from "../runtime/models.ts";

const bundle = writeBundle(commitModel(testModel(9)));

/** Runs `work` in a folder of its own, which is also the cache's. */
async function inFolder(
  work: (path: string, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const before = Deno.env.get("XDG_CACHE_HOME");
  Deno.env.set("XDG_CACHE_HOME", folder);
  try {
    await work(`${folder}/m.clm`, folder);
  } finally {
    if (before === undefined) Deno.env.delete("XDG_CACHE_HOME");
    else Deno.env.set("XDG_CACHE_HOME", before);
    await Deno.remove(folder, { recursive: true });
  }
}

/** Whether the bundle was checked whole: only then there are programs. */
async function isChecked(path: string): Promise<boolean> {
  const opened = await openChecked(path);
  const { bytes } = opened.model.constants[0];
  assertEquals(bytes, testModel(9).constants[0].bytes);
  return "programs" in opened;
}

Deno.test("openChecked: checks a file whole once, and again when it has changed", () =>
  inFolder(async (path) => {
    await Deno.writeFile(path, bundle);
    assertEquals(await isChecked(path), true);
    assertEquals(await isChecked(path), false);
    await Deno.utime(path, 1, 1);
    assertEquals(await isChecked(path), true);
    assertEquals(await isChecked(path), false);
    await Deno.remove(path);
    await Deno.writeFile(path, bundle);
    assertEquals(await isChecked(path), true);
  }));

Deno.test("openChecked: refuses a tensor that was changed after the file was checked", () =>
  inFolder(async (path) => {
    await Deno.writeFile(path, bundle);
    await openChecked(path);
    const changed = bundle.slice();
    changed[changed.length - 1] ^= 1;
    await Deno.writeFile(path, changed);
    await Deno.utime(path, 2, 2);
    await assertRejects(() => openChecked(path), ChainLearnError, path);
  }));

Deno.test("openChecked: takes no damaged or foreign entry, and needs no cache", () =>
  inFolder(async (path, home) => {
    await Deno.writeFile(path, bundle);
    await openChecked(path);
    const folder = `${home}/chainlearn/checked`;
    const [{ name }] = Deno.readDirSync(folder);
    const entry = JSON.parse(await Deno.readTextFile(`${folder}/${name}`));
    const others = [
      "{",
      "null",
      JSON.stringify({ ...entry, digest: "00".repeat(32) }),
      JSON.stringify({ ...entry, format: "chainlearn checked bundle 0" }),
    ];
    for (const text of others) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
      assert(await isChecked(path), text);
    }
    await Deno.remove(`${home}/chainlearn`, { recursive: true });
    await Deno.writeTextFile(`${home}/chainlearn`, "no folder");
    assertEquals(await isChecked(path), true);
    assertEquals(await isChecked(path), true);
  }));
