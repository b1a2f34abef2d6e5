/**
 * Deno for arm64 on an x86-64 machine: QEMU's user mode, Debian's libraries for cross-building, Deno from npm.
 */
import { join } from "node:path";
import { existsSync } from "node:fs";
import { ChainLearnError } from "../fpvm/errors.ts";

/** How a Deno is started: `program ...args run script`. */
export interface Processor {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
}

/** The Deno that runs this. */
export const thisProcessor: Processor = {
  name: Deno.build.arch,
  program: Deno.execPath(),
  args: [],
};

const PACKAGE = "@deno/linux-arm64-glibc";
/** Used where the registry lacks this Deno's version; another patch level is another V8, which must agree too. */
const FALLBACK_VERSION = "2.9.5";
const SYSROOT = "/usr/aarch64-linux-gnu";
const EMULATOR = "qemu-aarch64";
const DEBIAN = "qemu-user libc6-arm64-cross libgcc-s1-arm64-cross";

/** What is missing for the emulator, in words; null where all is there. Deno itself is fetched later. */
export function missingForEmulator(): string | null {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") {
    return `Linux on x86-64, found ${Deno.build.os} on ${Deno.build.arch}`;
  }
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  if (!folders.some((folder) => existsSync(join(folder, EMULATOR)))) {
    return `${EMULATOR} on PATH, found none`;
  }
  const libraries = ["ld-linux-aarch64.so.1", "libgcc_s.so.1"]
    .map((name) => join(SYSROOT, "lib", name));
  const absent = libraries.find((path) => !existsSync(path));
  return absent === undefined ? null : `${absent}, found none`;
}

async function deno(...args: string[]): Promise<string | null> {
  // Away from the project: neither its import map nor its lock file takes part.
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: "/",
    stderr: "null",
  }).output();
  return success ? new TextDecoder().decode(stdout) : null;
}

/** Path of the executable in Deno's own cache of packages; null where the registry has no such version. */
async function fetchDeno(version: string): Promise<string | null> {
  const specifier = `npm:${PACKAGE}@${version}`;
  const flags = ["--no-lock", "--no-config"];
  if (await deno("cache", ...flags, specifier) === null) return null;
  const info = await deno("info", "--json", ...flags, specifier);
  const entry = info === null
    ? undefined
    : JSON.parse(info).npmPackages?.[`${PACKAGE}@${version}`];
  const path = join(entry?.localPath ?? "/", "deno");
  return existsSync(path) ? path : null;
}

/** Finds or fetches everything; throws with exit code 3 where something is missing. */
export async function findEmulator(): Promise<Processor> {
  const missing = missingForEmulator();
  if (missing !== null) {
    throw new ChainLearnError(
      `Cannot run on arm64: expected ${missing}`,
      { exitCode: 3, hint: `On Debian: apt-get install ${DEBIAN}` },
    );
  }
  for (const version of new Set([Deno.version.deno, FALLBACK_VERSION])) {
    const path = await fetchDeno(version);
    if (path === null) continue;
    // npm keeps the mode; a cache that does not is mended.
    await Deno.chmod(path, 0o755).catch(() => {});
    return { name: "aarch64", program: EMULATOR, args: ["-L", SYSROOT, path] };
  }
  throw new ChainLearnError(
    `Cannot run on arm64: expected ${PACKAGE} ${Deno.version.deno} or ${FALLBACK_VERSION} from npm, found neither`,
    { exitCode: 3, hint: "Go online once so that npm can fetch it" },
  );
}
