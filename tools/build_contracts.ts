/**
 * Compiles the contracts and writes `contracts/artifacts/<Name>.json` and the index that imports them.
 *
 *     deno run -A tools/build_contracts.ts [Name...]
 *
 * With names, only these contracts are compiled and written, and the others' artifacts stay as they are. Without, so are
 * those of `contracts/bench`, which measurements deploy: their artifacts lie beside them.
 */
import {
  type Artifact,
  artifactIndex,
  artifactJson,
  compileAll,
  compileFile,
  readSources,
  sourceOf,
} from "../contracts/build.ts";
import { ChainLearnError } from "../fpvm/errors.ts";

const folder = new URL("../contracts/artifacts/", import.meta.url);
const benchFolder = new URL("../contracts/bench/", import.meta.url);

async function write(folder: URL, artifact: Artifact): Promise<void> {
  const { contractName, deployedBytes } = artifact;
  await Deno.writeTextFile(
    new URL(`${contractName}.json`, folder),
    artifactJson(artifact),
  );
  console.log(`${contractName.padEnd(24)} ${deployedBytes} bytes`);
}

async function main(names: string[]): Promise<void> {
  const sources = await readSources();
  const built: Artifact[] = names.length === 0
    ? compileAll(sources)
    : names.map((name) => {
      const found = compileFile(sources, sourceOf(sources, name));
      if (!found) {
        throw new ChainLearnError(
          `Cannot build ${name}: expected a contract to deploy, found none`,
        );
      }
      return found;
    });
  for (const artifact of built) await write(folder, artifact);
  if (names.length === 0) {
    const bench = compileAll(await readSources(benchFolder));
    for (const artifact of bench) await write(benchFolder, artifact);
  }
  const kept: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (!entry.name.endsWith(".json")) continue;
    const name = entry.name.slice(0, -".json".length);
    if (names.length === 0 && !built.some((one) => one.contractName === name)) {
      await Deno.remove(new URL(entry.name, folder));
    } else kept.push(name);
  }
  await Deno.writeTextFile(new URL("index.ts", folder), artifactIndex(kept));
}

await main(Deno.args);
