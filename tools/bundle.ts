/**
 * `deno task bundle`: the whole product as one JavaScript file, `dist/chainlearn.js`.
 *
 * Everything is in it: commands, libraries, contract artifacts, the text of the CPU threads. It runs alone:
 * `deno run -A chainlearn.js`. The bundler's chunks stand in it as strings and become modules when they are first
 * imported: parsing all 1.2 MB took 50 ms of every start. `tools/compile.ts` packs the same file.
 */
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ChainLearnError } from "../fpvm/errors.ts";

/** The repository's root, where the import map is. */
export const projectFolder = fileURLToPath(new URL("../", import.meta.url));

/** Name under which chunks reach the loader. */
const LOADER = `globalThis[Symbol.for("chainlearn.bundle")]`;

/** Text of the chunks by file name; `cli.js` is the entry. */
type Chunks = Record<string, string>;

/**
 * Runs in the bundle, as text: refers to nothing outside itself. `url` is the bundle's own.
 * A chunk's static imports are other chunks, first of all it needs their addresses.
 */
function loader(chunks: Chunks, url: string) {
  const addresses = new Map<string, string>();
  const addressOf = (name: string): string => {
    const known = addresses.get(name);
    if (known !== undefined) return known;
    const text = chunks[name].replace(
      /"\.\/([\w-]+\.js)"/g,
      (found, other) => other in chunks ? `"${addressOf(other)}"` : found,
    );
    const type = { type: "text/javascript" };
    const address = URL.createObjectURL(new Blob([text], type));
    addresses.set(name, address);
    return address;
  };
  return { url, load: (name: string) => import(addressOf(name)) };
}

/** Runs the bundler into `folder`; throws a {@linkcode ChainLearnError} with its text where it fails. */
async function makeChunks(folder: string): Promise<Chunks> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["bundle", "--quiet", "--minify", "--code-splitting"],
      ...["--outdir", folder, "cli.ts"],
    ],
    cwd: projectFolder,
    env: { NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) {
    throw new ChainLearnError(
      `Cannot bundle cli.ts: expected the bundler to succeed, found:\n${
        new TextDecoder().decode(stderr).trim()
      }`,
      {
        exitCode: 3,
        hint: "The bundler fetches esbuild from npm once: go online",
      },
    );
  }
  const chunks: Chunks = {};
  for await (const { name } of Deno.readDir(folder)) {
    chunks[name] = await Deno.readTextFile(join(folder, name));
  }
  return chunks;
}

/** What means another thing in a module of its own, said by way of the loader. */
function adapt(text: string): string {
  return text
    .replaceAll(/\bimport\("\.\/([\w-]+\.js)"\)/g, `${LOADER}.load("$1")`)
    .replaceAll(/\bimport\.meta\.url\b/g, `${LOADER}.url`)
    .replaceAll(/\bimport\.meta\.main\b/g, "true");
}

/** Throws where chunks import each other in a circle: their addresses could not be made. */
function checkOrder(chunks: Chunks): void {
  const open = new Set<string>();
  const done = new Set<string>();
  const visit = (name: string): void => {
    if (done.has(name)) return;
    if (open.has(name)) {
      throw new ChainLearnError(
        `Cannot bundle cli.ts: expected chunks without circles, found one through ${name}`,
        { exitCode: 1 },
      );
    }
    open.add(name);
    for (const [, other] of chunks[name].matchAll(/"\.\/([\w-]+\.js)"/g)) {
      if (Object.hasOwn(chunks, other)) visit(other);
    }
    open.delete(name);
    done.add(name);
  };
  Object.keys(chunks).forEach(visit);
}

/** Bundles `cli.ts` into the file `output`, written whole or not at all. */
export async function bundle(output: string): Promise<void> {
  await Deno.mkdir(dirname(output), { recursive: true });
  const folder = await Deno.makeTempDir();
  try {
    const found = await makeChunks(folder);
    const chunks = Object.fromEntries(
      Object.keys(found).sort().map((name) => [name, adapt(found[name])]),
    );
    checkOrder(chunks);
    const text = `${LOADER} = (${loader})(${
      JSON.stringify(chunks)
    }, import.meta.url);\nawait ${LOADER}.load("cli.js");\n`;
    const temporary = `${output}.${Deno.pid}`;
    await Deno.writeTextFile(temporary, text);
    await Deno.rename(temporary, output);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const output = resolve(Deno.args[0] ?? `${projectFolder}dist/chainlearn.js`);
  await bundle(output);
  const { size } = await Deno.stat(output);
  console.log(`Wrote ${output}: ${(size / 1024).toFixed(0)} KiB`);
}
