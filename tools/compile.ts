/**
 * `deno task compile`: the product as one executable file, `dist/chainlearn`.
 *
 * `deno compile` makes it where its runtime part (denort) can be had. Elsewhere it is a shell script followed by the
 * gzipped bundle and the gzipped runtime that runs this task; started for the first time, it unpacks both into the
 * cache folder under their hash, each by a rename, so that two first starts at once do no harm. Windows has no second
 * form.
 */
import { resolve } from "node:path";
import { ChainLearnError } from "../fpvm/errors.ts";
import { bundle, projectFolder } from "./bundle.ts";

/** Compresses by gzip. */
async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(
    new CompressionStream("gzip"),
  );
  return await new Response(stream).bytes();
}

/**
 * The shell script in front. PATH may be empty, so the system's folders are added for the unpacking alone; an
 * unpacked file is complete because it appears by a rename.
 */
function header(hash: string, bundleBytes: number, runtimeBytes: number) {
  return `#!/bin/sh
# ChainLearn: unpacks itself once into the cache folder and starts. The data follow the last line.
set -eu
if [ -n "\${XDG_CACHE_HOME-}" ]; then cache="$XDG_CACHE_HOME/chainlearn"
elif [ -n "\${HOME-}" ]; then cache="$HOME/.cache/chainlearn"
else
  echo "Error: Cannot unpack chainlearn: expected HOME or XDG_CACHE_HOME, found neither" >&2
  exit 3
fi
home="$cache/program-${hash}"
if [ ! -x "$home/deno" ] || [ ! -f "$home/chainlearn.js" ]; then
  (
    PATH="\${PATH-}:/usr/bin:/bin"
    export PATH
    umask 077
    one="$home/chainlearn.js.$$"
    two="$home/deno.$$"
    trap 'rm -f "$one" "$two"' EXIT
    mkdir -p "$home" &&
    tail -c ${
    bundleBytes + runtimeBytes
  } "$0" | head -c ${bundleBytes} | gzip -dc > "$one" &&
    tail -c ${runtimeBytes} "$0" | gzip -dc > "$two" &&
    chmod 700 "$two" &&
    mv -f "$one" "$home/chainlearn.js" &&
    mv -f "$two" "$home/deno"
  ) || { echo "Error: Cannot unpack chainlearn into $home: expected a writable folder, an undamaged file and the programs tail, head and gzip" >&2; exit 3; }
fi
DENO_DIR="\${DENO_DIR-$cache/deno}"
DENO_NO_UPDATE_CHECK=1
export DENO_DIR DENO_NO_UPDATE_CHECK
exec "$home/deno" run --quiet --no-config --no-lock -A "$home/chainlearn.js" "$@"
`;
}

/** Writes an executable that carries the bundle and the runtime's own executable. */
export async function writeSelfExtracting(
  script: string,
  output: string,
): Promise<void> {
  if (Deno.build.os === "windows") {
    throw new ChainLearnError(
      "Cannot compile without denort on Windows: expected `deno compile` to fetch it, found no way to",
      { exitCode: 3, hint: "Go online, or use the bundle: deno task bundle" },
    );
  }
  const parts = [await Deno.readFile(script)];
  parts.push(await Deno.readFile(Deno.execPath()));
  const sums = await Promise.all(
    parts.map((part) => crypto.subtle.digest("SHA-256", part)),
  );
  const both = new Uint8Array(await new Blob(sums).arrayBuffer());
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", both))
    .toHex().slice(0, 32);
  const [packed, runtime] = [await gzip(parts[0]), await gzip(parts[1])];
  const head = new TextEncoder().encode(
    header(hash, packed.length, runtime.length),
  );
  const file = new Uint8Array(head.length + packed.length + runtime.length);
  file.set(head);
  file.set(packed, head.length);
  file.set(runtime, head.length + packed.length);
  const temporary = `${output}.${Deno.pid}`;
  await Deno.writeFile(temporary, file, { mode: 0o755 });
  await Deno.rename(temporary, output);
}

/** `deno compile`; false where it fails, or makes a program that is not ours (a wrong DENORT_BIN does). */
async function compiled(script: string, output: string): Promise<boolean> {
  const run = (program: string, args: string[]) =>
    new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).output();
  const compile = ["compile", "--quiet", "--no-config", "-A", "-o", output];
  if (!(await run(Deno.execPath(), [...compile, script])).success) return false;
  const wanted = await run(Deno.execPath(), ["run", "-A", script, "--version"]);
  const found = await run(output, ["--version"]).catch(() => undefined);
  return found?.stdout.length === wanted.stdout.length &&
    found.stdout.every((byte, i) => byte === wanted.stdout[i]);
}

if (import.meta.main) {
  const output = resolve(Deno.args[0] ?? `${projectFolder}dist/chainlearn`);
  const script = `${output}.js`;
  await bundle(script);
  const alone = await compiled(script, output);
  if (!alone) await writeSelfExtracting(script, output);
  const { size } = await Deno.stat(output);
  const form = alone ? "by deno compile" : "self-extracting, without denort";
  console.log(`Wrote ${output}: ${(size / 2 ** 20).toFixed(1)} MiB, ${form}`);
}
