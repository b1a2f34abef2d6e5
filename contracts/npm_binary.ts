/**
 * Finds the programs of Foundry that the project starts: in npm's platform package on Linux x86-64,
 * elsewhere on PATH. It starts nothing itself.
 *
 * The meta packages (`@foundry-rs/anvil`) do not load under Deno, hence the platform package. Deno puts
 * a package into its cache when one of its modules is imported; only then does resolving give a file.
 */
import { fileURLToPath } from "node:url";
import { ChainLearnError } from "../fpvm/mod.ts";

/** Version of the packages; `deno.json` pins the same one. */
export const FOUNDRY_VERSION = "1.7.1";

/**
 * The path of `anvil` or `forge`: from the npm package, otherwise from PATH.
 * Throws a {@linkcode ChainLearnError} with exit code 3 that says where it looked.
 */
export async function foundryBinary(name: "anvil" | "forge"): Promise<string> {
  const { os, arch } = Deno.build;
  const tried: string[] = [];
  if (os === "linux" && arch === "x86_64") {
    const specifier = `@foundry-rs/${name}-linux-amd64`;
    // A bundled file has no import map, so the full specifier is the second form.
    for (const base of [specifier, `npm:${specifier}@${FOUNDRY_VERSION}`]) {
      const path = await packageFile(base, `bin/${name}`);
      if (path) return path;
    }
    tried.push(`the npm package ${specifier} ${FOUNDRY_VERSION}`);
  }
  const path = await onPath(os === "windows" ? `${name}.exe` : name);
  if (path) return path;
  tried.push("PATH");
  throw new ChainLearnError(
    `Cannot start ${name}: expected it in ${tried.join(" or on ")}, found none`,
    {
      exitCode: 3,
      hint:
        `Install Foundry (https://getfoundry.sh) and put ${name} on PATH, or go online once so that npm can fetch it.`,
    },
  );
}

/** The file of a package, fetched into Deno's cache when absent; `undefined` when it cannot be had. */
async function packageFile(
  base: string,
  file: string,
): Promise<string | undefined> {
  try {
    await import(`${base}/package.json`, { with: { type: "json" } });
    const path = fileURLToPath(import.meta.resolve(`${base}/${file}`));
    return await isFile(path) ? path : undefined;
  } catch {
    // Offline with an empty cache, or no import map: the next place is tried.
    return undefined;
  }
}

async function onPath(program: string): Promise<string | undefined> {
  const windows = Deno.build.os === "windows";
  const folders = (Deno.env.get("PATH") ?? "").split(windows ? ";" : ":");
  for (const folder of folders) {
    const path = `${folder}${windows ? "\\" : "/"}${program}`;
    if (folder !== "" && await isFile(path)) return path;
  }
  return undefined;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
