/**
 * Files as the commands read and write them: named errors, whole files, nothing half-written.
 */
import { basename, dirname, join } from "node:path";
import { ChainLearnError } from "../fpvm/mod.ts";

/** Reads a whole file; `what` says what it is for. */
export async function readFile(
  path: string,
  what: string,
): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (cause) {
    throw new ChainLearnError(`Cannot read ${what} ${path}: ${reason(cause)}`, {
      cause,
      hint: "Check the path and its permissions",
    });
  }
}

/** A file that is read in pieces, when they are asked for; nothing stays open between. */
export interface FileInPieces {
  readonly size: number;
  /** Which file it is and since when: another text once the bytes have changed. */
  readonly state: string;
  /** Throws where the file is no longer what it was when this was made. */
  read(offset: number, length: number): Uint8Array;
}

function stateOf({ dev, ino, size, mtime, ctime }: Deno.FileInfo): string {
  return [dev, ino, size, mtime?.getTime(), ctime?.getTime()].join(" ");
}

/** Looks at a file that will be read in pieces; `what` says what it is for. */
export function fileInPieces(path: string, what: string): FileInPieces {
  const refuse = (found: string, cause?: unknown) =>
    new ChainLearnError(`Cannot read ${what} ${path}: ${found}`, {
      cause,
      hint: "Check the path and its permissions",
    });
  const attempt = <T>(work: () => T): T => {
    try {
      return work();
    } catch (cause) {
      if (cause instanceof ChainLearnError) throw cause;
      throw refuse(reason(cause), cause);
    }
  };
  const info = attempt(() => Deno.statSync(path));
  const state = stateOf(info);
  return {
    size: info.size,
    state,
    read: (offset, length) =>
      attempt(() => {
        using file = Deno.openSync(path, { read: true });
        if (stateOf(file.statSync()) !== state) {
          throw refuse("expected the file as it was, found a changed one");
        }
        const bytes = new Uint8Array(length);
        file.seekSync(offset, Deno.SeekMode.Start);
        for (let at = 0; at < length;) {
          const count = file.readSync(bytes.subarray(at));
          if (count === null) {
            throw refuse(
              `expected ${offset + length} bytes, found ${offset + at}`,
            );
          }
          at += count;
        }
        return bytes;
      }),
  };
}

/** Reads a whole text file. */
export async function readText(path: string, what: string): Promise<string> {
  return new TextDecoder().decode(await readFile(path, what));
}

function reason(cause: unknown): string {
  if (cause instanceof Deno.errors.NotFound) {
    return "expected a file, found none";
  }
  if (cause instanceof Deno.errors.PermissionDenied) {
    return "expected permission, found none";
  }
  return cause instanceof Error ? cause.message : String(cause);
}

/** Writes a whole file or nothing: a temporary file beside it, then a rename. */
export async function writeFile(
  path: string,
  data: Uint8Array | string,
  what: string,
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${Deno.pid}.tmp`);
  try {
    await Deno.writeFile(
      temporary,
      typeof data === "string" ? new TextEncoder().encode(data) : data,
    );
    await Deno.rename(temporary, path);
  } catch (cause) {
    await Deno.remove(temporary).catch(() => {});
    throw new ChainLearnError(
      `Cannot write ${what} ${path}: ${
        cause instanceof Deno.errors.NotFound
          ? `expected a folder ${dirname(path)}, found none`
          : reason(cause)
      }`,
      { exitCode: 3, cause },
    );
  }
}

/** True if a file is there. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then((s) => s.isFile, () => false);
}

/** Parses JSON of a file; errors name it. */
export async function readJson(path: string, what: string): Promise<unknown> {
  const text = await readText(path, what);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ChainLearnError(
      `Cannot read ${what} ${path}: expected JSON, found other text`,
      { cause },
    );
  }
}

/** `path` without its last ending, in the current folder: `a/b.onnx` gives `b`. */
export function stem(path: string): string {
  return basename(path).replace(/\.[^.]+$/, "");
}

/** The one folder in which something may be cached. */
export function cacheFolder(): string {
  const home = Deno.env.get("XDG_CACHE_HOME") ??
    join(Deno.env.get("HOME") ?? ".", ".cache");
  return join(home, "chainlearn");
}
